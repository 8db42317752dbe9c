"""Making snapshots: inside the images, as new images above them, with memory in the image or in a file of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import Any

from kvasir.errors import (
    Code,
    Error,
    InvalidArg,
    OperationFailed,
    OperationInvalid,
    OperationUnsupported,
    Origin,
    XmlDetail,
)
from kvasir.qemu import migratable
from kvasir.qemu.events import run_cpus, stop_cpus
from kvasir.qemu.jobs import Async, Kind, Operation
from kvasir.qemu.states import Detail, Paused, Running, State
from kvasir.qemu.states import Lifecycle as L
from kvasir.xml import Form
from kvasir.xml.form import LIVE as LIVE_FORM

from . import disks, offline
from .document import DISK_SNAPSHOT, Snapshot, parse, state_word
from .overlays import take
from .redefine import redefine
from .tree import Tree

log = logging.getLogger(__name__)

REDEFINE, CURRENT, NO_METADATA, HALT, DISK_ONLY, REUSE, QUIESCE, ATOMIC, LIVE, VALIDATE = (
    1 << bit for bit in range(10)
)
ALL = (1 << 10) - 1
NAMES = {
    REDEFINE: "REDEFINE", CURRENT: "CURRENT", NO_METADATA: "NO_METADATA", HALT: "HALT", DISK_ONLY: "DISK_ONLY",
    QUIESCE: "QUIESCE", LIVE: "LIVE",
}  # fmt: skip


def _word(flag: int) -> str:
    return f"VIR_DOMAIN_SNAPSHOT_CREATE_{NAMES[flag]}"


def check_flags(flags: int) -> None:
    """Flags that need or exclude each other. Raises InvalidArg in libvirt's words."""
    for flag, needed in ((CURRENT, REDEFINE), (QUIESCE, DISK_ONLY)):
        if flags & flag and not flags & needed:
            text = f"Flag '{_word(needed)}' is required by flag '{_word(flag)}'"
            raise InvalidArg(text, message=text)
    for first, second in ((LIVE, REDEFINE), (REDEFINE, NO_METADATA), (REDEFINE, HALT)):
        if flags & first and flags & second:
            text = f"Flags '{_word(first)}' and '{_word(second)}' are mutually exclusive"
            raise InvalidArg(text, message=text)


async def create(guest: Any, xml: str, flags: int) -> Snapshot:
    """Make (or redefine) a snapshot and give it. Raises what the parts raise; nothing is left of one that failed."""
    check_flags(flags)
    if not guest.persistent and flags & HALT:
        raise OperationInvalid("cannot halt after transient domain snapshot")
    off = bool(flags & DISK_ONLY) or not guest.active
    snap = parse(xml, redefine=bool(flags & REDEFINE), offline=off)
    if not flags & NO_METADATA:
        if "/" in snap.name:
            raise XmlDetail(f"invalid snapshot name '{snap.name}': name can't contain '/'")
        if snap.name.startswith("."):
            raise XmlDetail(f"invalid snapshot name '{snap.name}': name can't start with '.'")
    if flags & LIVE and (not guest.active or snap.memory != "external"):
        raise OperationUnsupported("live snapshot creation is supported only during full system snapshots")
    if not flags & REDEFINE and guest.state is State.PMSUSPENDED:
        raise OperationUnsupported("qemu doesn't support taking snapshots of PMSUSPENDED guests")
    mask = Kind.QUERY | Kind.DESTROY | Kind.ABORT | Kind.SUSPEND | Kind.MIGRATION_OP
    async with guest.jobs.long(Async.SNAPSHOT, Operation.SNAPSHOT, mask=mask):
        if flags & REDEFINE:
            return redefine(guest, snap, make_current=bool(flags & CURRENT))
        await _new(guest, snap, flags)
    return snap


async def _new(guest: Any, snap: Snapshot, flags: int) -> None:
    tree = Tree.of(guest)
    await _fill(guest, snap, flags)
    domain = guest.live if guest.active else guest.config
    disks.check(guest, snap, domain, reuse=bool(flags & REUSE), disk_only=bool(flags & DISK_ONLY))
    if snap.name in tree.known and not flags & NO_METADATA:
        raise OperationFailed(f"domain moment {snap.name} already exists")
    snap.parent = tree.current.name if tree.current is not None else None
    keep = not flags & NO_METADATA
    if keep:
        tree.rehearse(snap)
    if guest.active:
        if flags & DISK_ONLY or snap.memory == "external":
            await _active_external(guest, tree if keep else None, snap, flags)
        else:
            await _active_internal(guest, snap, flags)
    elif flags & DISK_ONLY:
        await offline.external(guest, snap, reuse=bool(flags & REUSE))
    else:
        await offline.internal(guest, snap)
    if keep:
        tree.add(snap)
        try:
            tree.set_current(snap)
        except BaseException:
            tree.known.pop(snap.name, None)
            raise


