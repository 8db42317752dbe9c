"""Making, redefining and deleting checkpoints."""

from __future__ import annotations

from typing import Any

from kvasir.errors import (
    ConfigUnsupported,
    InternalError,
    InvalidArg,
    OperationFailed,
    OperationInvalid,
    OperationUnsupported,
    XmlDetail,
)
from kvasir.qemu import live, migratable
from kvasir.qemu.blocks import graph
from kvasir.qemu.jobs import Kind

from . import bitmaps
from .document import Checkpoint, CheckpointDisk, parse
from .tree import CheckpointTree

REDEFINE, QUIESCE, REDEFINE_VALIDATE = 1, 2, 4


def align(point: Checkpoint, domain: Any) -> None:
    """One entry for each disk of the guest. Raises ConfigUnsupported."""
    if not domain.disks:
        raise ConfigUnsupported("domain must have at least one disk to perform checkpoints")
    wanted: dict[str, CheckpointDisk] = {}
    for entry, disk in live.disks_named(point.disks, domain):
        if entry.checkpoint == "bitmap" and (disk.empty or disk.readonly):
            raise ConfigUnsupported(f"disk '{disk.target}' is empty or readonly")
        entry.name = disk.target
        wanted[disk.target] = entry
    default = "no" if point.disks else "bitmap"
    rows = []
    for disk in domain.disks:
        entry = wanted.get(disk.target) or CheckpointDisk(name=disk.target)
        if entry.checkpoint is None:
            kind = "no" if disk.empty or disk.readonly else default
            entry.checkpoint = kind
        if entry.checkpoint == "bitmap" and not entry.bitmap:
            entry.bitmap = point.name
        rows.append(entry)
    point.disks = rows


async def prepare(guest: Any, xml: str) -> Checkpoint:
    """A new checkpoint from a user's document, for a guest that runs."""
    point = parse(xml)
    _name(point)
    tree = CheckpointTree.of(guest)
    if point.name in tree.known:
        raise OperationFailed(f"domain moment {point.name} already exists")
    align(point, guest.live)
    point.domain = await guest.driver.complete(await migratable.text(guest))
    for entry, disk in zip(point.disks, guest.live.disks, strict=True):
        if entry.checkpoint == "bitmap" and disk.format != "qcow2":
            raise ConfigUnsupported(f"checkpoint for disk {disk.target} unsupported for storage type {disk.format}")
    point.parent = tree.current.name if tree.current is not None else None
    tree.rehearse(point)
    return point


def _name(point: Checkpoint) -> None:
    if "/" in point.name:
        raise XmlDetail(f"invalid checkpoint name '{point.name}': name can't contain '/'")
    if point.name.startswith("."):
        raise XmlDetail(f"invalid checkpoint name '{point.name}': name can't start with '.'")


def actions(guest: Any, point: Checkpoint) -> list[bitmaps.Action]:
    """What QEMU does for it: a bitmap on each disk's top image."""
    rows = []
    for entry, disk in zip(point.disks, guest.live.disks, strict=True):
        if entry.checkpoint == "bitmap":
            rows.append(bitmaps.add(graph.of_disk(disk).node, str(entry.bitmap), persistent=True))
    return rows


def keep(guest: Any, point: Checkpoint) -> None:
    """Write the metadata file; it is the current one. Raises FileFailure."""
    tree = CheckpointTree.of(guest)
    tree.save(point)
    tree.add(point)
    tree.current = point


async def create(guest: Any, xml: str, flags: int) -> Checkpoint:
    """Make (or redefine) a checkpoint. Raises OperationInvalid, OperationUnsupported, ConfigUnsupported."""
    if flags & (REDEFINE | REDEFINE_VALIDATE):
        return await _redefine(guest, parse(xml, redefine=True), validate=bool(flags & REDEFINE_VALIDATE))
    if not guest.active:
        raise OperationUnsupported("cannot create checkpoint for inactive domain")
    async with guest.jobs.normal(Kind.MODIFY):
        guest.need_active()
        point = await prepare(guest, xml)
        if flags & QUIESCE:
            from kvasir.qemu.snapshots.create import _freeze, _thaw

            await _freeze(guest)
            try:
                await bitmaps.transaction(guest, actions(guest, point))
            finally:
                await _thaw(guest, guest.run)
        else:
            await bitmaps.transaction(guest, actions(guest, point))
        keep(guest, point)
    return point


