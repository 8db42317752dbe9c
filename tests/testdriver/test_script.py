"""test:///default: one script of over 300 lines, the same bytes in {our, the real virsh} x {kvasird, the real libvirtd}."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kvasir.cli.virsh import names
from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon, Peers
from tests.testdriver.script import FILES, PARTS
from tests.virsh.cells import four, lines_of
from tests.virsh.conftest import Both

BROKEN = ("freepages",)
"""The real test driver fails here behind a daemon ("Library function returned error but did not set virError")."""


def built(script: str) -> str:
    """Without the lines whose command our virsh does not have yet, and those at which the real daemon breaks."""
    lines = [
        line
        for line in lines_of(script)
        if not line.startswith(BROKEN) and (found := names.find(line.split()[0])) and "not built" not in found.help
    ]
    return "\n".join(lines)


def prepare(daemon: DaemonHandle) -> None:
    for name, text in FILES.items():
        (daemon.folder / name).write_text(text)
    for path in daemon.folder.glob("web.*"):
        path.chmod(0o666)


def mask(text: str) -> str:
    """Times, what grows with them, identities made by chance."""
    text = re.sub(r"CPU time: .*|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000|<uuid>.*</uuid>", "#", text)
    text = re.sub(r"(rd|wr)_(req|bytes) \d+|errs \d+|<creationTime>\d+", "#", text)
    return re.sub(r"test(\+unix)?:///default\S*", "URI", text)


def uri(daemon: DaemonHandle) -> str:
    return daemon.uri.replace("qemu+unix:///system", "test+unix:///default")


@pytest.mark.parametrize("part", PARTS)
def test_four_cells(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, part: str) -> None:
    four((("libvirtd", real_libvirtd), ("kvasird", kvasird)), built(PARTS[part]), mask, prepare, uri)


def test_there_are_enough_lines() -> None:
    assert sum(len(lines_of(part)) for part in PARTS.values()) >= 400


def test_without_a_daemon(peers: Peers, tmp_path: Path) -> None:
    """``test:///default`` alone: our client starts what it needs, and nothing stays behind."""
    ours = [sys.executable, "-m", "kvasir.cli.virsh.main", "-c", "test:///default"]
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    script = "list --all; net-list --all; pool-list --all; dumpxml test; destroy test; domstate test --reason; list"
    done = subprocess.run([*ours, script], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout == peers.virsh("test:///default", script).stdout
    again = subprocess.run([*ours, "list"], env=env, capture_output=True, text=True, timeout=60)
    assert "running" in again.stdout  # each connection has a world of its own
    document = tmp_path / "node.xml"
    document.write_text(
        "<node><domain type='test'><name>mine</name><memory>1024</memory><os><type>hvm</type></os></domain>"
        "<network><name>net</name><ip address='10.0.0.1' netmask='255.255.255.0'/></network></node>"
    )
    ours[-1] = f"test://{document}"
    script = "list --all; net-list --all --name; pool-list --all; dumpxml mine --xpath //name; uri"
    done = subprocess.run([*ours, script], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout == peers.virsh(f"test://{document}", script).stdout
    wrong = subprocess.run(
        [*ours[:-1], f"test://{tmp_path}/nosuch", "list"], env=env, capture_output=True, text=True, timeout=60
    )
    assert wrong.returncode == 1 and "No such file" in wrong.stderr


def test_one_world_for_all_who_have_it_open(kvasird: KvasirDaemon) -> None:
    """Two clients at a time share the default world and its events; it is new when all have gone. Others hear nothing."""
    from kvasir import client

    first, second = client.open(uri(kvasird)), client.open(uri(kvasird))
    other = client.open(kvasird.uri)
    seen: list[tuple[str, int]] = []
    strange: list[str] = []
    second.domainEventRegisterAny(
        None, 0, lambda conn, dom, event, detail, opaque: seen.append((dom.name(), event)), None
    )
    other.domainEventRegisterAny(None, 0, lambda conn, dom, event, detail, opaque: strange.append(dom.name()), None)
    first.lookupByName("test").destroy()
    while not seen:
        assert second.dispatch(30) is not None
    assert seen == [("test", 5)]
    assert [one.isActive() for one in second.listAllDomains(0)] == [0]
    other.dispatch(0.2)
    assert strange == []
    for conn in (first, second):
        conn.close()
    again = client.open(uri(kvasird))
    assert [one.isActive() for one in again.listAllDomains(0)] == [1]
    again.close()
    other.close()


def test_over_tcp(kvasird: KvasirDaemon) -> None:
    """``test+tcp://``: both virsh reach the same world from afar."""
    kvasird.stop()
    conf = kvasird.folder / "etc/libvirt/libvirtd.conf"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    conf.write_text(
        f'listen_tls = 0\nlisten_tcp = 1\nauth_tcp = "none"\nlisten_addr = "127.0.0.1"\ntcp_port = "{port}"\n'
    )
    kvasird.start("--listen")
    far = f"test+tcp://127.0.0.1:{port}/default"
    pair = Both(kvasird, kvasird.folder)
    script = "list --all; net-list; pool-list; suspend test; domstate test --reason; vol-list default-pool; hostname"
    real, ours = (getattr(pair, who)("-c", far, script, uri=False) for who in ("real", "ours"))
    assert (real.stdout, real.stderr) == (ours.stdout, ours.stderr)
    assert "paused (user)" in ours.stdout
