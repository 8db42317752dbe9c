"""What libvirt allows to be plugged into a running guest, kind by kind, in its words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from kvasir.errors import (
    ConfigUnsupported,
    Error,
    InternalError,
    OperationFailed,
    OperationInvalid,
    OperationUnsupported,
    Origin,
)
from kvasir.qemu import chain, learn, process
from kvasir.qemu.addresses.tools import find_controller
from kvasir.qemu.monitor import MonitorError

from . import matching
from .fragment import alone

NETS = ("user", "network", "bridge", "ethernet", "direct", "hostdev", "vhostuser", "vdpa")
HOSTDEVS = ("pci", "usb", "scsi", "scsi_host", "mdev")
Rule = Callable[[Any, Any, Any], Awaitable[bool]]


async def _nothing(guest: Any, device: Any, vm: Any) -> bool:
    return False


async def _disk(guest: Any, disk: Any, vm: Any) -> bool:
    """A new disk, or another medium for a drive that is there."""
    one_ide_controller(disk)
    known = matching.disk(guest.live, disk.target)
    removable = disk.device in ("cdrom", "floppy")
    if known is not None and removable and known.bus == disk.bus and known.device == disk.device:
        from .media import change

        await change(guest, known, disk, vm, force=False)
        return True
    await chain.complete(alone(guest.live, disk), guest.driver)
    if known is not None:
        raise _duplicate(known, disk)
    if disk.device == "floppy":
        raise OperationUnsupported("floppy device hotplug isn't supported")
    if disk.bus not in ("usb", "virtio", "scsi") or (disk.device == "cdrom" and disk.bus == "virtio"):
        if disk.bus not in ("sata", "ide"):
            raise OperationUnsupported(f"disk bus '{disk.bus}' cannot be hotplugged.")
        _drive_controller(guest, disk)  # and QEMU says that the bus cannot do it
    if disk.sgio == "unfiltered" and disk.type != "network" and not process.holds(guest.run.pid, process.CAP_SYS_RAWIO):
        raise OperationInvalid(
            f"disk '{disk.target}' with unfiltered SCSI commands wants a guest that had such a disk when it started",
            hint=f"virsh attach-device {guest.name} FILE --config, and start the guest anew",
        )
    if disk.bus == "scsi":
        await _scsi_controllers(guest, disk)
        _free_place(guest.live, disk)
    return False


def one_ide_controller(disk: Any) -> None:
    """Raises InternalError for a disk that wants a second one."""
    if disk.bus == "ide" and disk.address is not None and disk.address.controller:
        raise InternalError("Only 1 IDE controller is supported")


def _duplicate(known: Any, disk: Any) -> Error:
    from kvasir.errors import XmlError

    return XmlError(
        f"target '{disk.target}' duplicated for disk sources '{known.location() or '<null>'}' and "
        f"'{disk.location() or '<null>'}'"
    )


def _drive_controller(guest: Any, disk: Any) -> None:
    from .attach import number

    number(guest, disk)
    index = disk.address.controller or 0
    if not any(c.type == disk.bus and c.index == index for c in guest.live.controllers):
        raise InternalError(f"Could not find {disk.bus} controller with index {index} required for device")


def place_taken(domain: Any, disk: Any) -> bool:
    """Whether another unit has the disk's place on a drive bus."""
    others = [device for device in domain.disks if device.bus == disk.bus] + list(domain.hostdevs)
    return disk.address is not None and any(other.address == disk.address for other in others)


def _free_place(domain: Any, disk: Any) -> None:
    if place_taken(domain, disk):
        place = disk.address
        raise OperationFailed(
            f"Domain already contains a disk with that address (controller={place.controller or 0}, "
            f"bus={place.bus or 0}, target={place.target or 0}, unit={place.unit or 0})"
        )


async def _scsi_controllers(guest: Any, device: Any) -> None:
    """Plug the SCSI controllers in that the device's place needs; they are like the last one."""
    from kvasir.devices.controller import Controller, default_scsi

    from .attach import plug
    from .session import live_vm

    for index in range((device.address.controller or 0) + 1):
        vm = await live_vm(guest)
        if find_controller(vm, "scsi", index) is None:
            models = [c.model for c in guest.live.controllers if c.type == "scsi"]
            new = Controller(type="scsi", index=index, model=models[-1] if models else default_scsi(vm))
            await plug(guest, new, vm)


async def _controller(guest: Any, controller: Any, vm: Any) -> bool:
    if controller.type != "scsi":
        raise OperationUnsupported(f"'{controller.type}' controller cannot be hot plugged.")
    if controller.index is None:
        used = {c.index for c in guest.live.controllers if c.type == "scsi"}
        controller.index = next(number for number in range(len(used) + 1) if number not in used)
    if find_controller(vm, controller.type, controller.index) is not None:
        raise OperationFailed(f"target {controller.type}:{controller.index} already exists")
    return False


