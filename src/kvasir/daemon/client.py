"""One connection: bytes in and out, descriptors, keepalive, and how much one client may ask at a time.

A client is a few hundred bytes and no task while it says nothing. It is read from only while it has fewer than
``max_client_requests`` calls (and unread stream packets) outstanding; what it does not take is queued and bounded.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from array import array
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kvasir.daemon import identity
from kvasir.errors import Error
from kvasir.rpc import frames, programs

if TYPE_CHECKING:
    from kvasir.daemon.channel import Channel
    from kvasir.daemon.sasl import Layer
    from kvasir.daemon.service import Service
    from kvasir.daemon.streams import Stream

log = logging.getLogger(__name__)

HIGH_WATER = 512 * 1024
"""Streams wait while more than this is queued for the client."""
STRANGER_MAX = 256 * 1024
"""A client that has not logged in may send packets of so many bytes: no login needs more."""
OUT_MAX = 128 * 1024 * 1024
"""A client that lets more than this pile up is dropped."""


class Client:
    """A connected client of one service (``libvirtd`` or ``admin``)."""

    def __init__(self, service: Service, channel: Channel, number: int, readonly: bool, auth: str) -> None:
        self.service, self.channel, self.id = service, channel, number
        self.sock = sock = channel.sock
        self.readonly = readonly
        """Fixed by the socket it came through or by a flag of connect_open."""
        self.is_local = channel.local
        """True on a unix socket: the peer is known, and descriptors may pass."""
        self.identity = identity.of_peer(sock)
        self.auth = "none" if auth == "polkit" and self.identity.uid == 0 else auth
        self.authenticated = self.auth == "none"
        self.since = int(time.time())
        self.x509_name = self.sasl_user = ""
        """Who it is by its certificate, by its SASL login."""
        self._layer: Layer | None = None
        self._next_layer: Layer | None = None
        self.driver: Any = None
        """The driver that connect_open chose; None before it."""
        self.close_callback = False
        """The client wants to hear when its driver goes away."""
        self.streams: dict[int, Stream] = {}
        self.data: dict[str, Any] = {}
        """A place for what procedures keep for this connection."""
        self.closed = False
        self._fd = sock.fileno()
        self._buffer = frames.FrameBuffer()
        if not self.authenticated:
            self._buffer.limit = STRANGER_MAX
        self._backlog: deque[frames.Frame] = deque()
        self._outstanding = 0
        self._reading = False
        self._out: deque[tuple[bytes, int]] = deque()
        self._out_size = 0
        self._drain: asyncio.Future[None] | None = None
        self._close_after_send = False
        self._on_close: list[Callable[[], None]] = []
        self._keepalive: asyncio.TimerHandle | None = None
        self._last_seen = 0.0
        self._pings_left = 0
        self._loop = asyncio.get_running_loop()
        self.came = self._loop.time()
        self._resume()

    def __repr__(self) -> str:
        return f"<client {self.id} of {self.service.name}, pid {self.identity.pid}>"

    def admit(self) -> None:
        """It has said who it is."""
        self.authenticated = True
        self._buffer.limit = frames.MESSAGE_MAX + 4
        self.service.admitted(self)

    # --- in

    def _resume(self) -> None:
        if not self._reading and not self.closed:
            self._reading = True
            self._loop.add_reader(self._fd, self._readable)

    def _pause(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def _readable(self) -> None:
        try:
            data, fds = self.channel.receive()
            if self._layer is not None and data:
                data = self._layer.decode(data)
                if not data:
                    return
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, Error) as problem:
            log.debug("%r: %s", self, problem)
            self.close()
            return
        if not data:
            self.close()
            return
        self._last_seen = self._loop.time()
        self._pings_left = self.service.keepalive_count
        try:
            packets = self._buffer.feed(data, fds)
        except Error as problem:
            log.warning("%r: %s", self, problem.message)
            self.close()
            return
        self._backlog.extend(packets)
        self._work()

    def _work(self) -> None:
        limit = self.service.max_client_requests
        while self._backlog and not self.closed and self._outstanding < limit:
            self._take(self._backlog.popleft())
        if self._backlog or self._outstanding >= limit:
            self._pause()
        else:
            self._resume()

    def _take(self, frame: frames.Frame) -> None:
        if frame.program == programs.KEEPALIVE and frame.type == frames.MESSAGE:
            if frame.procedure == programs.PING:
                self.send(frames.pack(programs.KEEPALIVE, 1, programs.PONG, frames.MESSAGE, 0, frames.OK))
            return
        self.service.dispatcher.take(self, frame)

    def held(self) -> None:
        """One more thing of this client waits in the daemon."""
        self._outstanding += 1

    def released(self) -> None:
        """One of them is done; read on when there is room again."""
        self._outstanding -= 1
        if not self.closed and (self._backlog or not self._reading):
            self._loop.call_soon(self._work)

    @property
    def is_secure(self) -> bool:
        """Nobody can read along: a unix socket, TLS, or a SASL layer that encrypts."""
        return self.channel.secure or self._layer is not None

    @property
    def waits(self) -> bool:
        """A call of it is being worked on."""
        return self._outstanding > 0

    def secure_after_reply(self, layer: Layer) -> None:
        """All that follows the next packet goes through the layer, both ways."""
        self._next_layer = layer

    # --- out

    def send(self, data: bytes, fds: list[int] | tuple[int, ...] = ()) -> None:
        """Queue a packet; each descriptor follows it with a byte of its own and is closed here once it is gone."""
        if self.closed:
            for fd in fds:
                os.close(fd)
            return
        if self._layer is not None:
            data = self._layer.encode(data)
        elif self._next_layer is not None:
            self._layer = self._next_layer
        if not self._out and not fds:
            try:
                sent = self.channel.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self._loop.call_soon(self.close)
                return
            if sent == len(data):
                return
            data = data[sent:]
        if not self._out:
            self._loop.add_writer(self._fd, self._writable)
        self._out.append((data, -1))
        self._out_size += len(data)
        for fd in fds:
            self._out.append((b"\0", fd))
            self._out_size += 1
        if self._out_size > OUT_MAX:
            log.warning("%r does not read what it is sent, closing it", self)
            self._loop.call_soon(self.close)

    def _writable(self) -> None:
        try:
            while self._out:
                data, fd = self._out[0]
                if fd >= 0:
                    self.sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [fd]))])
                    os.close(fd)
                    sent = 1
                else:
                    sent = self.channel.send(data)
                self._out_size -= sent
                if sent < len(data):
                    self._out[0] = (data[sent:], fd)
                    break
                self._out.popleft()
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.close()
            return
        if self._drain is not None and self._out_size < HIGH_WATER // 2:
            if not self._drain.done():
                self._drain.set_result(None)
            self._drain = None
        if not self._out:
            self._loop.remove_writer(self._fd)
            if self._close_after_send:
                self.close()

    async def drained(self) -> None:
        """Wait until what is queued for the client has shrunk."""
        while self._out_size > HIGH_WATER and not self.closed:
            if self._drain is None:
                self._drain = self._loop.create_future()
            await asyncio.shield(self._drain)
        if self.closed:
            raise ConnectionResetError("the client is gone")

    # --- keepalive

    def start_keepalive(self) -> None:
        """Ping the client when it is silent; called when it says that it knows pings."""
        if self._keepalive is None and self.service.keepalive_interval > 0 and not self.closed:
            self._last_seen = self._loop.time()
            self._pings_left = self.service.keepalive_count
            self._keepalive = self._loop.call_later(self.service.keepalive_interval, self._ping)

    @property
    def keeps_alive(self) -> bool:
        """True when the client asked for keepalive."""
        return self._keepalive is not None

    def _ping(self) -> None:
        interval = self.service.keepalive_interval
        silent = self._loop.time() - self._last_seen
        if silent < interval:
            self._keepalive = self._loop.call_later(interval - silent + 0.01, self._ping)
            return
        if self._pings_left <= 0:
            log.info("%r: connection closed due to keepalive timeout", self)
            self.close()
            return
        self._pings_left -= 1
        self.send(frames.pack(programs.KEEPALIVE, 1, programs.PING, frames.MESSAGE, 0, frames.OK))
        self._keepalive = self._loop.call_later(interval, self._ping)

    # --- end

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call this when the connection ends."""
        self._on_close.append(callback)

    def close_soon(self) -> None:
        """Close when all that is queued is sent."""
        self._close_after_send = True
        if not self._out:
            self._loop.call_soon(self.close)

    def close(self) -> None:
        """End the connection. Calls that run go on; their replies are dropped."""
        if self.closed:
            return
        self._pause()
        self.closed = True
        if self._out:
            self._loop.remove_writer(self._fd)
        for _, fd in self._out:
            if fd >= 0:
                os.close(fd)
        self._out.clear()
        for frame in self._backlog:
            for fd in frame.fds:
                os.close(fd)
        self._backlog.clear()
        self._buffer.close()
        if self._keepalive is not None:
            self._keepalive.cancel()
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)
        for stream in list(self.streams.values()):
            stream.gone()
        for callback in self._on_close:
            try:
                callback()
            except Exception:
                log.exception("%r: cleaning up", self)
        self._on_close.clear()
        self.sock.close()
        self.service.forget(self)
