"""virt-manager and virt-viewer themselves on kvasird, on a virtual screen driven by AT-SPI."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT, KvasirDaemon, TinyGuest, short_folder
from tests.peers.desktop import drive
from tests.waiting import until

GUEST = """\
<domain type='qemu'><name>{name}</name><memory unit='MiB'>160</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>{tiny.kernel}</kernel><initrd>{tiny.initramfs}</initrd>
<cmdline>{tiny.cmdline}</cmdline></os><features><acpi/></features><devices>
<graphics type='{graphics}' autoport='yes'/><video><model type='vga'/></video><serial type='pty'/><console type='pty'/>{more}</devices></domain>
"""
POOL = "<pool type='dir'><name>default</name><target><path>{folder}/images</path></target></pool>"


def settle(daemon: KvasirDaemon, tiny: TinyGuest, name: str, graphics: str, more: str = "") -> None:
    """A guest, and the pool that virt-manager would else make in the host's own folders."""
    (daemon.folder / "images").mkdir(exist_ok=True)
    (daemon.folder / "pool.xml").write_text(POOL.format(folder=daemon.folder))
    (daemon.folder / f"{name}.xml").write_text(GUEST.format(name=name, tiny=tiny, graphics=graphics, more=more))
    daemon.our_virsh("pool-create", str(daemon.folder / "pool.xml"))
    done = daemon.our_virsh("define", str(daemon.folder / f"{name}.xml"))
    assert done.returncode == 0, done.stderr


def events(daemon: KvasirDaemon, out: Path) -> subprocess.Popen[bytes]:
    """Our virsh writing down every event."""
    command = [sys.executable, "-u", "-m", "kvasir.cli.virsh.main", "-c", daemon.uri, "event", "--all", "--loop"]
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "LC_ALL": "C"}
    with open(out, "wb") as file:
        return subprocess.Popen(command, env=env, stdout=file, stderr=file)


def errors(log: Path) -> list[str]:
    return [
        line
        for line in log.read_text(errors="replace").splitlines()
        if re.search(r"\b(ERROR|WARNING)\b|Traceback|libvirtError", line)
    ]


@pytest.mark.timeout(580)
@pytest.mark.skipif(
    not os.environ.get("KVASIR_LONG"), reason="fetches 90 packages and starts a desktop: set KVASIR_LONG=1"
)
def test_virt_manager_lists_starts_and_shows(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    """Its window lists the guest as off; Run starts it; Open shows its screen, through a descriptor from the daemon; so does virt-viewer."""
    settle(kvasird, tiny_guest, "tiny", "vnc")
    with short_folder("kv-desk-") as folder:
        watch = events(kvasird, folder / "events")
        try:
            said = drive(
                kvasird, folder,
                ("run", "virt-manager", "--debug", "--no-fork", "-c", "qemu:///system"),
                ("see", "table cell", "tiny\nShutoff"),
                ("click", "tiny\nShutoff"),
                ("press", "push button", "Run"),
                ("see", "table cell", "tiny\nRunning"),
                ("press", "push button", "Open"),
                ("see", "frame", "tiny on QEMU/KVM"),
                ("logged", "virt-manager", "Viewer connected"),
                ("shot", "console.png"),
                ("press", "radio button", "Details"),
                ("see", "table cell", "Display VNC"),
                ("run", "virt-viewer", "--debug", "-c", "qemu:///system", "--attach", "tiny"),
                ("see", "frame", r"tiny \(1\)"),
                ("logged", "virt-viewer", "notebook show display"),
                ("shot", "viewer.png"),
            )  # fmt: skip
            until(lambda: (folder / "events").read_text().count(": disconnect ") >= 2, "both programs have gone")
        finally:
            watch.terminate()
            watch.wait()
        assert said[1] == "tiny\nShutoff" and said[4] == "tiny\nRunning"
        assert errors(folder / "virt-manager.log") == []
        for name in ("console.png", "viewer.png"):
            assert (folder / name).read_bytes().startswith(b"\x89PNG")
        seen = (folder / "events").read_text()
    assert re.search(r"event 'lifecycle' for domain 'tiny': Started Booted\n", seen)
    for phase in ("connect", "initialize", "disconnect"):
        assert len(re.findall(rf"event 'graphics' for domain 'tiny': {phase} ", seen)) >= 2, "of both programs"
    assert kvasird.our_virsh("destroy", "tiny").returncode == 0
