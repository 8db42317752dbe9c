"""Saving a guest: its state goes to a file in libvirt's format and its process ends; when that fails it runs on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os

from kvasir.errors import Error, OperationInvalid, Origin, SystemFailure
from kvasir.events import JobCompleted
from kvasir.xml import Form

from . import jobstats, lifecycle, live, migratable, migrate_to_file, pipes, savefile, statusdoc
from .abi import check as check_abi
from .events import run_cpus, stop_cpus
from .guest import Guest
from .jobs import DEFAULT_MASK, Async, Kind, Operation
from .states import Detail, Paused, Running, Shutoff, State
from .states import Lifecycle as L

log = logging.getLogger(__name__)

BYPASS_CACHE, RUNNING, PAUSED, RESET_NVRAM = 1, 2, 4, 8
MASK = DEFAULT_MASK | Kind.SUSPEND | Kind.MIGRATION_OP


def managed_path(guest: Guest) -> str:
    """Where the daemon keeps the guest's own saved state."""
    return f"{guest.driver.paths.qemu.save}/{guest.name}.save"


async def managed(guest: Guest, flags: int) -> None:
    """Save into the daemon's own file, which the next start uses up."""
    guest.need_active()
    if not guest.persistent:
        raise OperationInvalid("cannot do managed save for transient domain")
    await save(guest, managed_path(guest), None, flags)


async def save(guest: Guest, path: str, xml: str | None, flags: int) -> None:
    """Save into ``path``; ``xml`` replaces the definition in the file where it is compatible.

    Raises OperationInvalid when it does not run, ConfigUnsupported for another machine, Error 78 when aborted.
    """
    savefile.exclusive(flags)
    compression = savefile.number_of(guest.driver.config.save_image_format, "save")
    run = guest.need_active()
    async with guest.jobs.long(Async.SAVE, Operation.SAVE, mask=MASK):
        if guest.need_active() is not run:
            raise OperationInvalid("domain is not running", origin=Origin.DOMAIN)
        allowed(guest)
        was_running = guest.state is State.RUNNING
        document = await _document(guest, xml)
        if was_running:
            await stop_cpus(guest, Paused.SAVE)
        running = bool(flags & RUNNING) or (was_running and not flags & PAUSED)
        saved = savefile.Saved(document, cookie(guest), running, compression)
        try:
            await create(guest, path, saved, bypass_cache=bool(flags & BYPASS_CACHE))
        except BaseException:
            if was_running and guest.run is run and not run.being_destroyed:
                await _run_on(guest)
            raise
        figures = completed(guest)
        guest.driver.bus.publish(JobCompleted(guest, jobstats.params(figures)))
        await lifecycle.stop(guest, Shutoff.SAVED, silent=True)


async def _document(guest: Guest, xml: str | None) -> str:
    if xml is None:
        return await migratable.text(guest)
    wanted = await guest.driver.complete(xml)
    check_abi(await migratable.definition(guest), wanted)
    return str(wanted.xml(Form(secure=True, migratable=True)))


def completed(guest: Guest) -> jobstats.Figures:
    """The job ended well: keep its figures for who asks later."""
    figures = guest.jobs.figures
    assert figures is not None
    figures.end(jobstats.COMPLETED)
    guest.jobs.completed = figures
    return figures


async def _run_on(guest: Guest) -> None:
    """A save that failed leaves the guest as it was."""
    try:
        if guest.state is State.PAUSED:
            await run_cpus(guest, Running.SAVE_CANCELED)
    except Error as error:
        log.warning("guest %s: Unable to resume guest CPUs after save failure: %s", guest.name, error.message)
        guest.driver.event(guest, L.SUSPENDED, Detail.SUSPENDED_API_ERROR)


def cookie(guest: Guest) -> str:
    """What the guest's CPU really has, which a restore gives it again."""
    cpu = guest.live.cpu
    inner = cpu.xml(Form(live=True), "  ") if cpu is not None else ""
    return f"<cookie>\n{inner}</cookie>\n"


def allowed(guest: Guest) -> None:
    """Refuse guests whose state cannot leave the host; USB devices are plugged out and in again. Raises OperationInvalid."""
    for device in live.list_of(guest.live, "hostdevs"):
        kind = str(getattr(device, "type", "") or "")
        if kind in ("pci", "mdev", "scsi_host"):
            raise OperationInvalid(f"cannot migrate a domain with <hostdev mode='subsystem' type='{kind}'>")


async def create(guest: Guest, path: str, saved: savefile.Saved, *, bypass_cache: bool = False) -> None:
    """Write the file, from header to stream; there is none when that fails."""
    existed = os.path.exists(path)
    fd = await asyncio.to_thread(create_file, path, bypass_cache)
    head = saved.pack()
    try:
        statusdoc.save(guest)
        compressor = savefile.FORMATS[saved.compression]
        try:
            if compressor == "raw" and not bypass_cache:
                await _plain(guest, fd, head)
            else:
                fd, taken = -1, fd
                await _piped(guest, taken, compressor, bypass_cache, head)
        except OSError as error:
            raise SystemFailure(f"failed to write header to domain save file '{path}'", error) from error
        await asyncio.to_thread(savefile.finish, path)
    except BaseException:
        if not existed or os.path.isfile(path):
            with contextlib.suppress(OSError):
                os.unlink(path)
        raise
    finally:
        if fd >= 0:
            os.close(fd)


def create_file(path: str, direct: bool) -> int:
    """Make the file. Raises SystemFailure in libvirt's words; ``direct`` also where its file system knows no O_DIRECT."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    try:
        if direct:
            os.close(os.open(path, flags | os.O_DIRECT, 0o600))
        return os.open(path, flags, 0o600)
    except OSError as error:
        raise SystemFailure(f"Failed to create file '{path}'", error) from error


async def _plain(guest: Guest, fd: int, head: bytes) -> None:
    def begin() -> None:
        view = memoryview(head)
        while view:
            view = view[os.write(fd, view) :]

    await asyncio.to_thread(begin)
    await migrate_to_file.to_fd(guest, fd)
    await asyncio.to_thread(os.fsync, fd)


async def _piped(guest: Guest, fd: int, compressor: str, direct: bool, head: bytes) -> None:
    await pipes.pump(guest, await pipes.output(fd, compressor, direct, head), migrate_to_file.to_fd)
