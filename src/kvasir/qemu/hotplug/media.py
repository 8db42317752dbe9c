"""Media of CD and floppy drives: taken out, put in, with the tray as a guest's lock wants it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from kvasir.devices import disk_qemu
from kvasir.errors import ConfigUnsupported, OperationFailed
from kvasir.qemu import chain, device_nodes, statusdoc, trail
from kvasir.qemu.args import Blockdev
from kvasir.qemu.labels import Labels
from kvasir.qemu.monitor import MonitorError

from . import steps
from .attach import number
from .fragment import alone
from .session import HotHost

WAIT = 5.0
"""Seconds that a guest has to let the tray go."""


async def change(guest: Any, drive: Any, wanted: Any, vm: Any, *, force: bool) -> None:
    """Put the medium of ``wanted`` (or none) into the drive. Raises OperationFailed when the guest holds the old one."""
    if drive.device not in ("cdrom", "floppy"):
        raise ConfigUnsupported("disk source can be changed only in removable drives")
    new = drive.copy()
    new.type, new.source, new.format = wanted.type, wanted.source, wanted.format
    new.driver_name, new.backing_store, new.encryption = wanted.driver_name, wanted.backing_store, wanted.encryption
    async with contextlib.AsyncExitStack() as stack:
        view = alone(guest.live, new)
        await chain.complete(view, guest.driver)
        new.format = wanted.format
        new.source.emptied = new.empty
        number(guest, new)
        host = HotHost(guest, vm, stack)
        if not new.empty:
            await new.prepare(host)
            labels = Labels(guest.driver, guest)
            stack.callback(labels.restore)
            await labels.apply(view)
            stack.push_async_callback(device_nodes.deny, guest, new)
            await device_nodes.allow(guest, new)
        await _swap(guest, drive, new, vm, force, stack)
        stack.pop_all()
    old = None if drive.empty else drive.copy()
    if old is not None:
        Labels(guest.driver, guest).restore_all(alone(guest.live, old))
    trail.changed(guest, new, "update", before=drive)
    _take_over(drive, new)
    if old is not None:
        await device_nodes.deny(guest, old)
    drive.tray = None
    guest.run.disks.setdefault(drive.alias, {})["tray-open"] = False
    statusdoc.save(guest)


def _take_over(drive: Any, new: Any) -> None:
    for name in ("type", "source", "format", "driver_name", "backing_store", "encryption"):
        setattr(drive, name, getattr(new, name))


def nodes(disk: Any, vm: Any) -> list[Any]:
    """The block nodes of a disk, and what they need, without its device."""
    return list(disk_qemu.blockdevs(disk, vm)) if not disk.empty else []


async def _swap(guest: Any, drive: Any, new: Any, vm: Any, force: bool, stack: contextlib.AsyncExitStack) -> None:
    monitor, alias = guest.monitor(), drive.alias
    old = nodes(drive, vm)
    if drive.tray != "open" or force:
        await _open(guest, drive, force)
    if drive.tray == "open" or drive.bus != "fdc" or old:
        with contextlib.suppress(MonitorError):
            await monitor.command("blockdev-remove-medium", {"id": alias})
    await steps.take_away(monitor, old)
    if not new.empty:
        try:
            await steps.add(monitor, nodes(new, vm), stack)
            await monitor.command("blockdev-insert-medium", {"id": alias, "node-name": disk_qemu.node_name(new)})
        except BaseException:
            await _put_back(monitor, drive, old)
            raise
    await monitor.command("blockdev-close-tray", {"id": alias})


async def _put_back(monitor: Any, drive: Any, old: list[Any]) -> None:
    """The new medium could not be put in: the old one is back."""
    with contextlib.suppress(MonitorError):
        async with contextlib.AsyncExitStack() as stack:
            await steps.add(monitor, [arg for arg in old if isinstance(arg, Blockdev)], stack)
            if old:
                await monitor.command(
                    "blockdev-insert-medium", {"id": drive.alias, "node-name": disk_qemu.node_name(drive)}
                )
            stack.pop_all()
        await monitor.command("blockdev-close-tray", {"id": drive.alias})


async def _open(guest: Any, drive: Any, force: bool) -> None:
    """Open the tray; a guest that locked it is asked, and has a while to let go."""
    monitor = guest.monitor()
    try:
        await monitor.command("blockdev-open-tray", {"id": drive.alias, "force": force})
        return
    except MonitorError as error:
        if force:
            raise
        refused = error
    end = asyncio.get_running_loop().time() + WAIT
    while asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.1)
        if (guest.run.disks.get(drive.alias) or {}).get("tray-open"):
            return
    raise OperationFailed("timed out waiting for disk tray status update") from refused
