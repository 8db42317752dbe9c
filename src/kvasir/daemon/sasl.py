"""SASL logins of the daemon's clients. The library may read files and ask other daemons: its steps run in a thread of their own, one
after the other (its plugins are not said to be safe among threads), so that a slow one holds up logins only."""

from __future__ import annotations

import asyncio
import fnmatch
import logging
import os
import socket
from collections.abc import Callable
from concurrent.futures import Executor
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeVar

from kvasir.daemon import threads
from kvasir.errors import Error
from kvasir.rpc import sasl

if TYPE_CHECKING:
    from kvasir.daemon.client import Client

log = logging.getLogger(__name__)

T = TypeVar("T")
_thread: Executor | None = None


async def _apart(function: Callable[[], T]) -> T:
    global _thread
    if _thread is None:
        _thread = threads.pool(1, "sasl")
    return await asyncio.get_running_loop().run_in_executor(_thread, function)


class State(Enum):
    """How far a login has come."""

    NEW = "no mechanism is chosen"
    OPEN = "the client's next word is waited for"
    BUSY = "a word of the client is being looked at"
    OVER = "it succeeded or failed"


class Layer(Protocol):
    """What a login may put around the bytes that follow it."""

    def encode(self, data: bytes) -> bytes: ...

    def decode(self, data: bytes) -> bytes: ...


def address(place: tuple[str, int]) -> str:
    """``host;port``, as the library spells addresses."""
    return f"{place[0]};{place[1]}"


class Login:
    """One client's way in."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.state = State.NEW
        self._mechanisms = ""

    async def mechanisms(self) -> str:
        """Make the library ready for this client; the names that it may choose from, by commas."""
        await self._run(self._begin, State.NEW)
        return self._mechanisms

    def _begin(self) -> None:
        client = self.client
        daemon = client.service.daemon
        folder = f"{daemon.paths.root}/etc/sasl2" if daemon.paths.root else None
        sasl.init_server(folder if folder and os.path.isdir(folder) else None)
        sock = client.sock
        network = sock.family in (socket.AF_INET, socket.AF_INET6)
        local = address(sock.getsockname()[:2]) if network else None
        remote = address(sock.getpeername()[:2]) if network else None
        self.minimum = 0 if client.channel.secure else daemon.config.tcp_min_ssf
        strength = 0
        if network and client.channel.secure:
            strength = sock.cipher()[2]  # type: ignore[attr-defined]  # a TLS socket
        self._server = sasl.Server(sasl.Security(client.channel.secure, self.minimum, strength), local, remote)
        self._mechanisms = self._server.mechanisms()

    async def start(self, mechanism: str, data: bytes | None) -> tuple[bool, bytes | None]:
        """Begin with a mechanism of the list; true when the client is in."""
        if mechanism not in self._mechanisms.split(","):
            raise self._refused(f"client asked for the mechanism '{mechanism[:64]}', which is not offered")
        return await self._said(lambda: self._server.start(mechanism, data), State.NEW)

    async def step(self, data: bytes | None) -> tuple[bool, bytes | None]:
        """Go on."""
        return await self._said(lambda: self._server.step(data), State.OPEN)

    async def _run(self, function: Callable[[], T], wanted: State) -> T:
        """The library crashes when it is told things out of order: only what may come now reaches it."""
        if self.state is not wanted:
            raise self._refused(f"a word out of turn: {self.state.value}")
        self.state = State.BUSY
        try:
            answer = await _apart(function)
        except Error as problem:
            raise self._refused(problem.message) from None
        except OSError as problem:
            raise self._refused(str(problem)) from None
        if self.state is not State.BUSY:
            raise self._refused("something else was said meanwhile")
        self.state = wanted
        return answer

    async def _said(self, function: Callable[[], bytes | None], wanted: State) -> tuple[bool, bytes | None]:
        answer = await self._run(function, wanted)
        self.state = State.OVER if self._server.complete else State.OPEN
        if self._server.complete:
            self._finish()
        return self._server.complete, answer

    def _finish(self) -> None:
        client, strength = self.client, self._server.strength
        try:
            user = self._server.user
        except Error as problem:
            raise self._refused(problem.message) from None
        if strength < self.minimum:
            raise self._refused(f"negotiated SSF {strength} was not strong enough")
        allowed = client.service.daemon.config.sasl_allowed_username_list
        if allowed is not None and not any(fnmatch.fnmatchcase(user, pattern) for pattern in allowed):
            raise self._refused(f"SASL client identity '{user}' not allowed by sasl_allowed_username_list")
        if strength > 0 and not client.channel.secure:
            client.secure_after_reply(self._server)
        client.sasl_user = user
        client.admit()
        log.info("%r is %s", client, user)

    def _refused(self, why: str) -> Error:
        log.warning("%r: %s", self.client, why)
        self.state = State.OVER
        if self.client.data.get("sasl") is self:
            del self.client.data["sasl"]
        return sasl.failed("authentication failed")
