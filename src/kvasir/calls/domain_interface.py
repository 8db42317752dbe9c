"""The bandwidth of a guest's network cards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, InvalidArg
from kvasir.rpc.typed import UInt

from .changes import STRING_OKAY, Change
from .flags import check_flags, check_params
from .guests import guest, one
from .limits import NAMES, limits, limits_merged

if TYPE_CHECKING:
    from kvasir.daemon.session import Session

LIVE, CONFIG = 1, 2
TUNED = ("ethernet", "network", "bridge", "direct")


def _find(domain: Any, device: str) -> Any:
    """The card of that MAC address or target name. Raises InvalidArg."""
    found = [net for net in domain.interfaces if device.lower() == str(net.mac).lower() or device == net.target_dev]
    if not found:
        raise InvalidArg(f"'{device}' is not a known interface")
    return found[0]


def domain_get_interface_parameters(
    session: Session, dom: Any, device: str, nparams: int, flags: int
) -> tuple[list[tuple[str, Any]], int]:
    """Limits of a card, in KiB a second and KiB."""
    check_flags(flags, LIVE | CONFIG | STRING_OKAY, "qemuDomainGetInterfaceParameters")
    domain, _ = one(guest(session, dom), flags & ~STRING_OKAY)
    if not nparams:
        return [], len(NAMES)
    net = _find(domain, device)
    return limits(net.effective("bandwidth"))[:nparams], min(nparams, len(NAMES))


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
                net.bandwidth = limits_merged(net.bandwidth, wanted)


async def _live(net: Any, uuid: str, wanted: dict[str, int]) -> None:
    from kvasir.devices.interface_taps import change_limits

    new = limits_merged(net.effective("bandwidth"), wanted)
    await asyncio.to_thread(change_limits, net, uuid, new)
    if net.actual is not None:
        net.actual.bandwidth = new
    net.bandwidth = new
