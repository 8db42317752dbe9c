"""systemd's machine service: guests as machines of the host (``machinectl``), each in a scope of its own.

The calls are those that libvirt 9.0 makes: CreateMachineWithNetwork and TerminateMachine of org.freedesktop.machine1.Manager,
SetUnitProperties of org.freedesktop.systemd1.Manager.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterable
from typing import Any

from kvasir.errors import Code, Error

log = logging.getLogger(__name__)

SOCKET = "/run/dbus/system_bus_socket"
BUS, MACHINES, SYSTEMD = "org.freedesktop.DBus", "org.freedesktop.machine1", "org.freedesktop.systemd1"
SERVICE, CLASS = "libvirt-qemu", "vm"
AFTER, BEFORE = ["libvirtd.service", "virtqemud.service"], ["virt-guest-shutdown.target"]
TIMEOUT = 25.0
"""Seconds that the service has to answer."""
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.")


class ServiceError(Error):
    """error from service"""

    code, prefix = Code.DBUS_SERVICE, "error from service"


def escape(name: str) -> str:
    """A name within a unit's name: what is not plain, and a dot at the start, as ``\\xNN``."""
    return "".join(
        letter if letter in PLAIN and (at or letter != ".") else "".join(f"\\x{byte:02x}" for byte in letter.encode())
        for at, letter in enumerate(name)
    )


def scope_name(machine: str) -> str:
    """The unit of a machine."""
    return f"machine-{escape(machine)}.scope"


def slice_name(partition: str) -> str:
    """The unit of a resource partition (``/machine/office`` is ``machine-office.slice``)."""
    return "-".join(escape(part) for part in partition.split("/") if part) + ".slice"


class Machines:
    """A connection to the service, made at the first call."""

    def __init__(self, root: str | None = None) -> None:
        """With ``root`` (a daemon in a folder of its own) only a bus that the environment names is asked."""
        self._root = root
        self._bus: Any = None
        self._connecting = asyncio.Lock()

    async def there(self) -> bool:
        """Whether the host has the service, and systemd to back it."""
        if "DBUS_SYSTEM_BUS_ADDRESS" not in os.environ and (self._root or not os.path.exists(SOCKET)):
            return False
        try:
            able = await self._call(BUS, "/org/freedesktop/DBus", BUS, "ListActivatableNames")
            names = await self._call(BUS, "/org/freedesktop/DBus", BUS, "ListNames")
        except ServiceError as error:
            log.info("no bus to ask for a machine service: %s", error.text)
            return False
        return MACHINES in {*able[0], *names[0]} and SYSTEMD in names[0]

    async def create(self, name: str, uuid: bytes, pid: int, interfaces: Iterable[int], unit: str) -> str:
        """Make a process the leader of a machine, in a scope below the slice ``unit``; the scope's unit. Raises ServiceError."""
        from dbus_fast import Variant

        properties = [["Slice", Variant("s", unit)], ["After", Variant("as", AFTER)], ["Before", Variant("as", BEFORE)]]
        words = [name, uuid, SERVICE, CLASS, pid, "", list(interfaces), properties]
        await self._machines("CreateMachineWithNetwork", "sayssusaia(sv)", words)
        return await self.unit_of(pid)

    async def unit_of(self, pid: int) -> str:
        """The unit of the machine that a process belongs to. Raises ServiceError."""
        path = (await self._machines("GetMachineByPID", "u", [pid]))[0]
        words = [f"{MACHINES}.Machine", "Unit"]
        found = await self._call(MACHINES, path, f"{BUS}.Properties", "Get", "ss", words)
        return str(found[0].value)

    async def terminate(self, name: str) -> None:
        """End a machine, with what is left of its processes; one that is gone is passed over."""
        try:
            await self._machines("TerminateMachine", "s", [name])
        except ServiceError as error:
            log.info("machine %s: %s", name, error.text)

    async def keep(self, unit: str, name: str, value: int) -> None:
        """Let systemd know a number of a unit, so that it does not put its own back. Raises ServiceError."""
        from dbus_fast import Variant

        words = [unit, True, [[name, Variant("t", value)]]]
        await self._call(
            SYSTEMD, "/org/freedesktop/systemd1", f"{SYSTEMD}.Manager", "SetUnitProperties", "sba(sv)", words
        )

    async def _machines(self, member: str, signature: str, words: list[Any]) -> Any:
        return await self._call(MACHINES, "/org/freedesktop/machine1", f"{MACHINES}.Manager", member, signature, words)

    async def _call(
        self, name: str, path: str, interface: str, member: str, signature: str = "", words: Iterable[Any] = ()
    ) -> Any:
        from dbus_fast import Message, MessageType

        message = Message(
            destination=name, path=path, interface=interface, member=member, signature=signature, body=list(words)
        )
        try:
            bus = await self._connected()
            reply = await asyncio.wait_for(bus.call(message), TIMEOUT)
        except Exception as error:  # the library has no one class for what a bus may do
            self.close()
            raise ServiceError(f"{member}: {error or 'Timeout was reached'}") from error
        if reply.message_type == MessageType.ERROR:
            words = f"GDBus.Error:{reply.error_name}: {reply.body[0] if reply.body else ''}"
            raise ServiceError(words, message=words)
        return reply.body

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
