"""Virtual functions of network cards (SR-IOV), from sysfs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from kvasir.errors import InternalError, Origin

ROOT = "/sys"
NAME = r"([0-9a-f]+):([0-9a-f]+):([0-9a-f]+)\.([0-7])"


class Function(NamedTuple):
    """A virtual function: its PCI address as numbers, and the network device that it has on the host."""

    place: tuple[int, int, int, int]
    link: str | None


def functions(card: str, root: str = ROOT) -> list[Function]:
    """The virtual functions of a card, in the kernel's order."""
    device = Path(root) / "class/net" / card / "device"
    found = []
    for link in sorted(device.glob("virtfn*"), key=lambda path: int(path.name[6:])):
        match = re.fullmatch(NAME, os.path.basename(os.path.realpath(link)))
        if match:
            a, b, c, d = (int(part, 16) for part in match.groups())
            names = sorted(entry.name for entry in (link / "net").glob("*"))
            found.append(Function((a, b, c, d), names[0] if names else None))
    return found


def is_function(address: str, root: str = ROOT) -> bool:
    """Whether that PCI device is a virtual function."""
    return (Path(root) / "bus/pci/devices" / address / "physfn").exists()


def owner(address: str, root: str = ROOT) -> tuple[str, int] | None:
    """The card (its network device) that a virtual function belongs to, and the function's number; None for others."""
    device = Path(root) / "bus/pci/devices" / address
    cards = sorted(entry.name for entry in (device / "physfn/net").glob("*"))
    for link in (device / "physfn").glob("virtfn*"):
        if os.path.basename(os.path.realpath(link)) == address and cards:
            return cards[0], int(link.name[6:])
    return None


def above(link: str, root: str = ROOT) -> tuple[str, int] | None:
    """The card that the network device of a virtual function belongs to, and the function's number; None for others."""
    device = Path(root) / "class/net" / link / "device"
    return owner(os.path.basename(os.path.realpath(device)), root) if (device / "physfn").exists() else None


def no_functions(card: str) -> InternalError:
    return InternalError(f"No usable Vf's present on SRIOV PF {card}", origin=Origin.NETWORK)
