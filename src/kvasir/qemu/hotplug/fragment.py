"""The document of one device: read, completed and checked against the guest that it is for."""

from __future__ import annotations

import copy
from typing import Any

from kvasir.devices.address_check import check as check_address
from kvasir.errors import ConfigUnsupported, Origin
from kvasir.model.domain import DEVICES
from kvasir.qemu.addresses import ports
from kvasir.qemu.addresses.tools import fill_zeroes
from kvasir.qemu.define import tls
from kvasir.xml.reader import read

WHAT = "(device_definition)"
UNREAD = ("crypto",)
"""Devices of a whole document that libvirt does not read alone."""


def list_name(tag: str) -> str:
    """The field of the domain that holds devices of a tag."""
    return _names()[tag]


def _names() -> dict[str, str]:
    from kvasir.model.domain import Domain

    return {Domain.FIELDS[name].model.TAG: name for name, _ in DEVICES if name in Domain.FIELDS}


def devices_of(domain: Any, tag: str) -> list[Any]:
    """The guest's devices of a tag: the list itself."""
    found: list[Any] = getattr(domain, list_name(tag))
    return found


def parse(text: str, vm: Any, *, live: bool, checked: bool = True) -> Any:
    """The device of a document for the guest of ``vm``. Raises XmlError, XmlDetail, ConfigUnsupported."""
    from kvasir.model.domain import Domain

    root = read(text, WHAT)
    name = _names().get(str(root.tag))
    if name is None or root.tag in UNREAD:
        raise ConfigUnsupported(f"unknown device type '{root.tag}'", origin=Origin.DOMAIN)
    device = Domain.FIELDS[name].model.parse(root)
    alias = device.alias if live else None
    device.drop_foreign()
    device.alias = device.alias or alias
    fill_zeroes(device)
    device.defaults(vm)
    if live:
        tls(device, vm)
    if device.TAG == "disk" and device.address is None and device.bus in ("ide", "scsi", "sata", "fdc"):
        device.address = ports.drive_place(device.bus, ports.disk_index(device.target))
    if checked:
        check(device, vm)
    return device


def check(device: Any, vm: Any) -> None:
    """libvirt's rules for the device by itself: what it shares with its kin is looked at when it is attached."""
    check_address(device, vm)
    if device.TAG == "smartcard":
        raise ConfigUnsupported("this QEMU binary lacks multiple smartcard support")
    view = copy.copy(vm)
    view.domain = copy.copy(vm.domain)
    setattr(view.domain, list_name(device.TAG), [])
    device.check(view)


def alone(domain: Any, device: Any) -> Any:
    """A view of the guest with no other device and no boot files: for what works on whole documents (labels, chains)."""
    from kvasir.model.os import Os

    view = copy.copy(domain)
    for name, _ in DEVICES:
        if name in view.FIELDS:
            setattr(view, name, [])
    view.os = Os()
    setattr(view, list_name(device.TAG), [device])
    return view
