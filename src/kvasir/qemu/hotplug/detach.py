"""Unplugging a device from a running guest: asked for, waited for, and cleaned up when QEMU says that it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from kvasir.errors import DeviceMissing, InternalError, OperationFailed, OperationInvalid, OperationUnsupported
from kvasir.events import DeviceRemovalFailed, DeviceRemoved
from kvasir.qemu import aliases, device_nodes, learn, locks, memlock, statusdoc, trail, vcpus
from kvasir.qemu.addresses.tools import place_of
from kvasir.qemu.jobs import Kind
from kvasir.qemu.labels import Labels
from kvasir.qemu.monitor import MonitorError

from . import matching, rules, steps
from .fragment import alone
from .places import take
from .session import HotHost, live_vm

log = logging.getLogger(__name__)

WAIT = 5.0
"""Seconds that a call waits for the guest to let go of a device; later the removal ends by itself."""
NO_PEER = ("lease",)


async def detach(guest: Any, wanted: Any, *, wait: bool = True) -> None:
    """Unplug the device that ``wanted`` describes, inside the caller's job."""
    early = EARLY.get(wanted.TAG)
    if early is not None:
        early(wanted)
    device = matching.find(guest.live, wanted, live=True)
    await unplug(guest, device, wait=wait)


async def detach_alias(guest: Any, alias: str) -> None:
    """Ask for the removal of the device of an alias, and do not wait. Raises InternalError."""
    device = by_alias(guest.live, alias)
    if device is None:
        raise InternalError(f"no device found with alias {alias}")
    if device.TAG not in matching.FIND or device.TAG == "sound":
        raise OperationUnsupported(f"live detach of device '{device.TAG}' is not supported")
    await unplug(guest, device, wait=False)


def by_alias(domain: Any, alias: str) -> Any:
    """The device of that alias; a console that is another name of a serial port is not meant."""
    for device in domain.all_devices():
        if device.alias == alias and not (device.TAG == "console" and device.target_type in (None, "serial")):
            return device
    return None


async def unplug(guest: Any, device: Any, *, wait: bool) -> None:
    """Take the device out of QEMU; what QEMU never knew is only forgotten."""
    _may_go(guest, device)
    if device.TAG in NO_PEER or _is_guestfwd(device):
        await finish(guest, device)
        return
    run = guest.run
    waiter: asyncio.Future[bool] | None = asyncio.get_running_loop().create_future() if wait else None
    if waiter is not None:
        run.unplugs[device.alias] = waiter
    try:
        await _ask(guest, device)
        if waiter is None:
            return
        with contextlib.suppress(TimeoutError):
            if not await asyncio.wait_for(waiter, WAIT):
                raise OperationFailed("unplug of device was rejected by the guest")
    finally:
        run.unplugs.pop(device.alias, None)
    if waiter.done() and not waiter.cancelled() and waiter.result():
        await finish(guest, device)


async def _ask(guest: Any, device: Any) -> None:
    try:
        await guest.monitor().command("device_del", {"id": device.alias})
    except MonitorError as error:
        if error.kind == "DeviceNotFound":
            raise DeviceMissing(f"{error.args[0]}" if error.args else error.text) from error
        raise


def _is_guestfwd(device: Any) -> bool:
    return bool(device.TAG == "channel" and device.target_type == "guestfwd")


def _may_go(guest: Any, device: Any) -> None:
    """Raise what libvirt raises for a device that cannot be unplugged."""
    check = CHECKS.get(device.TAG)
    if check is not None:
        check(guest, device)
    place = place_of(device)
    if place is None or not (place.function or device.address.multifunction):
        return
    if _shares_slot(guest.live, device, place):
        word = f"{device.address.domain or 0:04x}:{place.bus:02x}:{place.slot:02x}.{place.function}"
        raise OperationFailed(f"cannot hot unplug multifunction PCI device: {word}")


def _shares_slot(domain: Any, device: Any, place: Any) -> bool:
    for other in domain.all_devices():
        here = place_of(other)
        if other is not device and here is not None and (here.bus, here.slot) == (place.bus, place.slot):
            return True
    return bool(device.address.multifunction)


def _disk(guest: Any, disk: Any) -> None:
    if disk.device == "floppy" or (disk.device == "cdrom" and disk.bus not in ("usb", "scsi")):
        raise OperationUnsupported(f"disk device type '{disk.device}' cannot be detached")
    if disk.bus not in ("virtio", "usb", "scsi"):
        raise OperationUnsupported("This type of disk cannot be hot unplugged")
    if disk.mirror is not None or getattr(disk, "job", None):
        raise OperationUnsupported(f"disk '{disk.target}' is in active block job")


def _scsi_only(controller: Any) -> None:
    if controller.type != "scsi":
        raise OperationUnsupported(f"'{controller.type}' controller cannot be hot unplugged.")


