"""firewalld, by D-Bus: the zone of a bridge, and the news that it wrote its rules anew (ours may be gone then).

libvirt's choice of zones: what the document says, else ``libvirt-routed`` (routed networks) or ``libvirt`` where firewalld has them.
Calls block; they are made from the drivers' threads.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Any

from kvasir.errors import Code, Error, InternalError, Origin

log = logging.getLogger(__name__)
NAME = "org.fedoraproject.FirewallD1"
PATH = "/org/fedoraproject/FirewallD1"
BUS = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
PROPERTIES = "org.freedesktop.DBus.Properties"
SOCKET = "/run/dbus/system_bus_socket"
SECONDS = 30


def _bus_is_there() -> bool:
    return os.path.exists(SOCKET) or "DBUS_SYSTEM_BUS_ADDRESS" in os.environ


class Conversation:
    """A connection to the system's bus for a few calls."""

    def __init__(self) -> None:
        self._bus: Any = None

    async def call(self, place: tuple[str, str, str], member: str, signature: str = "", *body: Any) -> Any:
        """One call's first answer. Raises Error where the service refuses."""
        from dbus_fast import BusType, Message, MessageType
        from dbus_fast.aio import MessageBus

        if self._bus is None:
            self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        service, path, interface = place
        message = Message(
            destination=service, path=path, interface=interface, member=member, signature=signature, body=list(body)
        )
        answer = await asyncio.wait_for(self._bus.call(message), SECONDS)
        if answer.message_type is MessageType.ERROR:
            words = str(answer.body[0]) if answer.body else ""
            text = f"error from service: GDBus.Error:{answer.error_name}: {words}"
            raise Error(text, code=Code.DBUS_SERVICE, origin=Origin.NONE, message=text)
        return answer.body[0] if answer.body else None

    def close(self) -> None:
        if self._bus is not None:
            self._bus.disconnect()
            self._bus = None


def set_zone(bridge: str, zone: str | None, network: str, *, routed: bool) -> None:
    """Put a network's bridge into its zone; without firewalld there is nothing to do.

    Raises InternalError where the document names a zone and firewalld does not run, or where it needs a zone of libvirt's and has none.
    """
    try:
        asyncio.run(_set_zone(bridge, zone, network, routed))
    except (OSError, TimeoutError, EOFError) as problem:
        raise InternalError(f"firewalld does not answer: {problem}", origin=Origin.NONE) from None


async def _set_zone(bridge: str, zone: str | None, network: str, routed: bool) -> None:
    talk = Conversation()
    try:
        if not await _active(talk):
            if zone:
                raise InternalError(f"zone {zone} requested for network {network} but firewalld is not active", origin=Origin.NONE,
                                    hint="systemctl start firewalld, or take the zone off the network's bridge")  # fmt: skip
            return
        wanted = zone or await _usual(talk, routed)
        if wanted:
            await talk.call((NAME, PATH, f"{NAME}.zone"), "changeZoneOfInterface", "ss", wanted, bridge)
    finally:
        talk.close()


async def _active(talk: Conversation) -> bool:
    if not _bus_is_there():
        return False
    try:
        return NAME in await talk.call(BUS, "ListNames")
    except Exception as problem:  # a bus that cannot be spoken to has no firewalld
        log.info("no firewalld: %s", problem)
        return False


async def _usual(talk: Conversation, routed: bool) -> str | None:
    """The zone of a network that names none."""
    zones = f"{NAME}.zone"
    policy = routed and await _has(talk, f"{NAME}.policy", "getPolicies", "libvirt-routed-out")
    if policy and await _has(talk, zones, "getZones", "libvirt-routed"):
        return "libvirt-routed"
    if await _has(talk, zones, "getZones", "libvirt"):
        return "libvirt"
    version = await talk.call((NAME, PATH, PROPERTIES), "Get", "ss", NAME, "version")
    if not _old(str(getattr(version, "value", version))):
        place = (NAME, f"{PATH}/config", PROPERTIES)
        backend = await talk.call(place, "Get", "ss", f"{NAME}.config", "FirewallBackend")
        if str(getattr(backend, "value", backend)) == "nftables":
            raise InternalError(
                "firewalld is set to use the nftables backend, but the required firewalld 'libvirt' zone is missing. Either set the "
                "firewalld backend to 'iptables', or ensure that firewalld has a 'libvirt' zone by upgrading firewalld to a version "
                "supporting rule priorities (0.7.0+) and/or rebuilding libvirt with --with-firewalld-zone", origin=Origin.NONE,
                hint="firewall-cmd --permanent --new-zone=libvirt --set-target=ACCEPT && firewall-cmd --reload")  # fmt: skip
    return None


async def _has(talk: Conversation, interface: str, member: str, name: str) -> bool:
    try:
        return name in await talk.call((NAME, PATH, interface), member)
    except Error as problem:  # an older firewalld knows no policies
        log.info("firewalld: %s", problem.message)
        return False


def _old(version: str) -> bool:
    """Whether it is older than 0.6.0, which came with nftables."""
    numbers = [int(part) for part in version.split(".") if part.isdigit()]
    return numbers < [0, 6, 0]


class Watch:
    """Calls ``reloaded`` when firewalld starts or reads its configuration anew. Without a bus it does nothing."""

    def __init__(self, reloaded: Callable[[], None]) -> None:
        self.reloaded = reloaded
        self._bus: Any = None

    async def start(self) -> None:
        """Listen on the system's bus."""
        if not _bus_is_there():
            return
        from dbus_fast import BusType, Message
        from dbus_fast.aio import MessageBus

        try:
            self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
            service, path, interface = BUS
            for rule in (f"type='signal',interface='{NAME}',member='Reloaded'",
                         f"type='signal',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{NAME}'"):  # fmt: skip
                await self._bus.call(Message(destination=service, path=path, interface=interface, member="AddMatch", signature="s",
                                             body=[rule]))  # fmt: skip
        except Exception as error:  # a bus that is not there must not keep the daemon from starting
            log.info("firewalld is not watched: %s", error)
            self.stop()
            return
        self._bus.add_message_handler(self._seen)

    def _seen(self, message: Any) -> None:
        if (message.member == "Reloaded" and message.interface == NAME) or (
            message.member == "NameOwnerChanged" and message.body[0] == NAME and message.body[2]
        ):
            self.reloaded()

    def stop(self) -> None:
        """Leave the bus."""
        if self._bus is not None:
            self._bus.disconnect()
            self._bus = None
