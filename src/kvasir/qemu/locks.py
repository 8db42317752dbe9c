"""Leases on a guest's disks: no two guests, of one daemon or of two, write one image (``lock_manager`` of qemu.conf).

``lockd`` locks byte 0 of each image, as virtlockd does by default, or a file in a lockspace folder (qemu-lockd.conf), so that
guests of the real libvirt with virtlockd and ours exclude each other, over NFS too. The lock belongs to a descriptor that
QEMU inherits: it outlives the daemon and goes with QEMU. ``sanlock`` leases them over hosts (``leases``).

A guest holds its locks while its CPUs run: they are given back when those stop, so that it may go on on another host, and
taken again before they go on.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from dataclasses import dataclass
from typing import Any

from kvasir.errors import ConfigUnsupported, Error, InternalError, Origin, ResourceBusy, SystemFailure
from kvasir.host import filelock, sanlock

from . import leases, live, lockrules

log = logging.getLogger(__name__)

LOCKD, SANLOCK = "lockd", "sanlock"


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
    found = lockrules.read(driver, "qemu-lockd.conf")
    automatic = found.get("auto_disk_leases", "1") != "0"
    require = found.get("require_lease_for_disks", "0" if automatic else "1") != "0"
    return Rules(automatic, require and not automatic, found.get("file_lockspace_dir", ""))


def manager(driver: Any) -> str:
    """The lock manager in force, '' for none."""
    name = str(getattr(driver.config, "lock_manager", None) or "")
    return name if name in (LOCKD, SANLOCK) else ""


def _refuse_unknown(driver: Any) -> None:
    name = str(getattr(driver.config, "lock_manager", None) or "")
    if name not in ("", "nop", LOCKD, SANLOCK):
        raise ConfigUnsupported(f"lock manager '{name}' is not known", hint='"lockd", "sanlock" or "nop"')


def begin(driver: Any) -> None:
    """The daemon starts: join the lockspace, for which the first guest need not wait then."""
    if manager(driver) == SANLOCK:
        driver.spawn(_join(driver), "lockspace")


async def _join(driver: Any) -> None:
    try:
        await leases.of(driver).ready()
    except Error as error:
        log.error("%s", error.message)


def of_image(driver: Any, path: str, *, shared: bool = False) -> Resource:
    """The lock of an image."""
    said = rules(driver)
    if said.folder:
        os.makedirs(said.folder, 0o700, exist_ok=True)
        return Resource(f"{said.folder}/{hashlib.sha256(os.fsencode(path)).hexdigest()}", path, shared, True)
    return Resource(path, path, shared)


def wanted(driver: Any, domain: Any) -> list[Resource]:
    """All locks of a guest, disks first. Raises OperationInvalid where leases are required and none is given."""
    found = []
    said = rules(driver)
    for path, shared in lockrules.images(domain):
        if said.require and not live.list_of(domain, "leases") and not shared:
            raise lockrules.none_given()
        if said.automatic:
            found.append(of_image(driver, path, shared=shared))
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


# -- a guest's life


async def prepare(start: Any) -> None:
    """Before QEMU runs: take the locks for it to inherit, or let its process register as one that may hold leases.

    A guest that comes from another host or from a file takes its locks when it goes on.
    """
    _refuse_unknown(start.driver)
    name = manager(start.driver)
    if name == SANLOCK:
        await leases.prepare(start)
    elif name == LOCKD and start.incoming is None:
        for number, resource in enumerate(wanted(start.driver, start.domain)):
            start.host.pass_fd(f"lock{number}", take(resource))


async def resume(guest: Any) -> None:
    """The CPUs are about to run: hold all locks. Raises ResourceBusy, SystemFailure."""
    name, run = manager(guest.driver), guest.run
    if not name or run is None:
        return
    async with run.locking:
        if run.locked:
            return
        if name == SANLOCK:
            await leases.resume(guest, run.lock_state)
        else:
            for resource in wanted(guest.driver, guest.live):
                await _give(guest, resource)
        run.locked, run.lock_state = True, ""


def halted(guest: Any) -> None:
    """The CPUs stopped: give the locks back soon."""
    if manager(guest.driver) and guest.run is not None and guest.run.locked:
        guest.driver.spawn(pause(guest), f"locks of {guest.name}")


async def pause(guest: Any) -> None:
    """Give all locks back; ``resume`` takes them again."""
    name, run = manager(guest.driver), guest.run
    if not name or run is None:
        return
    async with run.locking:
        if not run.locked or guest.run is not run:
            return
        run.locked = False
        if name == SANLOCK:
            run.lock_state = await leases.pause(guest)
        else:
            for resource in wanted(guest.driver, guest.live):
                _unlock(guest, resource)
    from . import statusdoc

    statusdoc.save(guest)


# -- disks that come and go


async def attach(guest: Any, path: str, *, shared: bool = False) -> None:
    """Take the lock of one more image and give it to the running QEMU."""
    name = manager(guest.driver)
    if not name or not guest.run.locked:
        return
    if name == SANLOCK:
        space = leases.of(guest.driver)
        if space.rules.automatic:
            await _lease(guest, [leases.of_image(space, path, shared)])
    elif rules(guest.driver).automatic:
        await _give(guest, of_image(guest.driver, path, shared=shared))


async def _lease(guest: Any, found: list[sanlock.Lease]) -> None:
    """Those that the guest does not hold yet."""
    held = {(lease.space, lease.name) for lease in await leases.held(guest)}
    await leases.take(guest, [lease for lease in found if (lease.space, lease.name) not in held])


async def attach_all(guest: Any, view: Any, stack: contextlib.AsyncExitStack) -> None:
    """The locks of a device that is plugged in; given back by the stack when that fails."""
    name = manager(guest.driver)
    if not name or not guest.run.locked:
        return
    if name == SANLOCK:
        found = leases.wanted(guest.driver, view)
        await _lease(guest, found)
        stack.push_async_callback(leases.give_back, guest, found)
        return
    for resource in wanted(guest.driver, view):
        await _give(guest, resource)
        stack.callback(_unlock, guest, resource)


def detach_all(guest: Any, view: Any) -> None:
    """The locks of a device that is gone."""
    name = manager(guest.driver)
    if name == SANLOCK:
        _drop(guest, leases.wanted(guest.driver, view))
    elif name:
        for resource in wanted(guest.driver, view):
            _unlock(guest, resource)


def _drop(guest: Any, found: list[sanlock.Lease]) -> None:
    """Give leases back soon, in order with those that are taken."""
    if guest.run is not None and found:
        guest.driver.spawn(_drop_now(guest, found), f"leases of {guest.name}")


async def _drop_now(guest: Any, found: list[sanlock.Lease]) -> None:
    run = guest.run
    if run is None:
        return
    async with run.locking:
        if run.locked:
            await leases.give_back(guest, found)


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
    name = manager(guest.driver)
    if name == SANLOCK:
        space = leases.of(guest.driver)
        _drop(guest, [leases.of_image(space, path, False)] if space.rules.automatic else [])
    elif name:
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
