"""Frames: the packets that carry calls, replies, messages and stream data, and the descriptors that travel after them.

    data = frames.pack(prog, vers, proc, CALL, serial, OK, payload)        # bytes to send
    for frame in buffer.feed(received, fds): frame.procedure, frame.payload, frame.fds ...

A packet is ``u32 length`` (its own 4 bytes counted) + header of 24 + payload. Packets of type CALL_WITH_FDS and
REPLY_WITH_FDS hold a ``u32`` count before the payload; ``pack(..., nfds=n)`` writes it, and the sender then sends ``n`` times
one byte with one descriptor (``send_fds``). ``FrameBuffer`` takes what ``recvmsg`` gave (``receive``) and puts both together.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from collections import deque, namedtuple

from kvasir.rpc.xdr import Malformed

TYPE_CHECKING = False  # the typing module costs a client milliseconds; only the checker reads it
if TYPE_CHECKING:
    from typing import Final, NamedTuple

CALL: Final = 0
REPLY: Final = 1
MESSAGE: Final = 2
STREAM: Final = 3
CALL_WITH_FDS: Final = 4
REPLY_WITH_FDS: Final = 5
STREAM_HOLE: Final = 6

OK: Final = 0
ERROR: Final = 1
CONTINUE: Final = 2

HEADER: Final = struct.Struct(">IIIiiIi")
HOLE: Final = struct.Struct(">qI")
"""Payload of a STREAM_HOLE: length, flags."""
_COUNT: Final = struct.Struct(">I")
HEADER_SIZE: Final = HEADER.size
MESSAGE_MAX: Final = 32 * 1024 * 1024
FDS_MAX: Final = 32
STREAM_CHUNK: Final = 262_120
"""Largest stream payload that every client of the wire accepts."""
RECEIVE_SIZE: Final = 64 * 1024


if TYPE_CHECKING:

    class Frame(NamedTuple):
        """One packet."""

        program: int
        version: int
        procedure: int
        type: int
        serial: int
        status: int
        payload: bytes
        fds: list[int]

else:
    Frame = namedtuple("Frame", "program version procedure type serial status payload fds")


def pack(
    program: int, version: int, procedure: int, type: int, serial: int, status: int, payload: bytes = b"", nfds: int = 0
) -> bytes:
    """A packet as bytes; ``nfds`` is written for the types that carry descriptors."""
    if type in (CALL_WITH_FDS, REPLY_WITH_FDS):
        payload = _COUNT.pack(nfds) + payload
    size = HEADER_SIZE + len(payload)
    if size - 4 > MESSAGE_MAX:
        raise Malformed(f"packet {size - 4} bytes is too large, the limit is {MESSAGE_MAX}")
    return HEADER.pack(size, program, version, procedure, type, serial, status) + payload


def check_size(size: int) -> None:
    """Refuse a length word that cannot be."""
    if size < HEADER_SIZE:
        raise Malformed(f"packet of {size} bytes received from peer is too small, want {HEADER_SIZE}")
    if size - 4 > MESSAGE_MAX:
        raise Malformed(f"packet of {size} bytes received from peer is too large, want at most {MESSAGE_MAX + 4}")


class FrameBuffer:
    """Takes bytes as they come and gives whole packets. After ``Malformed`` the stream is lost: close the connection."""

    __slots__ = ("_data", "_fds", "_waiting", "limit")

    def __init__(self) -> None:
        self.limit = MESSAGE_MAX + 4
        """The largest packet; less for a client of whom nothing is known yet."""
        self._data = bytearray()
        self._fds: deque[int] = deque()
        self._waiting: tuple[Frame, int] | None = None

    def feed(self, data: bytes, fds: list[int] | tuple[int, ...] = ()) -> list[Frame]:
        """The packets that are complete now."""
        self._fds.extend(fds)
        if len(self._fds) > 2 * FDS_MAX:
            raise Malformed("too many file descriptors received")
        frames: list[Frame] = []
        buf = self._data
        buf += data
        pos = 0
        try:
            while True:
                if self._waiting is not None:
                    frame, count = self._waiting
                    if len(buf) - pos < count:
                        break
                    pos += count
                    self._waiting = None
                    frames.append(frame._replace(fds=self._take(count)))
                if len(buf) - pos < 4:
                    break
                (size,) = _COUNT.unpack_from(buf, pos)
                check_size(size)
                if size > self.limit:
                    raise Malformed(f"packet of {size} bytes received from peer is too large before the login")
                if len(buf) - pos < size:
                    break
                head = HEADER.unpack_from(buf, pos)
                payload = bytes(buf[pos + HEADER_SIZE : pos + size])
                pos += size
                self._add(frames, head, payload)
        finally:
            del buf[:pos]
        return frames

    def _add(self, frames: list[Frame], head: tuple[int, ...], payload: bytes) -> None:
        _, program, version, procedure, type, serial, status = head
        if type not in (CALL_WITH_FDS, REPLY_WITH_FDS):
            frames.append(Frame(program, version, procedure, type, serial, status, payload, []))
            return
        if len(payload) < 4:
            raise Malformed("the packet has no count of file descriptors")
        (count,) = _COUNT.unpack_from(payload)
        if count > FDS_MAX:
            raise Malformed(f"too many FDs to send {count}, expected {FDS_MAX} maximum")
        frame = Frame(program, version, procedure, type, serial, status, payload[4:], [])
        if count:
            self._waiting = (frame, count)
        else:
            frames.append(frame)

    def _take(self, count: int) -> list[int]:
        if len(self._fds) < count:
            raise Malformed(f"{count} file descriptors announced, {len(self._fds)} received")
        return [self._fds.popleft() for _ in range(count)]

    def close(self) -> None:
        """Close descriptors that nobody took."""
        while self._fds:
            os.close(self._fds.popleft())


def receive(sock: socket.socket, size: int = RECEIVE_SIZE) -> tuple[bytes, list[int]]:
    """``recvmsg`` with the descriptors that came along (close-on-exec). Empty bytes: the peer closed."""
    width = array.array("i").itemsize
    data, ancillary, _, _ = sock.recvmsg(size, socket.CMSG_SPACE(FDS_MAX * width), socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, raw in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(raw[: len(raw) - len(raw) % width])
    return data, list(fds)


def send_fds(sock: socket.socket, fds: list[int]) -> None:
    """What follows a packet ``*_WITH_FDS``: one byte with one descriptor each (blocking socket)."""
    for fd in fds:
        sock.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