async def _interface(guest: Any, net: Any, vm: Any) -> bool:
    if net.type not in NETS:
        raise OperationUnsupported(f"hotplug of interface type of {net.type} is not implemented yet")
    return False


async def _hostdev(guest: Any, hostdev: Any, vm: Any) -> bool:
    if hostdev.mode not in (None, "subsystem"):
        raise ConfigUnsupported(f"hotplug is not supported for hostdev mode '{hostdev.mode}'")
    if hostdev.type not in HOSTDEVS:
        raise ConfigUnsupported(f"hotplug is not supported for hostdev subsys type '{hostdev.type}'")
    if hostdev.type == "scsi":
        await _scsi_controllers(guest, hostdev)
    return False


async def _chr(guest: Any, device: Any, vm: Any) -> bool:
    from .fragment import devices_of

    if device.TAG == "console" and device.target_type in (None, "serial"):
        raise ConfigUnsupported("unsupported console target type serial")
    if any(matching.same_chr(device, other) for other in devices_of(guest.live, device.TAG)):
        raise OperationInvalid("chardev already exists")
    ports = device.target_type == "virtio" if device.TAG in ("console", "channel") else False
    if ports and not any(c.type == "virtio-serial" for c in guest.live.controllers):
        raise InternalError("no virtio-serial controllers are available")
    return False


async def _memory(guest: Any, memory: Any, vm: Any) -> bool:
    domain = guest.live
    if domain.cpu_cells() and memory.node is None and memory.model != "virtio-pmem":
        raise ConfigUnsupported("target NUMA node needs to be specified for memory device")
    fits(domain, memory)
    return False


def fits(domain: Any, memory: Any) -> None:
    """Whether the guest may have that much more memory. Raises ConfigUnsupported."""
    size, most = memory.size or 0, domain.max_memory
    if most is None:
        raise ConfigUnsupported(
            "cannot use/hotplug a memory device when domain 'maxMemory' is not defined", origin=Origin.DOMAIN
        )
    if (domain.memory or 0) + size > most:
        raise ConfigUnsupported(
            f"Attaching memory device with size '{size}' would exceed domain's maxMemory config size '{most}'",
            origin=Origin.DOMAIN,
        )


async def _shmem(guest: Any, shmem: Any, vm: Any) -> bool:
    if shmem.model == "ivshmem":
        raise OperationUnsupported(f"live attach of shmem model '{shmem.model}' is not supported")
    return False


async def _watchdog(guest: Any, watchdog: Any, vm: Any) -> bool:
    if guest.live.watchdogs:
        raise OperationInvalid("domain already has a watchdog", origin=Origin.DOMAIN)
    if watchdog.model != "i6300esb":
        raise OperationUnsupported(f"hotplug of watchdog of model {watchdog.model} is not supported")
    return False


async def _input(guest: Any, device: Any, vm: Any) -> bool:
    if device.bus not in ("usb", "virtio"):
        raise OperationUnsupported(f"input device on bus '{device.bus}' cannot be hot plugged.")
    return False


async def _vsock(guest: Any, vsock: Any, vm: Any) -> bool:
    if guest.live.vsocks:
        raise OperationInvalid("the domain already has a vsock device", origin=Origin.QEMU)
    return False


async def _filesystem(guest: Any, fs: Any, vm: Any) -> bool:
    if fs.driver_type != "virtiofs":
        raise OperationUnsupported("only virtiofs filesystems can be hotplugged")
    return False


async def _lease(guest: Any, lease: Any, vm: Any) -> bool:
    if matching.lease(guest.live, lease) is not None:
        raise OperationInvalid(f"Lease '{lease.key}' in lockspace '{lease.lockspace}' already exists")
    return False


ATTACH: dict[str, Rule] = {
    "disk": _disk, "controller": _controller, "interface": _interface, "hostdev": _hostdev, "redirdev": _nothing,
    "serial": _chr, "parallel": _chr, "console": _chr, "channel": _chr, "rng": _nothing, "memory": _memory,
    "shmem": _shmem, "watchdog": _watchdog, "input": _input, "vsock": _vsock, "filesystem": _filesystem, "lease": _lease,
}  # fmt: skip


async def after(guest: Any, device: Any) -> None:
    """What only QEMU can say of a device that was just plugged."""
    if device.TAG == "memory":
        await learn.memory_places(guest)
        await balloon(guest)


async def balloon(guest: Any) -> None:
    """The guest's memory after a memory device came or went."""
    try:
        answer = await guest.monitor().command("query-balloon")
    except MonitorError:
        guest.live.current_memory = guest.live.memory
        return
    guest.run.balloon = guest.live.current_memory = int(answer["actual"]) // 1024


async def terminals(guest: Any) -> None:
    """Names of pseudo terminals."""
    await learn.terminals(guest)