async def _redefine(guest: Any, point: Checkpoint, *, validate: bool) -> Checkpoint:
    _name(point)
    tree = CheckpointTree.of(guest)
    if point.parent and point.parent not in tree.known:
        raise InvalidArg(f"parent {point.parent} for moment {point.name} not found")
    if point.domain is not None:
        if point.domain.uuid != guest.uuid_text:
            raise InvalidArg(f"definition for checkpoint {point.name} must use uuid {guest.uuid_text}")
        align(point, point.domain)
    if validate:
        if not guest.active:
            raise OperationInvalid("domain is not running")
        found = await bitmaps.all_of(guest)
        for entry in point.disks:
            disk = next((disk for disk in guest.live.disks if disk.target == entry.name), None)
            if entry.checkpoint == "bitmap" and (disk is None or not bitmaps.holders(found, disk, str(entry.bitmap))):
                raise ConfigUnsupported(f"bitmap for disk '{entry.name}' is missing or broken")
    tree.save(point)
    tree.add(point)
    tree.current = next((one for one in tree.known.values() if not tree.children(one)), None)
    return point


CHILDREN, METADATA_ONLY, CHILDREN_ONLY = 1, 2, 4


async def delete(guest: Any, name: str, flags: int) -> None:
    """Delete a checkpoint: its bitmaps go, unless only its metadata shall."""
    async with guest.jobs.normal(Kind.MODIFY):
        tree = CheckpointTree.of(guest)
        point = tree.find(name)
        if not flags & METADATA_ONLY and not guest.active:
            raise OperationUnsupported("cannot delete checkpoint for inactive domain")
        below = list(tree.below(point)) if flags & (CHILDREN | CHILDREN_ONLY) else []
        for one in [*reversed(below), *([] if flags & CHILDREN_ONLY else [point])]:
            if not flags & METADATA_ONLY:
                await _remove_bitmaps(guest, one)
            was_current = tree.current is one
            tree.drop(one)
            if was_current and tree.current is None:
                tree.current = next((other for other in tree.known.values() if not tree.children(other)), None)


async def _remove_bitmaps(guest: Any, point: Any) -> None:
    found = await bitmaps.all_of(guest)
    rows = []
    for entry in point.disks:
        disk = next((disk for disk in guest.live.disks if disk.target == entry.name), None)
        if disk is not None and entry.checkpoint == "bitmap":
            rows += [bitmaps.remove(node, name) for node, name, _ in bitmaps.holders(found, disk, str(entry.bitmap))]
    await bitmaps.transaction(guest, rows)


async def sizes(guest: Any, point: Any) -> dict[str, int]:
    """How much changed since, in bytes by disk. Raises OperationInvalid for a guest that does not run."""
    guest.need_active()
    tmp = "libvirt-tmp-size-xml"
    out: dict[str, int] = {}
    async with guest.jobs.normal(Kind.MODIFY):
        found = await bitmaps.all_of(guest)
        begin, end, tops = [], [], {}
        for entry in point.disks:
            disk = next((disk for disk in guest.live.disks if disk.target == entry.name), None)
            if entry.checkpoint != "bitmap" or disk is None:
                continue
            rows = bitmaps.holders(found, disk, str(entry.bitmap))
            if not rows:
                raise InternalError(f"bitmap '{entry.bitmap}' of disk '{entry.name}' is gone")
            node = graph.of_disk(disk).node
            tops[str(entry.name)] = node
            begin += [
                bitmaps.add(node, tmp, persistent=False, disabled=True, granularity=rows[0][2]),
                bitmaps.merge(node, tmp, [(where, name) for where, name, _ in rows]),
            ]
            end.append(bitmaps.remove(node, tmp))
        await bitmaps.transaction(guest, begin)
        try:
            now = await bitmaps.all_of(guest)
            for target, node in tops.items():
                out[target] = int(now[node][tmp].get("count", 0))
        finally:
            await bitmaps.transaction(guest, end)
    return out
