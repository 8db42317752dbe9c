"""Finding guests: look-ups, lists with filters, the old pairs of number and list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.filters import FILTERS, select
from kvasir.calls.flags import check_flags

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.qemu.guest import Guest


def domain_lookup_by_id(session: Session, id: int) -> Guest:
    """The running guest of that id."""
    return session.driver.lookup_id(id)  # type: ignore[no-any-return]


def domain_lookup_by_name(session: Session, name: str) -> Guest:
    """The guest of that name."""
    return session.driver.lookup_name(name)  # type: ignore[no-any-return]


def domain_lookup_by_uuid(session: Session, uuid: bytes) -> Guest:
    """The guest of that uuid."""
    return session.driver.lookup_uuid(uuid)  # type: ignore[no-any-return]


def connect_list_all_domains(session: Session, need_results: int, flags: int) -> tuple[list[Guest], int]:
    """Every guest that passes the filters."""
    check_flags(flags, FILTERS, "qemuConnectListAllDomains")
    found = select(session.driver, flags)
    return (found if need_results else []), len(found)


def connect_num_of_domains(session: Session) -> int:
    """How many guests run."""
    return len(session.driver.guests.by_id)


def connect_list_domains(session: Session, maxids: int) -> list[int]:
    """The ids of the running guests."""
    return sorted(session.driver.guests.by_id)[:maxids]


def connect_num_of_defined_domains(session: Session) -> int:
    """How many guests are defined and do not run."""
    return sum(1 for guest in session.driver.guests.by_uuid.values() if not guest.active)


def connect_list_defined_domains(session: Session, maxnames: int) -> list[str]:
    """The names of the guests that are defined and do not run."""
    return [guest.name for guest in session.driver.guests.by_uuid.values() if not guest.active][:maxnames]


def domain_is_active(session: Session, dom: Any) -> int:
    """Whether the guest runs."""
    return int(session.driver.lookup_uuid(dom.uuid, dom.name).active)


def domain_is_persistent(session: Session, dom: Any) -> int:
    """Whether the guest is defined."""
    return int(session.driver.lookup_uuid(dom.uuid, dom.name).persistent)


def domain_is_updated(session: Session, dom: Any) -> int:
    """Whether the definition changed while the guest runs."""
    return int(session.driver.lookup_uuid(dom.uuid, dom.name).updated)
