"""Virtual functions of network cards (SR-IOV), from sysfs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from kvasir.errors import InternalError, Origin

ROOT = Path("/sys")


class Function(NamedTuple):
    """A virtual function: its PCI address as numbers, and the network device that it has on the host."""

    place: tuple[int, int, int, int]
    link: str | None


def functions(card: str) -> list[Function]:
    """The virtual functions of a card, in the kernel's order."""
    device = ROOT / "class/net" / card / "device"
    found = []
    for link in sorted(device.glob("virtfn*"), key=lambda path: int(path.name[6:])):
        match = re.fullmatch(r"([0-9a-f]+):([0-9a-f]+):([0-9a-f]+)\.([0-7])", os.path.basename(os.path.realpath(link)))
        if match:
            a, b, c, d = (int(part, 16) for part in match.groups())
            names = sorted(entry.name for entry in (link / "net").glob("*"))
            found.append(Function((a, b, c, d), names[0] if names else None))
    return found


def is_function(address: str) -> bool:
    """Whether that PCI device is a virtual function."""
    return (ROOT / "bus/pci/devices" / address / "physfn").exists()


def no_functions(card: str) -> InternalError:
    return InternalError(f"No usable Vf's present on SRIOV PF {card}", origin=Origin.NETWORK)
