"""What a client's bytes pass through: the plain socket here, TLS in ``daemon.tls``, a SASL layer in ``daemon.sasl``."""

from __future__ import annotations

import socket
from typing import Protocol

from kvasir.rpc import frames


class Channel(Protocol):
    """A non-blocking socket or something that behaves like one."""

    local: bool
    """True where descriptors may pass and the kernel names the peer."""
    secure: bool
    """Nobody reads along."""
    sock: socket.socket

    def receive(self) -> tuple[bytes, list[int]]:
        """What has come, with its descriptors; BlockingIOError when nothing, b"" at the end."""

    def send(self, data: bytes) -> int:
        """How much was taken; BlockingIOError when nothing."""


class PlainChannel:
    """A unix or TCP socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.local = self.secure = sock.family == socket.AF_UNIX
        sock.setblocking(False)

    def receive(self) -> tuple[bytes, list[int]]:
        if self.local:
            return frames.receive(self.sock)
        return self.sock.recv(frames.RECEIVE_SIZE), []

    def send(self, data: bytes) -> int:
        return self.sock.send(data)
