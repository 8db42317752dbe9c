"""One connection's packets: calls that may be pipelined, replies by serial, streams, events and keepalive.

Standard library only, and little of that: ``socket`` (12 ms of imports) is left out, its C core serves.
"""

from __future__ import annotations

import _socket
import struct
from _thread import RLock

from kvasir.errors import Code, Error, Origin
from kvasir.rpc import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, Protocol

    class Channel(Protocol):
        """What a transport gives: a socket, or something that behaves like one."""

        def sendall(self, data: bytes, /) -> None: ...
        def recv(self, size: int, /) -> bytes: ...
        def fileno(self) -> int: ...
        def close(self) -> object: ...
else:
    from _collections import deque


HEADER = struct.Struct(">IIIiiIi")
CALL, REPLY, MESSAGE, STREAM, CALL_WITH_FDS, REPLY_WITH_FDS, STREAM_HOLE = range(7)
OK, ERROR, CONTINUE = range(3)
MESSAGE_MAX = 32 * 1024 * 1024
TOGETHER = 100
"""Calls that are sent before the first answer is waited for."""


class Lost(Error):
    """The connection is gone."""

    code = Code.SYSTEM_ERROR

    def __init__(self, text: str) -> None:
        super().__init__(text, origin=Origin.RPC, int1=5)


