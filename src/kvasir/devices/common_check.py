"""What must hold between the devices of a guest: one boot order, and no alias twice."""

from __future__ import annotations

from typing import Any

from kvasir.errors import ConfigUnsupported, Origin, XmlError


def check(domain: Any) -> None:
    """Raise what libvirt raises before it fills anything in."""
    orders: set[int] = set()
    aliases: set[str] = set()
    for device in domain.all_devices():
        if device.boot is not None:
            if device.boot in orders:
                raise _refused(f"boot order '{device.boot}' used for more than one device")
            orders.add(device.boot)
        if device.alias:
            if device.alias in aliases and device.TAG != "console":
                raise _refused(f"non unique alias detected: {device.alias}")
            aliases.add(device.alias)
    _twins(domain)
    if orders and domain.os.boots:
        raise _refused("per-device boot elements cannot be used together with os/boot elements")


def _twins(domain: Any) -> None:
    """A device of the host is given once."""
    from kvasir.qemu.hotplug.matching import same_hostdev

    given = domain.hostdevs
    if any(same_hostdev(one, other) for number, one in enumerate(given) for other in given[:number]):
        raise XmlError("Hostdev already exists in the domain configuration")


def shared_memory(domain: Any) -> bool:
    """True where another process can share all memory of the guest."""
    backing = domain.memory_backing
    whole = backing is not None and backing.access == "shared"
    cells = domain.cpu_cells()
    if not cells:
        return whole
    return all(cell.mem_access == "shared" or (cell.mem_access is None and whole) for cell in cells)


def _refused(text: str) -> ConfigUnsupported:
    return ConfigUnsupported(text, origin=Origin.DOMAIN)
