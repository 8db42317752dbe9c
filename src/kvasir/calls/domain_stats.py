"""Statistics of many guests in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.filters import FILTERS, select
from kvasir.calls.flags import check_flags
from kvasir.errors import ArgumentUnsupported
from kvasir.qemu import stats

if TYPE_CHECKING:
    from kvasir.daemon.session import Session


async def connect_get_all_domain_stats(
    session: Session, doms: list[Any], stats: int, flags: int
) -> list[tuple[Any, list[tuple[str, Any]]]]:
    """A record for each guest that is named, or for all that pass the filters."""
    known = FILTERS | _stats.BACKING | _stats.NOWAIT | _stats.ENFORCE
    check_flags(flags, known, "qemuConnectGetAllDomainStats")
    unknown = stats & ~_stats.ALL
    if unknown and flags & _stats.ENFORCE:
        raise ArgumentUnsupported(f"Stats types bits 0x{unknown:x} are not supported by this daemon or QEMU")
    driver = session.driver
    if doms:
        chosen = [guest for dom in doms if (guest := driver.guests.by_uuid.get(bytes(dom.uuid))) is not None]
        chosen = [guest for guest in chosen if guest in select(driver, flags)] if flags & FILTERS else chosen
    else:
        chosen = select(driver, flags)
    return await _stats.records(driver, chosen, stats & _stats.ALL, flags)


_stats = stats