class Link:
    """The packets of one connection. Calls may come from several threads; each waits for its own reply."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.lock = RLock()
        self.serial = 0
        self.replies: dict[int, tuple[int, bytes, list[int]]] = {}
        self.streams: dict[int, deque[tuple[int, int, bytes]]] = {}
        self.pending: dict[int, programs.Procedure] = {}
        self.events: deque[tuple[programs.Procedure, tuple[Any, ...]]] = deque()
        self.on_close: Callable[[], None] | None = None
        self.broken: Error | None = None
        self.reason = 0
        """Why it broke: an error, end of file (1), pings without answer (2), as the callback of a close has it."""
        self.patience: tuple[int, int] | None = None
        """Seconds and pings after which a daemon that says nothing while a call waits for it is given up."""
        self.unanswered = 0
        """Keepalive pings that got no answer yet."""
        self.closed = False
        self._out: list[bytes] = []
        self._in = bytearray()
        self._fds: list[int] = []
        self._due: tuple[int, bytes, int] | None = None

    # -- calls

    def begin(
        self, procedure: programs.Procedure, values: Sequence[Any] = (), fds: Sequence[int] = (), stream: bool = False
    ) -> int:
        """Queue a call and give its serial; it travels with the next ``finish`` or ``flush``."""
        payload = procedure.encode_args(values)
        with self.lock:
            serial = self.serial
            self.serial += 1
            self.pending[serial] = procedure
            if stream:
                self.streams[serial] = deque()
            kind = CALL
            if fds:
                kind, payload = CALL_WITH_FDS, struct.pack(">I", len(fds)) + payload
            self._queue(procedure, kind, serial, OK, payload)
            if fds:
                self.flush()
                from kvasir.rpc.frames import send_fds

                send_fds(self.channel, list(fds))  # type: ignore[arg-type]  # only unix sockets get here
        return serial

    def _queue(self, procedure: programs.Procedure, kind: int, serial: int, status: int, payload: bytes) -> None:
        program = procedure.program
        head = HEADER.pack(28 + len(payload), program.id, program.version, procedure.number, kind, serial, status)
        self._out.append(head + payload)

    def flush(self) -> None:
        """Send what is queued."""
        with self.lock:
            if not self._out:
                return
            data = b"".join(self._out)
            self._out.clear()
            if self.broken:
                raise self.broken
            try:
                self.channel.sendall(data)
            except OSError as problem:
                self._break(f"Cannot write data: {self._last_words()}{problem.strerror}")

    def finish(self, serial: int) -> Any:
        """The result of a call that ``begin`` started; raises what the daemon answered."""
        return self.finish_fds(serial)[0]

    def finish_fds(self, serial: int) -> tuple[Any, list[int]]:
        """The result and the file descriptors that came with it."""
        with self.lock:
            self.flush()
            while serial not in self.replies:
                self._read()
            status, payload, fds = self.replies.pop(serial)
            procedure = self.pending.pop(serial)
        if status == ERROR:
            self.streams.pop(serial, None)
            from kvasir.rpc.errors import decode_error

            raise decode_error(payload)
        return procedure.decode_result(payload), fds

    def call(self, procedure: programs.Procedure, values: Sequence[Any] = ()) -> Any:
        """A call and its result."""
        return self.finish(self.begin(procedure, values))

    def call_all(self, procedure: programs.Procedure, rows: Sequence[Sequence[Any]]) -> Iterator[Any]:
        """A call for each row of values and its result, or the Error that it ended with; many travel together."""
        for at in range(0, len(rows), TOGETHER):
            for serial in [self.begin(procedure, values) for values in rows[at : at + TOGETHER]]:
                try:
                    yield self.finish(serial)
                except Error as problem:
                    yield problem

    # -- streams

    def send_stream(self, procedure: programs.Procedure, serial: int, status: int, payload: bytes = b"") -> None:
        """One packet of a stream."""
        with self.lock:
            self._queue(procedure, STREAM, serial, status, payload)
            self.flush()

    def send_hole(self, procedure: programs.Procedure, serial: int, length: int) -> None:
        with self.lock:
            self._queue(procedure, STREAM_HOLE, serial, CONTINUE, struct.pack(">qI", length, 0))
            self.flush()

    def next_stream(self, serial: int) -> tuple[int, int, bytes]:
        """The next packet of a stream: type, status, payload."""
        with self.lock:
            packets = self.streams[serial]
            while not packets:
                self._read()
            return packets.popleft()

    # -- reading

    def pump(self, timeout: float | None = 0.0) -> bool:
        """Read what has come, waiting at most ``timeout`` seconds (None: as long as it takes). False: nothing came."""
        from select import POLLIN, poll

        self.flush()
        poller = poll()
        poller.register(self.channel.fileno(), POLLIN)
        if not poller.poll(None if timeout is None else max(0, int(timeout * 1000))):
            return False
        with self.lock:
            if poller.poll(0):
                self._read()
        return True

    def _read(self) -> None:
        """Read once from the socket and sort the packets that are whole."""
        if self.broken:
            raise self.broken
        if self.patience is not None:
            self._await(*self.patience)
        try:
            data = self._receive()
        except OSError as problem:
            self._break(f"Cannot recv data: {self._last_words()}{problem.strerror}")
        if not data:
            self._break(f"End of file while reading data: {self._last_words()}Input/output error", 1)
        buf = self._in
        buf += data
        while True:
            if self._due is not None:
                serial, payload, count = self._due
                if len(buf) < count:
                    return
                del buf[:count]
                self._due = None
                self.replies[serial] = (OK, payload, self._fds[:count])
                del self._fds[:count]
            if len(buf) < 4:
                return
            self.unanswered = 0
            size = int.from_bytes(buf[:4], "big")
            if size < 28 or size - 4 > MESSAGE_MAX:
                self._break(f"packet {size} bytes received from server too large or too small")
            if len(buf) < size:
                return
            _, program, _, number, kind, serial, status = HEADER.unpack_from(buf)
            payload = bytes(buf[28:size])
            del buf[:size]
            self._sort(program, number, kind, serial, status, payload)

    def _await(self, interval: int, count: int) -> None:
        """Wait until something comes; ping while nothing does."""
        from select import POLLIN, poll

        pending = getattr(self.channel, "pending", None)
        if pending is not None and pending():
            return
        poller = poll()
        poller.register(self.channel.fileno(), POLLIN)
        while not poller.poll(interval * 1000):
            if self.unanswered >= count:
                self._break("connection closed due to keepalive timeout", 2)
            self.unanswered += 1
            try:
                self.ping()
            except OSError as problem:
                self._break(f"Cannot write data: {problem.strerror}")

    def _last_words(self) -> str:
        """What the command that carries the connection complained of, ready to stand before another reason."""
        words = getattr(self.channel, "last_words", str)()
        return f"{words}: " if words else ""

    def _receive(self) -> bytes:
        channel = self.channel
        if not isinstance(channel, _socket.socket) or channel.family != _socket.AF_UNIX:
            return channel.recv(262144)
        data, extra, _, _ = channel.recvmsg(262144, 512, _socket.MSG_CMSG_CLOEXEC)
        for level, kind, raw in extra:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                self._fds += struct.unpack(f"{len(raw) // 4}i", raw[: len(raw) // 4 * 4])
        return data

    def _sort(self, program: int, number: int, kind: int, serial: int, status: int, payload: bytes) -> None:
        if kind == REPLY:
            self.replies[serial] = (status, payload, [])
        elif kind == REPLY_WITH_FDS:
            self._due = (serial, payload[4:], int.from_bytes(payload[:4], "big"))
        elif kind in (STREAM, STREAM_HOLE):
            if serial in self.streams:
                self.streams[serial].append((kind, status, payload))
        elif kind == MESSAGE:
            if program == programs.KEEPALIVE:
                self.unanswered = 0
                if number == programs.PING:
                    self.ping(programs.PONG)
                return
            known = programs.BY_ID.get(program)
            message = known.number(number) if known else None
            if message is not None:
                self.events.append((message, message.decode_args(payload)))

    def ping(self, number: int = programs.PING) -> None:
        """Send a keepalive message."""
        self.channel.sendall(HEADER.pack(28, programs.KEEPALIVE, 1, number, MESSAGE, 0, OK))

    def lose(self, text: str) -> None:
        """Give the connection up: pings had no answer."""
        import contextlib

        with contextlib.suppress(Lost):
            self._break(text, 2)

    def _break(self, text: str, reason: int = 0) -> None:
        if self.broken is None:
            self.broken, self.reason = Lost(text), reason
            if self.on_close and not self.closed:
                self.on_close()
        raise self.broken

    def close(self) -> None:
        """Close the socket."""
        self.closed = True
        self.broken = self.broken or Lost("internal error: client socket is closed")
        self.channel.close()
