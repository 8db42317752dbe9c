"""What the address modules share: reading a device's place, finding and adding controllers."""

from __future__ import annotations

from typing import Any

from kvasir.devices.address import PciAddress

from .pci_set import Slot


def is_pci(device: Any) -> bool:
    """True when the device has a complete PCI address."""
    return place_of(device) is not None


def place_of(device: Any) -> Slot | None:
    """The device's PCI slot, or None where it has none (an all-zero address counts as none)."""
    address = device.address
    if not isinstance(address, PciAddress):
        return None
    if not (address.domain or address.bus or address.slot):
        return None
    return Slot(address.bus or 0, address.slot or 0, address.function or 0)


def wants_pci(device: Any) -> bool:
    """True when the device has no address, or only the wish for a PCI one."""
    return device.address is None or (isinstance(device.address, PciAddress) and not is_pci(device))


def find_controller(vm: Any, kind: str, index: int) -> Any:
    """The controller of that type and number, or None."""
    return next((c for c in vm.domain.controllers if c.type == kind and c.index == index), None)


def insert_controller(domain: Any, new: Any) -> None:
    """Put a controller where libvirt puts it: by number among those of its type, else at the end."""
    at = -1
    controllers = domain.controllers
    for number in range(len(controllers) - 1, -1, -1):
        current = controllers[number]
        if current.type != new.type:
            continue
        if current.index > new.index:
            at = number
        elif at == -1:
            at = number + 1
    if at == -1:
        controllers.append(new)
    else:
        controllers.insert(at, new)


def add_controller(vm: Any, kind: str, index: int, model: str | None = None) -> Any:
    """Add a controller unless one of that type and number is there; returns the new one or None."""
    if find_controller(vm, kind, index) is not None:
        return None
    from kvasir.devices.controller import Controller

    new = Controller(type=kind, index=index, model=model)
    insert_controller(vm.domain, new)
    return new
