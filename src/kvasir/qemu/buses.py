"""Where a device is plugged in QEMU's words: the names of buses and the properties that an address becomes."""

from __future__ import annotations

from typing import Any

from kvasir.devices import address as kinds


def controller(vm: Any, kind: str, index: int) -> Any:
    """The controller of that type and number, or None."""
    return next((c for c in vm.domain.controllers if c.type == kind and c.index == index), None)


def bus_name(vm: Any, kind: str, index: int) -> str:
    """QEMU's id of the controller of that type and number."""
    found = controller(vm, kind, index)
    alias = getattr(found, "alias", None)
    if alias:
        return str(alias)
    from .aliases import controller_alias

    return controller_alias(vm, found) if found is not None else f"{kind}{index}"


def pci_props(vm: Any, place: kinds.PciAddress) -> dict[str, Any]:
    """``bus``, ``addr`` and ``multifunction`` of a PCI address."""
    bus = bus_name(vm, "pci", place.bus or 0)
    if place.bus and vm.is_pseries and getattr(controller(vm, "pci", place.bus), "model", None) == "pci-root":
        bus += ".0"
    where = f"0x{place.slot or 0:x}" + (f".0x{place.function:x}" if place.function else "")
    props: dict[str, Any] = {"bus": bus}
    if place.multifunction is not None:
        props["multifunction"] = place.multifunction
    props["addr"] = where
    return props


def drive_props(vm: Any, disk: Any) -> dict[str, Any]:
    """``bus``, ``unit`` and the like of a disk on a controller."""
    place = disk.address
    number, bus, target, unit = place.controller or 0, place.bus or 0, place.target or 0, place.unit or 0
    if disk.bus == "ide":
        return {"bus": f"{bus_name(vm, 'ide', number)}.{bus}", "unit": unit}
    if disk.bus == "sata":
        return {"bus": f"{bus_name(vm, 'sata', number)}.{unit}"}
    if disk.bus == "fdc":
        return {"unit": unit}
    name = bus_name(vm, "scsi", number)
    if getattr(controller(vm, "scsi", number), "model", None) in ("virtio-scsi", "ibmvscsi", *VIRTIO_SCSI):
        return {"bus": f"{name}.0", "channel": bus, "scsi-id": target, "lun": unit}
    return {"bus": f"{name}.0", "scsi-id": unit}


VIRTIO_SCSI = ("virtio-transitional", "virtio-non-transitional")


def address_props(vm: Any, device: Any) -> dict[str, Any]:
    """The properties that put a device into its place."""
    place = device.address
    props: dict[str, Any] = {}
    if isinstance(place, kinds.PciAddress):
        props = pci_props(vm, place)
    elif isinstance(place, kinds.UsbAddress):
        props = {"bus": f"{bus_name(vm, 'usb', place.bus or 0)}.0"}
        if place.port:
            props["port"] = place.port
    elif isinstance(place, kinds.VirtioSerialAddress):
        props = {"bus": f"{bus_name(vm, 'virtio-serial', place.controller or 0)}.{place.bus or 0}", "nr": place.port}
    elif isinstance(place, kinds.CcidAddress):
        props = {"bus": f"{bus_name(vm, 'ccid', place.controller or 0)}.0"}
    elif isinstance(place, kinds.CcwAddress):
        props = {"devno": f"{place.cssid:x}.{place.ssid:x}.{place.devno:04x}"}
    elif isinstance(place, kinds.SpaprVioAddress):
        props = {"reg": place.reg}
    elif isinstance(place, kinds.IsaAddress):
        props = {"iobase": place.iobase, "irq": place.irq}
    elif isinstance(place, kinds.DimmAddress):
        props = {"slot": place.slot, "addr": place.base}
    elif isinstance(place, kinds.DriveAddress) and device.TAG == "disk":
        props = drive_props(vm, device)
    if getattr(device, "acpi_index", None) is not None:
        props["acpi-index"] = device.acpi_index
    return {key: value for key, value in props.items() if value is not None}


def rom_props(device: Any) -> dict[str, Any]:
    """The option ROM of a PCI device."""
    if getattr(device, "rom_enabled", None) is False:
        return {"romfile": ""}
    props: dict[str, Any] = {}
    if getattr(device, "rom_bar", None) is not None:
        props["rombar"] = 1 if device.rom_bar in ("on", True) else 0
    if getattr(device, "rom_file", None) is not None:
        props["romfile"] = device.rom_file
    return props


def boot_index(vm: Any, device: Any) -> int | None:
    """Place in the boot order: the device's own, or what ``<os><boot dev=...>`` means for it."""
    own: int | None = getattr(device, "boot", None)
    if own is not None:
        return own
    wanted = {entry.dev: number for number, entry in reversed(list(enumerate(vm.domain.os.boots, 1)))}
    if not wanted:
        return None
    if device.TAG == "disk":
        kinds_of = {"cdrom": "cdrom", "floppy": "fd", "disk": "hd", "lun": "hd", None: "hd"}
        word = kinds_of.get(device.device)
        first = next((d for d in vm.domain.disks if kinds_of.get(d.device) == word), None)
        return wanted.get(word or "") if first is device else None
    if device.TAG == "interface" and vm.domain.interfaces and vm.domain.interfaces[0] is device:
        return wanted.get("network")
    return None
