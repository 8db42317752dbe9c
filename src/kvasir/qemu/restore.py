"""Restoring saved guests: from a file of the user's, or from the daemon's own when a guest is started."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import Any

from kvasir.errors import Error, OperationFailed, OperationInvalid, Origin
from kvasir.xml import Form

from . import savefile, startup
from .abi import check as check_abi
from .guest import Guest
from .incoming import Incoming
from .jobs import Async, Kind, Operation
from .pipes import DIRECT_IN, Pipe
from .save import BYPASS_CACHE, PAUSED, RESET_NVRAM, RUNNING, managed_path
from .states import Detail, Running

log = logging.getLogger(__name__)


async def image_xml(driver: Any, path: str, *, secure: bool) -> str:
    """The definition in a file."""
    saved = await asyncio.to_thread(savefile.read, path)
    domain = await driver.complete(saved.xml)
    return str(domain.xml(Form(secure=secure)))


async def change_image(driver: Any, path: str, xml: str | None, flags: int) -> None:
    """Replace the definition in a file by a compatible one, and choose whether it will run.

    Raises ConfigUnsupported for another machine, OperationFailed when it is too long.
    """
    savefile.exclusive(flags)
    saved = await asyncio.to_thread(savefile.read, path)
    if flags & (RUNNING | PAUSED):
        saved.was_running = bool(flags & RUNNING)
    if xml is not None:
        domain = await _replaced(driver, saved, xml)
        saved.xml = str(domain.xml(Form(secure=True, migratable=True)))
    await asyncio.to_thread(savefile.rewrite, path, saved)


async def _asked(driver: Any, name: str, domain: Any) -> Any:
    """What the administrator's hook makes of the definition that is to be restored. Raises HookFailed."""
    from kvasir.host import hooks

    if not hooks.present(driver.paths, "qemu"):
        return domain
    text = domain.xml(Form(secure=True, migratable=True))
    changed = await hooks.replace(driver.paths, "qemu", name, "restore", text)
    if changed == text:
        return domain
    wanted = await driver.complete(changed)
    check_abi(domain, wanted)
    return wanted


async def _replaced(driver: Any, saved: savefile.Saved, xml: str | None) -> Any:
    domain = await driver.complete(saved.xml)
    if xml is None:
        return domain
    wanted = await driver.complete(xml)
    check_abi(domain, wanted)
    return wanted


def need_managed(guest: Guest) -> str:
    """The path of the guest's own saved state. Raises OperationInvalid."""
    path = managed_path(guest)
    if not os.path.exists(path):
        raise OperationInvalid("domain does not have managed save image")
    return path


async def restore(driver: Any, path: str, xml: str | None, flags: int) -> Guest:
    """Go on from a file. Raises OperationInvalid when the guest runs."""
    from .driver import uuid_bytes

    savefile.exclusive(flags)
    saved, pipe = await _open(path, bool(flags & BYPASS_CACHE))
    try:
        domain = await _replaced(driver, saved, xml)
        domain = await _asked(driver, str(domain.name), domain)
        name, uuid = str(domain.name), uuid_bytes(domain)
        guest: Guest | None = driver.known(name, uuid, live=True)
        if guest is None:
            guest = Guest(driver, name, uuid)
            driver.guests.add(guest)
        if flags & (RUNNING | PAUSED):
            saved.was_running = bool(flags & RUNNING)
        try:
            async with guest.jobs.long(Async.START, Operation.RESTORE, mask=Kind(0)):
                guest.need_inactive()
                await _launch(guest, domain, saved, pipe, reset_nvram=bool(flags & RESET_NVRAM))
        except BaseException:
            driver.gone(guest)
            raise
    finally:
        await pipe.end()
    return guest


async def managed(guest: Guest, path: str, *, paused: bool, owner: Any, reset_nvram: bool, bypass_cache: bool) -> bool:
    """Go on from the daemon's own file and remove it; a file that was never finished is dropped (False: boot afresh)."""
    from .driver import uuid_bytes

    try:
        saved, pipe = await _open(path, bypass_cache)
    except savefile.Incomplete as error:
        log.warning("guest %s: Ignoring incomplete managed state %s: %s", guest.name, path, error.message)
        with contextlib.suppress(OSError):
            os.unlink(path)
        return False
    try:
        domain = await guest.driver.complete(saved.xml)
        if str(domain.name) != guest.name or uuid_bytes(domain) != guest.uuid:
            raise OperationFailed(
                f"cannot restore domain '{guest.name}' uuid {guest.uuid_text} from a file which belongs to domain "
                f"'{domain.name}' uuid {domain.uuid}",
                origin=Origin.QEMU,
            )
        domain = await _asked(guest.driver, guest.name, domain)
        if guest.has_jobs:
            guest.jobs.operation = Operation.RESTORE
        await _launch(guest, domain, saved, pipe, paused=paused, owner=owner, reset_nvram=reset_nvram)
    finally:
        await pipe.end()
    try:
        os.unlink(path)
    except OSError as error:
        log.warning("Failed to remove the managed state %s: %s", path, error.strerror)
    return True


async def _open(path: str, direct: bool) -> tuple[savefile.Saved, Pipe]:
    """What the file says, and a pipe that gives the stream as QEMU wrote it."""
    fd = await asyncio.to_thread(savefile.open_file, path, os.O_RDONLY | (os.O_DIRECT if direct else 0))
    pipe = Pipe(fd)
    try:
        if direct:
            await pipe.behind(*DIRECT_IN)
        saved = await asyncio.to_thread(savefile.read_fd, pipe.fd)
        name = savefile.FORMATS[saved.compression]
        if name != "raw":
            try:
                await pipe.behind(name, "-dc")
            except FileNotFoundError:
                raise OperationFailed(f"Cannot find '{name}' in path", origin=Origin.QEMU) from None
    except BaseException:
        await pipe.end()
        raise
    return saved, pipe


async def _launch(
    guest: Guest, domain: Any, saved: savefile.Saved, pipe: Pipe, snapshot: bool = False, **options: Any
) -> None:
    incoming = Incoming(pipe.take(), saved.was_running, cpu=_cpu(saved), pipe=pipe)
    if snapshot:
        incoming.event, incoming.reason = Detail.STARTED_FROM_SNAPSHOT, Running.FROM_SNAPSHOT
    try:
        await startup.launch(guest, domain, incoming=incoming, **options)
        await _checked(pipe)
    finally:
        if incoming.fd >= 0:
            os.close(incoming.fd)


async def _checked(pipe: Pipe) -> None:
    """The guest goes on; a decompressor that complains afterwards is worth a line in the log."""
    try:
        await pipe.finish()
    except Error as error:
        log.warning("%s", error.message)


def _cpu(saved: savefile.Saved) -> Any:
    """The CPU of the cookie, or None."""
    if not saved.cookie:
        return None
    from kvasir.model.cpu import Cpu
    from kvasir.xml.reader import read

    node = read(saved.cookie, "(qemu_cookie)").find("cpu")
    return None if node is None else Cpu.parse(node)
