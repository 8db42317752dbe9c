"""Ceph pools by transcripts of ``rbd`` and ``ceph`` (of our own writing; test_ceph_real.py has a cluster): what the tools are asked,
what their answers become, and that the key is never on a command line."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from kvasir.errors import ConfigUnsupported, InternalError, InvalidArg, NoSupport, SystemFailure
from kvasir.model.storage import Volume
from kvasir.storage import documents
from kvasir.storage.pools.base import SHRINK
from kvasir.storage.pools.rbd import RbdPool

TOOL = """#!/bin/sh
{ printf '%s' "${0##*/}"; for w in "$@"; do printf ' %s' "$w"; done; echo; } >> LOG
for w in "$@"; do case "$prev" in --keyfile) cat "$w" >> KEYS; echo >> KEYS;; esac; prev=$w; done
case "$*" in
*df*) echo '{"stats":{"total_bytes":10000,"total_avail_bytes":9000},"pools":[{"name":"rbd","stats":{"stored":1000}}]}';;
*"snap ls"*rbd/a*) echo '[{"id":4,"name":"old","protected":"true"},{"id":5,"name":"same","protected":"false"}]';;
*"snap ls"*) echo '[{"id":4,"name":"held","protected":"true"}]';;
*diff*old*) echo '[{"offset":"0","length":"4096","exists":"true"}]';;
*diff*) echo '[]';;
*"ls rbd"*) echo '["a","b"]';;
*info*plain*) echo '{"size":1048576,"objects":1,"object_size":4194304,"features":[]}';;
*info*) echo '{"size":4194304,"objects":1,"object_size":4194304,"features":["layering"]}';;
*"rm --no-progress rbd/busy"*) exit 16;;
*create*nosuch*) echo 'rbd: error opening pool' >&2; exit 2;;
esac
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("rbd", "ceph"):
        text = TOOL.replace("LOG", str(tmp_path / "log")).replace("KEYS", str(tmp_path / "keys"))
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def pool(folder: Path, auth: str = "", options: str = "") -> RbdPool:
    document = documents.pool(
        "<pool type='rbd' xmlns:rbd='http://libvirt.org/schemas/storagepool/rbd/1.0'><name>p</name><source>"
        f"<host name='mon1' port='6789'/><host name='::1'/><name>rbd</name>{auth}</source>{options}</pool>"
    )
    kind = RbdPool(document, lambda named, use: b"the key" if use == "ceph" else b"")
    kind.secrets_folder = str(folder / "secrets")
    return kind


def asked(folder: Path) -> list[list[str]]:
    return [shlex.split(line) for line in (folder / "log").read_text().splitlines()]


def test_scan(cluster: Path) -> None:
    kind = pool(cluster)
    volumes = kind.scan()
    assert [(v.name, v.path, v.type, v.capacity) for v in volumes] == [
        ("a", "rbd/a", "network", 4 << 20),
        ("b", "rbd/b", "network", 4 << 20),
    ]
    document = kind.document
    assert (document.capacity, document.allocation, document.available) == (10000, 1000, 8192)
    assert asked(cluster)[0][:3] == ["ceph", "--mon-host", "mon1:6789,[::1]"]


def test_key_by_file_only(cluster: Path) -> None:
    kind = pool(cluster, "<auth type='ceph' username='admin'><secret usage='x'/></auth>")
    kind.scan()
    words = asked(cluster)[0]
    assert words[words.index("--id") + 1] == "admin"
    assert (cluster / "keys").read_text().splitlines()[0] == "dGhlIGtleQ=="
    assert all("dGhlIGtleQ" not in word and "the key" not in word for line in asked(cluster) for word in line)
    assert list((cluster / "secrets").iterdir()) == []


def test_options_and_timeouts(cluster: Path) -> None:
    options = "<rbd:config_opts><rbd:option name='client_mount_timeout' value='45'/></rbd:config_opts>"
    pool(cluster, options=options).scan()
    words = asked(cluster)[0]
    assert words[words.index("--client-mount-timeout") + 1] == "45"
    assert words[words.index("--rados-mon-op-timeout") + 1] == "30"


def test_volumes(cluster: Path) -> None:
    kind = pool(cluster)
    volume = Volume(name="new", capacity=3 << 20)
    kind.prepare(volume)
    assert (volume.path, volume.key, volume.type) == ("rbd/new", "rbd/new", "network")
    kind.create(volume, None, 0)
    kind.create(volume, Volume(name="a", path="rbd/a", type="network"), 0)
    kind.create(volume, Volume(name="plain", path="rbd/plain", type="network"), 0)
    kind.create(volume, Volume(name="x", path="/x.img", type="file"), 0)
    kind.resize(volume, 5 << 20, SHRINK)
    kind.update(volume)
    assert (volume.capacity, volume.allocation) == (4 << 20, 4 << 20)
    kind.wipe(volume, "zero")
    kind.remove(volume, 2)
    tails: list[Any] = [line[line.index("none") + 1 :] for line in asked(cluster)]
    info = ["--format", "json"]
    assert tails == [
        ["create", "--size", "3145728B", "rbd/new"],
        ["info", "rbd/a", *info],
        ["snap", "ls", "rbd/a", *info],
        ["diff", "--from-snap", "old", "rbd/a", *info],
        ["diff", "--from-snap", "same", "rbd/a", *info],
        ["snap", "protect", "rbd/a@same"],
        ["clone", "rbd/a@same", "rbd/new"],
        ["info", "rbd/plain", *info],
        ["cp", "--no-progress", "rbd/plain", "rbd/new"],
        ["import", "--no-progress", "/x.img", "rbd/new"],
        ["resize", "--no-progress", "--allow-shrink", "--size", "5242880B", "rbd/new"],
        ["info", "rbd/new", *info],
        ["resize", "--no-progress", "--allow-shrink", "--size", "0", "rbd/new"],
        ["resize", "--no-progress", "--size", "4194304B", "rbd/new"],
        ["snap", "ls", "rbd/new", *info],
        ["snap", "unprotect", "rbd/new@held"],
        ["snap", "purge", "--no-progress", "rbd/new"],
        ["rm", "--no-progress", "rbd/new"],
    ]


def test_refusals(cluster: Path) -> None:
    kind = pool(cluster)
    with pytest.raises(InternalError, match="error opening pool"):
        kind.create(Volume(name="nosuch", capacity=1), None, 0)
    with pytest.raises(SystemFailure, match="failed to remove volume 'rbd/busy': Device or resource busy"):
        kind.remove(Volume(name="busy"), 0)
    with pytest.raises(NoSupport, match="volume capacity required"):
        kind.create(Volume(name="empty", capacity=0), None, 0)
    with pytest.raises(InvalidArg, match="unsupported algorithm 8"):
        kind.wipe(Volume(name="a"), "random")
    with pytest.raises(ConfigUnsupported, match="only RAW volumes"):
        kind.format_of(Volume(name="a", format="qcow2"))
    with pytest.raises(ConfigUnsupported):
        pool(cluster, "<auth type='chap' username='x'><secret usage='x'/></auth>").scan()
