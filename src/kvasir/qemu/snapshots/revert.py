"""Going back to a snapshot. What the guest wrote since is lost, unless another snapshot holds it."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import Any

from kvasir.errors import Code, Error, InvalidArg, OperationInvalid
from kvasir.qemu import lifecycle, startup
from kvasir.qemu.jobs import Async, Kind, Operation
from kvasir.qemu.states import Detail, Shutoff
from kvasir.qemu.states import Lifecycle as L

from . import branches, external, offline
from .document import Snapshot
from .tree import Tree

log = logging.getLogger(__name__)

RUNNING, PAUSED, FORCE, RESET_NVRAM = 1, 2, 4, 8


def risky(text: str) -> Error:
    """Error 77: --force would do it."""
    return Error(
        text,
        code=Code.SNAPSHOT_REVERT_RISKY,
        message=f"revert requires force: {text}",
        hint="virsh snapshot-revert --force",
    )


async def revert(guest: Any, name: str, flags: int) -> None:
    """Bring the guest to the state of a snapshot. Raises error 77 when that wants FORCE."""
    if flags & RUNNING and flags & PAUSED:
        text = (
            "Flags 'VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING' and 'VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED' are mutually exclusive"
        )
        raise InvalidArg(text, message=text)
    async with guest.jobs.long(Async.SNAPSHOT, Operation.SNAPSHOT_REVERT, mask=Kind.QUERY | Kind.DESTROY):
        tree = Tree.of(guest)
        snap = tree.find(name)
        _check(guest, tree, snap, flags)
        if snap.external:
            await external.revert(guest, tree, snap, flags, _bring)
        else:
            await _bring(guest, snap, snap.domain, flags)
        tree.set_current(snap)
        if guest.persistent:
            guest.driver.event(guest, L.DEFINED, Detail.DEFINED_FROM_SNAPSHOT)
    guest.driver.gone(guest)


def _check(guest: Any, tree: Tree, snap: Snapshot, flags: int) -> None:
    starts = bool(flags & (RUNNING | PAUSED))
    with_state = snap.state in ("running", "paused")
    if not guest.persistent and not with_state and not starts:
        raise OperationInvalid("transient domain needs to request run or pause to revert to inactive snapshot")
    if flags & FORCE:
        return
    if snap.domain is None:
        raise risky(f"snapshot '{snap.name}' lacks domain '{guest.name}' rollback info")
    if not snap.external and (paths := branches.stood_on(guest, tree, snap)):
        raise risky(
            f"external snapshots stand on image '{paths[0]}', which snapshot '{snap.name}' would go on writing to"
        )
    saved = f"{guest.driver.paths.qemu.save}/{guest.name}.save"
    if os.path.exists(saved) and not with_state:
        raise risky(
            "snapshot without memory state, removal of existing managed saved state strongly recommended to avoid corruption"
        )


async def _bring(guest: Any, snap: Snapshot, domain: Any, flags: int, *, memory: str = "") -> None:
    """Stop the guest, take the snapshot's definitions, and start it again where the snapshot or the flags say so.

    ``domain`` names the disks to go on with; ``memory`` is a file with the guest's memory.
    """
    if domain is None:
        domain = guest.config
    if guest.active:
        await stop(guest)
    inactive = snap.inactive if snap.inactive is not None else domain
    if snap.external:
        inactive = _with_disks_of(inactive, domain)
    with_state = snap.state in ("running", "paused")
    if not snap.external and not with_state:
        await offline.apply(guest, snap, domain)
    if guest.persistent:
        guest.driver.rewrite_at_once(guest, inactive.copy())
    paused = bool(flags & PAUSED) or (snap.state == "paused" and not flags & RUNNING)
    if with_state:
        await _start_with_state(guest, snap, domain, paused, memory, flags)
    elif flags & (RUNNING | PAUSED):
        await startup.launch(
            guest, domain, paused=paused, reset_nvram=bool(flags & RESET_NVRAM), started=Detail.STARTED_FROM_SNAPSHOT
        )


def _with_disks_of(inactive: Any, domain: Any) -> Any:
    """The persistent definition with the disks' images of another one."""
    from kvasir.qemu.blocks import graph

    found = inactive.copy()
    sources = {disk.target: disk for disk in domain.disks}
    for disk in found.disks:
        if disk.target in sources:
            image = graph.of_disk(sources[disk.target])
            graph.put(disk, image)
            disk.backing_store = None
    return found


async def stop(guest: Any) -> None:
    """End the guest; it stays known, even a transient one."""
    run = guest.need_active()
    run.being_destroyed = True
    if run.monitor is not None:
        await run.monitor.close()  # QEMU's last words are no events of the guest's
    await lifecycle._kill(guest, run, graceful=False)
    async with guest.jobs.normal(Kind.DESTROY, nested=True):
        if guest.run is run:
            await lifecycle.finish(guest, run, Shutoff.FROM_SNAPSHOT)
    guest.driver.event(guest, L.STOPPED, Detail.STOPPED_FROM_SNAPSHOT)


async def _start_with_state(guest: Any, snap: Snapshot, domain: Any, paused: bool, memory: str, flags: int) -> None:
    from kvasir.qemu.incoming import FromImage

    if memory:
        from kvasir.qemu import restore

        saved, pipe = await restore._open(memory, False)
        saved.was_running = not paused
        try:
            await restore._launch(guest, domain, saved, pipe, snapshot=True)
        finally:
            with contextlib.suppress(Error):
                await pipe.end()
        return
    incoming = FromImage(snap.name, running=not paused, cpu=_cpu(snap))
    await startup.launch(guest, domain, incoming=incoming, reset_nvram=bool(flags & RESET_NVRAM))


def _cpu(snap: Snapshot) -> Any:
    """The CPU that the guest had, from libvirt's cookie; None where there is none."""
    if not snap.cookie:
        return None
    from kvasir.model.cpu import Cpu
    from kvasir.xml.reader import read

    node = read(snap.cookie, "(qemu_cookie)").find("cpu")
    return None if node is None else Cpu.parse(node)
