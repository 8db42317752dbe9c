"""Waiting: until something is so, for descriptors, whatever their number (select() takes none above 1,023), for programs that listen."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import Any


def until(what: Callable[[], Any], why: object = "it does not come to pass", seconds: float = 150) -> Any:
    """Ask until the answer is true, and give it. ``why`` says what is missing, or is called for it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"waited {seconds} s in vain: {why() if callable(why) else why}"
        time.sleep(0.1)
    return found


def readable(fd: int, seconds: float) -> bool:
    """Whether there is something to read within the time."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(max(0, int(seconds * 1000))))


def _work(pid: int) -> tuple[str, list[str]] | None:
    """Whether a program has its connection and sleeps in all its threads, and what each has used up to now."""
    used = []
    try:
        links = [os.readlink(entry) for entry in os.scandir(f"/proc/{pid}/fd")]
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/stat", encoding="utf-8", errors="replace") as stream:
                state, *rest = stream.read().rpartition(")")[2].split()
            if state not in "SZ":
                return None
            with open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8", errors="replace") as stream:
                switches = [line for line in stream if "ctxt_switches" in line]
            used += [*rest[10:12], *switches]
    except OSError:
        return None
    return ("socket", used) if any(link.startswith("socket:") for link in links) else None


def listening(*pids: int, still: float = 0.5, seconds: float = 60) -> None:
    """Wait until clients that print events have registered for them, which nothing tells: connected, then asleep for ``still``."""
    end = time.monotonic() + seconds
    for pid in pids:
        before, since = None, time.monotonic()
        while time.monotonic() - since < still:
            assert time.monotonic() < end, f"process {pid} does not come to rest"
            time.sleep(0.05)
            now = _work(pid)
            if now is None or now != before:
                before, since = now, time.monotonic()