def _controller(guest: Any, controller: Any) -> None:
    _scsi_only(controller)
    users = (*guest.live.disks, *(h for h in guest.live.hostdevs if h.type == "scsi"))
    for user in users:
        if user.TAG == "disk" and user.bus != "scsi":
            continue
        place = user.address
        if place is not None and place.type == "drive" and (place.controller or 0) == controller.index:
            raise OperationFailed("device cannot be detached: device is busy")


def _input_bus(device: Any) -> None:
    if device.bus not in ("usb", "virtio"):
        raise OperationUnsupported(f"input device on bus '{device.bus}' cannot be detached")


def _input(guest: Any, device: Any) -> None:
    _input_bus(device)


def _watchdog(guest: Any, watchdog: Any) -> None:
    if watchdog.model != "i6300esb":
        raise OperationUnsupported(f"hot unplug of watchdog of model {watchdog.model} is not supported")


def _shmem(guest: Any, shmem: Any) -> None:
    if shmem.model == "ivshmem":
        raise OperationUnsupported(f"live detach of shmem model '{shmem.model}' is not supported")


def _filesystem(guest: Any, fs: Any) -> None:
    if fs.driver_type != "virtiofs":
        raise OperationUnsupported("only virtiofs filesystems can be hotplugged")


def _chr(guest: Any, device: Any) -> None:
    if device.TAG == "console" and device.target_type in (None, "serial"):
        raise OperationUnsupported("detaching serial console is not supported")


def _redirdev(guest: Any, device: Any) -> None:
    if not device.alias:
        raise OperationInvalid("alias not set for redirdev device")


CHECKS: dict[str, Any] = {
    "disk": _disk, "controller": _controller, "input": _input, "watchdog": _watchdog, "shmem": _shmem,
    "filesystem": _filesystem, "console": _chr, "redirdev": _redirdev,
}  # fmt: skip
EARLY: dict[str, Any] = {"controller": _scsi_only, "input": _input_bus}
"""What is refused before the guest's own device is looked for."""


# -- after QEMU let go


def deleted(guest: Any, alias: str) -> None:
    """QEMU says that a device is gone: wake the call that waits for it, or finish the removal beside."""
    waiter = guest.run.unplugs.get(alias)
    if waiter is not None:
        if not waiter.done():
            waiter.set_result(True)
        return
    guest.driver.spawn(_late(guest, guest.run, alias), f"removal of {alias} from {guest.name}")


def refused(guest: Any, alias: str) -> None:
    """The guest keeps the device."""
    waiter = guest.run.unplugs.get(alias)
    if waiter is not None and not waiter.done():
        waiter.set_result(False)
    guest.driver.bus.publish(DeviceRemovalFailed(guest, alias))


async def _late(guest: Any, run: Any, alias: str) -> None:
    async with guest.jobs.normal(Kind.MODIFY):
        if guest.run is not run or not guest.active:
            return
        device = by_alias(guest.live, alias)
        if device is None and alias.startswith("vcpu") and alias[4:].isdigit():
            await vcpus.removed(guest, int(alias[4:]))
            statusdoc.save(guest)
        elif device is None:
            log.debug("guest %s: %s is gone, which no device of the document was", guest.name, alias)
        else:
            await finish(guest, device)


class _NoSecrets:
    """Secrets of a device that is gone are needed by name only."""

    def value_for(self, *words: Any) -> bytes:
        return b""


async def finish(guest: Any, device: Any) -> None:
    """Take away what stood behind the device, give back what it had of the host, and tell."""
    vm = await live_vm(guest)
    async with contextlib.AsyncExitStack() as stack:
        host = HotHost(guest, vm, stack)
        vm.secrets = _NoSecrets()
        try:
            args = steps.arguments(vm, device)
        except Exception as error:
            log.warning("guest %s: %s: what stood behind it is not known: %s", guest.name, device.alias, error)
            args = []
        if guest.run is not None and guest.run.monitor is not None:
            await steps.take_away(guest.monitor(), args)
        take(guest.live, device)
        Labels(guest.driver, guest).restore_all(alone(guest.live, device))
        locks.detach_all(guest, alone(guest.live, device))
        await device_nodes.deny(guest, device)
        memlock.adjust(guest)
        await device.release(host)
    if device.TAG == "memory":
        await rules.balloon(guest)
    guest.run.disks.pop(device.alias, None)
    await learn.peripherals(guest)
    statusdoc.save(guest)
    trail.changed(guest, device, "detach")
    if device.alias:
        guest.driver.bus.publish(DeviceRemoved(guest, device.alias))


__all__ = ["aliases", "by_alias", "deleted", "detach", "detach_alias", "finish", "refused"]
