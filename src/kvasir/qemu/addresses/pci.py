"""Gives PCI addresses to the devices of a guest, adding bridges and root ports as they are needed.

The order is libvirt's: what is soldered to the chipset, then PCI controllers, file systems, network cards, sound,
other controllers, disks, host devices and the rest; guests keep their addresses because libvirt keeps this order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.devices.address import PciAddress
from kvasir.errors import ConfigUnsupported, InternalError

from .chipsets import chipset_slots, reserve_chipset
from .connect import Needs, video_type
from .pci_set import PCI, PCIE, Bus, Connect, PciSet, Slot
from .tools import add_controller, is_pci, place_of, wants_pci

COMPANIONS = {"ich9-ehci1": (7, None), "ich9-uhci1": (0, True), "ich9-uhci2": (1, None), "ich9-uhci3": (2, None)}
"""Function and multifunction flag of the parts of a USB 2 controller."""


def assign(vm: Any) -> None:
    """Complete the PCI addresses of the whole document."""
    domain = vm.domain
    highest = max((c.index for c in domain.controllers if c.type == "pci"), default=-1)
    count = highest + 1
    if count > 0:
        slots = _create(vm, count, growing=True)
        reserve_chipset(vm, slots)
        if not _has_room(domain, slots):
            slots = _rehearsed(vm, slots, highest)
    else:
        slots = _create(vm, count, growing=False)
        reserve_chipset(vm, slots)
    slots.growing = False
    _place_all(vm, slots)
    _mark_multifunction(vm)
    for controller in domain.controllers:
        if controller.type == "pci":
            _controller_options(vm, controller)


def _rehearsed(vm: Any, rehearsal: PciSet, highest: int) -> PciSet:
    """Place all to see which buses must be added, and begin anew with these."""
    _spare_for_bridge(vm, rehearsal)
    _place_all(vm, rehearsal)
    root = rehearsal.buses[0].model
    if highest <= 0 and len(rehearsal.buses) > highest + 1 and root == "pcie-root":
        rehearsal.next(PCIE)
    _add_controllers(vm, rehearsal)
    final = _create(vm, len(rehearsal.buses), growing=False)
    reserve_chipset(vm, final)
    return final


def _has_room(domain: Any, slots: PciSet) -> bool:
    """Whether all devices fit on one conventional bus whatever they are, with a slot to spare: no bus needs to be added."""
    if len(slots.buses) != 1 or any(c.type == "pci" and c.model != "pci-root" for c in domain.controllers):
        return False
    bus = slots.buses[0]
    decided = not domain.videos or not wants_pci(domain.videos[0])
    return (
        bus.model == "pci-root"
        and decided
        and len(list(domain.all_devices())) < bus.last - bus.first + 1 - len(bus.used)
    )


def place(vm: Any, device: Any) -> None:
    """Give one device an address (or check the one it has) for plugging it into the running guest."""
    rules = Needs(vm)
    needs = rules.of(device)
    if device.TAG == "interface" and device.type == "hostdev":
        needs = rules.pcie
    if not needs:
        return
    needs |= Connect.HOTPLUG
    count = max((c.index for c in vm.domain.controllers if c.type == "pci"), default=-1) + 1
    slots = _create(vm, count, growing=False)
    chipset_slots(vm, slots)
    here = place_of(device)
    if here is None:
        _set(device, slots.next(needs))
        return
    if here.function != 0:
        raise InternalError("Only PCI device addresses with function=0 are supported")
    slots.reserve(here, needs, domain=device.address.domain or 0)


def _create(vm: Any, count: int, growing: bool) -> PciSet:
    """The set of buses that the document has, with every address that it says marked as taken."""
    slots = PciSet(growing, vm.caps.has("pcie-pci-bridge"), vm.is_pseries)
    buses: list[Bus | None] = [None] * count
    for controller in vm.domain.controllers:
        if controller.type == "pci":
            buses[controller.index] = Bus(controller.model, controller.hotplug is not False)
    express = any(bus is not None and bus.model == "pcie-root" for bus in buses)
    for number, bus in enumerate(buses):
        default = "pci-root" if number == 0 or vm.is_pseries else "pcie-root-port" if express else "pci-bridge"
        slots.buses.append(bus or Bus(default))
    rules = Needs(vm)
    for device in vm.domain.all_devices():
        here = place_of(device)
        if here is None or _soldered(device, here) or _is_name(device):
            continue
        found = slots.reserve(here, rules.of(device) or Connect.PCI_DEVICE, domain=device.address.domain or 0)
        device.address.bus = found.bus
    return slots


def _is_name(device: Any) -> bool:
    """True for a console that is only another name of a serial port, whose address it shows."""
    return bool(device.TAG == "console" and device.target_type == "serial")


def _soldered(device: Any, here: Slot) -> bool:
    """True for the parts of the PIIX3, which are taken care of with the chipset."""
    if device.TAG != "controller" or (here.bus, here.slot) != (0, 1) or device.index != 0:
        return False
    if device.type == "ide":
        return here.function == 1
    return device.type == "usb" and device.model in (None, "piix3-uhci") and here.function == 2


def _spare_for_bridge(vm: Any, slots: PciSet) -> None:
    """Keep one slot free for a bridge that may be needed later."""
    if slots.buses[0].model == "pci-root" and not all(bus.full for bus in slots.buses):
        slots.next(PCI)


def _add_controllers(vm: Any, slots: PciSet) -> None:
    rules = Needs(vm)
    for number in range(1, len(slots.buses)):
        model = slots.buses[number].model
        new = add_controller(vm, "pci", number, model)
        if new is not None and model not in ("pci-root", "pcie-root"):
            slots.next(rules.of(new))


def _in_order(domain: Any) -> Iterator[Any]:
    """The devices in the order in which they get their places."""
    yield from (c for c in domain.controllers if c.type == "pci" and c.model not in ("pci-root", "pcie-root"))
    yield from domain.filesystems
    yield from (n for n in domain.interfaces if n.type != "hostdev")
    yield from domain.sounds
    yield from (c for c in domain.controllers if c.type != "pci" and not (c.type == "ide" and c.index == 0))
    yield from (d for d in domain.disks if d.bus == "virtio")
    yield from (n for n in domain.interfaces if n.type == "hostdev")
    yield from domain.hostdevs
    yield from domain.memballoons
    yield from domain.rngs
    yield from domain.watchdogs
    yield from domain.videos
    yield from domain.shmems
    yield from domain.inputs
    yield from domain.serials
    yield from domain.iommus
    yield from domain.vsocks
    yield from domain.memories
    yield from domain.cryptos


def _place_all(vm: Any, slots: PciSet) -> None:
    rules = Needs(vm)
    for device in _in_order(vm.domain):
        if not wants_pci(device):
            _check_disk(device)
            continue
        needs = rules.of(device)
        if device.TAG == "interface" and device.type == "hostdev":
            needs = rules.pcie
        if not needs and device.TAG != "interface":
            continue
        if device.TAG == "controller" and device.model in COMPANIONS:
            _place_companion(vm, device, needs, slots)
        else:
            found = slots.next(needs)
            if not slots.growing:
                _set(device, found)


def _check_disk(device: Any) -> None:
    if device.TAG != "disk" or is_pci(device):
        return
    kind = device.address.type
    if kind not in ("ccw", "virtio-mmio"):
        raise ConfigUnsupported(f"virtio disk cannot have an address of type '{kind}'")


def _place_companion(vm: Any, device: Any, needs: int, slots: PciSet) -> None:
    """All parts of a USB 2 controller sit in one slot."""
    function, multifunction = COMPANIONS[device.model]
    for other in vm.domain.controllers:
        if other.type == "usb" and other.model in COMPANIONS and other.index == device.index:
            first = place_of(other)
            if first is not None:
                here = first._replace(function=function)
                slots.reserve(here, needs)
                _set(device, here, multifunction)
                return
    found = slots.next(needs, function)
    if not slots.growing:
        _set(device, found, multifunction)


def _set(device: Any, found: Slot, multifunction: bool | None = None) -> None:
    device.address = PciAddress.at(found.bus, found.slot, found.function, multifunction=multifunction)


def _mark_multifunction(vm: Any) -> None:
    """The device at function 0 says that its slot has more functions."""
    places = [(device, found) for device in vm.domain.all_devices() if (found := place_of(device))]
    shared = {(found.bus, found.slot) for _, found in places if found.function}
    for device, found in places:
        if not found.function and (found.bus, found.slot) in shared and device.address.multifunction is None:
            device.address.multifunction = True


MODEL_NAMES = {
    "pci-bridge": "pci-bridge",
    "dmi-to-pci-bridge": "i82801b11-bridge",
    "pcie-to-pci-bridge": "pcie-pci-bridge",
    "pcie-root-port": "pcie-root-port",
    "pcie-switch-upstream-port": "x3130-upstream",
    "pcie-switch-downstream-port": "xio3130-downstream",
    "pci-expander-bus": "pxb",
    "pcie-expander-bus": "pxb-pcie",
}
"""QEMU's device behind each controller model."""


