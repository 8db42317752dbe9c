"""Checkpoints of the test driver's guests."""

from __future__ import annotations

from typing import Any

from kvasir.errors import Code, Error, OperationFailed, OperationUnsupported, Origin
from kvasir.qemu.checkpoints.create import align
from kvasir.qemu.checkpoints.document import Checkpoint, parse
from kvasir.testdriver.guest import Guest
from kvasir.testdriver.reach import Handle, guest

REDEFINE, NO_DOMAIN = 1, 2


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
    """Of a guest that runs, or the document of an older one."""
    one = guest(session, dom)
    if session.driver.snapshot_trees.get(one).known:
        raise OperationUnsupported("cannot create checkpoint while snapshot exists", origin=Origin.TEST)
    if not flags & REDEFINE and not one.active:
        raise OperationUnsupported("cannot create checkpoint for inactive domain", origin=Origin.TEST)
    point = parse(xml_desc, redefine=bool(flags & REDEFINE))
    if point.name in _points(one) and not flags & REDEFINE:
        raise OperationFailed(f"domain moment {point.name} already exists", origin=Origin.DOMAIN_CHECKPOINT)
    if not flags & REDEFINE:
        point.domain = one.now.copy()
        point.domain.id = None
        point.parent = next(reversed(_points(one)), None)
    try:
        align(point, point.domain)
    except Error as error:
        error.origin = Origin.DOMAIN_CHECKPOINT
        raise
    _points(one)[point.name] = point
    return Handle(point.name, one)


def domain_checkpoint_get_xml_desc(session: Any, checkpoint: Any, flags: int) -> str:
    point = _point(session, checkpoint)[1]
    return point.xml(domain=not flags & NO_DOMAIN, secure=bool(flags & 1))


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
