"""Where a device stands among its kin in the document, as libvirt inserts it."""

from __future__ import annotations

from typing import Any

from kvasir.qemu.addresses.tools import insert_controller
from kvasir.qemu.implicit import first_console, sort_disks

from .fragment import devices_of


def insert(domain: Any, device: Any) -> None:
    """Put the device into the document; memory devices make the guest larger."""
    if device.TAG == "controller":
        insert_controller(domain, device)
        return
    devices_of(domain, device.TAG).append(device)
    if device.TAG == "serial" and len(domain.serials) == 1 and not domain.consoles:
        domain.consoles.append(first_console(device))
    if device.TAG == "disk":
        sort_disks(domain)
    if device.TAG == "memory":
        domain.memory = (domain.memory or 0) + (device.size or 0)


def take(domain: Any, device: Any) -> None:
    """Take the device out of the document."""
    kin = devices_of(domain, device.TAG)
    kin[:] = [other for other in kin if other is not device]
    if device.TAG == "serial" and domain.consoles and device.alias and domain.consoles[0].alias == device.alias:
        del domain.consoles[0]
    if device.TAG == "memory":
        domain.memory = (domain.memory or 0) - (device.size or 0)
        if domain.current_memory is not None and domain.current_memory > domain.memory:
            domain.current_memory = domain.memory
