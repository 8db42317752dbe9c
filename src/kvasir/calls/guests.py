"""What the domain procedures share: finding the guest, the LIVE and CONFIG flags, the words of their errors. No procedures."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from kvasir.errors import InvalidArg, OperationInvalid, Origin
from kvasir.host.files import rehearse
from kvasir.qemu.jobs import CALLER

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.qemu.guest import Guest

LIVE, CONFIG = 1, 2


def guest(session: Session, dom: Any) -> Guest:
    """The guest that a call names, by its uuid alone. Raises NoDomain."""
    CALLER.set(dispatcher(session.procedure.name))
    found: Guest = session.driver.lookup_uuid(dom.uuid, dom.name)
    return found


@cache
def dispatcher(procedure: str) -> str:
    """The name under which libvirt's daemon holds a lock: ``remoteDispatchDomainSuspend``."""
    return "remoteDispatch" + "".join(word.capitalize() for word in procedure.split("_"))


def impact(who: Guest, flags: int) -> tuple[bool, bool]:
    """(live, config) of a call that changes what its CURRENT, LIVE and CONFIG flags say. Raises OperationInvalid in libvirt's words.

    Before a running guest is touched, FileFailure says which of its files cannot be written.
    """
    live, config = meant(who, flags)
    if live:
        who.driver.status.rehearse(who.name)
        if config:
            rehearse(who.driver.store.path(who.name), len(who.text or ""))
    return live, config


def meant(who: Any, flags: int) -> tuple[bool, bool]:
    """(live, config) of a guest of any driver, with CURRENT resolved. Raises OperationInvalid."""
    live, config = bool(flags & LIVE), bool(flags & CONFIG)
    if not live and not config:
        live, config = who.active, not who.active
    if live and not who.active:
        raise OperationInvalid("domain is not running", origin=Origin.DOMAIN)
    if config and not who.persistent:
        raise OperationInvalid("transient domains do not have any persistent config", origin=Origin.DOMAIN)
    return live, config


def one(who: Guest, flags: int) -> tuple[Any, bool]:
    """(definition, whether it is the live one) for a call that reads. LIVE and CONFIG together are refused."""
    if flags & LIVE and flags & CONFIG:
        text = "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually exclusive"
        raise InvalidArg(text, message=text)
    live, _ = meant(who, flags)
    return (who.live if live else who.config), live


def exclusive(flags: int, first: int, second: int, first_name: str, second_name: str, function: str) -> None:
    """Raises InvalidArg when both flags are given."""
    if flags & first and flags & second:
        raise InvalidArg(f"flags '{first_name}' and '{second_name}' in function '{function}' are mutually exclusive")
