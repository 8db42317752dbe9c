"""A service: listening sockets, the clients that came through them, and their limits. The daemon has two, libvirtd and admin."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kvasir.daemon.client import Client
from kvasir.daemon.dispatch import Dispatcher
from kvasir.daemon.workers import Workers
from kvasir.rpc.programs import Program

if TYPE_CHECKING:
    from kvasir.daemon.app import Daemon

log = logging.getLogger(__name__)

ACCEPTS_PER_TURN = 32


@dataclass(slots=True)
class Listener:
    """A socket that accepts clients."""

    sock: socket.socket
    path: str
    readonly: bool = False
    auth: str = "none"
    ours: bool = True
    """We made the file, so we take it away at the end (sockets from systemd stay)."""


@dataclass(slots=True)
class Limits:
    """What libvirtd.conf says about the numbers of a service."""

    max_clients: int
    max_anonymous: int
    max_client_requests: int
    keepalive_interval: int
    keepalive_count: int
    keepalive_required: bool


class Service:
    """``name`` is what ``virt-admin srv-list`` shows."""

    def __init__(
        self,
        name: str,
        daemon: Daemon,
        served: tuple[Program, ...],
        listeners: list[Listener],
        limits: Limits,
        workers: Workers,
    ) -> None:
        self.name, self.daemon, self.listeners, self.limits = name, daemon, listeners, limits
        self.workers = workers
        self.dispatcher = Dispatcher(served, workers)
        self.clients: dict[int, Client] = {}
        self._next = 1
        self._accepting = False
        self._stopped = False

    @property
    def max_client_requests(self) -> int:
        return self.limits.max_client_requests

    @property
    def keepalive_interval(self) -> int:
        return self.limits.keepalive_interval

    @property
    def keepalive_count(self) -> int:
        return self.limits.keepalive_count

    def start(self) -> None:
        """Serve the listening sockets."""
        for listener in self.listeners:
            listener.sock.setblocking(False)
        self.check_limits()

    def stop(self) -> None:
        """Accept no more and close every connection."""
        self._stopped = True
        self._accept(False)
        for client in list(self.clients.values()):
            client.close()

    @property
    def anonymous(self) -> int:
        """Clients that have not said who they are."""
        return sum(1 for client in self.clients.values() if not client.authenticated)

    def check_limits(self) -> None:
        """Accept while there is room, else leave newcomers in the queue of the socket."""
        limits = self.limits
        room = len(self.clients) < limits.max_clients and not self._stopped
        if room and limits.max_anonymous and any(listener.auth != "none" for listener in self.listeners):
            room = self.anonymous < limits.max_anonymous
        self._accept(room)

    def _accept(self, on: bool) -> None:
        if on == self._accepting:
            return
        self._accepting = on
        loop = asyncio.get_running_loop()
        for listener in self.listeners:
            if on:
                loop.add_reader(listener.sock.fileno(), self._newcomers, listener)
            else:
                loop.remove_reader(listener.sock.fileno())

    def _newcomers(self, listener: Listener) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            if not self._accepting:
                return
            try:
                sock, _ = listener.sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as problem:
                log.error("cannot accept a client on %s: %s", listener.path, problem)
                self._accept(False)
                asyncio.get_running_loop().call_later(1, self.check_limits)
                return
            client = Client(self, sock, self._next, listener.readonly, listener.auth)
            self._next += 1
            self.clients[client.id] = client
            self.daemon.client_came()
            self.check_limits()

    def forget(self, client: Client) -> None:
        """A client closed its connection."""
        self.clients.pop(client.id, None)
        self.check_limits()
        self.daemon.client_went()
