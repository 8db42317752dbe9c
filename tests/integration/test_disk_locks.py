"""Disk locks: one image is never written by two guests, of one daemon, of two, or of the real libvirt with virtlockd beside."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, Done, KvasirDaemon, short_folder
from tests.waiting import until

pytestmark = pytest.mark.timeout(200)

GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>{lease}
<disk type='file'><driver name='qemu' type='{format}'/><source file='{path}'/><target dev='vda' bus='virtio'/>{more}</disk>
<memballoon model='none'/></devices></domain>"""
LEASE = "<lease><lockspace>{space}</lockspace><key>{key}</key><target path='{path}'/></lease>"


@pytest.fixture
def images() -> Iterator[Path]:
    with short_folder("kv-lock-") as folder:
        folder.chmod(0o777)
        for name in ("a", "b", "c"):
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{folder}/{name}.qcow2", "8M"], check=True)
        (folder / "raw.img").write_bytes(bytes(1 << 20))
        for entry in folder.iterdir():
            entry.chmod(0o666)
        yield folder


def configure(daemon: KvasirDaemon, text: str = 'lock_manager = "lockd"\n', lockd: str = "") -> None:
    """Write qemu.conf and start the daemon anew."""
    etc = daemon.folder / "etc/libvirt"
    etc.mkdir(parents=True, exist_ok=True)
    (etc / "qemu.conf").write_text(text)
    if lockd:
        (etc / "qemu-lockd.conf").write_text(lockd)
    daemon.kill()
    daemon.start()


def create(daemon: DaemonHandle, folder: Path, name: str, image: str, *, more: str = "", lease: str = "") -> Done:
    """Start a transient guest on an image."""
    path = folder / f"{name}.xml"
    form = "raw" if image.endswith(".img") else "qcow2"
    path.write_text(GUEST.format(name=name, path=folder / image, format=form, more=more, lease=lease))
    return daemon.virsh("create", str(path))


BUSY = "resource busy: Lockspace resource"


def test_two_guests_of_one_daemon(kvasird: KvasirDaemon, images: Path) -> None:
    configure(kvasird)
    assert create(kvasird, images, "one", "a.qcow2").returncode == 0, kvasird.log()
    refused = create(kvasird, images, "two", "a.qcow2")
    assert refused.returncode == 1
    assert f"{BUSY} '{images}/a.qcow2' is locked" in refused.stderr
    kvasird.kill()
    kvasird.start()
    assert BUSY in create(kvasird, images, "two", "a.qcow2").stderr, "the lock outlives the daemon"
    assert create(kvasird, images, "three", "b.qcow2").returncode == 0
    assert kvasird.virsh("destroy", "one").returncode == 0
    assert create(kvasird, images, "two", "a.qcow2").returncode == 0, "and goes with QEMU"
    for name in ("two", "three"):
        kvasird.virsh("destroy", name)


@pytest.mark.guide("domxml-disk-shareable", "domxml-disk-readonly")
def test_shared_and_readonly_images(kvasird: KvasirDaemon, images: Path) -> None:
    configure(kvasird)
    assert create(kvasird, images, "s1", "raw.img", more="<shareable/>").returncode == 0, kvasird.log()
    assert create(kvasird, images, "s2", "raw.img", more="<shareable/>").returncode == 0
    assert BUSY in create(kvasird, images, "w", "raw.img").stderr, "who shares keeps who does not away"
    for name in ("r1", "r2"):
        assert create(kvasird, images, name, "b.qcow2", more="<readonly/>").returncode == 0
    for name in ("s1", "s2", "r1", "r2"):
        kvasird.virsh("destroy", name)


def test_snapshots_and_jobs_take_the_lock_along(kvasird: KvasirDaemon, images: Path) -> None:
    configure(kvasird)
    create(kvasird, images, "one", "a.qcow2")
    overlay = images / "over.qcow2"
    spec = ("--disk-only", "--no-metadata", "--diskspec", f"vda,file={overlay}")
    assert kvasird.virsh("snapshot-create-as", "one", "s", *spec).returncode == 0
    assert f"{BUSY} '{overlay}'" in create(kvasird, images, "two", "over.qcow2").stderr
    assert BUSY not in create(kvasird, images, "two", "a.qcow2").stderr, "the lower image is free (QEMU watches it)"
    assert kvasird.virsh("blockcommit", "one", "vda", "--active", "--pivot").returncode == 0
    assert f"{BUSY} '{images}/a.qcow2'" in create(kvasird, images, "two", "a.qcow2").stderr
    disk = images / "disk.xml"
    disk.write_text(f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{images}/c.qcow2'/>"
                    "<target dev='vdb' bus='virtio'/></disk>")  # fmt: skip
    assert create(kvasird, images, "two", "b.qcow2").returncode == 0
    assert kvasird.virsh("attach-device", "one", str(disk)).returncode == 0, kvasird.log()
    assert BUSY in kvasird.virsh("attach-device", "two", str(disk)).stderr
    for name in ("one", "two"):
        kvasird.virsh("destroy", name)


