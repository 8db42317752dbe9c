"""Who registered for which events, and the way of an event from a driver's bus to their connections.

An event is encoded once, then sent to everybody whose registration matches kind, number and object. ``callback`` ids are
the daemon's; clients that register the old way (procedures 105 and 167) get the old messages without an id.
"""

from __future__ import annotations

import asyncio
import logging
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kvasir import events
from kvasir.errors import Code, Error, Origin
from kvasir.rpc import frames, programs
from kvasir.rpc.programs import Procedure

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvasir.daemon.access import Access
    from kvasir.daemon.client import Client

log = logging.getLogger(__name__)

_CALLBACK = struct.Struct(">i")
BY_NUMBER: Final[dict[tuple[str, int], type[events.Event]]] = {(kind.KIND, kind.ID): kind for kind in events.ALL}


@dataclass(slots=True)
class Registration:
    """One registration of one client."""

    client: Client
    kind: str
    number: int
    callback: int
    key: bytes | str | None
    legacy: bool
    matches: Callable[[str], bool] | None = None


def _problem(text: str, origin: Origin = Origin.RPC) -> Error:
    return Error(text, code=Code.INTERNAL_ERROR, origin=origin, message=f"internal error: {text}")


def key_of(thing: Any) -> bytes | str | None:
    """What names an object for a filter: its UUID, else its name."""
    if thing is None:
        return None
    found: bytes | str = getattr(thing, "uuid", None) or thing.name
    return found


class Hub:
    """All registrations of the daemon."""

    def __init__(self) -> None:
        self._registrations: dict[tuple[str, int], list[Registration]] = {}
        self._next = 0
        self.access: Access | None = None
        """Asked before an event is sent, where fine-grained access is on."""

    def register(self, client: Client, kind: str, number: int, thing: Any = None) -> int:
        """Register for events of that kind and number, of one object or of all. Returns the callback id."""
        if (kind, number) not in BY_NUMBER:
            what = "" if kind == "domain" else f"{kind.replace('_', ' ')} "
            raise _problem(f"unsupported {what}event ID {number}")
        return self._add(Registration(client, kind, number, self._next, key_of(thing), False)).callback

    def register_legacy(self, client: Client, number: int) -> None:
        """Register for domain events the old way, once for each number."""
        kind = BY_NUMBER.get(("domain", number))
        if kind is None or kind.LEGACY is None:
            raise _problem(f"unsupported event ID {number}")
        self._add(Registration(client, "domain", number, self._next, None, True))

    def register_monitor(self, client: Client, thing: Any, pattern: str | None, is_regex: bool, nocase: bool) -> int:
        """Register for raw monitor events, all or those whose name matches."""
        made = Registration(client, "monitor", 0, self._next, key_of(thing), False)
        if pattern is not None:
            flags = re.IGNORECASE if nocase else 0
            try:
                found = re.compile(pattern if is_regex else re.escape(pattern) + r"\Z", flags)
            except re.error as problem:
                text = f"failed to compile regex '{pattern}': {problem}"
                raise Error(text, code=Code.INVALID_ARG, message=f"invalid argument: {text}") from None
            made.matches = (
                (lambda name: bool(found.search(name))) if is_regex else (lambda name: bool(found.match(name)))
            )
        return self._add(made).callback

    def deregister(self, client: Client, kind: str, callback: int) -> None:
        """Take a registration back."""
        for found in self._registrations_of(client):
            if found.kind == kind and found.callback == callback and not found.legacy:
                self._remove(found)
                return
        what = "qemu monitor" if kind == "monitor" else kind.replace("_", " ")
        raise _problem(f"{what} event callback {callback} not registered")

    def deregister_legacy(self, client: Client, number: int) -> None:
        """Take an old registration back."""
        kind = BY_NUMBER.get(("domain", number))
        if kind is None or kind.LEGACY is None:
            raise _problem(f"unsupported event ID {number}")
        found = self._legacy(client, number)
        if found is None:
            raise _problem(f"domain event {number} not registered")
        self._remove(found)

    def count(self, client: Client) -> int:
        """How many registrations the client has."""
        return len(self._registrations_of(client))

    def forget(self, client: Client) -> None:
        """The client closed its connection."""
        for found in self._registrations_of(client):
            self._remove(found)

    def deliver(self, event: events.Event) -> None:
        """A driver published an event."""
        waiting = self._registrations.get((event.KIND, event.ID))
        if not waiting:
            return
        values = event.values()
        key = key_of(values[0])
        wanted = [
            one
            for one in waiting
            if (one.key is None or one.key == key) and (one.matches is None or one.matches(values[1]))
        ]
        if not wanted:
            return
        program = programs.QEMU if event.KIND == "monitor" else programs.REMOTE
        message = program[event.MESSAGE]
        body = _body(message, program[event.LEGACY] if event.LEGACY else None, values)
        for one in wanted:
            if one.legacy:
                procedure, payload = program[event.LEGACY or ""], body
            else:
                procedure, payload = message, _CALLBACK.pack(one.callback) + _filler(message) + body
            packet = frames.pack(program.id, 1, procedure.number, frames.MESSAGE, 0, frames.OK, payload)
            if self.access is None:
                one.client.send(packet)
            else:
                self._send_if_allowed(one.client, event.KIND, values[0], packet)

    def _send_if_allowed(self, client: Client, kind: str, thing: Any, packet: bytes) -> None:
        """Ask first; a client's events keep their order, since each waits for the one before it."""
        access, before = self.access, client.data.get("events sent")
        assert access is not None

        async def ask_and_send() -> None:
            if before is not None:
                await before
            if await access.allows_event(client, "domain" if kind == "monitor" else kind, thing):
                client.send(packet)

        client.data["events sent"] = asyncio.ensure_future(ask_and_send())

    def _add(self, made: Registration) -> Registration:
        for one in self._registrations_of(made.client):
            if (one.kind, one.number, one.key) == (
                made.kind,
                made.number,
                made.key,
            ) and made.matches is one.matches is None:
                text = "event callback already tracked"
                raise Error(text, code=Code.INVALID_ARG, origin=Origin.NONE, message=f"invalid argument: {text}")
        self._next = (self._next + 1) & 0x7FFFFFFF
        first = "events" not in made.client.data
        made.client.data.setdefault("events", []).append(made)
        self._registrations.setdefault((made.kind, made.number), []).append(made)
        if first:
            made.client.on_close(lambda: self.forget(made.client))
        return made

    def _remove(self, found: Registration) -> None:
        found.client.data["events"].remove(found)
        self._registrations[found.kind, found.number].remove(found)

    def _registrations_of(self, client: Client) -> list[Registration]:
        return list(client.data.get("events", ()))

    def _legacy(self, client: Client, number: int) -> Registration | None:
        for found in self._registrations_of(client):
            if found.legacy and found.number == number:
                return found
        return None


def _filler(message: Procedure) -> bytes:
    """Some messages have an unused reason (0) between callback id and body."""
    return b"\0\0\0\0" if message.args.names[1:2] == ("reason",) and message.args.names[2:] == ("msg",) else b""


def _body(message: Procedure, legacy: Procedure | None, values: tuple[Any, ...]) -> bytes:
    """What follows the callback id, which is the first field of every message."""
    if legacy is not None:
        return legacy.encode_args(values)
    return message.encode_args((0, *values))[_CALLBACK.size :]
