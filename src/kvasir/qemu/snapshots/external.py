"""Going back to an external snapshot: a new image above the one of that time, so that nothing below is written.

The real libvirt 9.0 refuses this. Images that only the state of now used are removed; those that another snapshot stands on
stay.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from kvasir.errors import Error, OperationFailed, SystemFailure
from kvasir.qemu import volumes
from kvasir.qemu.blocks import create, graph
from kvasir.qemu.blocks.graph import Image

from . import offline
from .document import Snapshot, SnapshotDisk
from .tree import Tree


async def revert(guest: Any, tree: Tree, snap: Snapshot, flags: int, bring: Callable[..., Awaitable[None]]) -> None:
    """Start from the images that the snapshot froze. A failure before the guest is stopped changes nothing."""
    if snap.domain is None:
        raise OperationFailed(f"snapshot '{snap.name}' does not say which images it stands on")
    if snap.memory_file and not os.path.exists(snap.memory_file):
        raise SystemFailure(f"cannot read memory of snapshot '{snap.name}' from '{snap.memory_file}'",
                            OSError(2, os.strerror(2)))  # fmt: skip
    before = _tops(guest)
    domain = snap.domain.copy()
    volumes.resolve(domain, guest.driver.drivers)
    made: list[Image] = []
    entries: list[SnapshotDisk] = []
    try:
        for entry in snap.disks:
            disk = next((disk for disk in domain.disks if disk.target == entry.name), None)
            if disk is None or entry.snapshot != "external":
                entries.append(entry)
                continue
            new = await _fresh(snap, disk, entry)
            made.append(new)
            graph.put(disk, new)
            disk.backing_store = None
            mine = SnapshotDisk(name=entry.name, snapshot="external", type="file", format=new.format, source=new.source)
            entries.append(mine)
        await bring(guest, snap, domain, flags, memory=snap.memory_file or "")
    except BaseException:
        if not guest.active and all(image.path not in _tops(guest) for image in made):
            for image in made:
                create.unlink(image)
        raise
    _keep(tree, snap, entries)
    _sweep(tree, before, _tops(guest))


def _tops(guest: Any) -> set[str]:
    """The images that the guest writes to."""
    domain = guest.current
    return {disk.location() or "" for disk in domain.disks} if domain is not None else set()


async def _fresh(snap: Snapshot, disk: Any, entry: SnapshotDisk) -> Image:
    below = graph.of_disk(disk)
    if not below.local:
        raise OperationFailed(f"the image of disk '{disk.target}' is not on this host")
    if not os.path.exists(below.path):
        raise SystemFailure(f"image '{below.path}' of snapshot '{snap.name}' is gone", OSError(2, os.strerror(2)))
    beside = entry.source.location() if below.type == "block" and entry.source is not None else None
    folder, _, leaf = (beside or below.path).rpartition("/")
    stem = leaf.rpartition(".")[0] or leaf
    number = int(time.time())
    while os.path.exists(path := f"{folder}/{stem}.{snap.name}_{number}"):
        number += 1
    new = graph.file_image(path, "qcow2")
    await offline.overlay(below, new)
    return new


def _keep(tree: Tree, snap: Snapshot, entries: list[SnapshotDisk]) -> None:
    """The snapshot's own images are the new ones, unless another snapshot stands on the old ones."""
    stood_on = used_by_others(tree, snap)
    if any(entry.path in stood_on for entry in snap.disks if entry.snapshot == "external"):
        snap.revert_disks = entries
    else:
        gone = {entry.path for entry in (*snap.disks, *snap.revert_disks) if entry.snapshot == "external"}
        snap.disks, snap.revert_disks = entries, []
        tree.save(snap)
        for path in gone - {entry.path for entry in entries}:
            if path and os.path.isfile(path):
                os.unlink(path)
        return
    tree.save(snap)


def used_by_others(tree: Tree, snap: Snapshot | None) -> set[str]:
    """The images that definitions of snapshots (but this one) name."""
    found: set[str] = set()
    for one in tree.known.values():
        if one is not snap and one.domain is not None:
            found |= {disk.location() or "" for disk in one.domain.disks}
    return found


def _sweep(tree: Tree, before: set[str], now: set[str]) -> None:
    """Remove images that a snapshot made, that were written last before, and that nothing names any more."""
    named = used_by_others(tree, None) | now
    for one in tree.known.values():
        named |= {entry.path for entry in (*one.disks, *one.revert_disks) if entry.path}
    ours = {path for path in before if path and path not in named}
    for path in ours:
        if _is_overlay_of(path, tree):
            try:
                os.unlink(path)
            except OSError as error:
                raise SystemFailure(f"cannot remove '{path}'", error) from error


def _is_overlay_of(path: str, tree: Tree) -> bool:
    """Whether an image's backing file is one that a snapshot froze: it was made by a snapshot."""
    from kvasir.qemu.chain import _read

    try:
        info = _read(path)
    except Error:
        return False
    if info is None or not info.backing:
        return False
    return info.backing in used_by_others(tree, None)
