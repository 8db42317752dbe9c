"""Waiting for descriptors, whatever their number: select() takes none above 1,023."""

from __future__ import annotations

import select


def readable(fd: int, seconds: float) -> bool:
    """Whether there is something to read within the time."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(max(0, int(seconds * 1000))))
