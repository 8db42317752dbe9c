"""Checkpoints of guests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags, refuse_secure
from kvasir.calls.guests import guest
from kvasir.calls.points import Handle, Points, handles
from kvasir.qemu.checkpoints import create
from kvasir.qemu.checkpoints.tree import CheckpointTree

if TYPE_CHECKING:
    from kvasir.daemon.session import Session

SECURE, NO_DOMAIN, SIZE = 1, 2, 4
LIST_FLAGS = 1 | 2 | 4 | 8
"""ROOTS or DESCENDANTS, TOPOLOGICAL, LEAVES, NO_LEAVES."""
CHECKPOINTS = Points(CheckpointTree, LIST_FLAGS)


async def domain_checkpoint_create_xml(session: Session, dom: Any, xml_desc: str, flags: int) -> Handle:
    """Make a checkpoint, or take up the metadata of one."""
    check_flags(flags, 5, "qemuCheckpointCreateXML")
    who = guest(session, dom)
    return Handle((await create.create(who, xml_desc, flags)).name, who)


async def domain_checkpoint_get_xml_desc(session: Session, checkpoint: Any, flags: int) -> str:
    """The checkpoint's document."""
    check_flags(flags, SECURE | NO_DOMAIN | SIZE, "qemuCheckpointGetXMLDesc")
    refuse_secure(session.readonly, flags & SECURE, "virDomainCheckpointGetXMLDesc")
    who, _, point = CHECKPOINTS.found(session, checkpoint)
    sizes = await create.sizes(who, point) if flags & SIZE else None
    return str(point.xml(secure=bool(flags & SECURE), domain=not flags & NO_DOMAIN, sizes=sizes))


def domain_list_all_checkpoints(session: Session, dom: Any, need_results: int, flags: int) -> tuple[list[Handle], int]:
    """Every checkpoint that passes the filters."""
    return handles(CHECKPOINTS.selected(session, dom, flags, "qemuDomainListAllCheckpoints"), need_results)


def domain_checkpoint_list_all_children(
    session: Session, checkpoint: Any, need_results: int, flags: int
) -> tuple[list[Handle], int]:
    """Every checkpoint below one that passes the filters."""
    return handles(CHECKPOINTS.below(session, checkpoint, flags, "qemuDomainCheckpointListAllChildren"), need_results)


def domain_checkpoint_lookup_by_name(session: Session, dom: Any, name: str, flags: int) -> Handle:
    """The checkpoint of that name."""
    return CHECKPOINTS.lookup(session, dom, name, flags, "qemuDomainCheckpointLookupByName")


def domain_checkpoint_get_parent(session: Session, checkpoint: Any, flags: int) -> Handle:
    """The one above."""
    return CHECKPOINTS.parent(session, checkpoint, flags, "qemuDomainCheckpointGetParent")


async def domain_checkpoint_delete(session: Session, checkpoint: Any, flags: int) -> None:
    """Delete the checkpoint."""
    check_flags(flags, 7, "qemuCheckpointDelete")
    await create.delete(guest(session, checkpoint.dom), checkpoint.name, flags)
