"""Streams: bytes both ways beside the calls of a connection (console, screenshot, volume content)."""

from __future__ import annotations

from kvasir.client.link import CONTINUE, ERROR, OK, STREAM_HOLE
from kvasir.errors import Error, InternalError, InvalidArg, Origin
from kvasir.rpc.errors import decode_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from kvasir.client.connection import Connection
    from kvasir.rpc.programs import Procedure

CHUNK = 262_120
"""Most bytes that one packet carries."""
NONBLOCK = 1
READABLE, WRITABLE = 1, 2


class Stream:
    """A stream, bound to a call by ``Domain.openConsole`` and the like."""

    def __init__(self, connection: Connection, flags: int = 0) -> None:
        self._conn = connection
        self._link = connection.link
        self._flags = flags
        self._procedure: Procedure | None = None
        self._serial = -1
        self._rest = b""
        self._hole = 0
        self._ended = False
        self._watch: tuple[int, Callable[[Stream, int, Any], Any], Any] | None = None

    def eventAddCallback(self, events: int, cb: Callable[[Stream, int, Any], Any], opaque: Any = None) -> int:
        """Have ``cb(stream, events, opaque)`` called by the event loop while VIR_STREAM_EVENT_* of ``events`` hold."""
        self._bound()
        if self._watch is not None:
            raise InternalError("multiple stream callbacks not supported", origin=Origin.RPC)
        self._watch = (events, cb, opaque)
        self._conn.watched.append(self)
        return 0

    def eventUpdateCallback(self, events: int) -> int:
        """Other events, 0 for none."""
        if self._watch is None:
            raise InternalError("no stream callback registered", origin=Origin.RPC)
        self._watch = (events, *self._watch[1:])
        return 0

    def eventRemoveCallback(self) -> int:
        """Call it no longer."""
        if self._watch is None:
            raise InternalError("no stream callback registered", origin=Origin.RPC)
        self._unwatch()
        return 0

    def _unwatch(self) -> None:
        self._watch = None
        if self in self._conn.watched:
            self._conn.watched.remove(self)

    def ready(self) -> int:
        """The events that hold now, of those asked for."""
        wanted = self._watch[0] if self._watch is not None else 0
        return wanted & ((READABLE if self._waiting() else 0) | (WRITABLE if not self._ended else 0))

    def tell(self) -> int:
        """Call the callback for what holds now; gives how many were called."""
        now = self.ready()
        if self._watch is None or not now:
            return 0
        self._watch[1](self, now, self._watch[2])
        return 1

    def connect(self) -> Connection:
        return self._conn

    def _bind(self, procedure: Procedure, values: Sequence[Any]) -> Any:
        serial = self._link.begin(procedure, values, stream=True)
        answer = self._link.finish(serial)
        self._procedure, self._serial = procedure, serial
        return answer

    def _bound(self) -> Procedure:
        if self._procedure is None:
            raise InvalidArg("stream is not open", origin=Origin.STREAMS)
        return self._procedure

    def _waiting(self) -> bool:
        return bool(self._rest or self._hole or self._ended or self._link.streams.get(self._serial))

    def _next(self) -> None:
        """Take the next packet into the buffer."""
        kind, status, payload = self._link.next_stream(self._serial)
        if status == ERROR:
            self._forget()
            raise decode_error(payload)
        if kind == STREAM_HOLE:
            self._hole = int.from_bytes(payload[:8], "big", signed=True)
        elif status == OK or not payload:
            self._ended = True
        else:
            self._rest = payload

    def recv(self, nbytes: int) -> bytes | int:
        """At most nbytes; b"" at the end; -2 when nothing is there and the stream does not block."""
        self._bound()
        while not self._rest:
            if self._hole:
                taken = min(self._hole, nbytes)
                self._hole -= taken
                return bytes(taken)
            if self._ended:
                return b""
            if self._flags & NONBLOCK and not self._waiting():
                self._link.pump(0)
                if not self._waiting():
                    return -2
            self._next()
        data, self._rest = self._rest[:nbytes], self._rest[nbytes:]
        return data

    def recvFlags(self, nbytes: int, flags: int = 0) -> bytes | int:
        """``recv`` that with VIR_STREAM_RECV_STOP_AT_HOLE answers -3 where a hole stands."""
        if flags & 1 and not self._rest:
            while not (self._rest or self._hole or self._ended):
                if self._flags & NONBLOCK and not self._waiting():
                    self._link.pump(0)
                    if not self._waiting():
                        return -2
                self._next()
            if self._hole:
                return -3
        return self.recv(nbytes)

    def recvHole(self, flags: int = 0) -> int:
        """Length of the hole that stands at the reading position, 0 when data stand there."""
        while not (self._rest or self._hole or self._ended):
            self._next()
        hole, self._hole = self._hole, 0
        return hole

    def send(self, data: bytes) -> int:
        """Send bytes; gives how many went."""
        procedure = self._bound()
        for at in range(0, len(data), CHUNK):
            self._check_abort()
            self._link.send_stream(procedure, self._serial, CONTINUE, data[at : at + CHUNK])
        return len(data)

    def sendHole(self, length: int, flags: int = 0) -> int:
        """Send a hole of that many bytes."""
        procedure = self._bound()
        self._check_abort()
        self._link.send_hole(procedure, self._serial, length)
        return 0

    def _check_abort(self) -> None:
        """Raise what the daemon has said meanwhile, so that a long sending ends when the other end has failed."""
        self._link.pump(0)
        for _, status, payload in list(self._link.streams.get(self._serial, ())):
            if status == ERROR:
                self._forget()
                raise decode_error(payload)

    def recvAll(self, handler: Callable[[Stream, bytes, Any], Any], opaque: Any = None) -> None:
        """Give everything that comes to ``handler(stream, bytes, opaque)`` until the end."""
        while True:
            data = self.recv(CHUNK)
            if not isinstance(data, bytes) or not data:
                return
            try:
                handler(self, data, opaque)
            except BaseException:
                self.abort()
                raise

    def sendAll(self, handler: Callable[[Stream, int, Any], bytes], opaque: Any = None) -> None:
        """Send what ``handler(stream, nbytes, opaque)`` gives until it gives nothing."""
        while True:
            try:
                data = handler(self, CHUNK, opaque)
            except BaseException:
                self.abort()
                raise
            if not data:
                return
            self.send(data)

    def sparseRecvAll(
        self,
        handler: Callable[[Stream, bytes, Any], Any],
        holeHandler: Callable[[Stream, int, Any], Any],
        opaque: Any = None,
    ) -> None:
        """``recvAll`` that tells holes apart."""
        while True:
            hole = self.recvHole()
            if hole:
                holeHandler(self, hole, opaque)
                continue
            data = self.recv(CHUNK)
            if not isinstance(data, bytes) or not data:
                return
            handler(self, data, opaque)

    def sparseSendAll(
        self,
        handler: Callable[[Stream, int, Any], bytes],
        holeHandler: Callable[[Stream, Any], tuple[bool, int]],
        skipHandler: Callable[[Stream, int, Any], Any],
        opaque: Any = None,
    ) -> None:
        """``sendAll`` that sends holes as such. ``holeHandler`` says (whether data stand there, how many bytes)."""
        while True:
            try:
                data, length = holeHandler(self, opaque)
                if not data:
                    if not length:
                        return
                    self.sendHole(length)
                    skipHandler(self, length, opaque)
                    continue
                while length > 0:
                    chunk = handler(self, min(CHUNK, length), opaque)
                    if not chunk:
                        return
                    self.send(chunk)
                    length -= len(chunk)
            except Error:
                raise
            except BaseException:
                self.abort()
                raise

    def finish(self) -> int:
        """End the stream well; raises what went wrong on the other side."""
        procedure = self._bound()
        self._link.send_stream(procedure, self._serial, OK)
        while True:
            _, status, payload = self._link.next_stream(self._serial)
            if status == CONTINUE:
                continue
            self._forget()
            if status == ERROR:
                raise decode_error(payload)
            return 0

    def abort(self) -> int:
        """End the stream at once; what was sent may be lost."""
        procedure = self._bound()
        self._link.send_stream(procedure, self._serial, ERROR)
        while True:
            _, status, _ = self._link.next_stream(self._serial)
            if status != CONTINUE:
                self._forget()
                return 0

    def _forget(self) -> None:
        self._link.streams.pop(self._serial, None)
        self._procedure = None
        self._ended = True
        self._unwatch()

    def close(self) -> None:
        """Leave it whatever its state (also called when the object goes)."""
        if self._procedure is not None and not self._link.broken:
            try:
                self.abort()
            except Error:
                self._forget()

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:
            return
