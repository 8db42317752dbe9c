"""Devices and controllers that libvirt adds to a document when it is defined."""

from __future__ import annotations

from typing import Any

from kvasir.devices.address import DriveAddress, VirtioSerialAddress
from kvasir.devices.controller import default_scsi
from kvasir.errors import Origin, XmlError

from .addresses import ports
from .addresses.tools import add_controller, find_controller, insert_controller


def number_controllers(domain: Any) -> None:
    """Give controllers without a number the next free one of their type; parts of a USB 2 controller share one."""
    companions = ("ich9-ehci1", "ich9-uhci1", "ich9-uhci2", "ich9-uhci3")
    for position, controller in enumerate(domain.controllers):
        if controller.index is not None:
            continue
        before = domain.controllers[position - 1] if position else None
        if (
            before is not None
            and controller.type == "usb" == before.type
            and controller.model in companions[1:]
            and before.model in companions
        ):
            controller.index = before.index
            continue
        used = {c.index for c in domain.controllers if c.type == controller.type and c.index is not None}
        controller.index = next(
            number for number in range(len(domain.controllers) + 1 + len(used)) if number not in used
        )


def sort_controllers(domain: Any) -> None:
    """Controllers stand by number among those of their type."""
    given, domain.controllers = domain.controllers, []
    for controller in given:
        insert_controller(domain, controller)


def sort_disks(domain: Any) -> None:
    """Disks stand by target name among those of their bus."""
    given, domain.disks = domain.disks, []
    numbers: list[int | None] = []
    for disk in given:
        own, at = _number_of(disk), -1
        for place in range(len(numbers) - 1, -1, -1):
            if domain.disks[place].bus != disk.bus:
                continue
            number = numbers[place]
            if own is not None and number is not None and number > own:
                at = place
            elif at == -1:
                at = place + 1
        at = len(numbers) if at == -1 else at
        domain.disks.insert(at, disk)
        numbers.insert(at, own)


def _number_of(disk: Any) -> int | None:
    try:
        return ports.disk_index(disk.target or "")
    except XmlError:
        return None


def add_default_devices(vm: Any) -> bool:
    """What every guest of the machine type has. True where the first console was made for the first serial port."""
    domain = vm.domain
    made = _consoles(domain)
    if not vm.is_x86:
        from .boards import add_default_devices as add

        add(vm)
        _audio(vm)
        return made
    if vm.machine != "isapc" and find_controller(vm, "usb", 0) is None:
        model = "qemu-xhci" if vm.is_q35 and vm.caps.has("qemu-xhci") else None
        add_controller(vm, "usb", 0, model)
    if vm.is_q35:
        add_controller(vm, "sata", 0)
    if vm.is_q35 or vm.is_i440fx:
        add_root_bus(vm, "pcie-root" if vm.is_q35 else "pci-root")
    if not domain.memballoons:
        from kvasir.devices.memballoon import Memballoon

        domain.memballoons.append(Memballoon(model="virtio"))
    _inputs(domain)
    _audio(vm)
    return made


def add_root_bus(vm: Any, model: str) -> None:
    """PCI bus 0, of the kind that the machine has. Raises XmlError where the document says another."""
    root = find_controller(vm, "pci", 0)
    if root is None:
        add_controller(vm, "pci", 0, model)
    elif root.model is None:
        root.model = model
    elif root.model != model:
        raise XmlError(
            f"The PCI controller with index='0' must be model='{model}' for this machine type, "
            f"but model='{root.model}' was found instead",
            origin=Origin.QEMU,
        )


def _inputs(domain: Any) -> None:
    from kvasir.devices.input import Input

    for kind in ("mouse", "keyboard"):
        if not any(i.type == kind and i.bus == "ps2" for i in domain.inputs):
            domain.inputs.append(Input(type=kind, bus="ps2"))


def _audio(vm: Any) -> None:
    """One audio backend where the displays leave no doubt which: SPICE carries sound, VNC and no display have none."""
    domain = vm.domain
    if domain.audios:
        return
    from kvasir.devices.audio import Audio
    from kvasir.model.forms import default_audio

    kind = default_audio(domain)
    key = "vnc_allow_host_audio" if domain.graphics else "nographics_allow_host_audio"
    if kind == "spice" or (kind == "none" and not getattr(vm.config, key, False)):
        domain.audios.append(Audio(id=1, type=kind))


SERIAL_CONSOLES = (None, "serial")
PLAIN_SERIALS = (None, "isa-serial", "system-serial", "spapr-vio-serial")


