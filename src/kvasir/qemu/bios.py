"""What SeaBIOS can do: it runs in real mode, with memory for so many disks of a kind (guide 20.23)."""

from __future__ import annotations

from collections import Counter
from typing import Any

DISKS = {"virtio": 4, "usb": 4, "sata": 24, "scsi": 64}


def too_many_disks(domain: Any) -> list[str]:
    """A sentence for each kind of disk of which a BIOS guest has more than SeaBIOS is known to handle."""
    loader = domain.os.loader
    if domain.os.firmware == "efi" or (loader is not None and loader.type == "pflash"):
        return []
    counts = Counter(disk.bus for disk in domain.disks)
    return [
        f"{counts[bus]} {bus} disks: SeaBIOS may see {most} of them only; "
        "give the system disk the lowest PCI slot, or put the disks on virtio-scsi"
        for bus, most in DISKS.items()
        if counts[bus] > most
    ]
