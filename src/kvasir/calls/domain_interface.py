"""The bandwidth of a guest's network cards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kvasir.devices.interface_parts import Bandwidth
from kvasir.errors import ConfigUnsupported, InvalidArg
from kvasir.rpc.typed import UInt

from .changes import STRING_OKAY, Change
from .flags import check_flags, check_params
from .guests import guest, one

if TYPE_CHECKING:
    from kvasir.daemon.session import Session

LIVE, CONFIG = 1, 2
SIDES = {"inbound": ("average", "peak", "burst", "floor"), "outbound": ("average", "peak", "burst")}
NAMES = [f"{side}.{what}" for side, words in SIDES.items() for what in words]
TUNED = ("ethernet", "network", "bridge", "direct")


def _find(domain: Any, device: str) -> Any:
    """The card of that MAC address or target name. Raises InvalidArg."""
    found = [net for net in domain.interfaces if device.lower() == str(net.mac).lower() or device == net.target_dev]
    if not found:
        raise InvalidArg(f"'{device}' is not a known interface")
    return found[0]


def _values(bandwidth: Any) -> list[tuple[str, Any]]:
    """All parameters; what is not said is 0."""
    return [(name, UInt(getattr(bandwidth, name.replace(".", "_"), None) or 0)) for name in NAMES]


def domain_get_interface_parameters(
    session: Session, dom: Any, device: str, nparams: int, flags: int
) -> tuple[list[tuple[str, Any]], int]:
    """Limits of a card, in KiB a second and KiB."""
    check_flags(flags, LIVE | CONFIG | STRING_OKAY, "qemuDomainGetInterfaceParameters")
    domain, _ = one(guest(session, dom), flags & ~STRING_OKAY)
    if not nparams:
        return [], len(NAMES)
    net = _find(domain, device)
    return _values(net.effective("bandwidth"))[:nparams], min(nparams, len(NAMES))


def _merged(old: Any, wanted: dict[str, int]) -> Any:
    """The limits after a change: a side that is named is new, and gone where its average (and floor) is 0."""
    new = old.copy() if old is not None else Bandwidth()
    for side, words in SIDES.items():
        if not any(name.startswith(side) for name in wanted):
            continue
        for what in words:
            setattr(new, f"{side}_{what}", wanted.get(f"{side}.{what}") or None)
        if not getattr(new, f"{side}_average") and not (side == "inbound" and new.inbound_floor):
            for what in words:
                setattr(new, f"{side}_{what}", None)
    return None if new == Bandwidth() else new


async def domain_set_interface_parameters(session: Session, dom: Any, device: str, params: Any, flags: int) -> None:
    """Change the limits of a card."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainSetInterfaceParameters")
    check_params(params, [(name, UInt) for name in NAMES])
    wanted = {name: int(value) for name, value in params}
    found = guest(session, dom)
    async with Change(found, flags) as change:
        cards = [_find(domain, device) for domain in change.domains]
        for net in cards:
            if net.actual_type not in TUNED:
                raise ConfigUnsupported(
                    f"setting bandwidth on interfaces of type '{net.actual_type}' is not implemented yet"
                )
        if change.live is not None:
            await _live(_find(change.live, device), found.uuid_text, wanted)
        for domain, net in zip(change.domains, cards, strict=True):
            if domain is not change.live:
                net.bandwidth = _merged(net.bandwidth, wanted)


async def _live(net: Any, uuid: str, wanted: dict[str, int]) -> None:
    from kvasir.devices.interface_taps import change_limits

    new = _merged(net.effective("bandwidth"), wanted)
    await asyncio.to_thread(change_limits, net, uuid, new)
    if net.actual is not None:
        net.actual.bandwidth = new
    net.bandwidth = new
