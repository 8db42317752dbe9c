"""Snapshots and checkpoints of the test driver's guests; reading them is shared with the QEMU driver."""

from __future__ import annotations

from typing import Any

from kvasir.calls import domain_snapshots as shared
from kvasir.calls.flags import check_flags
from kvasir.errors import OperationFailed, OperationUnsupported, Origin
from kvasir.qemu.snapshots import document
from kvasir.qemu.states import Paused, Running, Shutoff, State
from kvasir.testdriver.reach import Handle, guest

SHARED = (
    *("domain_snapshot_get_xml_desc", "domain_snapshot_num", "domain_snapshot_list_names", "domain_list_all_snapshots"),
    *("domain_snapshot_num_children", "domain_snapshot_list_children_names", "domain_snapshot_list_all_children"),
    *("domain_snapshot_lookup_by_name", "domain_has_current_snapshot", "domain_snapshot_current"),
    *("domain_snapshot_get_parent", "domain_snapshot_is_current", "domain_snapshot_has_metadata"),
)
"""Served by the functions of ``kvasir.calls.domain_snapshots``."""
PROCEDURES = {name: getattr(shared, name) for name in SHARED}
REDEFINE, CURRENT, HALT, DISK_ONLY = 1, 2, 8, 16
REVERT_RUNNING, REVERT_PAUSED = 1, 2
CHILDREN, METADATA_ONLY, CHILDREN_ONLY = 1, 2, 4


def domain_snapshot_create_xml(session: Any, dom: Any, xml_desc: str, flags: int) -> Handle:
    """Remember the guest as it is."""
    check_flags(flags, 0xFFF, "testDomainSnapshotCreateXML", Origin.TEST)
    one = guest(session, dom)
    tree = session.driver.snapshot_trees.get(one)
    if one.checkpoints:
        raise OperationUnsupported("cannot create snapshot while checkpoint exists", origin=Origin.TEST)
    snap = document.parse(xml_desc, redefine=bool(flags & REDEFINE), offline=not one.active or bool(flags & DISK_ONLY))
    if snap.name in tree.known and not flags & REDEFINE:
        raise OperationFailed(f"domain moment {snap.name} already exists", origin=Origin.DOMAIN_SNAPSHOT)
    if not flags & REDEFINE:
        snap.domain = one.now.copy()
        snap.domain.id = None
        snap.state = document.state_word(one.state)
        snap.parent = tree.current.name if tree.current is not None else None
        if not one.active:
            snap.memory = "no"
        if not flags & DISK_ONLY:
            _all_disks(snap, one.now)
    tree.add(snap)
    if not flags & REDEFINE or flags & CURRENT:
        tree.set_current(snap)
    if flags & HALT and one.active:
        one.end(Shutoff.FROM_SNAPSHOT)
        session.driver.event(one, 5, 6)
    return Handle(snap.name, one)


def _all_disks(snap: Any, domain: Any) -> None:
    """Each disk stands in the snapshot, kept inside its image unless said or impossible."""
    said = {disk.name: disk for disk in snap.disks}
    snap.disks = []
    for disk in domain.disks:
        row = said.get(disk.target) or document.SnapshotDisk(name=disk.target)
        row.snapshot = row.snapshot or ("no" if disk.readonly or disk.location() is None else "internal")
        snap.disks.append(row)


def domain_revert_to_snapshot(session: Any, snap: Any, flags: int) -> None:
    """Make the guest what it was."""
    check_flags(flags, 7, "testDomainRevertToSnapshot", Origin.TEST)
    one = guest(session, snap.dom)
    tree = session.driver.snapshot_trees.get(one)
    found = tree.find(snap.name)
    wanted = (
        found.state
        if not flags & (REVERT_RUNNING | REVERT_PAUSED)
        else "running"
        if flags & REVERT_RUNNING
        else "paused"
    )
    was = one.active
    if found.domain is not None:
        one.config = found.domain.copy()
    if wanted in ("running", "paused"):
        one.begin(Running.FROM_SNAPSHOT)
        if not was:
            session.driver.event(one, 2, 3)
        one.state, one.reason = State.RUNNING, int(Running.FROM_SNAPSHOT)
        if wanted == "paused":
            one.state, one.reason = State.PAUSED, int(Paused.FROM_SNAPSHOT)
            session.driver.event(one, 3, 5)
    elif was:
        one.end(Shutoff.FROM_SNAPSHOT)
        session.driver.event(one, 5, 6)
    tree.set_current(found)


def domain_snapshot_delete(session: Any, snap: Any, flags: int) -> None:
    """Forget one, it and all below, or all below."""
    check_flags(flags, 5, "testDomainSnapshotDelete", Origin.TEST)
    tree = session.driver.snapshot_trees.get(guest(session, snap.dom))
    found = tree.find(snap.name)
    if flags & (CHILDREN | CHILDREN_ONLY):
        for one in reversed(list(tree.below(found))):
            if tree.current is one:
                tree.set_current(found)
            tree.drop(one)
    if not flags & CHILDREN_ONLY:
        tree.drop(found)
