"""The system's message bus (D-Bus): a connection that is made at the first call, kept, and made anew after it broke.

Its address is that of ``DBUS_SYSTEM_BUS_ADDRESS``, else the host's socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

SOCKET = "/run/dbus/system_bus_socket"
TIMEOUT = 25.0
"""Seconds that a bus has to let us in, and a service to answer."""
PROPERTIES = "org.freedesktop.DBus.Properties"


class Place(NamedTuple):
    """Where a call goes."""

    service: str
    path: str
    interface: str


ITSELF = Place("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")


class Unreachable(Exception):
    """There is no bus, or no answer."""


class Refused(Exception):
    """A service answered with an error: its ``name`` and its own ``words``."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(f"GDBus.Error:{name}: {words}")
        self.name, self.words = name, words


def is_there(root: str | None = None) -> bool:
    """Whether there is a bus to ask: with ``root`` (a daemon in a folder of its own) only one that the environment names."""
    return "DBUS_SYSTEM_BUS_ADDRESS" in os.environ or (not root and os.path.exists(SOCKET))


class Bus:
    """A connection, for the loop in which it is used first."""

    def __init__(self, seconds: float = TIMEOUT) -> None:
        """``seconds`` that a service has to answer."""
        self._seconds = seconds
        self._bus: Any = None
        self._connecting = asyncio.Lock()

    async def call(self, place: Place, member: str, signature: str = "", *words: Any) -> Any:
        """One call's first answer; None where it has none. Raises Refused, Unreachable."""
        from dbus_fast import Message, MessageType

        service, path, interface = place
        message = Message(
            destination=service, path=path, interface=interface, member=member, signature=signature, body=list(words)
        )
        try:
            bus = await self._connected()
            reply = await asyncio.wait_for(bus.call(message), self._seconds)
            if reply is None:
                raise EOFError("no answer")
        except Exception as problem:  # the library has no one class for what a bus may do
            self.close()
            raise Unreachable(str(problem) or "Timeout was reached") from problem
        if reply.message_type is MessageType.ERROR:
            raise Refused(reply.error_name, str(reply.body[0]) if reply.body else "")
        return reply.body[0] if reply.body else None

    async def value(self, service: str, path: str, interface: str, name: str) -> Any:
        """A property of an object. Raises as ``call``."""
        return (await self.call(Place(service, path, PROPERTIES), "Get", "ss", interface, name)).value

    async def listen(self, rules: Iterable[str], seen: Callable[[Any], None]) -> None:
        """Hand over each message that comes, with those that match the rules among them. Raises as ``call``."""
        for rule in rules:
            await self.call(ITSELF, "AddMatch", "s", rule)
        self._bus.add_message_handler(seen)

    async def _connected(self) -> Any:
        from dbus_fast import BusType
        from dbus_fast.aio import MessageBus

        async with self._connecting:
            if self._bus is None or not self._bus.connected:
                self._bus = await asyncio.wait_for(MessageBus(bus_type=BusType.SYSTEM).connect(), TIMEOUT)
            return self._bus

    def close(self) -> None:
        """Leave the bus."""
        if self._bus is not None:
            with contextlib.suppress(Exception):
                self._bus.disconnect()
            self._bus = None
