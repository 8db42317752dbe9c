"""Limits of disks: blkdeviotune."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.changes import STRING_OKAY, Change
from kvasir.calls.flags import check_flags, check_params
from kvasir.calls.guests import CONFIG, LIVE, guest, one
from kvasir.qemu import iotune
from kvasir.qemu.jobs import Kind

if TYPE_CHECKING:
    from kvasir.daemon.session import Session


async def domain_get_block_io_tune(
    session: Session, dom: Any, disk: str | None, nparams: int, flags: int
) -> tuple[list[tuple[str, Any]], int]:
    """The limits of a disk: what QEMU says, or what the definition says."""
    check_flags(flags, LIVE | CONFIG | STRING_OKAY, "qemuDomainGetBlockIoTune")
    found = guest(session, dom)
    domain, is_live = one(found, flags & ~STRING_OKAY)
    if not nparams:
        return [], len(iotune.NAMES)
    known = iotune.disk_of(domain, disk or "", live=is_live)
    if is_live:
        async with found.jobs.normal(Kind.QUERY):
            rows = await iotune.from_qemu(found, known)
    else:
        rows = iotune.rows(known.iotune)
    if not flags & STRING_OKAY:
        rows = [row for row in rows if row[0] != "group_name"]
    return rows[:nparams], min(nparams, len(rows))


async def domain_set_block_io_tune(session: Session, dom: Any, disk: str, params: Any, flags: int) -> None:
    """Change the limits of a disk; of bytes and operations each set is given whole."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainSetBlockIoTune")
    check_params(params, iotune.KNOWN)
    wanted = {str(name): value for name, value in params}
    iotune.check_sets(wanted)
    found = guest(session, dom)
    async with Change(found, flags) as change:
        live = iotune.disk_of(change.live, disk) if change.live is not None else None
        config = iotune.disk_of(change.config, disk, live=False) if change.config is not None else None
        if live is not None:
            await iotune.set_live(found, live, wanted)
        if config is not None:
            iotune.put(change.config, config, iotune.merged(config.iotune, wanted))
