"""Core dumps: the whole state as QEMU migrates it, or memory and registers alone in a form that crash tools read."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from typing import Any

from kvasir.errors import Code, Error, InvalidArg, OperationFailed, OperationInvalid, OperationUnsupported, Origin
from kvasir.events import JobCompleted

from . import jobstats, lifecycle, migrate_to_file, pipes, save, savefile
from .events import run_cpus, stop_cpus
from .guest import Guest
from .jobs import Async, Operation
from .monitor import MonitorError
from .states import Detail, Paused, Running, Shutoff, State
from .states import Lifecycle as L

log = logging.getLogger(__name__)

CRASH, LIVE, BYPASS_CACHE, RESET, MEMORY_ONLY = 1, 2, 4, 8, 16
NAMES = {CRASH: "VIR_DUMP_CRASH", LIVE: "VIR_DUMP_LIVE", RESET: "VIR_DUMP_RESET"}
FORMATS = ("elf", "kdump-zlib", "kdump-lzo", "kdump-snappy", "win-dmp")


def exclusive(flags: int) -> None:
    """Refuse what cannot be wished together. Raises Error with libvirt's code 8."""
    for first, second in ((CRASH, LIVE), (CRASH, RESET), (LIVE, RESET)):
        if flags & first and flags & second:
            text = f"Flags '{NAMES[first]}' and '{NAMES[second]}' are mutually exclusive"
            raise Error(text, code=Code.INVALID_ARG, origin=Origin.QEMU, message=text)


async def core_dump(guest: Guest, path: str, form: int, flags: int) -> None:
    """Dump the guest into ``path``; then it runs on, is reset, or ends as crashed.

    Raises InvalidArg for a form that this QEMU does not know, Error 78 when aborted.
    """
    exclusive(flags)
    run = guest.need_active()
    async with guest.jobs.long(Async.DUMP, Operation.DUMP, mask=save.MASK):
        if guest.need_active() is not run:
            raise OperationInvalid("domain is not running", origin=Origin.DOMAIN)
        halted = guest.state is State.RUNNING  # a live dump ends halted, too: QEMU's migration does that
        if halted and not flags & LIVE:
            await stop_cpus(guest, Paused.DUMP)
        try:
            await write(guest, path, form, flags)
            if flags & CRASH:
                await lifecycle.stop(guest, Shutoff.CRASHED, silent=True)
        finally:
            if guest.run is run and not run.being_destroyed:
                await _go_on(guest, halted, bool(flags & RESET))


async def _go_on(guest: Guest, halted: bool, reset: bool) -> None:
    try:
        if reset:
            await guest.monitor().command("system_reset")
        if halted and guest.state is State.PAUSED:
            await run_cpus(guest, Running.UNPAUSED)
    except Error as error:
        log.warning("guest %s: resuming after dump failed: %s", guest.name, error.message)
        guest.driver.event(guest, L.SUSPENDED, Detail.SUSPENDED_API_ERROR)


async def write(guest: Guest, path: str, form: int, flags: int) -> None:
    """Write the file inside the caller's async job; there is none when that fails."""
    if not 0 <= form < len(FORMATS):
        raise InvalidArg(f"unknown dumpformat '{form}'")
    if form and not flags & MEMORY_ONLY:
        raise OperationUnsupported("kdump-compressed format is only supported with memory-only dump")
    if not flags & MEMORY_ONLY:
        save.allowed(guest)
    direct = bool(flags & BYPASS_CACHE)
    fd = await asyncio.to_thread(save.create_file, path, direct)
    try:
        if flags & MEMORY_ONLY:
            await _memory(guest, fd, FORMATS[form], direct and not form)
        else:
            await _state(guest, fd, _compressor(guest), direct)
    except BaseException:
        with contextlib.suppress(OSError):
            if os.path.isfile(path):
                os.unlink(path)
        raise


def _compressor(guest: Guest) -> str:
    """The compression of qemu.conf, or none where its program is missing."""
    name = str(guest.driver.config.dump_image_format)
    try:
        return savefile.FORMATS[savefile.number_of(name, "dump")]
    except OperationFailed as error:
        log.warning("%s, using raw", error.message)
        return "raw"


async def _state(guest: Guest, fd: int, compressor: str, direct: bool) -> None:
    await pipes.pump(guest, await pipes.output(fd, compressor, direct, b""), migrate_to_file.to_fd)
    guest.driver.bus.publish(JobCompleted(guest, jobstats.params(save.completed(guest))))


async def _memory(guest: Guest, fd: int, form: str, direct: bool) -> None:
    async def work(guest: Guest, to: int) -> None:
        await _dump_guest_memory(guest, to, form)

    await pipes.pump(guest, await pipes.output(fd, "raw", direct, b""), work)


async def _let_go(monitor: Any) -> None:
    """QEMU says that the dump has ended a moment before it allows migrations (and so saves) again."""
    for _ in range(100):
        answer = await monitor.command("query-migrate")
        if not any("dump-guest-memory" in reason for reason in answer.get("blocked-reasons", ())):
            return
        await asyncio.sleep(0.02)


async def _dump_guest_memory(guest: Guest, fd: int, form: str) -> None:
    monitor, run = guest.monitor(), guest.need_active()
    if form != "elf":
        known = await monitor.command("query-dump-guest-memory-capability")
        if form not in known.get("formats", []):
            raise InvalidArg(f"unsupported dumpformat '{form}' for this QEMU binary")
    figures = guest.jobs.figures
    if figures is not None:
        figures.dump = {"status": "none", "total": 0, "completed": 0}
    progress = run.migration = migrate_to_file.Progress()
    try:
        await monitor.get_fd(fd, "dump")
        arguments: dict[str, Any] = {"paging": False, "protocol": "fd:dump", "detach": True}
        if form != "elf":
            arguments["format"] = form
        try:
            await monitor.command("dump-guest-memory", arguments)
        except MonitorError as error:
            raise OperationFailed(f"memory-only dump failed: {error.reason}", origin=Origin.QEMU) from error
        await migrate_to_file.ended(monitor, progress, "query-dump")
        await _let_go(monitor)
    finally:
        run.migration = None
    if progress.status != "completed":
        raise OperationFailed(f"memory-only dump failed: {progress.error or 'unexpectedly failed'}", origin=Origin.QEMU)


async def automatic(guest: Guest) -> str:
    """Dump a guest that crashed, or whose watchdog barked, into the dump folder; gives the path."""
    driver = guest.driver
    folder = driver.config.auto_dump_path or driver.paths.qemu.dump
    path = f"{folder}/{guest.id}-{guest.name[:20]}-{time.strftime('%Y-%m-%d-%H:%M:%S')}"
    await asyncio.to_thread(os.makedirs, folder, 0o755, True)
    flags = MEMORY_ONLY | (BYPASS_CACHE if driver.config.auto_dump_bypass_cache else 0)
    await write(guest, path, 0, flags)
    return path
