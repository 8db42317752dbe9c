"""Ceph pools by transcripts of ``rbd`` and ``ceph`` (of our own writing; there is no cluster here): what the tools are asked,
what their answers become, and that the key is never on a command line."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from kvasir.errors import ConfigUnsupported, InternalError
from kvasir.model.storage import Volume
from kvasir.storage import documents
from kvasir.storage.pools.base import SHRINK
from kvasir.storage.pools.rbd import RbdPool

TOOL = """#!/bin/sh
{ printf '%s' "${0##*/}"; for w in "$@"; do printf ' %s' "$w"; done; echo; } >> LOG
for w in "$@"; do case "$prev" in --keyfile) cat "$w" >> KEYS; echo >> KEYS;; esac; prev=$w; done
case "$*" in
*df*) echo '{"pools":[{"name":"other","stats":{}},{"name":"rbd","stats":{"bytes_used":1000,"max_avail":9000}}]}';;
*ls*) echo '[{"image":"a","size":1048576},{"image":"a","snapshot":"s","size":5},{"image":"b","size":2097152}]';;
*info*) echo '{"size":4194304}';;
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
        ("a", "rbd/a", "network", 1 << 20),
        ("b", "rbd/b", "network", 2 << 20),
    ]
    document = kind.document
    assert (document.capacity, document.allocation, document.available) == (10000, 1000, 9000)
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
    kind.create(volume, Volume(name="a", type="network"), 0)
    kind.resize(volume, 5 << 20, SHRINK)
    kind.update(volume)
    assert volume.capacity == 4 << 20
    kind.wipe(volume, "zero")
    kind.remove(volume, 2)
    tails: list[Any] = [line[line.index("none") + 1 :] for line in asked(cluster)]
    assert tails == [
        ["create", "--size", "3M", "rbd/new"],
        ["cp", "rbd/a", "rbd/new"],
        ["resize", "--allow-shrink", "--size", "5M", "rbd/new"],
        ["info", "rbd/new", "--format", "json"],
        ["resize", "--allow-shrink", "--size", "0", "rbd/new"],
        ["resize", "--size", "4194304B", "rbd/new"],
        ["snap", "purge", "rbd/new"],
        ["rm", "--no-progress", "rbd/new"],
    ]


def test_refusals(cluster: Path) -> None:
    kind = pool(cluster)
    with pytest.raises(InternalError, match="error opening pool"):
        kind.create(Volume(name="nosuch", capacity=1), None, 0)
    with pytest.raises(ConfigUnsupported):
        pool(cluster, "<auth type='chap' username='x'><secret usage='x'/></auth>").scan()