async def _fill(guest: Any, snap: Snapshot, flags: int) -> None:
    """The definitions as they are, the state, and one entry for each disk."""
    if guest.active:
        snap.domain = await guest.driver.complete(await migratable.text(guest))
        snap.inactive = inactive_copy(guest.config) if guest.persistent else None
    else:
        text = guest.config.xml(Form(secure=True, migratable=True))
        snap.domain = await guest.driver.complete(text)
    if flags & DISK_ONLY:
        snap.state = DISK_SNAPSHOT if guest.active else "shutoff"
        snap.memory = "no"
        disks.align(snap, guest.current, "external")
    elif snap.memory == "external":
        snap.state = state_word(guest.state)
        disks.align(snap, guest.current, "external")
    else:
        snap.state = state_word(guest.state)
        if snap.memory != "no" or not guest.active:
            snap.memory = "internal" if guest.active else "no"
        disks.align(snap, guest.current, "internal", uniform=True)
    if guest.active and snap.memory != "no":
        snap.cookie = cookie(guest)


def cookie(guest: Any) -> str:
    """The CPU that the guest really has, in libvirt's form."""
    inner = guest.live.cpu.xml(LIVE_FORM, "    ") if guest.live.cpu is not None else ""
    return f"  <cookie>\n{inner}    <slirpHelper/>\n  </cookie>\n"


def inactive_copy(domain: Any) -> Any:
    """A copy of a definition without what only a running guest has."""
    from kvasir.xml.form import STORED

    copy = type(domain).from_xml(domain.xml(STORED))
    copy.id = None
    return copy


def quoted(name: str) -> str:
    """A name in a line of the human monitor."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


async def _active_internal(guest: Any, snap: Snapshot, flags: int) -> None:
    run = guest.need_active()
    was_running = guest.state is State.RUNNING
    if was_running:
        await stop_cpus(guest, Paused.SNAPSHOT)
    try:
        said = (await guest.monitor().hmp(f"savevm {quoted(snap.name)}")).strip()
        if said:
            raise OperationFailed(f"Failed to take snapshot: {said}")
        if flags & HALT:
            await halt(guest)
            was_running = False
    finally:
        if was_running and guest.run is run and guest.active and guest.state is State.PAUSED:
            await _go_on(guest)


async def _go_on(guest: Any) -> None:
    try:
        await run_cpus(guest, Running.UNPAUSED)
    except Error as error:
        guest.driver.event(guest, L.SUSPENDED, Detail.SUSPENDED_API_ERROR)
        raise OperationFailed("resuming after snapshot failed") from error


async def halt(guest: Any) -> None:
    """End the guest after its snapshot."""
    from .revert import stop

    await stop(guest)


async def _active_external(guest: Any, tree: Tree | None, snap: Snapshot, flags: int) -> None:
    run = guest.need_active()
    with_memory = snap.memory == "external"
    was_running = guest.state is State.RUNNING
    async with contextlib.AsyncExitStack() as stack:
        if flags & QUIESCE:
            await _freeze(guest)
            stack.push_async_callback(_thaw, guest, run)
        if with_memory:
            if was_running and not flags & LIVE:
                await stop_cpus(guest, Paused.SNAPSHOT)
            stack.push_async_callback(_resume, guest, run, was_running)
            await _memory(guest, snap)
        undo = stack.enter_context(_file_of(snap) if with_memory else contextlib.nullcontext())
        await take(guest, tree, snap, reuse=bool(flags & REUSE))
        if undo is not None:
            undo.keep = True
        if flags & HALT:
            await halt(guest)


class _file_of:
    """Removes the memory file of a snapshot that failed."""

    def __init__(self, snap: Snapshot) -> None:
        self.path, self.keep = snap.memory_file or "", False

    def __enter__(self) -> _file_of:
        return self

    def __exit__(self, *problem: object) -> None:
        if not self.keep:
            with contextlib.suppress(OSError):
                os.unlink(self.path)


async def _resume(guest: Any, run: Any, was_running: bool) -> None:
    if was_running and guest.run is run and guest.active and guest.state is State.PAUSED:
        await _go_on(guest)


async def _freeze(guest: Any) -> None:
    """Let the agent flush and stop the guest's file systems. Raises AgentUnresponsive, ArgumentUnsupported."""
    from kvasir.qemu import agent

    await agent.call(guest, "guest-fsfreeze-freeze")


async def _thaw(guest: Any, run: Any) -> None:
    from kvasir.qemu import agent

    if guest.run is run and guest.active:
        try:
            await agent.call(guest, "guest-fsfreeze-thaw")
        except Error as error:
            log.error("guest %s: its file systems cannot be thawed: %s", guest.name, error.message)


async def _memory(guest: Any, snap: Snapshot) -> None:
    """Write the memory into its file, in the form of saved guests."""
    from kvasir.events import JobCompleted
    from kvasir.qemu import jobstats, save, savefile

    save.allowed(guest)
    path = snap.memory_file or ""
    if os.path.exists(path) and os.path.getsize(path):
        await asyncio.to_thread(os.unlink, path)
    compression = savefile.number_of(guest.driver.config.snapshot_image_format, "snapshot")
    document = await migratable.text(guest)
    running = guest.state is State.RUNNING or snap.state == "running"
    await save.create(guest, path, savefile.Saved(document, save.cookie(guest), running, compression))
    figures = save.completed(guest)
    guest.driver.bus.publish(JobCompleted(guest, jobstats.params(figures)))


__all__ = ["Code", "Origin", "create"]
