"""A guest's QEMU has a ``/dev`` of its own, with the real daemon's nodes and no others; plugged devices come and go there."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon

GUEST = """<domain type='qemu'><name>owndev</name><uuid>5a8d5b50-64d3-4f37-9c1b-2f6d3a1d2b12</uuid><memory>65536</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><controller type='scsi' model='virtio-scsi'/>
<disk type='block' device='disk'><source dev='{link}'/><target dev='vda' bus='virtio'/></disk><serial type='pty'/>
<rng model='virtio'><backend model='random'>/dev/hwrng-of-a-test</backend></rng></devices></domain>"""
DISK = "<disk type='block' device='disk'><source dev='{path}'/><target dev='sda' bus='scsi'/></disk>"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mount namespaces need root")


def nodes(pid: int) -> dict[str, tuple[str, int]]:
    """What lies in a process's ``/dev`` itself: kind with permissions, and number; what is mounted below it left out."""
    top = Path(f"/proc/{pid}/root/dev")
    found = {}
    for folder, names, files in os.walk(top):
        names[:] = [name for name in names if os.lstat(os.path.join(folder, name)).st_dev == top.stat().st_dev]
        for path in (os.path.join(folder, name) for name in files):
            state = os.lstat(path)
            if state.st_dev == top.stat().st_dev and not stat.S_ISREG(state.st_mode):
                found[path.removeprefix(str(top))] = (stat.filemode(state.st_mode), state.st_rdev)
    return found


def pid_of(daemon: DaemonHandle) -> int:
    text = daemon.virsh("dumpxml", "owndev").stdout
    assert "<name>owndev</name>" in text
    found = subprocess.run(["pgrep", "-f", "guest=owndev,"], capture_output=True, text=True).stdout.split()
    return int(found[0])


@pytest.fixture
def loops(tmp_path: Path) -> Iterator[list[str]]:
    made = []
    for number in range(2):
        image = tmp_path / f"image{number}"
        image.write_bytes(bytes(1 << 20))
        found = subprocess.run(["losetup", "--find", "--show", image], capture_output=True, text=True, check=True)
        made.append(found.stdout.strip())
    yield made
    for loop in made:
        subprocess.run(["losetup", "--detach", loop], check=True)


@pytest.fixture
def hwrng() -> Iterator[Path]:
    """A node that this host lacks: what /dev/urandom is, under another name."""
    path = Path("/dev/hwrng-of-a-test")
    os.mknod(path, 0o644 | stat.S_IFCHR, os.makedev(1, 9))
    path.chmod(0o644)
    yield path
    path.unlink()


@pytest.fixture
def link(loops: list[str]) -> Iterator[Path]:
    """A name of the first loop device."""
    path = Path(f"/dev/kvasir-test-{os.getpid()}")
    path.symlink_to(Path(loops[0]).name)
    yield path
    path.unlink()


def start(daemon: DaemonHandle, link: Path) -> int:
    document = daemon.folder / "owndev.xml"
    document.write_text(GUEST.format(link=link))
    created = daemon.virsh("create", str(document))
    assert created.returncode == 0, created.stderr
    return pid_of(daemon)


def test_nodes(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, loops: list[str], link: Path, hwrng: Path) -> None:
    pid = start(kvasird, link)
    ours = nodes(pid)
    assert os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
    assert {"/urandom", "/hwrng-of-a-test", loops[0].removeprefix("/dev"), f"/{link.name}"} <= set(ours)
    assert "/mem" not in ours and loops[1].removeprefix("/dev") not in ours
    assert list((kvasird.folder / "run/libvirt/qemu").glob("*.dev")) == []
    theirs = nodes(start(real_libvirtd, link))
    assert real_libvirtd.virsh("destroy", "owndev").returncode == 0
    assert ours == theirs
    assert kvasird.virsh("ttyconsole", "owndev").stdout.startswith("/dev/pts/")
    status = (kvasird.folder / "run/libvirt/qemu/owndev.xml").read_text()
    assert "<namespaces>\n    <mount/>\n  </namespaces>\n" in status

    disk = kvasird.folder / "disk.xml"
    disk.write_text(DISK.format(path=loops[1]))
    kvasird.kill()
    kvasird.start()
    plugged = kvasird.virsh("attach-device", "owndev", str(disk))
    assert plugged.returncode == 0, plugged.stderr
    name = loops[1].removeprefix("/dev")
    assert set(nodes(pid)) == {*ours, name}
    gone = kvasird.virsh("detach-device", "owndev", str(disk))
    assert gone.returncode == 0, gone.stderr
    assert nodes(pid) == ours
    assert kvasird.virsh("destroy", "owndev").returncode == 0


def test_without(kvasird: KvasirDaemon, link: Path, hwrng: Path) -> None:
    """``namespaces = []`` in qemu.conf: the host's."""
    conf = kvasird.folder / "etc/libvirt/qemu.conf"
    conf.write_text(f"{conf.read_text() if conf.exists() else ''}\nnamespaces = []\n")
    kvasird.kill()
    kvasird.start()
    pid = start(kvasird, link)
    assert os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    assert kvasird.virsh("destroy", "owndev").returncode == 0
