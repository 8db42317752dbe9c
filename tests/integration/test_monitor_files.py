"""qemu-monitor-command --pass-fds: an open file goes to QEMU with the command; both virsh on both daemons say the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon

pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/qemu-system-x86_64").exists(), reason="qemu-system-x86_64 is not installed"
)
DOCUMENT = """<domain type='qemu'><name>mf</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"""
SCRIPT = """exec 5<"$0"; exec 6<"$0"
"$@" create "$0"
"$@" qemu-monitor-command mf --pass-fds 5 '{"execute":"getfd","arguments":{"fdname":"five"}}'
"$@" qemu-monitor-command mf '{"execute":"closefd","arguments":{"fdname":"five"}}'
"$@" qemu-monitor-command mf '{"execute":"getfd","arguments":{"fdname":"five"}}'
"$@" qemu-monitor-command mf --hmp --pass-fds 5 'getfd six'
"$@" qemu-monitor-command mf --hmp 'closefd six'
"$@" qemu-monitor-command mf --pass-fds 5,6 '{"execute":"query-name"}'
"$@" qemu-monitor-command mf --pass-fds 5,x '{"execute":"query-name"}'
"$@" destroy mf
"""


def test_files_reach_the_monitor(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    ours = (sys.executable, "-m", "kvasir.cli.virsh.main")
    said = []
    for daemon in (real_libvirtd, kvasird):
        assert daemon.peers is not None
        path = daemon.folder / "mf.xml"
        path.write_text(DOCUMENT)
        words = ("bash", "-c", SCRIPT.replace("\n", " 2>&1\n"), str(path))
        done = daemon.peers.run(*words, "virsh", "-c", daemon.uri, timeout=120)
        said.append(_plain(done.stdout, daemon.folder))
        mine = subprocess.run([*words, *ours, "-c", daemon.uri], capture_output=True, text=True, timeout=120)
        said.append(_plain(mine.stdout, daemon.folder))
    assert said[1] == said[0]
    assert said[2] == said[0]
    assert said[3] == said[0]
    assert '"return":{}' in said[0]


def _plain(text: str, folder: Path) -> str:
    """Without what differs from run to run: the folder, the daemon's counter of commands."""
    return re.sub(r"libvirt-\d+", "libvirt-N", text.replace(str(folder), "FOLDER"))
