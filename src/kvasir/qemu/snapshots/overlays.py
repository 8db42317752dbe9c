"""External snapshots of a running guest: new images above those of now, put in place in one step of QEMU's.

What is about to happen is written down first (metadata file, status document), so that a daemon that is killed in the
middle finds, when it is back, either all or nothing of the snapshot (``settle``).
"""

from __future__ import annotations

import logging
import os
from typing import Any

from kvasir.devices.disk_source import BackingStore
from kvasir.errors import Error
from kvasir.qemu import statusdoc
from kvasir.qemu.blocks import create, graph, labels
from kvasir.qemu.blocks.graph import Image
from kvasir.qemu.checkpoints import bitmaps
from kvasir.qemu.monitor import MonitorError

from .document import Snapshot, SnapshotDisk
from .tree import Tree

log = logging.getLogger(__name__)


class Overlay:
    """One disk of the snapshot: its image of now, and the one that comes above it."""

    def __init__(self, disk: Any, entry: SnapshotDisk) -> None:
        self.disk, self.entry = disk, entry
        self.old = graph.of_disk(disk)
        self.new = Image(entry.type or "file", entry.format or "qcow2", entry.source.copy())
        self.made = False


async def take(guest: Any, tree: Tree | None, snap: Snapshot, *, reuse: bool) -> None:
    """Make the new images of the snapshot's external disks and let the guest write into them."""
    pairs = zip(snap.disks, list(guest.live.disks), strict=True)
    todo = [Overlay(disk, entry) for entry, disk in pairs if entry.snapshot == "external"]
    if not todo:
        return
    vm = await create.vm_of(guest)
    done: list[Overlay] = []
    configs: Any = None
    try:
        for each in todo:
            await _prepare(guest, vm, each, reuse)
            done.append(each)
        announce(guest, snap, done, tree)
        configs = guest.config.copy() if guest.persistent else None
        for each in done:
            _in_config(guest, each.disk, each.new)
        actions: list[bitmaps.Action] = [
            {"type": "blockdev-snapshot", "data": {"node": each.old.node, "overlay": each.new.node}} for each in done
        ]
        found = await bitmaps.all_of(guest)
        for each in done:
            actions += bitmaps.for_overlay(found, each.old.node, each.new.node)
        await guest.monitor().command("transaction", {"actions": actions})
    except BaseException:
        if configs is not None and guest.active:
            guest.driver.rewrite_at_once(guest, configs)
        await _undo(guest, tree, snap, done)
        raise
    for each in done:
        put_above(guest, each.disk, each.new)
        labels.allow(guest, each.old, readonly=True)
    guest.run.pending_snapshot = {}
    statusdoc.save(guest)


async def _prepare(guest: Any, vm: Any, each: Overlay, reuse: bool) -> None:
    new = each.new
    new.index = graph.next_number(guest)
    if reuse:
        await labels.own(guest, new, new=True)
        await graph.add(guest, vm, each.disk, new, readonly=False, backing=None, closed=True)
        return
    size = await create.size_of(guest, each.old)
    each.made = await create.image(guest, vm, each.disk, new, size, each.old, each.old, closed=True)


async def _undo(guest: Any, tree: Tree | None, snap: Snapshot, done: list[Overlay]) -> None:
    if guest.run is None or not guest.active:
        return
    guest.run.pending_snapshot = {}
    if tree is not None and snap.name not in tree.known:
        _remove(tree.path(snap.name))
    for each in done:
        await graph.remove(guest, each.new)
        labels.revoke(guest, each.new)
        if each.made:
            create.unlink(each.new)
    statusdoc.save(guest)


def announce(guest: Any, snap: Snapshot, done: list[Overlay], tree: Tree | None) -> None:
    """Write down what is about to happen."""
    if tree is not None:
        tree.save(snap)
    guest.run.pending_snapshot = {
        "name": snap.name if tree is not None else "",
        "disks": [
            (each.disk.target, each.new.type, each.new.path, each.new.format, each.new.index, each.made)
            for each in done
            if each.new.local
        ],
    }
    statusdoc.save(guest)


def put_above(guest: Any, disk: Any, new: Image) -> None:
    """The documents after the change: the old top is the layer below the new one, now and at the next start."""
    _in_config(guest, disk, new)
    old = graph.of_disk(disk)
    if old.below is None:
        old.below = BackingStore()
    layer = graph.as_layer(old)
    layer.detected = False
    new.below = layer
    new.metadata_cache = old.metadata_cache
    labels.inherit(guest, old, new)
    graph.put(disk, new)
    disk.source.nodenames = new.named().source.nodenames


def _in_config(guest: Any, disk: Any, new: Image) -> None:
    """The persistent definition, where it still names the old image; before QEMU writes to the new one."""
    from kvasir.qemu.blocks import outcome

    def change(known: Any) -> None:
        put_above_plain(known, new)

    outcome.persist(guest, disk, disk.location(), change)


def _back_in_config(guest: Any, disk: Any, path: str) -> None:
    """A snapshot that did not happen: the definition names the old image again."""
    from kvasir.qemu.blocks import outcome

    def change(known: Any) -> None:
        old = graph.of_layer(known.backing_store)
        graph.put(known, graph.Image(old.type, old.format, old.source, None, old.below))

    outcome.persist(guest, disk, path, change)


def put_above_plain(known: Any, new: Image) -> None:
    """The same in a persistent definition."""
    was = graph.of_disk(known)
    below = BackingStore(type=was.type, format=was.format, source=was.source.copy(), backing_store=was.below)
    below.source.startup_policy = None
    source = new.source.copy()
    source.nodenames = []
    graph.put(known, Image(new.type, new.format, source, None, below))


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


async def settle(guest: Any) -> None:
    """After a restart of the daemon: finish or undo the snapshot that was under way."""
    pending = guest.run.pending_snapshot
    if not pending:
        return
    guest.run.pending_snapshot = {}
    tree = Tree.of(guest)
    used = await _nodes_in_use(guest)
    happened = any(f"libvirt-{index}-format" in used for *_, index, _made in pending["disks"])
    for target, kind, path, format_, index, made in pending["disks"]:
        disk = next((disk for disk in guest.live.disks if disk.target == target), None)
        image = graph.file_image(path, format_, kind=kind)
        image.index = index
        if happened and disk is not None and disk.source.index != index:
            put_above(guest, disk, image)
        elif not happened:
            if disk is not None:
                _back_in_config(guest, disk, path)
            await graph.remove(guest, image)
            labels.revoke(guest, image)
            if made:
                create.unlink(image)
    name = pending["name"]
    snap = tree.known.get(name)
    if snap is not None and happened:
        tree.set_current(snap)
    elif name and not happened:
        tree.known.pop(name, None)
        _remove(tree.path(name))
    log.info("guest %s: the snapshot %s of before %s", guest.name, name, "is whole" if happened else "is undone")


async def _nodes_in_use(guest: Any) -> set[str]:
    """The nodes that the guest's disks have on top."""
    try:
        rows = await guest.monitor().command("query-block")
    except (MonitorError, Error):
        return set()
    used: set[str] = set()
    for row in rows:
        inserted = row.get("inserted") or {}
        used.add(str(inserted.get("node-name")))
        below = (inserted.get("image") or {}).get("backing-image")
        if inserted.get("drv") == "copy-on-read" and below:
            used.add(str(below.get("filename")))
    return used
