"""Guests of SeaBIOS with many disks: each boots from its first, which says so by switching the guest off."""

from __future__ import annotations

import re
import time

import pytest

from tests.conftest import KvasirDaemon
from tests.integration.test_guest_acts import POWEROFF

GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>{disks}<memballoon model='none'/></devices></domain>"""
DISK = "<disk type='file'><driver name='qemu' type='raw'/><source file='{path}'/><target dev='{dev}' bus='{bus}'/><shareable/></disk>"


def letters(number: int) -> str:
    """a, b ... z, aa, ab ..."""
    return (letters(number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)


@pytest.mark.guide("limit-seabios-disks", "limit-seabios-disks-workaround")
def test_boots_from_the_first(kvasird: KvasirDaemon) -> None:
    system, empty = kvasird.folder / "system.img", kvasird.folder / "empty.img"
    system.write_bytes((POWEROFF.ljust(510, b"\0") + b"\x55\xaa").ljust(1 << 20, b"\0"))
    empty.write_bytes(bytes(1 << 20))
    for path in (system, empty):
        path.chmod(0o666)
    for name, bus, prefix, count in (("blk", "virtio", "vd", 20), ("scsi", "scsi", "sd", 64)):
        disks = "".join(
            DISK.format(path=empty if number else system, dev=prefix + letters(number), bus=bus) for number in range(count)
        )
        if bus == "scsi":
            disks += "".join(f"<controller type='scsi' index='{n}' model='virtio-scsi'/>" for n in range(10))
        path = kvasird.folder / f"{name}.xml"
        path.write_text(GUEST.format(name=name, disks=disks))
        done = kvasird.virsh("define", str(path))
        assert done.returncode == 0, done.stderr
        if bus == "virtio":
            slots = re.findall(r"<address type='pci'[^>]*slot='(0x..)'", "".join(
                re.findall(r"<disk.*?</disk>", kvasird.virsh("dumpxml", name).stdout, re.S)))  # fmt: skip
            assert len(slots) == count and slots == sorted(slots), "the first disk has the lowest slot"
        assert kvasird.virsh("start", name).returncode == 0
        end = time.monotonic() + 90
        while kvasird.virsh("domstate", name, "--reason").stdout.strip() != "shut off (shutdown)":
            assert time.monotonic() < end, f"{name} did not boot from its first disk"
            time.sleep(0.2)
    assert "guest blk: 20 virtio disks: SeaBIOS may see 4 of them only" in kvasird.log()
    assert "guest scsi" not in kvasird.log(), "64 are allowed"
