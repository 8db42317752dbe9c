"""systemd's machine service: guests as machines of the host (``machinectl``), each in a scope of its own.

The calls are those that libvirt 9.0 makes: CreateMachineWithNetwork, GetMachineByPID and TerminateMachine of
org.freedesktop.machine1.Manager, a machine's Unit, SetUnitProperties of org.freedesktop.systemd1.Manager.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from kvasir.errors import Code, Error

from . import bus
from .bus import Place

log = logging.getLogger(__name__)

MACHINES = Place("org.freedesktop.machine1", "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager")
SYSTEMD = Place("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
SERVICE, CLASS = "libvirt-qemu", "vm"
AFTER, BEFORE = ["libvirtd.service", "virtqemud.service"], ["virt-guest-shutdown.target"]
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
        self._bus = bus.Bus()

    async def there(self) -> bool:
        """Whether the host has the service, and systemd to back it."""
        if not bus.is_there(self._root):
            return False
        try:
            able = await self._call(bus.ITSELF, "ListActivatableNames")
            names = await self._call(bus.ITSELF, "ListNames")
        except ServiceError as error:
            log.info("no bus to ask for a machine service: %s", error.text)
            return False
        return MACHINES.service in {*able, *names} and SYSTEMD.service in names

    async def create(self, name: str, uuid: bytes, pid: int, interfaces: Iterable[int], unit: str) -> None:
        """Make a process the leader of a machine, in a scope below the slice ``unit``, and see that it has one. Raises ServiceError."""
        from dbus_fast import Variant

        properties = [["Slice", Variant("s", unit)], ["After", Variant("as", AFTER)], ["Before", Variant("as", BEFORE)]]
        words = (name, uuid, SERVICE, CLASS, pid, "", list(interfaces), properties)
        await self._call(MACHINES, "CreateMachineWithNetwork", "sayssusaia(sv)", *words)
        path = await self._call(MACHINES, "GetMachineByPID", "u", pid)
        await self._call(
            Place(MACHINES.service, path, bus.PROPERTIES), "Get", "ss", f"{MACHINES.service}.Machine", "Unit"
        )

    async def terminate(self, name: str) -> None:
        """End a machine, with what is left of its processes; one that is gone is passed over."""
        try:
            await self._call(MACHINES, "TerminateMachine", "s", name)
        except ServiceError as error:
            log.info("machine %s: %s", name, error.text)

    async def keep(self, unit: str, name: str, value: int) -> None:
        """Let systemd know a number of a unit, so that it does not put its own back. Raises ServiceError."""
        from dbus_fast import Variant

        await self._call(SYSTEMD, "SetUnitProperties", "sba(sv)", unit, True, [[name, Variant("t", value)]])

    async def _call(self, place: Place, member: str, signature: str = "", *words: Any) -> Any:
        try:
            return await self._bus.call(place, member, signature, *words)
        except bus.Unreachable as problem:
            raise ServiceError(f"{member}: {problem}") from problem
        except bus.Refused as refusal:
            raise ServiceError(str(refusal), message=str(refusal)) from refusal
