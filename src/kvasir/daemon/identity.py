"""Who is at the other end of a connection."""

from __future__ import annotations

import pwd
import socket
import struct
from dataclasses import dataclass

_CREDENTIALS = struct.Struct("iII")


@dataclass(frozen=True, slots=True)
class Identity:
    """The peer of a unix socket, by the kernel's word."""

    pid: int
    uid: int
    gid: int

    @property
    def user(self) -> str:
        """The user's name, or the number when it has none."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)

    @property
    def start_time(self) -> int:
        """When the peer's process began, in clock ticks (0: it is gone). With the pid it names a process for good."""
        try:
            with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as stream:
                return int(stream.read().rpartition(")")[2].split()[19])
        except (OSError, ValueError, IndexError):
            return 0


UNKNOWN = Identity(0, 2**32 - 1, 2**32 - 1)
"""Somebody at the other end of a network connection."""


def of_peer(sock: socket.socket) -> Identity:
    """The identity behind a connected unix socket; ``UNKNOWN`` behind any other."""
    if sock.family != socket.AF_UNIX:
        return UNKNOWN
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return Identity(*_CREDENTIALS.unpack(raw))
