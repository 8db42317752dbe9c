"""LUN passthrough (``device='lun'``). SCSI units of the host are not in this kernel: a unit of a real iSCSI target, reached by
QEMU's own initiator, is passed to a real guest; block devices are shown up to what QEMU gets (descriptor, lock, capability).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TinyGuest, short_folder
from tests.integration.diskguest import DiskGuest
from tests.waiting import until

from .conftest import Lone
from .targets import IQN, TargetDaemon

pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(os.geteuid() != 0, reason="loop devices need root")]
SECRET = "11111111-2222-4333-8444-0000000000e1"
LUN = (
    "<disk type='network' device='{device}'{sgio}><driver name='qemu' type='raw'/>"
    "<source protocol='iscsi' name='{iqn}/{unit}'><host name='127.0.0.1' port='3260'/>{auth}</source>"
    "<target dev='{target}' bus='scsi'/>{more}</disk>"
)
AUTH = "<auth username='me'><secret type='iscsi' usage='libvirtiscsi'/></auth>"
RAWIO = 1 << 17


def lun(target: str, unit: int, *, device: str = "lun", name: str = "pool", auth: str = "", share: bool = True) -> str:
    sgio = " sgio='unfiltered'" if device == "lun" else ""
    more = "<shareable/>" if share else ""
    return LUN.format(
        target=target, unit=unit, device=device, iqn=f"{IQN}:{name}", auth=auth, sgio=sgio, more=more
    )  # fmt: skip


def secret(target: TargetDaemon) -> None:
    (target.folder / "secret.xml").write_text(
        f"<secret ephemeral='no' private='yes'><uuid>{SECRET}</uuid><usage type='iscsi'><target>libvirtiscsi</target></usage></secret>"
    )
    (target.folder / "value").write_bytes(b"secretsecret12")
    for words in (
        ("secret-define", str(target.folder / "secret.xml")),
        ("secret-set-value", SECRET, "--file", str(target.folder / "value"), "--plain"),
    ):
        assert target.our_virsh(*words).returncode == 0


@pytest.mark.guide(
    "storage-lun-passthrough-concept", "storage-xml-disk-lun-iscsi-network", "storage-xml-disk-lun-types",
    "storage-xml-auth-pool-vs-disk",
)  # fmt: skip
def test_the_guest_talks_to_the_unit(target: TargetDaemon, tiny_guest: TinyGuest) -> None:
    """As lun, the guest sees the target's vendor and product; as disk, QEMU's. The login is a secret object."""
    secret(target)
    disks = (
        lun("sda", 1)
        + lun("sdb", 2, device="disk")
        + lun("sdc", 1, name="locked", auth=AUTH)
        + "<controller type='scsi' model='virtio-scsi'/>"
    )
    guest = DiskGuest(target, tiny_guest, disks=disks)
    guest.start()
    shown = guest.virsh("dumpxml", "disks").stdout
    assert len(re.findall(r"<disk type='network' device='lun' sgio='unfiltered'>", shown)) == 2
    assert re.search(r"<auth username='me'>\s*<secret type='iscsi' usage='libvirtiscsi'/>\s*</auth>\s*</source>", shown)
    guest.run("modprobe -a virtio_scsi sd_mod")
    until(lambda: guest.run("cat /proc/partitions").count(" sd") == 3, "the guest finds its units")
    seen = guest.run("for d in /sys/block/sd*; do echo $(cat $d/size) $(cat $d/device/vendor $d/device/model); done")
    found = {int(size) // 2048: " ".join(words) for size, *words in (line.split() for line in seen.splitlines())}
    assert found == {16: "IET VIRTUAL-DISK", 26: "QEMU QEMU HARDDISK", 36: "IET VIRTUAL-DISK"}
    name = guest.run("grep -lx 32768 /sys/block/sd*/size").split("/")[3]
    guest.run(f"echo kvasir-was-here | dd of=/dev/{name} bs=512 conv=sync,fsync 2>/dev/null")
    assert (target.folder / "lun1").read_bytes()[:15] == b"kvasir-was-here"
    log = (target.folder / "var/log/libvirt/qemu/disks.log").read_text()
    assert '"driver":"scsi-block"' in log
    assert '"password-secret":"libvirt-' in log
    assert "secretsecret12" not in log
    second_guest(target)
    guest.virsh("destroy", "disks")


def second_guest(target: TargetDaemon) -> None:
    """Another guest with the same shared unit starts beside the first."""
    text = (
        "<domain type='qemu'><name>other</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>"
        f"<devices>{lun('sda', 1)}<memballoon model='none'/></devices></domain>"
    )
    (target.folder / "other.xml").write_text(text)
    done = target.our_virsh("create", str(target.folder / "other.xml"))
    assert done.returncode == 0, done.stderr
    assert target.our_virsh("list", "--name").stdout.split() == ["disks", "other"]
    assert target.our_virsh("destroy", "other").returncode == 0


# QEMU passes commands by virtio-blk to guests of the old virtio only
BLOCK = """<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>{name}</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><disk type='block' device='lun'{attributes}><driver name='qemu' type='raw'/><source dev='{device}'/>
<target dev='vda' bus='virtio'/>{more}</disk><memballoon model='none'/></devices><qemu:commandline><qemu:arg value='-global'/>
<qemu:arg value='virtio-blk-pci.disable-modern=on'/></qemu:commandline></domain>"""


def start(daemon: Lone, name: str, device: str, attributes: str = "", more: str = "") -> str:
    """Start it; empty, or why it does not start."""
    path = daemon.folder / f"{name}.xml"
    path.write_text(BLOCK.format(name=name, device=device, attributes=attributes, more=more))
    return daemon.our_virsh("create", str(path), "--paused").stderr


@pytest.fixture
def locking() -> Iterator[Lone]:
    """Ours with locks on disks."""
    with short_folder("kvlk-") as folder:
        (folder / "etc/libvirt").mkdir(parents=True)
        (folder / "etc/libvirt/qemu.conf").write_text('lock_manager = "lockd"\n')
        found = Lone(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, None)
        found.start()
        try:
            yield found
        finally:
            found.stop()
            found.end_guests()  # of a test that failed


@pytest.mark.guide("storage-xml-disk-shareable")
def test_a_unit_of_two_guests(locking: Lone, loop: str) -> None:
    """Shared by both, or the second is refused as the first holds the lock."""
    assert start(locking, "one", loop, more="<shareable/>").strip() == ""
    assert start(locking, "two", loop, more="<shareable/>").strip() == ""
    locking.ok("destroy", "two")
    assert "resource busy: Lockspace resource" in start(locking, "two", loop)
    locking.ok("destroy", "one")
    assert start(locking, "one", loop).strip() == ""
    assert "resource busy: Lockspace resource" in start(locking, "two", loop)
    locking.ok("destroy", "one")


@pytest.mark.guide("storage-xml-disk-sgio")
@pytest.mark.parametrize(
    ("attributes", "raw"),
    [("", False), (" sgio='filtered'", False), (" sgio='unfiltered'", True), (" rawio='yes'", True)],
    ids=["default", "filtered", "unfiltered", "rawio"],
)
def test_what_the_guests_process_may(daemon: Lone, loop: str, attributes: str, raw: bool) -> None:
    """The kernel passes SCSI commands beyond reading and writing for those who hold CAP_SYS_RAWIO: QEMU holds it, and no
    other capability, for a unit that is unfiltered. (libvirt 9.0 refuses ``unfiltered``; ``rawio`` does the same there.)"""
    assert start(daemon, "raw", loop, attributes).strip() == ""
    shown = daemon.ok("dumpxml", "raw")
    assert f"<disk type='block' device='lun'{attributes}>" in shown
    pid = (daemon.folder / "run/libvirt/qemu/raw.pid").read_text()
    status = Path(f"/proc/{pid.strip()}/status").read_text()
    assert int(re.findall(r"^Uid:\s+(\d+)", status, re.M)[0]) != 0
    assert int(re.findall(r"^CapEff:\s+(\w+)", status, re.M)[0], 16) == (RAWIO if raw else 0)
    (daemon.folder / "more.xml").write_text(
        f"<disk type='block' device='lun' sgio='unfiltered'><source dev='{loop}'/><target dev='sda' bus='scsi'/></disk>"
    )
    if not raw:  # a capability cannot be given to a process that runs
        said = daemon.fails("attach-device", "raw", f"{daemon.folder}/more.xml")
        assert "wants a guest that had such a disk when it started" in said
    daemon.ok("destroy", "raw")
