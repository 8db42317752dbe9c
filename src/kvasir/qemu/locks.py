"""Leases on a guest's disks: no two guests, of one daemon or of two, write one image (``lock_manager`` of qemu.conf).

``lockd`` locks byte 0 of each image, as virtlockd does by default, or a file in a lockspace folder (qemu-lockd.conf), so that
guests of the real libvirt with virtlockd and ours exclude each other, over NFS too. The lock belongs to a descriptor that
QEMU inherits: it outlives the daemon and goes with QEMU.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
from dataclasses import dataclass
from typing import Any

from kvasir.errors import ConfigUnsupported, Error, InternalError, Origin, ResourceBusy, SystemFailure
from kvasir.host import filelock

from . import live

log = logging.getLogger(__name__)

KEYS = re.compile(r"^\s*(\w+)\s*=\s*(?:\"([^\"]*)\"|(\d+))", re.M)


@dataclass(slots=True)
class Rules:
    """qemu-lockd.conf."""

    automatic: bool = True
    require: bool = False
    folder: str = ""


@dataclass(slots=True)
class Resource:
    """A file to lock, and by what name people know it."""

    path: str
    name: str
    shared: bool = False
    create: bool = False


def rules(driver: Any) -> Rules:
    """What the file says; defaults where there is none."""
    path = f"{os.path.dirname(driver.paths.qemu.etc)}/qemu-lockd.conf"
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            found = {m[1]: m[2] if m[2] is not None else m[3] for m in KEYS.finditer(stream.read())}
    except OSError:
        found = {}
    automatic = found.get("auto_disk_leases", "1") != "0"
    require = found.get("require_lease_for_disks", "0" if automatic else "1") != "0"
    return Rules(automatic, require and not automatic, found.get("file_lockspace_dir", ""))


def manager(driver: Any) -> str:
    """The lock manager in force, '' for none. Raises ConfigUnsupported for one that is not here."""
    name = str(getattr(driver.config, "lock_manager", None) or "")
    if name in ("", "nop", "lockd"):
        return "" if name == "nop" else name
    raise ConfigUnsupported(
        f"lock manager '{name}' is not built: its daemon's library is not used by this version",
        hint='lock_manager = "lockd" in qemu.conf locks images on this host and over NFS',
    )


def of_image(driver: Any, path: str, *, shared: bool = False) -> Resource:
    """The lock of an image."""
    said = rules(driver)
    if said.folder:
        os.makedirs(said.folder, 0o700, exist_ok=True)
        real = os.path.realpath(path)
        return Resource(f"{said.folder}/{hashlib.sha256(real.encode()).hexdigest()}", path, shared, True)
    return Resource(path, path, shared)


def wanted(driver: Any, domain: Any) -> list[Resource]:
    """All locks of a guest, disks first. Raises OperationInvalid where leases are required and none is given."""
    found = []
    said = rules(driver)
    for disk in live.list_of(domain, "disks"):
        path = disk.location() if disk.type in ("file", "block") else None
        if not path or disk.readonly or disk.transient:
            continue
        if said.require and not live.list_of(domain, "leases") and not disk.shareable:
            raise ConfigUnsupported("Read/write, exclusive access, disks were present, but no leases specified",
                                    origin=Origin.LOCKING)  # fmt: skip
        if said.automatic:
            found.append(of_image(driver, path, shared=bool(disk.shareable)))
    for lease in live.list_of(domain, "leases"):
        if lease.offset:
            raise InternalError("Offset must be zero for this lock manager", origin=Origin.LOCKING)
        found.append(Resource(f"{lease.path}/{lease.lockspace}/{lease.key}", str(lease.key)))
    return found


def take(resource: Resource) -> int:
    """Raises ResourceBusy, SystemFailure."""
    try:
        return filelock.take(resource.path, shared=resource.shared, create=resource.create)
    except filelock.Locked:
        raise ResourceBusy(f"Lockspace resource '{resource.name}' is locked", origin=Origin.LOCKING,
                           hint="another guest has it: virsh list shows those of this daemon") from None  # fmt: skip
    except OSError as error:
        raise SystemFailure(f"Unable to open/create resource {resource.path}", error, origin=Origin.LOCKING) from error


def acquire(start: Any) -> None:
    """Take all locks of a guest that is about to start, for its QEMU to inherit."""
    if not manager(start.driver):
        return
    for number, resource in enumerate(wanted(start.driver, start.domain)):
        start.host.pass_fd(f"lock{number}", take(resource))


async def attach(guest: Any, path: str, *, shared: bool = False) -> None:
    """Take the lock of one more image and give it to the running QEMU."""
    if manager(guest.driver) and rules(guest.driver).automatic:
        await _give(guest, of_image(guest.driver, path, shared=shared))


async def attach_all(guest: Any, view: Any, stack: contextlib.AsyncExitStack) -> None:
    """The locks of a device that is plugged in; given back by the stack when that fails."""
    if not manager(guest.driver):
        return
    for resource in wanted(guest.driver, view):
        await _give(guest, resource)
        stack.callback(_unlock, guest, resource)


def detach_all(guest: Any, view: Any) -> None:
    """The locks of a device that is gone."""
    if manager(guest.driver):
        for resource in wanted(guest.driver, view):
            _unlock(guest, resource)


async def _give(guest: Any, resource: Resource) -> None:
    """Let the running QEMU hold the lock."""
    with contextlib.suppress(OSError):
        known = filelock.of_process(guest.run.pid, os.path.realpath(resource.path))
        if known is not None:
            os.close(known)
            return
    fd = take(resource)
    try:
        name = "lock-" + hashlib.sha256(resource.path.encode()).hexdigest()[:16]
        await guest.monitor().get_fd(fd, name)
    finally:
        os.close(fd)


def detach(guest: Any, path: str) -> None:
    """Give back the lock of an image that the guest no longer writes."""
    if manager(guest.driver):
        _unlock(guest, of_image(guest.driver, path))


def _unlock(guest: Any, resource: Resource) -> None:
    try:
        if guest.run is None:
            return
        fd = filelock.of_process(guest.run.pid, os.path.realpath(resource.path))
        if fd is not None:
            filelock.give_back(fd)
    except (OSError, Error) as error:
        log.warning("guest %s: the lock of %s cannot be given back: %s", guest.name, resource.path, error)
