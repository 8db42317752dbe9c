"""A device's arguments with its place, boot order and ROM filled in; the same for the command line and for hotplug."""

from __future__ import annotations

from typing import Any

from .args import Arg, Dev
from .buses import address_props, boot_index, rom_props

BOOTABLE = ("disk", "interface", "hostdev", "redirdev", "filesystem")


def args_of(vm: Any, device: Any) -> list[Arg]:
    """What ``device.qemu`` yields, where the ``-device`` of the device itself gets its bus, address, boot index and ROM.

    What the device says itself stays. Properties that the document overrides (``<qemu:override>``) come last.
    """
    found = list(device.qemu(vm))
    number = getattr(device.address, "zpci_uid", None)
    if number is not None:
        zpci = {"uid": number, "fid": device.address.zpci_fid, "target": device.alias, "id": f"zpci{number}"}
        found.insert(0, Dev("zpci", zpci))
    for arg in found:
        if isinstance(arg, Dev) and device.alias and arg.props.get("id") == device.alias:
            _complete(vm, device, arg)
    return found


def _complete(vm: Any, device: Any, arg: Dev) -> None:
    for key, value in address_props(vm, device).items():
        arg.props.setdefault(key, value)
    index = boot_index(vm, device)
    if index is not None and device.TAG in BOOTABLE and getattr(device, "bus", None) != "fdc":
        arg.props.setdefault("bootindex", index)
    for key, value in rom_props(device).items():
        arg.props.setdefault(key, value)
    for override in vm.domain.qemu_devices:
        if override.alias == device.alias:
            for prop in override.frontend:
                _override(arg.props, prop)


def _override(props: dict[str, Any], prop: Any) -> None:
    if prop.type == "remove":
        props.pop(prop.name, None)
    else:
        props[prop.name] = prop.setting()
