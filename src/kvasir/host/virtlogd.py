"""libvirt's virtlogd, which writes the logs of guests (``stdio_handler = "logd"``): it gives a pipe for a log file, and keeps the file bounded.

A guest so started goes on being logged whatever becomes of the daemon, ours or libvirt's. The calls block: not for the event loop.
"""

from __future__ import annotations

import os
import socket
import struct

from kvasir.errors import Error, InternalError, SystemFailure
from kvasir.rpc import frames

PROGRAM, VERSION = 0x87539319, 1
OPEN, POSITION = 1, 2
TRUNCATE = 1
SECONDS = 30


def _text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogateescape")
    return struct.pack(">I", len(data)) + data + b"\0" * (-len(data) % 4)


def _call(path: str, procedure: int, arguments: bytes) -> frames.Frame:
    """One call on a connection of its own. Raises SystemFailure where nobody listens, InternalError for a refusal."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(SECONDS)
        try:
            sock.connect(path)
        except OSError as error:
            raise SystemFailure(f"Failed to connect socket to '{path}'", error) from error
        buffer = frames.FrameBuffer()
        try:
            sock.sendall(frames.pack(PROGRAM, VERSION, procedure, frames.CALL, 0, frames.OK, arguments))
            found: list[frames.Frame] = []
            while not found:
                data, fds = frames.receive(sock)
                if not data:
                    raise InternalError(f"virtlogd closed {path}")
                found = buffer.feed(data, fds)
        except OSError as error:
            raise SystemFailure(f"virtlogd does not answer on {path}", error) from error
        except Error:
            raise
    answer = found[0]
    if answer.status != frames.OK:
        for fd in answer.fds:
            os.close(fd)
        raise InternalError(f"virtlogd refuses: {_message(bytes(answer.payload))}")
    return answer


def _message(payload: bytes) -> str:
    """The text of an error on the wire: code, domain, then the message where there is one."""
    try:
        present, size = struct.unpack_from(">II", payload, 8)
        return payload[16 : 16 + size].decode(errors="replace") if present else "no reason given"
    except struct.error:
        return "no reason given"


def open_log(socket_path: str, uuid: bytes, name: str, path: str, *, truncate: bool) -> int:
    """A pipe whose other end virtlogd writes to the guest's log file."""
    arguments = _text("QEMU") + uuid + _text(name) + _text(path) + struct.pack(">I", TRUNCATE if truncate else 0)
    answer = _call(socket_path, OPEN, arguments)
    if len(answer.fds) != 1:
        for fd in answer.fds:
            os.close(fd)
        raise InternalError("virtlogd gave no descriptor")
    return int(answer.fds[0])


def position(socket_path: str, path: str) -> int:
    """Where the log file ends now that all which was written to its pipe is in it."""
    answer = _call(socket_path, POSITION, _text(path) + struct.pack(">I", 0))
    _, offset = struct.unpack_from(">QQ", bytes(answer.payload))
    return int(offset)


def writes_for(pid: int) -> bool:
    """Whether a process's output goes into a pipe, so that another than it writes its log."""
    try:
        return os.readlink(f"/proc/{pid}/fd/1").startswith("pipe:")
    except OSError:
        return False
