"""The device nodes that a guest's control group lets QEMU open: the list at the start, and what is plugged, unplugged or changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any

from kvasir.errors import SystemFailure
from kvasir.host import cgroup_tune
from kvasir.host.cgroup import Group

from . import live

log = logging.getLogger(__name__)

PTY_MAJOR = 136


def close(group: Group, driver: Any, domain: Any) -> None:
    """Close all device nodes but those that the guest's QEMU needs. Raises SystemFailure."""
    if not group.has("devices"):
        return
    try:
        cgroup_tune.deny_devices(group)
    except SystemFailure as error:
        if error.int1 == 1:  # not ours to change: libvirt goes on as well
            log.info("the device list of %s cannot be set: %s", group.path, error.text)
            return
        raise
    cgroup_tune.allow_device(group, "c", PTY_MAJOR, "*")
    for path in driver.config.cgroup_device_acl or ():
        cgroup_tune.allow_path(group, path)
    for path, access in _of_domain(domain):
        cgroup_tune.allow_path(group, path, access)


async def allow(guest: Any, device: Any) -> None:
    """Open the nodes of a device that is being plugged. Raises SystemFailure."""
    group = _group(guest)
    if group is not None:
        await asyncio.to_thread(_allow, group, list(_of_device(device)))


async def deny(guest: Any, device: Any) -> None:
    """Close the nodes of a device that went, but for those that the others of the guest use too."""
    group = _group(guest)
    if group is not None:
        await asyncio.to_thread(_deny, group, guest, [path for path, _ in _of_device(device)])


def allow_image(guest: Any, path: str, *, readonly: bool = False) -> None:
    """Open the node of one image of a running guest's chain. Raises SystemFailure."""
    group = _group(guest)
    if group is not None:
        _allow(group, [(path, "r" if readonly else "rw")])


def deny_image(guest: Any, path: str) -> None:
    """Close it again when it left the chain."""
    group = _group(guest)
    if group is not None:
        _deny(group, guest, [path])


def _group(guest: Any) -> Group | None:
    group: Group | None = guest.run.cgroup if guest.run is not None else None
    return group if group is not None and group.has("devices") else None


def _allow(group: Group, paths: Iterable[tuple[str, str]]) -> None:
    for path, access in paths:
        cgroup_tune.allow_path(group, path, access)


def _deny(group: Group, guest: Any, paths: Iterable[str]) -> None:
    used = {path for path, _ in _of_domain(guest.live)} | set(guest.driver.config.cgroup_device_acl or ())
    for path in paths:
        if path not in used:
            try:
                cgroup_tune.allow_path(group, path, "rwm", deny=True)
            except SystemFailure as error:
                log.warning("guest %s may still open %s: %s", guest.name, path, error.text)


# -- which


def _of_domain(domain: Any) -> Iterator[tuple[str, str]]:
    """(path, access) of what may be a device node among the files of a guest's devices."""
    for disk in live.list_of(domain, "disks"):
        yield from _of_device(disk)
    for device in live.devices(domain):
        if getattr(device, "TAG", "") != "disk":
            yield from _of_device(device)


def _of_device(device: Any) -> Iterator[tuple[str, str]]:
    if device.TAG == "disk":
        path = live.source_path(device)
        if path:
            yield path, "r" if device.readonly else "rw"
        for layer in live.disk_chain(device):
            yield layer, "r"
    else:
        for path in nodes_of(device):
            yield path, "rw"


def nodes_of(device: Any) -> Iterator[str]:
    """Host paths below /dev that a device's document names, and those behind a passed-through device."""
    if device.TAG == "hostdev":
        yield from _hostdev_nodes(device)
    todo = [device]
    while todo:
        element = todo.pop()
        for name in type(element).FIELDS:
            value = getattr(element, name, None)
            if isinstance(value, str) and value.startswith("/dev/"):
                yield value
            elif hasattr(type(value), "FIELDS"):
                todo.append(value)


def _hostdev_nodes(device: Any) -> Iterator[str]:
    source = device.source
    address = getattr(source, "address", None)
    if device.type == "usb" and getattr(source, "device", None) is not None:
        yield f"/dev/bus/usb/{int(source.bus or 0):03d}/{int(source.device):03d}"
    elif device.type == "pci" and address is not None:
        name = (
            f"{int(address.domain or 0):04x}:{int(address.bus or 0):02x}"
            f":{int(address.slot or 0):02x}.{int(address.function or 0):x}"
        )
        with contextlib.suppress(OSError):
            group = os.path.basename(os.readlink(f"/sys/bus/pci/devices/{name}/iommu_group"))
            yield "/dev/vfio/vfio"
            yield f"/dev/vfio/{group}"
