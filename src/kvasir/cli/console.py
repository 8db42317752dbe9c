"""A guest's console on this terminal: raw bytes both ways until the escape key, the guest's end, or the end of input."""

from __future__ import annotations

import os
import select
import sys
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

NONBLOCK = 1
ESCAPE = b"\x1d"  # ctrl + ]


@contextmanager
def raw_terminal(fd: int) -> Iterator[None]:
    """The terminal without echo and line editing, put back afterwards. Nothing for what is no terminal."""
    if not os.isatty(fd):
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(fd)
    tty.setraw(fd)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSAFLUSH, before)


def run_console(domain: Any, device: str | None = None, flags: int = 0, escape: bytes = ESCAPE) -> None:
    """Connect the terminal to a guest's console device until the user leaves or the guest ends it."""
    connection = domain.connect()
    stream = connection.newStream(NONBLOCK)
    domain.openConsole(device, stream, flags)
    link = stream._link
    keys, screen = sys.stdin.fileno(), sys.stdout.fileno()
    with raw_terminal(keys):
        try:
            _relay(stream, link, keys, screen, escape)
        finally:
            stream.close()


def _relay(stream: Any, link: Any, keys: int, screen: int, escape: bytes) -> None:
    reading = [keys, link.channel.fileno()]
    while True:
        ready, _, _ = select.select(reading, [], [])
        if keys in ready:
            data = os.read(keys, 4096)
            head, left, _ = data.partition(escape) if escape else (data, b"", b"")
            if head:
                stream.send(head)
            if left:
                return
            if not data:
                reading.remove(keys)
        while True:
            shown = stream.recv(65536)
            if shown == -2:
                break
            if not shown:
                return
            os.write(screen, shown)
