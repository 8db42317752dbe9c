"""Addresses of a guest's devices: which bus, slot and port each gets when the document does not say.

``assign(vm)`` completes a whole document; ``place(vm, device)`` finds the address of one device that is plugged later.
"""

from __future__ import annotations

from typing import Any


def assign(vm: Any) -> None:
    """Complete every address of the document. The same document gets the same addresses each time."""
    from . import pci, ports, usb
    from .tools import fill_zeroes

    for device in vm.domain.all_devices():
        fill_zeroes(device)
    ports.assign_virtio_serial(vm)
    if vm.is_x86:
        pci.assign(vm)
    else:
        _other_machines(vm)
    usb.assign(vm)
    ports.assign_memory_slots(vm)


def _other_machines(vm: Any) -> None:
    """The places of devices on machines that have other buses beside PCI, or instead of it."""
    from . import channels, pci
    from .tools import find_controller

    channels.registers(vm)
    channels.channels(vm)
    if not (vm.is_arm or vm.arch.startswith("riscv")) or find_controller(vm, "pci", 0) is not None:
        pci.assign(vm)
    channels.memory_mapped(vm)
    channels.numbers(vm)


def place(vm: Any, device: Any) -> None:
    """Give one device an address for plugging it into the running guest. Raises InternalError when there is no room."""
    from . import pci, ports, usb

    if vm.is_ccw:
        from . import channels

        if channels.place(vm, device):
            return
    if usb.is_usb(device):
        usb.place(vm, device)
    elif device.TAG == "channel" and device.target_type == "virtio":
        if not ports.complete(device):
            ports.Ports(vm).assign(device)
    elif device.TAG == "memory" and device.model in ("dimm", "nvdimm"):
        vm.domain.memories.append(device)
        try:
            ports.assign_memory_slots(vm)
        finally:
            vm.domain.memories.remove(device)
    else:
        pci.place(vm, device)
