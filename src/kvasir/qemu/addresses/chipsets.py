"""What the chipsets of i440fx and q35 machines have in fixed PCI slots."""

from __future__ import annotations

from typing import Any

from kvasir.devices.address import PciAddress
from kvasir.errors import InternalError

from .connect import Needs, video_type
from .pci_set import PCI, Connect, PciSet, Slot
from .tools import place_of, wants_pci

ONBOARD = Connect.PCIE_DEVICE


def reserve_chipset(vm: Any, slots: PciSet) -> None:
    """Take the slots of the chipset and give their addresses to the devices that stand for its parts."""
    if vm.is_i440fx:
        _piix3(vm, slots)
    elif vm.is_q35:
        _q35(vm, slots)


def chipset_slots(vm: Any, slots: PciSet) -> None:
    """Take the slots of the chipset for a guest that runs: its devices have their addresses already."""
    if slots.buses and vm.is_i440fx:
        for function in range(4):
            slots.reserve(Slot(0, 1, function), PCI)
    elif slots.buses and vm.is_q35:
        for function in (0, 2, 3):
            if not slots.in_use(0, 0x1F):
                slots.reserve(Slot(0, 0x1F, function), ONBOARD)


def _fixed(device: Any, place: Slot, problem: str) -> None:
    """Give the device its only possible address. Raises InternalError where the document says another."""
    here = place_of(device)
    if here is None:
        device.address = PciAddress.at(place.bus, place.slot, place.function)
    elif here != place:
        raise InternalError(problem)


def _piix3(vm: Any, slots: PciSet) -> None:
    for controller in vm.domain.controllers:
        if controller.index != 0:
            continue
        if controller.type == "ide":
            place, problem = Slot(0, 1, 1), "Primary IDE controller must have PCI address 0:0:1.1"
        elif controller.type == "usb" and controller.model in (None, "piix3-uhci"):
            place, problem = Slot(0, 1, 2), "PIIX3 USB controller at index 0 must have PCI address 0:0:1.2"
        else:
            continue
        _fixed(controller, place, problem)
        if slots.buses:
            slots.reserve(place, PCI)
    if slots.buses:
        slots.reserve(Slot(0, 1, 0), PCI)
        slots.reserve(Slot(0, 1, 3), PCI)
    _first_video(vm, slots, 2, PCI)


def _first_video(vm: Any, slots: PciSet, number: int, needs: int) -> None:
    """QEMU puts the first video card into the first slot behind the chipset."""
    if not vm.domain.videos:
        return
    video = vm.domain.videos[0]
    if video_type(video) in ("none", "ramfb") or not wants_pci(video):
        return
    place = Slot(0, number)
    slots.validate(place, needs, from_config=True)
    if slots.in_use(0, number):
        found = slots.next(Needs(vm).of(video))
        if slots.growing:
            return
    else:
        slots.reserve(place, needs)
        found = place
    video.address = PciAddress.at(found.bus, found.slot, found.function)


def _is_new_dmi_bridge(controller: Any) -> bool:
    return controller.type == "pci" and controller.model == "dmi-to-pci-bridge" and controller.address is None


def _q35(vm: Any, slots: PciSet) -> None:
    for controller in vm.domain.controllers:
        if controller.type == "sata" and controller.index == 0:
            _fixed(controller, Slot(0, 0x1F, 2), "Primary SATA controller must have PCI address 0:0:1f.2")
        elif controller.type == "usb" and controller.model == "ich9-uhci1" and controller.address is None:
            for number in (0x1D, 0x1A):
                if not slots.in_use(0, number):
                    slots.reserve(Slot(0, number), ONBOARD)
                    controller.address = PciAddress.at(0, number, multifunction=True)
                    break
        elif _is_new_dmi_bridge(controller) and not slots.in_use(0, 0x1E):
            slots.reserve(Slot(0, 0x1E), ONBOARD)
            controller.address = PciAddress.at(0, 0x1E)
    if slots.buses:
        slots.reserve(Slot(0, 0x1F, 0), ONBOARD)
        slots.reserve(Slot(0, 0x1F, 3), ONBOARD)
    _first_video(vm, slots, 1, ONBOARD)
    if slots.buses and not slots.in_use(0, 0x1B):
        for sound in vm.domain.sounds:
            if sound.model == "ich9" and wants_pci(sound):
                slots.reserve(Slot(0, 0x1B), ONBOARD)
                sound.address = PciAddress.at(0, 0x1B)
                break
