"""Ports of virtio-serial controllers, slots of smartcard readers, places of disks on their buses, memory slots."""

from __future__ import annotations

from typing import Any

from kvasir.devices.address import CcidAddress, DimmAddress, DriveAddress, VirtioSerialAddress
from kvasir.errors import InternalError, XmlError

from .tools import add_controller, find_controller

DEFAULT_PORTS = 31
SCSI_UNITS = 7


class Ports:
    """The ports of a guest's virtio-serial controllers."""

    def __init__(self, vm: Any) -> None:
        self.vm = vm
        self.taken: dict[int, list[bool]] = {}
        for controller in vm.domain.controllers:
            if controller.type == "virtio-serial":
                self.add(controller)
        for device in (*vm.domain.consoles, *vm.domain.channels):
            if complete(device):
                self.reserve(device.address)

    def add(self, controller: Any) -> None:
        self.taken[controller.index] = [False] * (DEFAULT_PORTS if controller.ports is None else controller.ports)
        self.taken = dict(sorted(self.taken.items()))

    def reserve(self, address: VirtioSerialAddress) -> None:
        controller, port = address.controller or 0, address.port or 0
        if controller not in self.taken:
            raise XmlError(f"virtio serial controller {controller} is missing")
        if port >= len(self.taken[controller]):
            raise XmlError(f"virtio serial controller {controller} does not have port {port}")
        if self.taken[controller][port]:
            raise XmlError(f"virtio serial port {port} on controller {controller} is already occupied")
        self.taken[controller][port] = True

    def _free(self, controller: int, first: int) -> int | None:
        taken = self.taken[controller]
        return next((port for port in range(first, len(taken)) if not taken[port]), None)

    def assign(self, device: Any) -> None:
        """Give the device a port; port 0 is for consoles, which take none of their own."""
        wish = device.address if isinstance(device.address, VirtioSerialAddress) else None
        found = self._on(wish.controller or 0) if wish is not None else self._anywhere(1)
        address = VirtioSerialAddress(type="virtio-serial", controller=found[0], bus=0, port=found[1])
        self.reserve(address)
        device.address = address

    def _on(self, controller: int) -> tuple[int, int]:
        if controller not in self.taken:
            raise InternalError(f"virtio-serial controller {controller} not available")
        port = self._free(controller, 1)
        if port is None:
            raise XmlError(f"Unable to find a free port on virtio-serial controller {controller}")
        return controller, port

    def _anywhere(self, first: int) -> tuple[int, int]:
        if not self.taken:
            raise InternalError("no virtio-serial controllers are available")
        for controller in self.taken:
            port = self._free(controller, first)
            if port is not None:
                return controller, port
        index = 0
        while find_controller(self.vm, "virtio-serial", index) is not None:
            index += 1
        self.add(add_controller(self.vm, "virtio-serial", index))
        return index, first


def complete(device: Any) -> bool:
    """True when the device says its port."""
    return isinstance(device.address, VirtioSerialAddress) and bool(device.address.port)


def assign_virtio_serial(vm: Any) -> None:
    """Complete the virtio-serial addresses of consoles and channels."""
    ports = Ports(vm)
    for channel in vm.domain.channels:
        if channel.target_type == "virtio" and not complete(channel):
            ports.assign(channel)


def assign_ccid(vm: Any) -> None:
    """Put smartcards into readers, and add the readers."""
    for card in vm.domain.smartcards:
        index = 0
        if isinstance(card.address, CcidAddress):
            index = card.address.controller or 0
        elif card.address is None:
            taken = [
                other.address.slot or 0
                for other in vm.domain.smartcards
                if isinstance(other.address, CcidAddress) and (other.address.controller or 0) == 0
            ]
            card.address = CcidAddress(type="ccid", controller=0, slot=max(taken, default=-1) + 1)
        add_controller(vm, "ccid", index)


def disk_index(name: str) -> int:
    """The number of a target name (``sda`` is 0, ``vdaa`` is 26). Raises XmlError for a name that has none."""
    prefix = next((p for p in ("ubd", "fd", "hd", "vd", "sd", "xvd") if name.startswith(p)), None)
    letters = name[len(prefix) :].rstrip("0123456789") if prefix else ""
    if not letters or not letters.isalpha() or not letters.islower():
        raise XmlError(f"Unknown disk name '{name}' and no address specified")
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("a") + 1
    return number - 1


def drive_place(bus: str, index: int) -> DriveAddress | None:
    """Where the disk of that number sits on its bus."""
    if bus == "scsi":
        place = (index // 7, 0, index % 7)
    elif bus == "ide":
        place = (index // 4, index % 4 // 2, index % 2)
    elif bus == "sata":
        place = (index // 6, 0, index % 6)
    elif bus == "fdc":
        place = (index // 2, 0, index % 2)
    else:
        return None
    controller, channel, unit = place
    return DriveAddress(type="drive", controller=controller, bus=channel, target=0, unit=unit)


def free_scsi_unit(vm: Any) -> DriveAddress:
    """The first free unit of the SCSI controllers for a unit of the host; the next controller where all are full."""
    places = [device.address for device in vm.domain.hostdevs]
    for disk in vm.domain.disks:
        if disk.bus == "scsi":
            places.append(disk.address or drive_place("scsi", disk_index(disk.target)))
    drives = [place for place in places if isinstance(place, DriveAddress) and not place.bus and not place.target]
    taken = {(place.controller or 0, place.unit or 0) for place in drives}
    index = 0
    while True:
        for unit in range(SCSI_UNITS):
            if (index, unit) not in taken:
                return DriveAddress(type="drive", controller=index, bus=0, target=0, unit=unit)
        index += 1


def assign_drives(vm: Any) -> None:
    """Give disks their places by target name, and add the controllers that all disks need."""
    for disk in vm.domain.disks:
        if disk.address is None and disk.bus in ("ide", "scsi", "sata", "fdc"):
            disk.address = drive_place(disk.bus, disk_index(disk.target))


def add_disk_controllers(vm: Any) -> None:
    """Controllers for every disk address, in libvirt's order of types."""
    for kind in ("scsi", "fdc", "ide", "sata"):
        used = [
            disk.address.controller or 0
            for disk in vm.domain.disks
            if disk.bus == kind and isinstance(disk.address, DriveAddress)
        ]
        for index in range(max(used, default=-1) + 1):
            add_controller(vm, kind, index)


def assign_memory_slots(vm: Any) -> None:
    """Give DIMMs and NVDIMMs their slots. Raises InternalError when all are taken."""
    slots = vm.domain.max_memory_slots
    if not slots:
        return
    taken = {m.address.slot for m in vm.domain.memories if isinstance(m.address, DimmAddress)}
    for memory in vm.domain.memories:
        if memory.model not in ("dimm", "nvdimm") or isinstance(memory.address, DimmAddress):
            continue
        free = next((slot for slot in range(slots) if slot not in taken), None)
        if free is None:
            raise InternalError("failed to find an empty memory slot")
        taken.add(free)
        memory.address = DimmAddress(type="dimm", slot=free)
