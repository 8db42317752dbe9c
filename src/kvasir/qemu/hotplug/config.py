"""Devices of the definition for the next start: the whole document is completed again after each change."""

from __future__ import annotations

from typing import Any

from kvasir.errors import DeviceMissing, Error, OperationInvalid, OperationUnsupported
from kvasir.qemu import define

from . import matching, rules
from .fragment import devices_of
from .places import insert, take

KINDS = (
    "disk", "interface", "sound", "hostdev", "lease", "controller", "serial", "parallel", "console", "channel",
    "filesystem", "rng", "memory", "redirdev", "shmem", "watchdog", "input", "vsock",
)  # fmt: skip


def attach(domain: Any, device: Any, vm: Any) -> None:
    """Add the device to the definition. Raises OperationInvalid for what is there already."""
    if device.TAG not in KINDS:
        raise OperationUnsupported(f"persistent attach of device '{device.TAG}' is not supported")
    check = CHECKS.get(device.TAG)
    if check is not None:
        check(domain, device)
    insert(domain, device)
    if device.TAG == "memory" and device.size:
        _grow(domain, device.size)
    _complete(domain, vm)


def _grow(domain: Any, size: int) -> None:
    if domain.current_memory is not None:
        domain.current_memory += size


def _complete(domain: Any, vm: Any) -> None:
    vm.domain = domain
    define.complete(domain, vm)


def _disk(domain: Any, disk: Any) -> None:
    rules.one_ide_controller(disk)
    if matching.disk(domain, disk.target) is not None:
        raise OperationInvalid(f"target {disk.target} already exists")
    if disk.bus in ("ide", "sata", "scsi", "fdc") and rules.place_taken(domain, disk):
        raise OperationInvalid("Domain already contains a disk with that address")


def _hostdev(domain: Any, hostdev: Any) -> None:
    try:
        matching.hostdev(domain, hostdev)
    except Error:
        return
    raise OperationInvalid("device is already in the domain configuration")


def _lease(domain: Any, lease: Any) -> None:
    if matching.lease(domain, lease) is not None:
        raise OperationInvalid(f"Lease {lease.key} in lockspace {lease.lockspace or '(null)'} already exists")


def _controller(domain: Any, controller: Any) -> None:
    if controller.index is not None and any(
        (c.type, c.index) == (controller.type, controller.index) for c in domain.controllers
    ):
        raise OperationInvalid(f"controller index='{controller.index}' already exists")


def _chr(domain: Any, device: Any) -> None:
    if device.TAG == "console" and device.target_type in (None, "serial"):
        raise OperationUnsupported("attaching serial console is not supported")
    if any(matching.same_chr(device, other) for other in devices_of(domain, device.TAG)):
        raise OperationInvalid("chardev already exists")


def _filesystem(domain: Any, fs: Any) -> None:
    if matching.filesystem(domain, fs) is not None:
        raise OperationInvalid("Target already exists")


def _shmem(domain: Any, shmem: Any) -> None:
    if matching.shmem(domain, shmem) is not None:
        raise OperationInvalid("device is already in the domain configuration")


def _watchdog(domain: Any, watchdog: Any) -> None:
    if domain.watchdogs:
        raise OperationInvalid("domain already has a watchdog")


def _vsock(domain: Any, vsock: Any) -> None:
    if domain.vsocks:
        raise OperationInvalid("domain already has a vsock device")


def _memory(domain: Any, memory: Any) -> None:
    rules.fits(domain, memory)


CHECKS: dict[str, Any] = {
    "disk": _disk, "hostdev": _hostdev, "lease": _lease, "controller": _controller, "serial": _chr, "parallel": _chr,
    "console": _chr, "channel": _chr, "filesystem": _filesystem, "shmem": _shmem, "watchdog": _watchdog, "vsock": _vsock,
    "memory": _memory,
}  # fmt: skip


def detach(domain: Any, wanted: Any, vm: Any) -> None:
    """Remove the device that ``wanted`` describes from the definition."""
    if wanted.TAG not in KINDS:
        raise OperationUnsupported(f"persistent detach of device '{wanted.TAG}' is not supported")
    remove(domain, _find(domain, wanted), vm)


def remove(domain: Any, device: Any, vm: Any) -> None:
    """Remove one device."""
    size = device.size if device.TAG == "memory" else None
    take(domain, device)
    if size and domain.current_memory is not None:
        domain.current_memory = min(domain.current_memory, domain.memory)
    _complete(domain, vm)


def _find(domain: Any, wanted: Any) -> Any:
    if wanted.TAG == "watchdog" and domain.watchdogs:
        return domain.watchdogs[0]
    if wanted.TAG == "console" and wanted.target_type in (None, "serial"):
        raise OperationInvalid("detaching serial console is not supported")
    try:
        return matching.find(domain, wanted, live=False)
    except DeviceMissing:
        if wanted.TAG == "hostdev":
            raise DeviceMissing("device not present in domain configuration") from None
        raise
