"""A service: listening sockets, the clients that came through them, and their limits. The daemon has two, libvirtd and admin."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kvasir.daemon.channel import PlainChannel
from kvasir.daemon.client import Client
from kvasir.daemon.dispatch import Dispatcher
from kvasir.daemon.workers import Workers
from kvasir.rpc.programs import Program

if TYPE_CHECKING:
    from kvasir.daemon.app import Daemon
    from kvasir.daemon.channel import Channel
    from kvasir.daemon.tls import Handshake, ServerTls, TlsChannel

log = logging.getLogger(__name__)

ACCEPTS_PER_TURN = 32
LOGIN_SECONDS = 30
LOGIN_SECONDS_WHEN_FULL = 3
SWEEP_SECONDS = 1.0


@dataclass(slots=True)
class Listener:
    """A socket that accepts clients."""

    sock: socket.socket
    path: str
    readonly: bool = False
    auth: str = "none"
    ours: bool = True
    """We made the file, so we take it away at the end (sockets from systemd stay)."""
    tls: ServerTls | None = None

    @property
    def guarded(self) -> bool:
        """Newcomers are unknown for a while, and count as anonymous."""
        return self.auth != "none" or self.tls is not None


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
        self.unknown: set[Client] = set()
        """Those of them who have not logged in."""
        self.handshakes: set[Handshake] = set()
        self._next = 1
        self._accepting: set[int] = set()
        """Descriptors of the listeners that take newcomers now."""
        self._stopped = False
        self._sweep: asyncio.TimerHandle | None = None

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
        self.check_limits()
        if self._sweep is not None:
            self._sweep.cancel()
        for handshake in list(self.handshakes):
            handshake.give_up("the daemon ends")
        for client in list(self.clients.values()):
            client.close()

    @property
    def anonymous(self) -> int:
        """Clients that have not said who they are."""
        return len(self.handshakes) + len(self.unknown)

    def check_limits(self) -> None:
        """Accept while there is room, else leave newcomers in the queue of the socket. Who need not log in is not kept out by
        those who do not come to an end with it."""
        limits = self.limits
        room = len(self.clients) + len(self.handshakes) < limits.max_clients and not self._stopped
        guarded = room
        if room and limits.max_anonymous and any(listener.guarded for listener in self.listeners):
            guarded = self.anonymous < limits.max_anonymous
        for listener in self.listeners:
            self._accept(listener, guarded if listener.guarded else room)

    def _accept(self, listener: Listener, on: bool) -> None:
        fd = listener.sock.fileno()
        if on == (fd in self._accepting):
            return
        loop = asyncio.get_running_loop()
        if on:
            self._accepting.add(fd)
            loop.add_reader(fd, self._newcomers, listener)
        else:
            self._accepting.discard(fd)
            loop.remove_reader(fd)

    def _newcomers(self, listener: Listener) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            if listener.sock.fileno() not in self._accepting:
                return
            try:
                sock, _ = listener.sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as problem:
                log.error("cannot accept a client on %s: %s", listener.path, problem)
                self._accept(listener, False)
                asyncio.get_running_loop().call_later(1, self.check_limits)
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.daemon.client_came()
            if listener.tls is None:
                self.adopt(PlainChannel(sock), listener)
            else:
                self._shake_hands(listener, sock)
            if listener.guarded:
                self._sweep_later()
            self.check_limits()

    def adopt(self, channel: Channel, listener: Listener) -> Client:
        """Serve a connection that stands."""
        client = Client(self, channel, self._next, listener.readonly, listener.auth)
        self._next += 1
        self.clients[client.id] = client
        if not client.authenticated:
            self.unknown.add(client)
        return client

    def admitted(self, client: Client) -> None:
        """A client said who it is."""
        self.unknown.discard(client)
        self.check_limits()

    def _shake_hands(self, listener: Listener, sock: socket.socket) -> None:
        from kvasir.daemon.tls import Handshake

        def done(handshake: Handshake, channel: TlsChannel | None) -> None:
            self.handshakes.discard(handshake)
            if channel is not None:
                self.adopt(channel, listener).x509_name = handshake.name
            else:
                self.daemon.client_went()
            self.check_limits()

        try:
            self.handshakes.add(Handshake(listener, sock, LOGIN_SECONDS, done))
        except OSError as problem:
            log.debug("a client of %s left at once: %s", listener.path, problem)
            sock.close()
            self.daemon.client_went()

    def _sweep_later(self) -> None:
        if self._sweep is None and not self._stopped:
            self._sweep = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep_out)

    def _sweep_out(self) -> None:
        """Close who does not come to an end with its login; sooner when others wait for the place."""
        self._sweep = None
        limit = self.limits.max_anonymous
        patience = LOGIN_SECONDS_WHEN_FULL if limit and self.anonymous >= limit else LOGIN_SECONDS
        late = asyncio.get_running_loop().time() - patience
        for handshake in [one for one in self.handshakes if one.since < late]:
            handshake.give_up("the TLS handshake took too long")
        for client in [one for one in self.unknown if not one.waits]:
            if client.came < late:
                log.warning("%r did not log in within %d s", client, patience)
                client.close()
        if self.anonymous:
            self._sweep_later()

    def forget(self, client: Client) -> None:
        """A client closed its connection."""
        self.clients.pop(client.id, None)
        self.unknown.discard(client)
        self.check_limits()
        self.daemon.client_went()
