"""How much memory QEMU may lock: by its document and its devices, as the real daemon has it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kvasir.model.domain import Domain
from kvasir.qemu import memlock
from tests.conftest import DaemonHandle, KvasirDaemon

GUEST = """<domain type='qemu'><name>locking</name><uuid>5a8d5b50-64d3-4f37-9c1b-2f6d3a1d2b13</uuid><memory>65536</memory>{more}
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>{devices}</devices></domain>"""
VFIO = """<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/>
<source><address domain='0' bus='0x{bus:02x}' slot='0' function='0'/></source></hostdev>"""
VDPA = "<interface type='vdpa'><source dev='/dev/vhost-vdpa-{n}'/></interface>"
IOMMU = "<iommu model='intel'><driver intremap='on'/></iommu>"
LOCKED = "<memoryBacking><locked/></memoryBacking>"
LIMIT = "<memtune><hard_limit>300000</hard_limit></memtune>"
GIB = 1 << 30


@pytest.mark.parametrize(
    ("more", "devices", "limit"),
    [
        ("", "", None),
        (LIMIT, VFIO.format(bus=1), 300000 << 10),
        (LOCKED, "", -1),
        ("", VFIO.format(bus=1), (64 << 20) + GIB),
        ("", VFIO.format(bus=1) + VFIO.format(bus=2), (64 << 20) + GIB),
        ("<features><ioapic driver='qemu'/></features>", VFIO.format(bus=1) + VFIO.format(bus=2) + IOMMU, (128 << 20) + GIB),
        ("", VDPA.format(n=0) + VDPA.format(n=1), (128 << 20) + GIB),
        ("", VFIO.format(bus=1) + VDPA.format(n=0), (128 << 20) + GIB),
    ],
)  # fmt: skip
def test_by_document(more: str, devices: str, limit: int | None) -> None:
    """libvirt's rule: the hard limit, else all, else for each IOMMU domain the guest's memory, and one GiB once.

    No IOMMU here: a device that reaches the memory is in the document only.
    """
    from kvasir.xml.reader import read

    domain = Domain.parse(read(GUEST.format(more=more, devices=devices), "(domain)"))
    assert memlock.wanted(domain) == limit


def shown(daemon: DaemonHandle, more: str) -> tuple[str, int]:
    """The limit of a started guest, and how much its QEMU has locked (KiB)."""
    document = daemon.folder / "locking.xml"
    document.write_text(GUEST.format(more=more, devices=""))
    created = daemon.virsh("create", str(document))
    assert created.returncode == 0, created.stderr
    try:
        found = subprocess.run(["pgrep", "-f", "guest=locking,"], capture_output=True, text=True).stdout.split()
        limits = Path(f"/proc/{found[0]}/limits").read_text().splitlines()
        status = Path(f"/proc/{found[0]}/status").read_text().splitlines()
        locked = next(int(line.split()[1]) for line in status if line.startswith("VmLck"))
        return next(line for line in limits if line.startswith("Max locked memory")).split("memory")[1].strip(), locked
    finally:
        assert daemon.virsh("destroy", "locking").returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="limits of others need root")
@pytest.mark.parametrize("more", ["", LIMIT, LOCKED], ids=["plain", "limited", "locked"])
def test_of_a_guest(kvasird: KvasirDaemon, more: str) -> None:
    """What the kernel counts for the process. Where root may not raise limits (containers) a guest that can do without starts, with a word in its log."""
    may_raise = int(Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16) >> 24 & 1
    if more == LOCKED and not may_raise:
        pytest.skip("root may not raise limits here (no CAP_SYS_RESOURCE)")
    own = next(
        line for line in Path("/proc/self/limits").read_text().splitlines() if line.startswith("Max locked memory")
    )
    limit, locked = shown(kvasird, more)
    log = (kvasird.folder / "var/log/libvirt/qemu/locking.log").read_text()
    refused = "warning: cannot limit locked memory to 307200000: Operation not permitted" in log
    if more == LOCKED:
        assert limit.split()[0] == "unlimited" and locked >= 65536
    elif more == LIMIT and may_raise:
        assert limit.split()[0] == "307200000" and not refused
    else:
        assert limit == own.split("memory")[1].strip() and locked == 0
        assert refused == (more == LIMIT)
