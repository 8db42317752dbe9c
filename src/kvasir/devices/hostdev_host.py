"""What an assigned device takes of the host: its function bound to vfio-pci and given back, and nobody else's.

``host.driver.drivers['nodedev']`` has the host's sysfs (or a tree of a test's own below the daemon's root).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported, OperationInvalid, Origin, SystemFailure

VFIO = "vfio-pci"


def tree_of(host: Any) -> Any:
    """The host's sysfs."""
    return host.driver.drivers["nodedev"].tree


def pci_word(place: Any) -> str:
    """``0000:03:10.0`` of an address's numbers."""
    return f"{place.domain or 0:04x}:{place.bus or 0:02x}:{place.slot or 0:02x}.{place.function or 0:x}"


def places(domain: Any) -> Iterator[tuple[Any, str]]:
    """The PCI functions of the host that a guest has, with the devices they are in."""
    for hostdev in domain.hostdevs:
        if hostdev.type == "pci":
            yield hostdev, hostdev.source.host
    for net in domain.interfaces:
        source = net.actual.source if net.actual is not None else net.source
        if net.actual_type == "hostdev" and getattr(getattr(source, "address", None), "type", "") == "pci":
            yield net, pci_word(source.address)


def free(host: Any, device: Any, word: str) -> None:
    """Raise OperationInvalid where a guest has the function already."""
    for guest in host.driver.guests.by_id.values():
        if guest.live is None:
            continue
        for other, place in places(guest.live):
            if place == word and other is not device:
                raise OperationInvalid(
                    f"PCI device {word} is in use by driver QEMU, domain {guest.name}", origin=Origin.NONE,
                    hint=f"virsh detach-device {guest.name} takes it from that guest",
                )  # fmt: skip


async def take(device: Any, host: Any, word: str, managed: bool, backend: str | None) -> None:
    """Have the function bound to vfio-pci (where libvirt manages it); the undo is on the host's stack.

    Raises ConfigUnsupported without VFIO, SystemFailure where there is no such device, OperationInvalid where a guest has it or
    its driver must be told by hand to let go.
    """
    from kvasir.nodedev import binding

    tree = tree_of(host)
    if backend not in (None, "vfio") or not binding.vfio_works(tree):
        raise ConfigUnsupported("host doesn't support passthrough of host PCI devices")
    if not tree.exists(f"/bus/pci/devices/{word}/config"):
        missing = FileNotFoundError(2, os.strerror(2))
        text = f"Device {word} not found: could not access /sys/bus/pci/devices/{word}/config"
        raise SystemFailure(text, missing, origin=Origin.NONE)
    free(host, device, word)
    if not managed:
        if binding.driver_of(tree, word) != VFIO:
            raise OperationInvalid(
                f"Unmanaged PCI device {word} must be manually detached from the host", origin=Origin.NONE,
                hint=f"virsh nodedev-detach pci_{word.replace(':', '_').replace('.', '_')}",
            )  # fmt: skip
        return
    host.stack.push_async_callback(_back, tree, word)
    await asyncio.to_thread(binding.bind, tree, word, VFIO)


async def _back(tree: Any, word: str) -> None:
    from kvasir.nodedev import binding

    await asyncio.to_thread(binding.bind, tree, word, None)


async def give_back(host: Any, word: str, managed: bool) -> None:
    """Give a managed function to the driver of the host again."""
    if managed:
        await _back(tree_of(host), word)


def free_usb(host: Any, device: Any) -> None:
    """Raise OperationInvalid where a guest has the USB device already."""
    source = device.source
    for guest in host.driver.guests.by_id.values():
        for other in guest.live.hostdevs if guest.live is not None else ():
            same = other.type == "usb" and (other.source.bus, other.source.device) == (source.bus, source.device)
            if same and other is not device and source.bus:
                raise OperationInvalid(
                    f"USB device {source.bus:03d}:{source.device:03d} is in use by driver QEMU, domain {guest.name}",
                    origin=Origin.NONE,
                )


__all__ = ["free", "free_usb", "give_back", "pci_word", "places", "take"]
