"""Saving and restoring guests: files of the user's, and the daemon's own."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags, check_params
from kvasir.calls.guests import dispatcher, guest
from kvasir.errors import InvalidArg, SystemFailure
from kvasir.qemu import restore, save
from kvasir.qemu.jobs import CALLER, Kind

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.rpc.typed import Params

BYPASS_CACHE, RUNNING, PAUSED, RESET_NVRAM = 1, 2, 4, 8
SECURE = 1


async def domain_save(session: Session, dom: Any, to: str) -> None:
    """Save a guest into a file and end it."""
    await save.save(guest(session, dom), to, None, 0)


async def domain_save_flags(session: Session, dom: Any, to: str, dxml: str | None, flags: int) -> None:
    """As ``domain_save``, with another definition, past the page cache, or told whether it shall run later."""
    check_flags(flags, BYPASS_CACHE | RUNNING | PAUSED, "qemuDomainSaveFlags")
    await save.save(guest(session, dom), to, dxml, flags)


async def domain_save_params(session: Session, dom: Any, params: Params, flags: int) -> None:
    """As ``domain_save_flags``; without ``file`` it is the daemon's own file."""
    check_flags(flags, BYPASS_CACHE | RUNNING | PAUSED, "qemuDomainSaveParams")
    check_params(params, (("file", str), ("dxml", str)))
    found, given = guest(session, dom), dict(params)
    if "file" not in given:
        if "dxml" in given:
            raise InvalidArg("xml modification unsupported for managed save")
        await save.managed(found, flags)
        return
    document = given.get("dxml")
    await save.save(found, str(given["file"]), None if document is None else str(document), flags)


async def domain_restore(session: Session, from_: str) -> None:
    """Go on from a saved file."""
    await domain_restore_flags(session, from_, None, 0)


async def domain_restore_flags(session: Session, from_: str, dxml: str | None, flags: int) -> None:
    """Go on from a saved file, with another definition, past the page cache, running or paused."""
    check_flags(flags, BYPASS_CACHE | RUNNING | PAUSED | RESET_NVRAM, "qemuDomainRestoreInternal")
    CALLER.set(dispatcher(session.procedure.name))
    await restore.restore(session.driver, from_, dxml, flags)


async def domain_restore_params(session: Session, params: Params, flags: int) -> None:
    """As ``domain_restore_flags``."""
    check_params(params, (("file", str), ("dxml", str)))
    given = dict(params)
    if "file" not in given:
        raise InvalidArg("missing path to restore from")
    document = given.get("dxml")
    await domain_restore_flags(session, str(given["file"]), None if document is None else str(document), flags)


async def domain_save_image_get_xml_desc(session: Session, file: str, flags: int) -> str:
    """The definition in a saved file."""
    check_flags(flags, SECURE, "qemuDomainSaveImageGetXMLDesc")
    return await restore.image_xml(session.driver, file, secure=bool(flags & SECURE))


async def domain_save_image_define_xml(session: Session, file: str, dxml: str, flags: int) -> None:
    """Replace the definition in a saved file."""
    check_flags(flags, RUNNING | PAUSED, "qemuDomainSaveImageDefineXML")
    await restore.change_image(session.driver, file, dxml, flags)


async def domain_managed_save(session: Session, dom: Any, flags: int) -> None:
    """Save a guest into the daemon's own file, from which its next start goes on."""
    check_flags(flags, BYPASS_CACHE | RUNNING | PAUSED, "qemuDomainManagedSave")
    await save.managed(guest(session, dom), flags)


def domain_has_managed_save_image(session: Session, dom: Any, flags: int) -> int:
    """Whether the next start goes on from a saved state."""
    check_flags(flags, 0, "qemuDomainHasManagedSaveImage")
    return int(os.path.exists(save.managed_path(guest(session, dom))))


async def domain_managed_save_remove(session: Session, dom: Any, flags: int) -> None:
    """Drop the daemon's own saved state of a guest."""
    check_flags(flags, 0, "qemuDomainManagedSaveRemove")
    found = guest(session, dom)
    async with found.jobs.normal(Kind.MODIFY):
        path = save.managed_path(found)
        try:
            await asyncio.to_thread(os.unlink, path)
        except OSError as error:
            raise SystemFailure(f"Failed to remove managed save file '{path}'", error) from error


async def domain_managed_save_get_xml_desc(session: Session, dom: Any, flags: int) -> str:
    """The definition in the daemon's own saved state."""
    check_flags(flags, SECURE, "qemuDomainManagedSaveGetXMLDesc")
    path = restore.need_managed(guest(session, dom))
    return await restore.image_xml(session.driver, path, secure=bool(flags & SECURE))


async def domain_managed_save_define_xml(session: Session, dom: Any, dxml: str | None, flags: int) -> None:
    """Replace the definition in the daemon's own saved state."""
    check_flags(flags, RUNNING | PAUSED, "qemuDomainManagedSaveDefineXML")
    await restore.change_image(session.driver, restore.need_managed(guest(session, dom)), dxml, flags)
