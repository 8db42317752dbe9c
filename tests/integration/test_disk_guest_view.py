"""What the guest itself sees: new sizes of its disks, and file systems that are whole in a snapshot taken with --quiesce."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import KvasirDaemon, TinyGuest
from tests.integration.diskguest import DISK, DiskGuest, raw_of, tool
from tests.waiting import until

pytestmark = pytest.mark.timeout(300)
MIB = 1 << 20


def extra(kvasird: KvasirDaemon, name: str, size: int) -> Path:
    """An image outside the guest's folder, which is not made yet."""
    path = kvasird.folder / f"{name}.img"
    tool("qemu-img", "create", "-q", "-f", "raw", str(path), str(size))
    path.chmod(0o666)
    return path


def sizes(guest: DiskGuest) -> dict[str, int]:
    """The sizes in bytes of the guest's disks, by the kernel's name."""
    lines = guest.run("for d in /sys/block/[sv]d*; do echo ${d##*/} $(cat $d/size); done").split("\n")
    return {name: int(count) * 512 for name, _, count in (line.partition(" ") for line in lines if line)}


@pytest.mark.guide("virsh-blockresize", "virsh-blockresize-virtio", "virsh-blockresize-scsi", "virsh-blockresize-ide")
def test_resize_as_the_guest_sees_it(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    scsi, ide = extra(kvasird, "scsi", 24 * MIB), extra(kvasird, "ide", 40 * MIB)
    disks = (
        DISK.format(format="raw", path=scsi, target="sda", bus="scsi")
        + DISK.format(format="raw", path=ide, target="hda", bus="ide")
        + "<controller type='scsi' model='lsilogic'/>"
    )
    guest = DiskGuest(kvasird, tiny_guest, disks=disks, machine="pc")
    guest.start()
    names = {size: name for name, size in sizes(guest).items()}
    on_scsi, on_ide = names[24 * MIB], names[40 * MIB]
    for target, size in (("vda", "32M"), ("sda", "28M"), ("hda", "48M")):
        guest.virsh("blockresize", "disks", target, size)
    until(lambda: sizes(guest)["vda"] == 32 * MIB, "virtio tells the guest")
    found = sizes(guest)
    assert (found[on_scsi], found[on_ide]) == (24 * MIB, 40 * MIB), "the others do not tell"
    guest.run(f"echo 1 > /sys/block/{on_scsi}/device/rescan")
    found = sizes(guest)
    assert (found[on_scsi], found[on_ide]) == (28 * MIB, 40 * MIB)
    guest.virsh("reset", "disks")
    until(lambda: guest.agent("guest-ping") is not None and 48 * MIB in sizes(guest).values(), "a reboot shows it")
    guest.virsh("destroy", "disks")


def mounted(guest: DiskGuest) -> Callable[[str], str]:
    """A file system of the second disk, mounted in the guest; gives a function that writes a word without flushing."""
    said = guest.run("modprobe crc32c_generic; modprobe ext4; mkdir -p /mnt; mount -t ext4 /dev/vdb /mnt 2>&1")
    assert "/mnt" in guest.run("cat /proc/mounts"), said
    return lambda word: guest.run(f"echo {word}-$((40 + 2)) > /mnt/{word}")


@pytest.mark.guide("virsh-snapshot-create-opt-quiesce", "virsh-snapshot-create-as-opt-quiesce")
def test_quiesce_flushes_the_guests_files(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    image = extra(kvasird, "files", 32 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    guest = DiskGuest(kvasird, tiny_guest, disks=DISK.format(format="raw", path=image, target="vdb", bus="virtio"))
    guest.start()
    write = mounted(guest)
    one = ("--disk-only", "--no-metadata", "--diskspec", "vda,snapshot=no", "--diskspec")
    write("plain")
    first = guest.folder / "first.qcow2"
    guest.virsh("snapshot-create-as", "disks", "first", *one, f"vdb,file={first}")
    assert b"plain-42" not in image.read_bytes(), "what the guest only holds in memory is not in the snapshot"
    write("quiet")
    second = guest.folder / "second.qcow2"
    guest.virsh("snapshot-create-as", "disks", "second", *one, f"vdb,file={second}", "--quiesce")
    assert b"quiet-42" in raw_of(first), "the agent flushed and froze before"
    assert guest.agent("guest-fsfreeze-status") == "thawed"
    write("after")
    assert "after-42" in guest.run("sync; cat /mnt/after")
    guest.virsh("destroy", "disks")


SMALL = """<domain type='qemu'><name>small</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><disk type='file'><driver name='qemu' type='qcow2'/>
<source file='{path}'/><target dev='vda' bus='virtio'/><iotune><total_bytes_sec>1048576</total_bytes_sec></iotune></disk>
<memballoon model='none'/></devices></domain>"""


@pytest.mark.guide("domxml-disk-iotune")
def test_limits_survive_changes_of_the_chain(kvasird: KvasirDaemon) -> None:
    path = kvasird.folder / "small.qcow2"
    tool("qemu-img", "create", "-q", "-f", "qcow2", str(path), "8M")
    document = kvasird.folder / "small.xml"
    document.write_text(SMALL.format(path=path))
    steps = [
        ("create", str(document)),
        ("snapshot-create-as", "small", "s1", "--disk-only", "--no-metadata"),
        ("blockcommit", "small", "vda", "--active", "--pivot"),
        (
            "blockcopy",
            "small",
            "vda",
            str(kvasird.folder / "copy.qcow2"),
            "--format",
            "qcow2",
            "--transient-job",
            "--pivot",
        ),
    ]
    for step in steps:
        done = kvasird.our_virsh(*step)
        assert done.returncode == 0, done.stderr
        answer = kvasird.our_virsh("qemu-monitor-command", "small", '{"execute":"query-block"}').stdout
        assert '"bps":1048576' in answer.replace(" ", ""), step
    kvasird.our_virsh("destroy", "small")
