"""USB devices of the host, from sysfs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

ROOT = Path("/sys/bus/usb/devices")


class UsbDevice(NamedTuple):
    """A device as the kernel numbers it."""

    bus: int
    device: int
    vendor: int
    product: int

    @property
    def path(self) -> str:
        """Its device node."""
        return f"/dev/bus/usb/{self.bus:03d}/{self.device:03d}"


def devices(root: Path = ROOT) -> list[UsbDevice]:
    """All devices, by bus and number. Entries that vanish meanwhile are left out."""
    found = []
    for entry in root.iterdir() if root.is_dir() else ():
        try:
            bus, device = (int((entry / name).read_text()) for name in ("busnum", "devnum"))
            vendor, product = (int((entry / name).read_text(), 16) for name in ("idVendor", "idProduct"))
        except (OSError, ValueError):
            continue
        found.append(UsbDevice(bus, device, vendor, product))
    return sorted(found)


def find(
    vendor: int | None, product: int | None, bus: int | None, device: int | None, root: Path = ROOT
) -> list[UsbDevice]:
    """The devices that fit what is given."""
    return [
        d
        for d in devices(root)
        if (vendor is None or (d.vendor, d.product) == (vendor, product))
        and (bus is None or (d.bus, d.device) == (bus, device))
    ]
