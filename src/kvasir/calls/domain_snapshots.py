"""Snapshots of guests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kvasir.calls.flags import check_flags, refuse_secure
from kvasir.calls.guests import guest
from kvasir.qemu.snapshots import create as creating
from kvasir.qemu.snapshots import delete as deleting
from kvasir.qemu.snapshots import revert as reverting
from kvasir.qemu.snapshots.document import Snapshot
from kvasir.qemu.snapshots.tree import NoSnapshot, Tree

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.qemu.guest import Guest

SECURE = 1
LIST_FLAGS = (1 << 11) - 1
"""ROOTS or DESCENDANTS, METADATA, LEAVES, NO_LEAVES, NO_METADATA, INACTIVE, ACTIVE, DISK_ONLY, INTERNAL, EXTERNAL, TOPOLOGICAL."""


class Handle(NamedTuple):
    """A snapshot as the wire names it."""

    name: str
    dom: Any


def _found(session: Session, snap: Any) -> tuple[Guest, Tree, Snapshot]:
    who = guest(session, snap.dom)
    tree = Tree.of(who)
    return who, tree, tree.find(snap.name)


async def domain_snapshot_create_xml(session: Session, dom: Any, xml_desc: str, flags: int) -> Handle:
    """Make a snapshot, or take up the metadata of one."""
    check_flags(flags, creating.ALL, "qemuSnapshotCreateXML")
    who = guest(session, dom)
    snap = await creating.create(who, xml_desc, flags)
    return Handle(snap.name, who)


def domain_snapshot_get_xml_desc(session: Session, snap: Any, flags: int) -> str:
    """The snapshot's document."""
    check_flags(flags, SECURE, "qemuDomainSnapshotGetXMLDesc")
    refuse_secure(session.readonly, flags & SECURE, "virDomainSnapshotGetXMLDesc")
    return str(_found(session, snap)[2].xml(secure=bool(flags & SECURE)))


def _selected(session: Session, dom: Any, flags: int, function: str) -> tuple[Guest, list[Snapshot]]:
    check_flags(flags, LIST_FLAGS, function)
    who = guest(session, dom)
    return who, Tree.of(who).select(None, flags)


def domain_snapshot_num(session: Session, dom: Any, flags: int) -> int:
    """How many snapshots pass the filters."""
    return len(_selected(session, dom, flags, "qemuDomainSnapshotNum")[1])


def domain_snapshot_list_names(session: Session, dom: Any, maxnames: int, flags: int) -> list[str]:
    """Their names."""
    return [snap.name for snap in _selected(session, dom, flags, "qemuDomainSnapshotListNames")[1]][:maxnames]


def domain_list_all_snapshots(session: Session, dom: Any, need_results: int, flags: int) -> tuple[list[Handle], int]:
    """Every snapshot that passes the filters."""
    who, found = _selected(session, dom, flags, "qemuDomainListAllSnapshots")
    return ([Handle(snap.name, who) for snap in found] if need_results else []), len(found)


def _below(session: Session, snap: Any, flags: int, function: str) -> tuple[Guest, list[Snapshot]]:
    check_flags(flags, LIST_FLAGS, function)
    who, tree, start = _found(session, snap)
    return who, tree.select(start, flags)


def domain_snapshot_num_children(session: Session, snap: Any, flags: int) -> int:
    """How many are below one."""
    return len(_below(session, snap, flags, "qemuDomainSnapshotNumChildren")[1])


def domain_snapshot_list_children_names(session: Session, snap: Any, maxnames: int, flags: int) -> list[str]:
    """Their names."""
    return [one.name for one in _below(session, snap, flags, "qemuDomainSnapshotListChildrenNames")[1]][:maxnames]


def domain_snapshot_list_all_children(
    session: Session, snapshot: Any, need_results: int, flags: int
) -> tuple[list[Handle], int]:
    """Every snapshot below one that passes the filters."""
    who, found = _below(session, snapshot, flags, "qemuDomainSnapshotListAllChildren")
    return ([Handle(snap.name, who) for snap in found] if need_results else []), len(found)


def domain_snapshot_lookup_by_name(session: Session, dom: Any, name: str, flags: int) -> Handle:
    """The snapshot of that name."""
    check_flags(flags, 0, "qemuDomainSnapshotLookupByName")
    who = guest(session, dom)
    return Handle(Tree.of(who).find(name).name, who)


def domain_has_current_snapshot(session: Session, dom: Any, flags: int) -> int:
    """Whether one is current."""
    check_flags(flags, 0, "qemuDomainHasCurrentSnapshot")
    return int(Tree.of(guest(session, dom)).current is not None)


def domain_snapshot_current(session: Session, dom: Any, flags: int) -> Handle:
    """The current one."""
    check_flags(flags, 0, "qemuDomainSnapshotCurrent")
    who = guest(session, dom)
    current = Tree.of(who).current
    if current is None:
        raise NoSnapshot("the domain does not have a current snapshot")
    return Handle(current.name, who)


def domain_snapshot_get_parent(session: Session, snap: Any, flags: int) -> Handle:
    """The one above."""
    check_flags(flags, 0, "qemuDomainSnapshotGetParent")
    who, tree, found = _found(session, snap)
    parent = tree.parent(found)
    if parent is None:
        raise NoSnapshot(f"snapshot '{found.name}' does not have a parent")
    return Handle(parent.name, who)


def domain_snapshot_is_current(session: Session, snap: Any, flags: int) -> int:
    """Whether it is the current one."""
    check_flags(flags, 0, "qemuDomainSnapshotIsCurrent")
    _, tree, found = _found(session, snap)
    return int(tree.current is found)


def domain_snapshot_has_metadata(session: Session, snap: Any, flags: int) -> int:
    """Every snapshot that we know has metadata."""
    check_flags(flags, 0, "qemuDomainSnapshotHasMetadata")
    _found(session, snap)
    return 1


async def domain_revert_to_snapshot(session: Session, snap: Any, flags: int) -> None:
    """Bring the guest to the snapshot's state."""
    check_flags(flags, 15, "qemuSnapshotRevert")
    await reverting.revert(guest(session, snap.dom), snap.name, flags)


async def domain_snapshot_delete(session: Session, snap: Any, flags: int) -> None:
    """Delete the snapshot."""
    check_flags(flags, 7, "qemuSnapshotDelete")
    await deleting.delete(guest(session, snap.dom), snap.name, flags)
