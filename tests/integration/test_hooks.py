"""Hook scripts: the same calls with the same documents as the real daemon makes; a script that fails stops the start."""

from __future__ import annotations

import difflib
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon
from tests.waiting import until

pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/qemu-system-x86_64").exists(), reason="qemu-system-x86_64 is not installed"
)
SCRIPT = """#!/bin/sh
{{ echo "### ${{0#*/hooks/}} $*"; cat; }} >> {folder}/hooks.log
[ "$2" = "$(cat {folder}/fail)" ] && {{ echo "refused by hook" >&2; exit 3; }}
exit 0
"""
GUEST = """<domain type='qemu'><name>hg</name><uuid>11111111-aaaa-bbbb-cccc-111111111111</uuid>
<memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices/></domain>"""


def restart(daemon: DaemonHandle) -> None:
    if isinstance(daemon, KvasirDaemon):
        daemon.kill()
        daemon.start()
    else:
        subprocess.run(
            [str(PROJECT / "scripts/peer"), "restart", "--dir", str(daemon.folder)], check=True, capture_output=True
        )


def story(daemon: DaemonHandle) -> tuple[list[str], list[str]]:
    """Run a guest through its life; the calls with their documents, and the errors."""
    folder = daemon.folder
    (folder / "fail").write_text("none")
    (folder / "fail").chmod(0o666)
    (folder / "guest.xml").write_text(GUEST)
    script = folder / "hook"
    script.write_text(SCRIPT.format(folder=folder))
    install = (
        f"mkdir -p R/etc/libvirt/hooks/qemu.d; for n in daemon qemu qemu.d/b qemu.d/a; do cp {script} R/etc/libvirt/hooks/$n; "
        "chmod 755 R/etc/libvirt/hooks/$n; done; echo no > R/etc/libvirt/hooks/qemu.d/c"
    )
    if isinstance(daemon, KvasirDaemon):
        subprocess.run(["sh", "-c", install.replace("R/", f"{folder}/")], check=True)
    else:
        peer = [
            str(PROJECT / "scripts/peer"),
            "exec",
            "--dir",
            str(folder),
            "--",
            "sh",
            "-c",
            install.replace("R/", "/"),
        ]
        subprocess.run(peer, check=True)
    restart(daemon)
    errors = []
    assert daemon.virsh("define", str(folder / "guest.xml")).returncode == 0
    assert daemon.virsh("start", "hg").returncode == 0
    restart(daemon)
    assert daemon.virsh("destroy", "hg").returncode == 0
    for operation in ("prepare", "start", "started"):
        (folder / "fail").write_text(operation)
        done = daemon.virsh("start", "hg")
        assert done.returncode == 1
        errors.append(re.sub(r"LC_ALL=.*hooks/", "", done.stderr))
    (folder / "fail").write_text("none")
    assert daemon.virsh("list").stdout.count("hg") == 0
    assert daemon.virsh("undefine", "hg").returncode == 0
    text = (folder / "hooks.log").read_text()
    text = re.sub(r"\n  <seclabel[^>]*/>|\n  <seclabel.*?</seclabel>", "", text, flags=re.S).replace(str(folder), "")
    text = re.sub(r" id='\d+'", " id='N'", text)
    return ["### " + part for part in text.split("### ")[1:]], errors


def test_same_calls(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    theirs, their_errors = story(real_libvirtd)
    ours, our_errors = story(kvasird)
    assert our_errors == their_errors
    assert [part.splitlines()[0] for part in ours] == [part.splitlines()[0] for part in theirs]
    stages = {"start", "started", "reconnect"}  # whose documents are those of a running guest, byte for byte
    for mine, one in zip(ours, theirs, strict=True):
        if mine.splitlines()[0].split()[3] in stages:
            assert not list(difflib.unified_diff(one.splitlines(), mine.splitlines(), lineterm=""))


def test_daemon_hooks(kvasird: KvasirDaemon) -> None:
    """Start, reload and end of the daemon are told; a hook that fails there changes nothing."""
    hooks = kvasird.folder / "etc/libvirt/hooks"
    hooks.mkdir(parents=True)
    (hooks / "daemon").write_text(f'#!/bin/sh\necho "$*" >> {kvasird.folder}/log\nexit 1\n')
    (hooks / "daemon").chmod(0o755)
    kvasird.stop()
    kvasird.start()
    assert kvasird.our_virsh("list").returncode == 0
    assert kvasird.process is not None
    kvasird.process.send_signal(signal.SIGHUP)
    log = kvasird.folder / "log"
    until(lambda: "reload" in log.read_text())
    assert kvasird.stop() == 0
    assert log.read_text().splitlines() == [
        "- shutdown - shutdown",
        "- start - start",
        "- reload begin SIGHUP",
        "- shutdown - shutdown",
    ]
