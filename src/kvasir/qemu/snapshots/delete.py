"""Deleting snapshots: states inside images are dropped, images of external ones are written into those below them."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import Any

from kvasir.errors import InvalidArg, OperationFailed, OperationUnsupported
from kvasir.host import qemu_img
from kvasir.qemu import statusdoc
from kvasir.qemu.blocks import graph, jobs, operations
from kvasir.qemu.blocks.graph import Image
from kvasir.qemu.jobs import Async, Kind, Operation

from . import branches, offline
from .create import quoted
from .document import Snapshot, SnapshotDisk
from .tree import Tree

log = logging.getLogger(__name__)

CHILDREN, METADATA_ONLY, CHILDREN_ONLY = 1, 2, 4


async def delete(guest: Any, name: str, flags: int) -> None:
    """Delete a snapshot, with or without those below it, or only what the daemon knows of it."""
    if flags & CHILDREN and flags & CHILDREN_ONLY:
        text = "Flags 'VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN' and 'VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY' are mutually exclusive"
        raise InvalidArg(text, message=text)
    async with guest.jobs.long(Async.SNAPSHOT, Operation.SNAPSHOT, mask=Kind.QUERY | Kind.DESTROY):
        tree = Tree.of(guest)
        snap = tree.find(name)
        below = list(tree.below(snap)) if flags & (CHILDREN | CHILDREN_ONLY) else []
        todo = [*reversed(below), *([] if flags & CHILDREN_ONLY else [snap])]
        if not flags & METADATA_ONLY:
            _check(guest, tree, todo)
        current_goes = tree.current in todo
        for one in todo:
            if not flags & METADATA_ONLY:
                await _content(guest, tree, one, todo)
            tree.drop(one)
        if current_goes and flags & CHILDREN_ONLY:
            tree.set_current(snap)


def _check(guest: Any, tree: Tree, todo: list[Snapshot]) -> None:
    """Refuse before anything is done. Raises ConfigUnsupported, OperationUnsupported."""
    for snap in todo:
        if not snap.external:
            continue
        branches.check(guest, tree, snap, todo)
        domain = guest.current
        for entry in snap.disks:
            disk = next((disk for disk in domain.disks if disk.target == entry.name), None)
            if entry.snapshot == "external" and disk is not None and guest.active:
                jobs.need_idle(guest, disk)


async def _content(guest: Any, tree: Tree, snap: Snapshot, gone: list[Snapshot]) -> None:
    if snap.external:
        await _external(guest, tree, snap, gone)
        if snap.memory_file:
            with contextlib.suppress(OSError):
                os.unlink(snap.memory_file)
    elif guest.active:
        said = (await guest.monitor().hmp(f"delvm {quoted(snap.name)}")).strip()
        if said and "does not have the requested snapshot" not in said and "not found" not in said:
            raise OperationFailed(f"Failed to delete snapshot: {said}")
    else:
        await offline.delete(guest, snap, snap.domain if snap.domain is not None else guest.config)


async def _external(guest: Any, tree: Tree, snap: Snapshot, gone: list[Snapshot]) -> None:
    """Write each image that is needed into the one below, and let all definitions name that one; drop the others."""
    for disk in snap.disks:
        if disk.snapshot != "external":
            continue
        below = _below(snap, disk)
        entry = branches.drop_unused(guest, tree, snap, str(disk.name), gone)
        if entry is None or below is None:
            continue
        if guest.active and entry.path in branches.chain_of(guest, str(entry.name)):
            await _by_job(guest, entry)
        else:
            await _by_tool(guest, tree, entry, below)
        _rename(tree, snap, entry.path, below)
    statusdoc.save(guest)


def _below(snap: Snapshot, entry: SnapshotDisk) -> Image | None:
    """The image that the snapshot froze."""
    if snap.domain is None:
        return None
    disk = next((disk for disk in snap.domain.disks if disk.target == entry.name), None)
    return graph.of_disk(disk) if disk is not None else None


async def _by_job(guest: Any, entry: SnapshotDisk) -> None:
    disk = next(disk for disk in guest.live.disks if disk.target == entry.name)
    chain = graph.of_disk(disk).images()
    at = next(at for at, image in enumerate(chain) if image.path == entry.path)
    if at + 1 >= len(chain):
        raise OperationUnsupported(f"image '{entry.path}' of the snapshot has nothing below it any more")
    active = at == 0
    flags = operations.COMMIT_DELETE | (operations.COMMIT_ACTIVE if active else 0)
    number = f"{disk.target}[{chain[at + 1].index}]"
    job = await operations.commit_layers(
        guest, disk, number, None if active else f"{disk.target}[{chain[at].index}]", 0, flags
    )
    job.waited = True
    try:
        if active:
            await jobs.until_ready(guest, job)
            await operations.end_job(guest, disk, job, pivot=True, until_end=True)
        else:
            await jobs.wait(guest, job)
    finally:
        job.waited = False
    if active and guest.persistent:
        _unsaid(guest, disk)
    if job.phase is not jobs.Phase.COMPLETED:
        raise OperationFailed(f"block commit of '{entry.path}' failed: {job.error or job.phase.value}")


def _unsaid(guest: Any, disk: Any) -> None:
    """The persistent definition says nothing of what lies below; the next start looks."""
    domain = guest.config.copy()
    for known in domain.disks:
        if known.target == disk.target and known.backing_store is not None and known.backing_store.type is None:
            known.backing_store = None
            guest.driver.rewrite_at_once(guest, domain)


async def _by_tool(guest: Any, tree: Tree, entry: SnapshotDisk, below: Image) -> None:
    """By qemu-img: the data goes down, what stood on the image stands on the lower one then."""
    await qemu_img.run("commit", "-q", "-d", "-f", entry.format or "qcow2", entry.path)
    for upper in _standing_on(guest, tree, entry):
        await qemu_img.run("rebase", "-u", "-f", "qcow2", "-F", below.format, "-b", below.path, upper)
    if not guest.active:
        _in_config(guest, entry, below)
    with contextlib.suppress(OSError):
        os.unlink(entry.path)


def _standing_on(guest: Any, tree: Tree, entry: SnapshotDisk) -> list[str]:
    """The images whose backing file is the entry's."""
    from kvasir.qemu.chain import _read
    from kvasir.storage import probe

    known = {one.path for snap in tree.known.values() for one in (*snap.disks, *snap.revert_disks) if one.path}
    known |= {disk.location() or "" for disk in guest.config.disks}
    found = []
    for path in sorted(known - {entry.path, ""}):
        info = _read(path)
        if info is not None and info.backing and probe.resolve_backing(path, info.backing) == entry.path:
            found.append(path)
    return found


def _in_config(guest: Any, entry: SnapshotDisk, below: Image) -> None:
    domain = guest.config.copy()
    for disk in domain.disks:
        if disk.target != entry.name:
            continue
        if disk.location() == entry.path:
            graph.put(disk, graph.plain(below))
            disk.backing_store = None
        else:
            disk.backing_store = None
    guest.driver.rewrite_at_once(guest, domain)


def _rename(tree: Tree, gone: Snapshot, path: str, below: Image) -> None:
    """The snapshots that stood on the image stand on the lower one now."""
    for snap in tree.known.values():
        changed = False
        for domain in (snap.domain, snap.inactive):
            for disk in domain.disks if domain is not None and snap is not gone else ():
                if disk.location() == path:
                    graph.put(disk, graph.plain(below))
                    disk.backing_store = None
                    changed = True
                elif disk.backing_store is not None and any(
                    layer.source.location() == path for layer in disk.backing_store.chain()
                ):
                    disk.backing_store = None
                    changed = True
        if changed:
            tree.save(snap)
