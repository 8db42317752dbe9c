"""Snapshots and checkpoints of the test driver's guests; reading them is shared with the QEMU driver."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from kvasir.calls import domain_snapshots as shared
from kvasir.calls.flags import check_flags
from kvasir.errors import Code, Error, OperationFailed, OperationUnsupported, Origin, XmlError
from kvasir.qemu.snapshots import document
from kvasir.qemu.states import Paused, Running, Shutoff, State
from kvasir.testdriver.guest import Guest
from kvasir.testdriver.reach import guest
from kvasir.xml.form import Form

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
NO_DOMAIN = 2


class Handle(NamedTuple):
    """A snapshot or checkpoint as the wire names it."""

    name: str
    dom: Any


def domain_snapshot_create_xml(session: Any, dom: Any, xml_desc: str, flags: int) -> Handle:
    """Remember the guest as it is."""
    check_flags(flags, 0xFFF, "testDomainSnapshotCreateXML", Origin.TEST)
    one = guest(session, dom)
    tree = session.driver.snapshot_trees.get(one)
    if _points(one):
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


# --- checkpoints


class Checkpoint:
    """A point in time that backups count from."""

    def __init__(self, name: str, description: str | None, parent: str | None, domain: Any) -> None:
        self.name, self.description, self.parent, self.domain = name, description, parent, domain
        self.created = int(time.time())

    def xml(self, *, whole: bool = True, secure: bool = False) -> str:
        """As libvirt writes it, with the guest's document or without."""
        from kvasir.xml.compiler import escape

        out = [f"<domaincheckpoint>\n  <name>{escape(self.name)}</name>\n"]
        if self.description:
            out.append(f"  <description>{escape(self.description)}</description>\n")
        if self.parent:
            out.append(f"  <parent>\n    <name>{escape(self.parent)}</name>\n  </parent>\n")
        out.append(f"  <creationTime>{self.created}</creationTime>\n  <disks>\n")
        for disk in self.domain.disks:
            if disk.device == "disk":
                out.append(f"    <disk name='{disk.target}' checkpoint='bitmap' bitmap='{escape(self.name)}'/>\n")
            else:
                out.append(f"    <disk name='{disk.target}' checkpoint='no'/>\n")
        inside = self.domain.xml(Form(secure=secure), pad="  ") if whole else ""
        return "".join(out) + f"  </disks>\n{inside}</domaincheckpoint>\n"


def _points(one: Guest) -> dict[str, Checkpoint]:
    if one.checkpoints is None:
        one.checkpoints = {}
    found: dict[str, Checkpoint] = one.checkpoints
    return found


def _point(session: Any, checkpoint: Any) -> tuple[Guest, Checkpoint]:
    one = guest(session, checkpoint.dom)
    return one, _find(one, checkpoint.name)


def _find(one: Guest, name: str) -> Checkpoint:
    if name not in _points(one):
        text = f"no domain checkpoint with matching name '{name}'"
        raise Error(
            text, code=Code.NO_DOMAIN_CHECKPOINT, origin=Origin.TEST, message=f"Domain checkpoint not found: {text}"
        )
    return _points(one)[name]


def _children(one: Guest, name: str | None, deep: bool) -> list[Checkpoint]:
    found = []
    for point in _points(one).values():
        if point.parent == name:
            found.append(point)
            if deep:
                found += _children(one, point.name, True)
    return found


def domain_checkpoint_create_xml(session: Any, dom: Any, xml_desc: str, flags: int) -> Handle:
    """Of a guest that runs."""
    from kvasir.xml.reader import read

    one = guest(session, dom)
    if session.driver.snapshot_trees.get(one).known:
        raise OperationUnsupported("cannot create checkpoint while snapshot exists", origin=Origin.TEST)
    if not one.active:
        raise OperationUnsupported("cannot create checkpoint for inactive domain", origin=Origin.TEST)
    root = read(xml_desc, "(domain_checkpoint)")
    if root.tag != "domaincheckpoint":
        raise XmlError("expecting root element of 'domaincheckpoint', not '" + root.tag + "'", origin=Origin.XML)
    name = root.findtext("name") or str(int(time.time()))
    if name in _points(one):
        raise OperationFailed(f"domain moment {name} already exists", origin=Origin.DOMAIN_CHECKPOINT)
    last = next(reversed(_points(one)), None)
    domain = one.now.copy()
    domain.id = None
    _points(one)[name] = Checkpoint(name, root.findtext("description"), last, domain)
    return Handle(name, one)


def domain_checkpoint_get_xml_desc(session: Any, checkpoint: Any, flags: int) -> str:
    point = _point(session, checkpoint)[1]
    return point.xml(whole=not flags & NO_DOMAIN, secure=bool(flags & 1))


def _selected(one: Guest, start: str | None, flags: int) -> list[Checkpoint]:
    deep = not flags & 1 if start is None else bool(flags & 1)
    found = _children(one, start, deep)
    leaf = {point.name: not _children(one, point.name, False) for point in found}
    if flags & 4 and not flags & 8:
        found = [point for point in found if leaf[point.name]]
    elif flags & 8 and not flags & 4:
        found = [point for point in found if not leaf[point.name]]
    return found


def domain_list_all_checkpoints(session: Any, dom: Any, need_results: int, flags: int) -> tuple[list[Handle], int]:
    one = guest(session, dom)
    found = _selected(one, None, flags)
    return ([Handle(point.name, one) for point in found] if need_results else []), len(found)


def domain_checkpoint_list_all_children(
    session: Any, checkpoint: Any, need_results: int, flags: int
) -> tuple[list[Handle], int]:
    one, start = _point(session, checkpoint)
    found = _selected(one, start.name, flags)
    return ([Handle(point.name, one) for point in found] if need_results else []), len(found)


def domain_checkpoint_lookup_by_name(session: Any, dom: Any, name: str, flags: int) -> Handle:
    one = guest(session, dom)
    return Handle(_find(one, name).name, one)


def domain_checkpoint_get_parent(session: Any, checkpoint: Any, flags: int) -> Handle:
    one, found = _point(session, checkpoint)
    if found.parent is None:
        text = f"checkpoint '{found.name}' does not have a parent"
        raise Error(
            text, code=Code.NO_DOMAIN_CHECKPOINT, origin=Origin.TEST, message=f"Domain checkpoint not found: {text}"
        )
    return Handle(found.parent, one)


def domain_checkpoint_delete(session: Any, checkpoint: Any, flags: int) -> None:
    """Forget one, it and all below, or all below."""
    one, found = _point(session, checkpoint)
    below = _children(one, found.name, True)
    gone = below if flags & 4 else [found, *below] if flags & 1 else [found]
    for point in gone:
        _points(one).pop(point.name, None)
    for point in _points(one).values():
        if point.parent == found.name and found in gone:
            point.parent = found.parent
