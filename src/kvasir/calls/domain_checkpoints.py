"""Checkpoints of guests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kvasir.calls.flags import check_flags, refuse_secure
from kvasir.calls.guests import guest
from kvasir.qemu.checkpoints import create
from kvasir.qemu.checkpoints.document import Checkpoint
from kvasir.qemu.checkpoints.tree import CheckpointTree, NoCheckpoint

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.qemu.guest import Guest

SECURE, NO_DOMAIN, SIZE = 1, 2, 4
LIST_FLAGS = 1 | 2 | 4 | 8
"""ROOTS or DESCENDANTS, TOPOLOGICAL, LEAVES, NO_LEAVES."""


class Handle(NamedTuple):
    """A checkpoint as the wire names it."""

    name: str
    dom: Any


def _found(session: Session, point: Any) -> tuple[Guest, CheckpointTree, Checkpoint]:
    who = guest(session, point.dom)
    tree = CheckpointTree.of(who)
    return who, tree, tree.find(point.name)


async def domain_checkpoint_create_xml(session: Session, dom: Any, xml_desc: str, flags: int) -> Handle:
    """Make a checkpoint, or take up the metadata of one."""
    check_flags(flags, 7, "qemuCheckpointCreateXML")
    who = guest(session, dom)
    return Handle((await create.create(who, xml_desc, flags)).name, who)


async def domain_checkpoint_get_xml_desc(session: Session, checkpoint: Any, flags: int) -> str:
    """The checkpoint's document."""
    check_flags(flags, SECURE | NO_DOMAIN | SIZE, "qemuCheckpointGetXMLDesc")
    refuse_secure(session.readonly, flags & SECURE, "virDomainCheckpointGetXMLDesc")
    who, _, point = _found(session, checkpoint)
    sizes = await create.sizes(who, point) if flags & SIZE else None
    return point.xml(secure=bool(flags & SECURE), domain=not flags & NO_DOMAIN, sizes=sizes)


def domain_list_all_checkpoints(session: Session, dom: Any, need_results: int, flags: int) -> tuple[list[Handle], int]:
    """Every checkpoint that passes the filters."""
    check_flags(flags, LIST_FLAGS, "qemuDomainListAllCheckpoints")
    who = guest(session, dom)
    found = CheckpointTree.of(who).select(None, flags)
    return ([Handle(one.name, who) for one in found] if need_results else []), len(found)


def domain_checkpoint_list_all_children(
    session: Session, checkpoint: Any, need_results: int, flags: int
) -> tuple[list[Handle], int]:
    """Every checkpoint below one that passes the filters."""
    check_flags(flags, LIST_FLAGS, "qemuDomainCheckpointListAllChildren")
    who, tree, point = _found(session, checkpoint)
    found = tree.select(point, flags)
    return ([Handle(one.name, who) for one in found] if need_results else []), len(found)


def domain_checkpoint_lookup_by_name(session: Session, dom: Any, name: str, flags: int) -> Handle:
    """The checkpoint of that name."""
    check_flags(flags, 0, "qemuDomainCheckpointLookupByName")
    who = guest(session, dom)
    return Handle(CheckpointTree.of(who).find(name).name, who)


def domain_checkpoint_get_parent(session: Session, checkpoint: Any, flags: int) -> Handle:
    """The one above."""
    check_flags(flags, 0, "qemuDomainCheckpointGetParent")
    who, tree, point = _found(session, checkpoint)
    parent = tree.parent(point)
    if parent is None:
        raise NoCheckpoint(f"checkpoint '{point.name}' does not have a parent")
    return Handle(parent.name, who)


async def domain_checkpoint_delete(session: Session, checkpoint: Any, flags: int) -> None:
    """Delete the checkpoint."""
    check_flags(flags, 7, "qemuCheckpointDelete")
    await create.delete(guest(session, checkpoint.dom), checkpoint.name, flags)
