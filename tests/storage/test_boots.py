"""Guests that boot from each kind of storage (C.5), and that see their volumes alike.

The disk holds a boot sector of our own that says its name on the serial port. Logical volumes: no device mapper in this kernel,
so LVM's tools are stand-ins with transcripts of our own writing and the volume's node leads to a loop device; units of (virtual)
fibre channel adapters: a fake /sys in which the unit's block device is a loop device. What boots is real each time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TinyGuest, short_folder
from tests.golden.storage import lab
from tests.integration.diskguest import DISK, DiskGuest
from tests.waiting import until

from .conftest import Lone
from .targets import IQN, TargetDaemon
from .test_vhba import NAMES
from .test_vhba import daemon as fibre  # noqa: F401  (a fixture)

pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(os.geteuid() != 0, reason="loop devices need root")]
CODE = bytes.fromhex("31c08ed8fcbe167cac08c07406baf803eeebf5f4ebfd")
"""Prints the text behind it, up to a zero, on the first serial port, and halts."""
GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices>{disk}<serial type='file'><source path='{said}'/></serial><memballoon model='none'/></devices></domain>"""
BY_VOLUME = (
    "<disk type='volume' device='disk'><driver name='qemu' type='raw'/><source pool='{pool}' volume='{volume}'{mode}/>"
    "<target dev='vda' bus='virtio'/></disk>"
)
BY_DEVICE = "<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='{}'/><target dev='vda' bus='virtio'/></disk>"


def sector(text: str) -> bytes:
    return (CODE + text.encode() + b"\n\0").ljust(510, b"\0") + b"\x55\xaa"


def put(path: str | Path, text: str) -> None:
    with open(path, "r+b") as file:
        file.write(sector(text))


class Starter:
    """Starts guests on one daemon."""

    def __init__(self, daemon: Lone | TargetDaemon) -> None:
        self.daemon = daemon
        (daemon.folder / "said").mkdir(exist_ok=True)
        (daemon.folder / "said").chmod(0o777)

    def ok(self, *words: str) -> str:
        done = self.daemon.our_virsh(*words)
        assert done.returncode == 0, (words, done.stderr, self.daemon.log())
        return done.stdout

    def start(self, name: str, disk: str) -> None:
        path = self.daemon.folder / f"{name}.xml"
        path.write_text(GUEST.format(name=name, disk=disk, said=self.daemon.folder / "said" / name))
        self.ok("create", str(path))

    def says(self, name: str, text: str) -> None:
        said = self.daemon.folder / "said" / name
        until(lambda: said.exists() and text in said.read_text(errors="replace"), f"{name} does not say {text}")

    def boots(self, name: str, disk: str, text: str) -> None:
        self.start(name, disk)
        self.says(name, text)
        self.ok("destroy", name)


def loop_device(path: Path, mib: int, text: str = "") -> str:
    with open(path, "wb") as file:
        file.truncate(mib << 20)
    command = ["losetup", "-fP", "--show", str(path)]
    device = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    if text:
        put(device, text)
    return device


LVM = """$ vgs *
  1069547520:859832320
$ pvs*
  /dev/other {group}
$ lvs * {group}
  lin##uuid-lin#/dev/other(0)#linear#1#12582912#4194304#12582912#-wi-a-----
"""


@pytest.fixture
def host() -> Iterator[TargetDaemon]:
    """Ours beside an iSCSI target, with a volume group by stand-ins for LVM's tools."""
    if not Path("/usr/sbin/tgtd").exists():
        pytest.skip("/usr/sbin/tgtd is not installed")
    group = Path(f"/dev/kvboot{os.getpid()}")
    with short_folder("kvboot-") as folder:
        daemon = TargetDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, None)
        tools = folder / "tools"
        tools.mkdir()
        for name in ("vgs", "pvs", "lvs", "vgchange", "vgscan"):
            shutil.copy(lab.HERE / "faketool", tools / name)
        (folder / "lab").mkdir()
        (folder / "lab/answers").write_text(LVM.format(group=group.name))
        daemon.extra = {"PATH": f"{tools}:{os.environ['PATH']}", "KVASIR_LAB": str(folder / "lab")}
        volume = loop_device(folder / "lv.img", 12)
        group.mkdir()
        (group / "lin").symlink_to(volume)
        daemon.start()
        try:
            yield daemon
        finally:
            daemon.kill()
            subprocess.run(["losetup", "-d", volume], check=False)
            shutil.rmtree(group)


def pools(starter: Starter, group: str) -> None:
    folder = starter.daemon.folder
    starter.ok("pool-create-as", "files", "dir", "--target", str(folder / "files"), "--build")
    starter.ok("pool-create-as", "lvm", "logical", "--source-name", group, "--target", f"/dev/{group}")
    starter.ok("pool-create-as", "net", "iscsi-direct", "--source-host", "127.0.0.1", "--source-dev", f"{IQN}:pool",
               "--source-initiator", f"{IQN}:me")  # fmt: skip