def _consoles(domain: Any) -> bool:
    """The first console of an HVM guest is its first serial port under another name. True where it had to be made."""
    from kvasir.devices.chardev import Console, Serial

    consoles, serials = domain.consoles, domain.serials
    if consoles and consoles[0].target_type in SERIAL_CONSOLES:
        if not serials:
            serials.append(twin(consoles[0], Serial))
            serials[0].port = None
        consoles[0] = twin(serials[0], Console)
        consoles[0].target_type = "serial"
    elif serials and serials[0].target_type in PLAIN_SERIALS:
        new = twin(serials[0], Console)
        new.target_type = "serial"
        consoles.insert(0, new)
        return True
    return False


def mirror_console(domain: Any, made: bool) -> None:
    """The first console shows what the first serial port became when it got its defaults.

    Consoles are counted as the document gave them, without one that was ``made`` for the serial port.
    """
    consoles, serials = domain.consoles, domain.serials
    if not (consoles and serials and consoles[0].target_type == "serial"):
        return
    consoles[0] = first_console(serials[0])
    for number, console in enumerate(consoles[1:]):
        console.port = number + (0 if made else 1)


def first_console(serial: Any) -> Any:
    """The first serial port as a console."""
    from kvasir.devices.chardev import Console

    console = twin(serial, Console)
    console.target_type, console.port, console.alias = "serial", serial.port, serial.alias
    console.address = serial.address.copy() if serial.address is not None else None
    return console


def mirror_address(domain: Any) -> None:
    """The first console has the address of the serial port that it stands for."""
    if domain.consoles and domain.serials and domain.consoles[0].target_type == "serial":
        place = domain.serials[0].address
        domain.consoles[0].address = place.copy() if place is not None else None


def twin(device: Any, cls: type) -> Any:
    """The same character device under another class; targets and addresses are each one's own."""
    skip = ("address", "alias", "acpi_index")
    shared = {
        name: getattr(device, name)
        for name in cls.FIELDS  # type: ignore[attr-defined]
        if name in device.FIELDS and not name.startswith("target") and name not in skip
    }
    new = cls(**shared).copy()
    return new


def add_controllers_for_devices(vm: Any) -> None:
    """Controllers that the disks, channels, smartcards and host devices need."""
    ports.add_disk_controllers(vm)
    for device in (*vm.domain.channels, *vm.domain.consoles):
        if device.target_type == "virtio":
            place = device.address
            add_controller(
                vm, "virtio-serial", (place.controller or 0) if isinstance(place, VirtioSerialAddress) else 0
            )
    ports.assign_ccid(vm)


def hostdev_controllers(vm: Any) -> None:
    """SCSI units of the host need their controller; it comes before all that the machine has, and before any is numbered."""
    units = [hostdev for hostdev in vm.domain.hostdevs if hostdev.type == "scsi"]
    for hostdev in units:
        if hostdev.address is None:
            hostdev.address = ports.free_scsi_unit(vm)
    last, model = -1, None
    for place in (hostdev.address for hostdev in units):
        if isinstance(place, DriveAddress) and (place.controller or 0) > last:
            last = place.controller or 0
            there = find_controller(vm, "scsi", last)
            model = there.model if there is not None and there.model else model
    for index in range(last + 1):
        add_controller(vm, "scsi", index, model)


def add_video(vm: Any) -> None:
    """A display needs a video card."""
    domain = vm.domain
    if domain.videos or not domain.graphics:
        return
    from kvasir.devices.video import Video

    domain.videos.append(Video())


STARTPORTS = {"ich9-uhci1": 0, "ich9-uhci2": 2, "ich9-uhci3": 4}
"""The first port that each companion of a USB 2 controller serves."""


def controller_models(vm: Any) -> None:
    """Models of controllers that the document leaves open."""
    for controller in vm.domain.controllers:
        if controller.model in STARTPORTS and controller.master is None:
            controller.master = STARTPORTS[controller.model]
        if controller.model not in (None, "auto"):
            continue
        if controller.type == "scsi":
            controller.model = default_scsi(vm) or controller.model
        elif controller.type == "usb":
            if not vm.is_x86:
                from .boards import usb_model

                controller.model = usb_model(vm, controller)
            elif vm.caps.has("piix3-usb-uhci"):
                controller.model = "piix3-uhci"
            elif vm.caps.has("pci-ohci"):
                controller.model = "pci-ohci"
