"""Snapshots of guests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags, refuse_secure
from kvasir.calls.guests import guest
from kvasir.calls.points import Handle, Points, handles
from kvasir.qemu.snapshots import create as creating
from kvasir.qemu.snapshots import delete as deleting
from kvasir.qemu.snapshots import revert as reverting
from kvasir.qemu.snapshots.tree import Tree
from kvasir.xml import outlines
from kvasir.xml.reader import read

if TYPE_CHECKING:
    from kvasir.daemon.session import Session

SECURE = 1
LIST_FLAGS = (1 << 11) - 1
"""ROOTS or DESCENDANTS, METADATA, LEAVES, NO_LEAVES, NO_METADATA, INACTIVE, ACTIVE, DISK_ONLY, INTERNAL, EXTERNAL, TOPOLOGICAL."""
SNAPSHOTS = Points(Tree, LIST_FLAGS)


async def domain_snapshot_create_xml(session: Session, dom: Any, xml_desc: str, flags: int) -> Handle:
    """Make a snapshot, or take up the metadata of one."""
    check_flags(flags, creating.ALL, "qemuSnapshotCreateXML")
    who = guest(session, dom)
    if flags & creating.VALIDATE:
        outlines.check(read(xml_desc, "(domain_snapshot)"), "domainsnapshot")
    snap = await creating.create(who, xml_desc, flags)
    return Handle(snap.name, who)


def domain_snapshot_get_xml_desc(session: Session, snap: Any, flags: int) -> str:
    """The snapshot's document."""
    check_flags(flags, SECURE, "qemuDomainSnapshotGetXMLDesc")
    refuse_secure(session.readonly, flags & SECURE, "virDomainSnapshotGetXMLDesc")
    return str(SNAPSHOTS.found(session, snap)[2].xml(secure=bool(flags & SECURE)))


def domain_snapshot_num(session: Session, dom: Any, flags: int) -> int:
    """How many snapshots pass the filters."""
    return len(SNAPSHOTS.selected(session, dom, flags, "qemuDomainSnapshotNum")[1])


def domain_snapshot_list_names(session: Session, dom: Any, maxnames: int, flags: int) -> list[str]:
    """Their names."""
    return [snap.name for snap in SNAPSHOTS.selected(session, dom, flags, "qemuDomainSnapshotListNames")[1]][:maxnames]


def domain_list_all_snapshots(session: Session, dom: Any, need_results: int, flags: int) -> tuple[list[Handle], int]:
    """Every snapshot that passes the filters."""
    return handles(SNAPSHOTS.selected(session, dom, flags, "qemuDomainListAllSnapshots"), need_results)


def domain_snapshot_num_children(session: Session, snap: Any, flags: int) -> int:
    """How many are below one."""
    return len(SNAPSHOTS.below(session, snap, flags, "qemuDomainSnapshotNumChildren")[1])


def domain_snapshot_list_children_names(session: Session, snap: Any, maxnames: int, flags: int) -> list[str]:
    """Their names."""
    return [one.name for one in SNAPSHOTS.below(session, snap, flags, "qemuDomainSnapshotListChildrenNames")[1]][
        :maxnames
    ]


def domain_snapshot_list_all_children(
    session: Session, snapshot: Any, need_results: int, flags: int
) -> tuple[list[Handle], int]:
    """Every snapshot below one that passes the filters."""
    return handles(SNAPSHOTS.below(session, snapshot, flags, "qemuDomainSnapshotListAllChildren"), need_results)


def domain_snapshot_lookup_by_name(session: Session, dom: Any, name: str, flags: int) -> Handle:
    """The snapshot of that name."""
    return SNAPSHOTS.lookup(session, dom, name, flags, "qemuDomainSnapshotLookupByName")


def domain_has_current_snapshot(session: Session, dom: Any, flags: int) -> int:
    """Whether one is current."""
    check_flags(flags, 0, "qemuDomainHasCurrentSnapshot")
    return int(Tree.of(guest(session, dom)).current is not None)


def domain_snapshot_current(session: Session, dom: Any, flags: int) -> Handle:
    """The current one."""
    check_flags(flags, 0, "qemuDomainSnapshotCurrent")
    who = guest(session, dom)
    tree = Tree.of(who)
    current = tree.current
    if current is None:
        raise tree.MISSING("the domain does not have a current snapshot")
    return Handle(current.name, who)


def domain_snapshot_get_parent(session: Session, snap: Any, flags: int) -> Handle:
    """The one above."""
    return SNAPSHOTS.parent(session, snap, flags, "qemuDomainSnapshotGetParent")


def domain_snapshot_is_current(session: Session, snap: Any, flags: int) -> int:
    """Whether it is the current one."""
    check_flags(flags, 0, "qemuDomainSnapshotIsCurrent")
    _, tree, found = SNAPSHOTS.found(session, snap)
    return int(tree.current is found)


def domain_snapshot_has_metadata(session: Session, snap: Any, flags: int) -> int:
    """Every snapshot that we know has metadata."""
    check_flags(flags, 0, "qemuDomainSnapshotHasMetadata")
    SNAPSHOTS.found(session, snap)
    return 1


async def domain_revert_to_snapshot(session: Session, snap: Any, flags: int) -> None:
    """Bring the guest to the snapshot's state."""
    check_flags(flags, 15, "qemuSnapshotRevert")
    await reverting.revert(guest(session, snap.dom), snap.name, flags)


async def domain_snapshot_delete(session: Session, snap: Any, flags: int) -> None:
    """Delete the snapshot."""
    check_flags(flags, 7, "qemuSnapshotDelete")
    await deleting.delete(guest(session, snap.dom), snap.name, flags)
