"""The kernel's notices of devices that come, go or change (netlink)."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable

NETLINK_KOBJECT_UEVENT = 15
KERNEL = 1


class Uevents:
    """Calls ``changed()`` on the event loop for each batch of notices of devices (not of modules and the like)."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.changed = changed
        self.sock: socket.socket | None = None

    def start(self, loop: object) -> bool:
        """Listen; False where the kernel does not let us."""
        try:
            self.sock = socket.socket(
                socket.AF_NETLINK,
                socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
                NETLINK_KOBJECT_UEVENT,
            )
            self.sock.bind((os.getpid(), KERNEL))
        except OSError:
            self.stop(loop)
            return False
        loop.add_reader(self.sock.fileno(), self._read)  # type: ignore[attr-defined]  # asyncio's loop; host/ does not import it
        return True

    def _read(self) -> None:
        assert self.sock is not None
        seen = False
        with contextlib.suppress(BlockingIOError, InterruptedError):
            for _ in range(1000):
                try:
                    notice = self.sock.recv(65536)
                except OSError as error:
                    if error.errno == 105:  # the queue overflowed: notices were lost, so look anew
                        seen = True
                        continue
                    raise
                seen = seen or b"\0DEVPATH=" in notice
        if seen:
            self.changed()

    def stop(self, loop: object) -> None:
        """Listen no more."""
        if self.sock is not None:
            with contextlib.suppress(Exception):
                loop.remove_reader(self.sock.fileno())  # type: ignore[attr-defined]
            self.sock.close()
            self.sock = None
