"""The device nodes that QEMU has: in a ``/dev`` of its own, opened to its control group; at the start, and by what is plugged and unplugged."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any

from kvasir.errors import SystemFailure
from kvasir.host import cgroup_tune, private_dev
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
    paths = [(path, "rw") for path in driver.config.cgroup_device_acl or ()]
    nodes = cgroup_tune.nodes_at([*paths, *_of_domain(domain)])
    cgroup_tune.allow_nodes(group, [("c", PTY_MAJOR, "*", "rw"), *nodes])


def folder(driver: Any, guest: Any, stack: contextlib.AsyncExitStack) -> str | None:
    """Where the guest's own ``/dev`` is to be put together; None when ``namespaces`` of qemu.conf leaves mounts out."""
    wanted = driver.config.namespaces
    if wanted is not None and "mount" not in wanted:
        return None
    path = f"{driver.paths.qemu.run}/{guest.name}.dev"
    os.makedirs(path, exist_ok=True)
    stack.callback(_remove, path)
    return path


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(path)


async def fill(guest: Any, domain: Any, pid: int) -> None:
    """Put the nodes of a starting guest into its own ``/dev``, where it got one. Raises SystemFailure."""
    guest.run.own_dev = guest.driver.privileged and private_dev.separate(pid)
    if guest.run.own_dev:
        _remove(f"{guest.driver.paths.qemu.run}/{guest.name}.dev")
        paths = [*(guest.driver.config.cgroup_device_acl or ()), *(path for path, _ in _of_domain(domain))]
        await asyncio.to_thread(_add, pid, paths)


async def allow(guest: Any, device: Any) -> None:
    """Open the nodes of a device that is being plugged. Raises SystemFailure."""
    if _restricted(guest):
        await asyncio.to_thread(_allow, guest, list(_of_device(device)))


async def deny(guest: Any, device: Any) -> None:
    """Close the nodes of a device that went, but for those that the others of the guest use too."""
    if _restricted(guest):
        await asyncio.to_thread(_deny, guest, [path for path, _ in _of_device(device)])


def allow_image(guest: Any, path: str, *, readonly: bool = False) -> None:
    """Open the node of one image of a running guest's chain. Raises SystemFailure."""
    if _restricted(guest):
        _allow(guest, [(path, "r" if readonly else "rw")])


def deny_image(guest: Any, path: str) -> None:
    """Close it again when it left the chain."""
    if _restricted(guest):
        _deny(guest, [path])


def _restricted(guest: Any) -> bool:
    return guest.run is not None and (guest.run.own_dev or _group(guest) is not None)


def _group(guest: Any) -> Group | None:
    group: Group | None = guest.run.cgroup
    return group if group is not None and group.has("devices") else None


def _add(pid: int, paths: Iterable[str]) -> None:
    for path in paths:
        private_dev.add(pid, path)


def _allow(guest: Any, paths: list[tuple[str, str]]) -> None:
    group = _group(guest)
    if guest.run.own_dev:
        _add(guest.run.pid, (path for path, _ in paths))
    if group is not None:
        cgroup_tune.allow_nodes(group, cgroup_tune.nodes_at(paths))


def _deny(guest: Any, paths: Iterable[str]) -> None:
    group = _group(guest)
    used = {path for path, _ in _of_domain(guest.live)} | set(guest.driver.config.cgroup_device_acl or ())
    for path in paths:
        if path in used or not path.startswith("/dev/"):
            continue
        if guest.run.own_dev:
            private_dev.drop(guest.run.pid, path)
        try:
            if group is not None:
                cgroup_tune.allow_nodes(group, cgroup_tune.nodes_at([(path, "rwm")]), deny=True)
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
