"""SASL logins of the daemon's clients. The library may read files and ask other daemons: its steps run in a thread."""

from __future__ import annotations

import asyncio
import fnmatch
import logging
import os
import socket
import threading
from typing import TYPE_CHECKING, Protocol

from kvasir.errors import Error
from kvasir.rpc import sasl

if TYPE_CHECKING:
    from kvasir.daemon.client import Client

log = logging.getLogger(__name__)

_LOCK = threading.Lock()
"""Plugins of the library are not said to be safe among threads."""
DATA_MAX = 65536


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
        with _LOCK:
            self._server = sasl.Server(sasl.Security(client.channel.secure, self.minimum, strength), local, remote)
            self._mechanisms = self._server.mechanisms()

    def mechanisms(self) -> str:
        return self._mechanisms

    async def start(self, mechanism: str, data: bytes | None) -> tuple[bool, bytes | None]:
        """Begin with a mechanism of the list; true when the client is in."""
        if mechanism not in self._mechanisms.split(","):
            raise self._refused(f"client asked for the mechanism '{mechanism[:64]}', which is not offered")
        return await self._run(lambda: self._server.start(mechanism, data))

    async def step(self, data: bytes | None) -> tuple[bool, bytes | None]:
        """Go on."""
        return await self._run(lambda: self._server.step(data))

    async def _run(self, function: object) -> tuple[bool, bytes | None]:
        def locked() -> bytes | None:
            with _LOCK:
                return function()  # type: ignore[no-any-return, operator]  # one of the two above

        try:
            answer = await asyncio.to_thread(locked)
        except Error as problem:
            raise self._refused(problem.message) from None
        if self._server.complete:
            self._finish()
        return self._server.complete, answer

    def _finish(self) -> None:
        client, strength = self.client, self._server.strength
        user = self._server.user
        if strength < self.minimum:
            raise self._refused(f"negotiated SSF {strength} was not strong enough")
        allowed = client.service.daemon.config.sasl_allowed_username_list
        if allowed is not None and not any(fnmatch.fnmatchcase(user, pattern) for pattern in allowed):
            raise self._refused(f"SASL client identity '{user}' not allowed by sasl_allowed_username_list")
        if strength > 0 and not client.channel.secure:
            client.secure_after_reply(self._server)
        client.sasl_user = user
        client.authenticated = True
        log.info("%r is %s", client, user)
        client.service.check_limits()

    def _refused(self, why: str) -> Error:
        log.warning("%r: %s", self.client, why)
        self.client.data.pop("sasl", None)
        return sasl.failed("authentication failed")