@pytest.mark.guide(
    "storage-support-file", "storage-support-lun", "storage-support-lvm", "storage-support-iscsi", "pool-concept-managed-object"
)  # fmt: skip
def test_boots(host: TargetDaemon) -> None:
    starter, group = Starter(host), f"kvboot{os.getpid()}"
    pools(starter, group)
    for name in ("one", "two"):
        starter.ok("vol-create-as", "files", f"{name}.img", "1M")
        (host.folder / name).write_bytes(sector(f"volume {name}"))
        starter.ok("vol-upload", f"{name}.img", str(host.folder / name), "files")
        starter.start(name, BY_VOLUME.format(pool="files", volume=f"{name}.img", mode=""))
    assert sorted(starter.ok("list", "--name").split()) == ["one", "two"]
    for name in ("one", "two"):  # both run, each from its own volume
        starter.says(name, f"volume {name}")
        assert f"{name}.img" in starter.ok("domblklist", name)
        starter.ok("destroy", name)
    put(f"/dev/{group}/lin", "logical volume")
    starter.boots("lv", BY_VOLUME.format(pool="lvm", volume="lin", mode=""), "logical volume")
    put(host.folder / "lun1", "iscsi unit")
    starter.boots("net", BY_VOLUME.format(pool="net", volume="unit:0:0:1", mode=" mode='direct'"), "iscsi unit")
    device = loop_device(host.folder / "unit.img", 4, "local unit")
    try:
        starter.boots("unit", BY_DEVICE.format(device), "local unit")
    finally:
        subprocess.run(["losetup", "-d", device], check=False)


@pytest.mark.guide("vol-concept", "storage-concept-abstraction")
def test_alike_in_the_guest(host: TargetDaemon, tiny_guest: TinyGuest) -> None:
    """A file, a logical volume and a partition are three virtio disks; one image is a virtio and an emulated disk."""
    starter, group = Starter(host), f"kvboot{os.getpid()}"
    pools(starter, group)
    starter.ok("vol-create-as", "files", "v.img", "10M")
    starter.ok("vol-create-as", "files", "same.img", "20M")
    device = loop_device(host.folder / "part.img", 40)
    try:
        starter.ok(
            "pool-define-as", "parts", "disk", "--source-dev", device, "--source-format", "gpt", "--target", "/dev"
        )
        starter.ok("pool-build", "parts")
        starter.ok("pool-start", "parts")
        starter.ok("vol-create-as", "parts", f"{os.path.basename(device)}p1", "16M")
        disks = "".join(
            BY_VOLUME.format(pool=pool, volume=volume, mode="").replace("vda", target)
            for pool, volume, target in (
                ("files", "v.img", "vdb"), ("lvm", "lin", "vdc"), ("parts", f"{os.path.basename(device)}p1", "vdd"),
            )
        )  # fmt: skip
        same = host.folder / "files/same.img"
        for target, bus in (("vde", "virtio"), ("sda", "sata")):
            shared = DISK.format(format="raw", path=same, target=target, bus=bus)
            disks += shared.replace("</disk>", "<shareable/></disk>")
        guest = DiskGuest(host, tiny_guest, disks=disks)
        guest.start()
        seen(guest)
        starter.ok("destroy", "disks")
    finally:
        subprocess.run(["losetup", "-d", device], check=False)


def seen(guest: DiskGuest) -> None:
    until(lambda: " sda" in guest.run("modprobe -a ahci sd_mod; cat /proc/partitions"), "the guest finds its disks")
    lines = guest.run("for d in /sys/block/[sv]d*; do echo ${d##*/} $(cat $d/size) $(readlink -f $d/device); done")
    found = {name: (int(size) // 2048, where) for name, size, where in (line.split() for line in lines.splitlines())}
    assert [found[name][0] for name in ("vdb", "vdc", "vdd", "vde", "sda")] == [10, 12, 16, 20, 20]
    assert all("/virtio" in found[name][1] for name in ("vdb", "vdc", "vdd", "vde"))
    assert "/ata" in found["sda"][1]
    log = (guest.daemon.folder / "var/log/libvirt/qemu/disks.log").read_text()
    assert log.count('"driver":"virtio-blk-pci"') == 5
    assert log.count('"driver":"ide-hd","bus":"ide.0"') == 1


@pytest.mark.guide("storage-support-fc", "storage-support-fcoe")
@pytest.mark.parametrize("kind", ["vhba", "fcoe"])
def test_boots_from_a_unit_of_an_adapter(fibre: Lone, kind: str) -> None:  # noqa: F811
    """A virtual adapter, and an adapter by its name, as one of Fibre Channel over Ethernet is given."""
    starter = Starter(fibre)
    adapter = (
        f"<adapter type='fc_host' {NAMES}/>" if kind == "vhba" else "<adapter type='scsi_host' name='scsi_host3'/>"
    )
    (fibre.folder / "p.xml").write_text(
        f"<pool type='scsi'><name>v</name><source>{adapter}</source><target><path>/dev</path></target></pool>"
    )
    fibre.ok("pool-create", f"{fibre.folder}/p.xml")
    put((fibre.folder / "w/loop").resolve(), f"unit of {kind}")
    volume = "unit:0:0:2" if kind == "vhba" else "unit:0:0:1"
    starter.boots("g", BY_VOLUME.format(pool="v", volume=volume, mode=""), f"unit of {kind}")
    fibre.ok("pool-destroy", "v")