@pytest.mark.guide("domxml-lease")
def test_leases_and_lockspaces(kvasird: KvasirDaemon, images: Path) -> None:
    space = images / "spaces"
    configure(kvasird, lockd=f'auto_disk_leases = 1\nfile_lockspace_dir = "{space}"\n')
    (images / "room").mkdir()
    lease = LEASE.format(space="room", key="k1", path=images)
    gone = create(kvasird, images, "one", "a.qcow2", lease=lease)
    assert gone.returncode == 1 and "Unable to open/create resource" in gone.stderr, "a lease must be there"
    (images / "room/k1").touch()
    assert create(kvasird, images, "one", "a.qcow2", lease=lease).returncode == 0, kvasird.log()
    assert "<key>k1</key>" in kvasird.virsh("dumpxml", "one").stdout
    assert f"{BUSY} 'k1' is locked" in create(kvasird, images, "two", "b.qcow2", lease=lease).stderr
    assert f"{BUSY} '{images}/a.qcow2' is locked" in create(kvasird, images, "two", "a.qcow2").stderr
    assert len(list(space.iterdir())) >= 1, "the lock is a file of the lockspace"
    kvasird.virsh("destroy", "one")


def test_required_leases_and_unknown_managers(kvasird: KvasirDaemon, images: Path) -> None:
    configure(kvasird, lockd="auto_disk_leases = 0\nrequire_lease_for_disks = 1\n")
    assert "no leases specified" in create(kvasird, images, "one", "a.qcow2").stderr
    configure(kvasird, 'lock_manager = "other"\n')
    assert "lock manager 'other' is not known" in create(kvasird, images, "one", "a.qcow2").stderr


def test_locks_are_held_while_the_cpus_run(kvasird: KvasirDaemon, images: Path) -> None:
    """A guest that is paused may go on elsewhere: its locks are free; QEMU's own watch the image on this host."""
    configure(kvasird)
    assert create(kvasird, images, "one", "a.qcow2").returncode == 0, kvasird.log()
    for _ in range(2):
        kvasird.virsh("suspend", "one")
        refused = create(kvasird, images, "two", "a.qcow2").stderr
        assert BUSY not in refused and 'Failed to get "write" lock' in refused
        assert kvasird.virsh("resume", "one").returncode == 0, kvasird.log()
        assert BUSY in create(kvasird, images, "two", "a.qcow2").stderr
    kvasird.virsh("destroy", "one")


def test_beside_the_real_daemon_with_virtlockd(
    kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, images: Path
) -> None:
    """Each refuses what the other's guest has: the image's own bytes, then files of one lockspace folder.

    For the latter the real daemon sees another file under the image's name, so that QEMU's own locks do not say it first.
    """
    with_virtlockd(real_libvirtd, "")
    configure(kvasird)
    for first, second in ((real_libvirtd, kvasird), (kvasird, real_libvirtd)):
        assert create(first, images, "one", "a.qcow2").returncode == 0, kvasird.log()
        same = create(second, images, "two", "a.qcow2")
        assert same.returncode == 1
        assert second is real_libvirtd or f"{BUSY} '{images}/a.qcow2' is locked" in same.stderr
        assert first.virsh("destroy", "one").returncode == 0
    space = images / "spaces"
    space.mkdir()
    (images / "link.qcow2").symlink_to(images / "b.qcow2")
    lockd = f'file_lockspace_dir = "{space}"\n'
    with_virtlockd(real_libvirtd, lockd, f"mount --bind {images}/c.qcow2 {images}/a.qcow2;")
    configure(kvasird, lockd=lockd)
    for first, second in ((real_libvirtd, kvasird), (kvasird, real_libvirtd)):
        assert create(first, images, "one", "a.qcow2").returncode == 0, kvasird.log()
        refused = create(second, images, "two", "a.qcow2").stderr
        assert BUSY in refused and "is locked" in refused
        assert first.virsh("destroy", "one").returncode == 0
    names = []
    for daemon in (real_libvirtd, kvasird):
        for path in space.iterdir():
            path.unlink()
        assert create(daemon, images, "one", "link.qcow2").returncode == 0
        names.append({path.name for path in space.iterdir()})
        assert daemon.virsh("destroy", "one").returncode == 0
    assert names[0] == names[1], "the lockspace's files are named alike"


def with_virtlockd(real: DaemonHandle, lockd: str, more: str = "") -> None:
    """Let the real daemon use virtlockd, with these keys in qemu-lockd.conf."""
    peer = [str(PROJECT / "scripts/peer")]
    env = {**os.environ, "KVASIR_PEERS": str(real.peers.root)} if real.peers else None
    inside = [*peer, "exec", "--dir", str(real.folder), "--", "sh", "-c"]
    setup = (
        f"{more} grep -q ^lock_manager /etc/libvirt/qemu.conf || echo 'lock_manager = \"lockd\"' >> /etc/libvirt/qemu.conf; "
        f"printf %s '{lockd}' > /etc/libvirt/qemu-lockd.conf; "
        "pgrep -x virtlockd >/dev/null || setsid virtlockd </dev/null >/dev/null 2>&1 &"
    )
    subprocess.run([*inside, setup], check=True, env=env)
    subprocess.run([*peer, "restart", "--dir", str(real.folder)], check=True, env=env)
    until(lambda: real.virsh("list").returncode == 0)