def _controller_options(vm: Any, controller: Any) -> None:
    model = controller.model
    if controller.model_name is None:
        controller.model_name = MODEL_NAMES.get(model)
        if model == "pcie-root-port" and not vm.caps.has("pcie-root-port"):
            controller.model_name = "ioh3420"
    here = place_of(controller) or Slot(0, 0)
    if model == "pci-root" and vm.is_pseries:
        _host_bridge(vm, controller)
    elif model == "pci-bridge":
        if controller.chassis_nr is None:
            controller.chassis_nr = controller.index
        if controller.index <= here.bus:
            raise ConfigUnsupported(
                f"PCI controller at index {controller.index} (0x{controller.index:02x}) has bus='0x{here.bus:02x}', "
                "but index must be larger than bus"
            )
    elif model in ("pcie-root-port", "pcie-switch-downstream-port"):
        if controller.chassis is None:
            controller.chassis = controller.index
        if controller.port is None:
            controller.port = (here.slot << 3) + here.function if model == "pcie-root-port" else here.slot
    elif model in ("pci-expander-bus", "pcie-expander-bus") and controller.bus_nr is None:
        used = [c.bus_nr for c in vm.domain.controllers if c.type == "pci" and c.bus_nr is not None]
        lowest = min(used, default=256)
        if lowest <= 2:
            raise ConfigUnsupported(
                "No free busNr lower than current lowest busNr is available to auto-assign "
                f"to bus {here.bus}. Must be manually assigned"
            )
        controller.bus_nr = lowest - 2


def _host_bridge(vm: Any, controller: Any) -> None:
    """A root bus of a POWER guest, which may have several."""
    controller.model_name = controller.model_name or "spapr-pci-host-bridge"
    if controller.target_index is None:
        taken = {c.target_index for c in vm.domain.controllers}
        first = 0 if controller.index == 0 else 1
        controller.target_index = next(number for number in range(first, 256) if number not in taken)


__all__ = ["assign", "place", "video_type"]
