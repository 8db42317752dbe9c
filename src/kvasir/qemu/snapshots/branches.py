"""Which images of external snapshots are still stood on: by the guest as it is, or by other snapshots."""

from __future__ import annotations

import os
from typing import Any

from kvasir.errors import ConfigUnsupported
from kvasir.qemu.blocks import graph
from kvasir.qemu.chain import MAX_LAYERS, _read
from kvasir.storage import probe

from .document import Snapshot, SnapshotDisk
from .tree import Tree


def overlays(snap: Snapshot, name: str) -> list[SnapshotDisk]:
    """The images that the snapshot (and going back to it) put above one disk's."""
    found: dict[str, SnapshotDisk] = {}
    for entry in (*snap.disks, *snap.revert_disks):
        if entry.name == name and entry.snapshot == "external" and entry.path:
            found.setdefault(entry.path, entry)
    return list(found.values())


def chain_of(guest: Any, name: str) -> list[str]:
    """The paths of the guest's chain of now, top first."""
    disk = next((disk for disk in guest.current.disks if disk.target == name), None)
    if disk is None or disk.empty:
        return []
    if guest.active:
        return [image.path for image in graph.of_disk(disk).images()]
    return below(str(disk.location()))


def below(path: str) -> list[str]:
    """An image and what its head says lies under it."""
    found: list[str] = []
    while path and path.startswith("/") and path not in found and len(found) < MAX_LAYERS:
        found.append(path)
        info = _read(path)
        path = probe.resolve_backing(path, info.backing) if info is not None and info.backing else ""
    return found


def frozen_by(tree: Tree, path: str, gone: list[Snapshot]) -> list[Snapshot]:
    """The external snapshots (but those in ``gone``) that hold an image as it was."""
    found = []
    for one in tree.known.values():
        if one in gone or one.domain is None or not one.external:
            continue
        held = {entry.name for entry in one.disks if entry.snapshot == "external"}
        if any(disk.location() == path and disk.target in held for disk in one.domain.disks):
            found.append(one)
    return found


def in_use(guest: Any, tree: Tree, entry: SnapshotDisk, gone: list[Snapshot]) -> bool:
    """Whether the guest or another snapshot needs the image."""
    return entry.path in chain_of(guest, str(entry.name)) or bool(frozen_by(tree, entry.path, gone))


def check(guest: Any, tree: Tree, snap: Snapshot, gone: list[Snapshot]) -> None:
    """Refuse to merge where two branches stand on one image. Raises ConfigUnsupported."""
    for entry in snap.disks:
        if entry.snapshot != "external":
            continue
        needed = [one for one in overlays(snap, str(entry.name)) if in_use(guest, tree, one, gone)]
        frozen = _frozen(snap, str(entry.name))
        others = [one for one in frozen_by(tree, frozen, [*gone, snap]) if frozen]
        if len(needed) > 1 or (needed and others):
            raise ConfigUnsupported(
                f"more than one branch stands on image '{frozen}' of disk '{entry.name}', which snapshot '{snap.name}' froze",
                hint="delete the other snapshots first, or only the metadata: virsh snapshot-delete --metadata",
            )


def _frozen(snap: Snapshot, name: str) -> str:
    disk = next((disk for disk in snap.domain.disks if disk.target == name), None) if snap.domain is not None else None
    return str(disk.location() or "") if disk is not None else ""


def drop_unused(guest: Any, tree: Tree, snap: Snapshot, name: str, gone: list[Snapshot]) -> SnapshotDisk | None:
    """Remove the images that nobody needs; the one that somebody needs is given."""
    kept: SnapshotDisk | None = None
    for entry in overlays(snap, name):
        if in_use(guest, tree, entry, gone):
            kept = entry
        elif entry.type in (None, "file") and os.path.isfile(entry.path):
            os.unlink(entry.path)
    return kept


def stood_on(guest: Any, tree: Tree, snap: Snapshot) -> list[str]:
    """The images of an internal snapshot that external ones froze: going back to it would write to them."""
    found = []
    for disk in snap.domain.disks if snap.domain is not None else ():
        path = str(disk.location() or "")
        if path and not disk.readonly and frozen_by(tree, path, [snap]):
            found.append(path)
    return found
