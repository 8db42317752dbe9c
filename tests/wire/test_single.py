"""``secret:///system`` and the like: a connection to one driver, as on the real daemon; each virsh says the same of both daemons."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon

LINES = """uri; version; secret-list; nodedev-list --cap system; net-list --all; pool-list --all; list
nodeinfo; hostname; sysinfo; pool-capabilities --nosuch; freecell; capabilities; domid x
secret-event --timeout 1 --event lifecycle; nodedev-event --timeout 1 --event lifecycle
pool-event --timeout 1 --event lifecycle; net-event --timeout 1 --event lifecycle
event --timeout 1 --event lifecycle"""
FEW = ("secret", "nodedev", "network", "storage", "interface", "nwfilter")


@pytest.mark.parametrize("name", FEW)
def test_one_driver_alone(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, name: str) -> None:
    said = []
    for daemon in (real_libvirtd, kvasird):
        assert daemon.peers is not None
        uri = daemon.uri.replace("qemu+", f"{name}+")
        here = []
        for line in LINES.replace("\n", "; ").split("; "):
            words = line.split()
            here.append(daemon.peers.run("virsh", "-c", uri, *words))
        mine = [sys.executable, "-m", "kvasir.cli.virsh.main", "-c", uri]
        own = [
            subprocess.run([*mine, *line.split()], capture_output=True, text=True, timeout=60)
            for line in LINES.replace("\n", "; ").split("; ")
        ]
        for runs in (here, own):
            said.append([_plain(one.stdout + one.stderr, str(daemon.folder)) for one in runs])
        wrong = daemon.peers.run("virsh", "-c", uri.replace("/system", "/foo"), "uri").stderr
        assert f"unexpected {name} URI path '/foo', try {name}:///system" in wrong
    assert said[2] == said[0]
    assert said[3] == said[1]


def _plain(text: str, folder: str) -> str:
    text = re.sub(r"/\S*/libvirt-sock", "SOCKET", text)
    return re.sub(r"( *<value>.*</value>\n)+", "VALUES\n", text)
