"""firewalld, by D-Bus: the zone of a bridge, and the news that it wrote its rules anew (ours may be gone then).

libvirt's choice of zones: what the document says, else ``libvirt-routed`` (routed networks) or ``libvirt`` where firewalld has them.
Calls block; they are made from the drivers' threads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from kvasir.errors import Code, Error, InternalError, Origin

from . import bus
from .bus import Bus, Place, Refused, Unreachable

log = logging.getLogger(__name__)
NAME = "org.fedoraproject.FirewallD1"
PATH = "/org/fedoraproject/FirewallD1"
ZONES, POLICIES = Place(NAME, PATH, f"{NAME}.zone"), Place(NAME, PATH, f"{NAME}.policy")
SECONDS = 30.0


def set_zone(bridge: str, zone: str | None, network: str, *, routed: bool) -> None:
    """Put a network's bridge into its zone; without firewalld there is nothing to do.

    Raises InternalError where the document names a zone and firewalld does not run, or where it needs a zone of libvirt's and has none.
    """
    try:
        asyncio.run(_set_zone(bridge, zone, network, routed))
    except Refused as refusal:
        text = f"error from service: {refusal}"
        raise Error(text, code=Code.DBUS_SERVICE, origin=Origin.NONE, message=text) from None
    except Unreachable as problem:
        raise InternalError(f"firewalld does not answer: {problem}", origin=Origin.NONE) from None


async def _set_zone(bridge: str, zone: str | None, network: str, routed: bool) -> None:
    talk = Bus(SECONDS)
    try:
        if not await _active(talk):
            if zone:
                raise InternalError(f"zone {zone} requested for network {network} but firewalld is not active", origin=Origin.NONE,
                                    hint="systemctl start firewalld, or take the zone off the network's bridge")  # fmt: skip
            return
        wanted = zone or await _usual(talk, routed)
        if wanted:
            await talk.call(ZONES, "changeZoneOfInterface", "ss", wanted, bridge)
    finally:
        talk.close()


async def _active(talk: Bus) -> bool:
    if not bus.is_there():
        return False
    try:
        return NAME in await talk.call(bus.ITSELF, "ListNames")
    except (Refused, Unreachable) as problem:  # a bus that cannot be spoken to has no firewalld
        log.info("no firewalld: %s", problem)
        return False


async def _usual(talk: Bus, routed: bool) -> str | None:
    """The zone of a network that names none."""
    policy = routed and await _has(talk, POLICIES, "getPolicies", "libvirt-routed-out")
    if policy and await _has(talk, ZONES, "getZones", "libvirt-routed"):
        return "libvirt-routed"
    if await _has(talk, ZONES, "getZones", "libvirt"):
        return "libvirt"
    if not _old(str(await talk.value(NAME, PATH, NAME, "version"))):
        backend = await talk.value(NAME, f"{PATH}/config", f"{NAME}.config", "FirewallBackend")
        if backend == "nftables":
            raise InternalError(
                "firewalld is set to use the nftables backend, but the required firewalld 'libvirt' zone is missing. Either set the "
                "firewalld backend to 'iptables', or ensure that firewalld has a 'libvirt' zone by upgrading firewalld to a version "
                "supporting rule priorities (0.7.0+) and/or rebuilding libvirt with --with-firewalld-zone", origin=Origin.NONE,
                hint="firewall-cmd --permanent --new-zone=libvirt --set-target=ACCEPT && firewall-cmd --reload")  # fmt: skip
    return None


async def _has(talk: Bus, place: Place, member: str, name: str) -> bool:
    try:
        return name in await talk.call(place, member)
    except Refused as refusal:  # an older firewalld knows no policies
        log.info("firewalld: %s", refusal)
        return False


def _old(version: str) -> bool:
    """Whether it is older than 0.6.0, which came with nftables."""
    numbers = [int(part) for part in version.split(".") if part.isdigit()]
    return numbers < [0, 6, 0]


class Watch:
    """Calls ``reloaded`` when firewalld starts or reads its configuration anew. Without a bus it does nothing."""

    def __init__(self, reloaded: Callable[[], None]) -> None:
        self.reloaded = reloaded
        self._bus = Bus(SECONDS)

    async def start(self) -> None:
        """Listen on the system's bus."""
        if not bus.is_there():
            return
        rules = (
            f"type='signal',interface='{NAME}',member='Reloaded'",
            f"type='signal',interface='{bus.ITSELF.interface}',member='NameOwnerChanged',arg0='{NAME}'",
        )
        try:
            await self._bus.listen(rules, self._seen)
        except (Refused, Unreachable) as problem:  # a bus that is not there must not keep the daemon from starting
            log.info("firewalld is not watched: %s", problem)
            self.stop()

    def _seen(self, message: Any) -> None:
        if (message.member == "Reloaded" and message.interface == NAME) or (
            message.member == "NameOwnerChanged" and message.body[0] == NAME and message.body[2]
        ):
            self.reloaded()

    def stop(self) -> None:
        """Leave the bus."""
        self._bus.close()
