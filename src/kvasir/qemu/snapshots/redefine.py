"""Taking up metadata of a snapshot that was made before."""

from __future__ import annotations

from typing import Any

from kvasir.errors import InvalidArg, Origin

from . import disks
from .document import DISK_SNAPSHOT, Snapshot
from .tree import Tree


def redefine(guest: Any, snap: Snapshot, *, make_current: bool) -> Snapshot:
    """Put a user's document in the place of what is known of the snapshot. Raises InvalidArg for what cannot fit."""
    tree = Tree.of(guest)
    _parent(tree, snap)
    other = tree.known.get(snap.name)
    if snap.domain is not None and snap.domain.uuid != guest.uuid_text:
        raise _wrong(f"definition for snapshot {snap.name} must use uuid {guest.uuid_text}")
    if other is not None:
        _same_kind(snap, other)
        if snap.domain is None:
            snap.domain, snap.inactive = other.domain, other.inactive
        snap.cookie, snap.revert_disks = other.cookie, other.revert_disks
    if snap.domain is not None:
        default = "external" if snap.state == DISK_SNAPSHOT or snap.external else "internal"
        disks.align(snap, snap.domain, default, uniform=default == "internal")
    was_current = tree.current is not None and tree.current.name == snap.name
    before = tree.current
    tree.add(snap)
    try:
        if was_current:
            tree.current = snap
            snap.current = True
        if make_current:
            tree.set_current(snap)
        else:
            tree.save(snap)
    except BaseException:
        tree.current = before
        tree.known.pop(snap.name)
        if other is not None:
            tree.add(other)
        raise
    return snap


def _wrong(text: str) -> InvalidArg:
    return InvalidArg(text, origin=Origin.DOMAIN)


def _parent(tree: Tree, snap: Snapshot) -> None:
    if not snap.parent:
        return
    if snap.parent == snap.name:
        raise _wrong(f"cannot set snapshot {snap.name} as its own parent")
    above = tree.known.get(snap.parent)
    if above is None:
        raise _wrong(f"parent {snap.parent} for snapshot {snap.name} not found")
    while above is not None and above.parent:
        if above.parent == snap.name:
            raise _wrong(f"parent {snap.parent} would create cycle to {snap.name}")
        above = tree.known.get(above.parent)


def _same_kind(snap: Snapshot, other: Snapshot) -> None:
    if (other.state in ("running", "paused")) != (snap.state in ("running", "paused")):
        raise _wrong(f"cannot change between online and offline snapshot state in snapshot {snap.name}")
    if (other.state == DISK_SNAPSHOT) != (snap.state == DISK_SNAPSHOT):
        raise _wrong(f"cannot change between disk only and full system in snapshot {snap.name}")
