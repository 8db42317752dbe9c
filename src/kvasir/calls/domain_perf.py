"""A guest's performance events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.changes import STRING_OKAY, Change
from kvasir.calls.flags import check_flags, check_params
from kvasir.calls.guests import CONFIG, LIVE, guest, one
from kvasir.host.perf import NAMES
from kvasir.model.sysinfo import PerfEvent
from kvasir.qemu import perfevents
from kvasir.qemu.jobs import Kind

if TYPE_CHECKING:
    from kvasir.daemon.session import Session


async def domain_get_perf_events(session: Session, dom: Any, flags: int) -> list[tuple[str, Any]]:
    """Which events are counted."""
    check_flags(flags, LIVE | CONFIG | STRING_OKAY, "qemuDomainGetPerfEvents")
    found = guest(session, dom)
    async with found.jobs.normal(Kind.QUERY):
        domain, is_live = one(found, flags & ~STRING_OKAY)
        counted = {event.name for event in domain.perf if event.enabled}
        on = set(found.need_active().perf) if is_live else counted
        return [(name, name in on) for name in NAMES]


async def domain_set_perf_events(session: Session, dom: Any, params: Any, flags: int) -> None:
    """Count events, or no longer."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainSetPerfEvents")
    check_params(params, [(name, bool) for name in NAMES])
    found = guest(session, dom)
    async with Change(found, flags) as change:
        for name, on in params:
            if change.live is not None:
                perfevents.switch(found.need_active(), name, on)
            for domain in change.domains:
                rows = {event.name: event for event in domain.perf}
                rows[name] = PerfEvent(name=name, enabled=on)
                domain.perf = [rows[known] for known in NAMES if known in rows]
