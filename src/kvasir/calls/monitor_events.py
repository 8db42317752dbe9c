"""Raw monitor events (program ``qemu``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags

if TYPE_CHECKING:
    from kvasir.daemon.session import Session

PROGRAM = "qemu"
REGEX, NOCASE = 1, 2


def connect_domain_monitor_event_register(session: Session, dom: Any, event: str | None, flags: int) -> int:
    """Events of QEMU's monitor by name, pattern (flag 1) and without regard to case (flag 2)."""
    driver = session.driver
    check_flags(flags, REGEX | NOCASE, "virDomainQemuMonitorEventStateRegisterID")
    if dom is not None:
        driver.lookup_uuid(dom.uuid, dom.name)
    hub = session.events
    return hub.register_monitor(session.client, dom, event, bool(flags & REGEX), bool(flags & NOCASE))


def connect_domain_monitor_event_deregister(session: Session, callbackID: int) -> None:
    """Take that back."""
    session.require_open()
    session.events.deregister(session.client, "monitor", callbackID)
