"""What the address modules share: reading a device's place, finding and adding controllers."""

from __future__ import annotations

from typing import Any

from kvasir.devices.address import CcidAddress, DriveAddress, PciAddress, UsbAddress, VirtioSerialAddress

from .pci_set import Slot


def is_pci(device: Any) -> bool:
    """True when the device has a complete PCI address."""
    address = device.address
    return isinstance(address, PciAddress) and bool(address.domain or address.bus or address.slot)


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


ZEROES: dict[type, tuple[str, ...]] = {
    PciAddress: ("domain", "bus", "slot", "function"),
    DriveAddress: ("controller", "bus", "target", "unit"),
    VirtioSerialAddress: ("controller", "bus", "port"),
    CcidAddress: ("controller", "slot"),
    UsbAddress: ("bus",),
}


def fill_zeroes(device: Any) -> None:
    """What an address leaves out is zero."""
    address = device.address
    if address is None:
        return
    for name in ZEROES.get(type(address), ()):
        if getattr(address, name) is None:
            setattr(address, name, 0)


def find_controller(vm: Any, kind: str, index: int) -> Any:
    """The controller of that type and number, or None."""
    return next((c for c in vm.domain.controllers if c.type == kind and c.index == index), None)


def insert_controller(domain: Any, new: Any) -> None:
    """Put a controller of a document where libvirt puts it: by number among those of its type, else at the end.

    One without a number goes behind all of its type; a USB 2 controller stands before its companions.
    """
    at = -1
    controllers = domain.controllers
    for place in range(len(controllers) - 1, -1, -1):
        current = controllers[place]
        if current.type != new.type:
            continue
        if new.index is None:
            at = place + 1
            break
        number = -1 if current.index is None else current.index
        before_companion = number == new.index and is_companion(current) and not is_companion(new)
        if number > new.index or before_companion:
            at = place
        elif at == -1:
            at = place + 1
    if at == -1:
        controllers.append(new)
    else:
        controllers.insert(at, new)


def is_companion(controller: Any) -> bool:
    """True for the USB 1 parts of a USB 2 controller."""
    return str(controller.model).startswith("ich9-uhci")


def add_controller(vm: Any, kind: str, index: int, model: str | None = None) -> Any:
    """Append a controller unless one of that type and number is there; returns the new one or None."""
    if find_controller(vm, kind, index) is not None:
        return None
    from kvasir.devices.controller import Controller

    new = Controller(type=kind, index=index, model=model)
    vm.domain.controllers.append(new)
    return new
