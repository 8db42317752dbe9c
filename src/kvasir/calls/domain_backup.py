"""Backups of running guests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags
from kvasir.calls.guests import guest
from kvasir.errors import OperationUnsupported
from kvasir.qemu.backups import run
from kvasir.qemu.backups.document import parse

if TYPE_CHECKING:
    from kvasir.daemon.session import Session


async def domain_backup_begin(
    session: Session, dom: Any, backup_xml: str, checkpoint_xml: str | None, flags: int
) -> None:
    """Begin a backup; with a second document a checkpoint of the same moment too."""
    check_flags(flags, run.REUSE, "qemuBackupBegin")
    found = guest(session, dom)
    if not found.active:
        parse(backup_xml)
        raise OperationUnsupported("cannot perform disk backup for inactive domain")
    await run.begin(found, backup_xml, checkpoint_xml, flags)


def domain_backup_get_xml_desc(session: Session, dom: Any, flags: int) -> str:
    """The document of the backup that runs."""
    check_flags(flags, 0, "qemuBackupGetXMLDesc")
    return run.document(guest(session, dom))
