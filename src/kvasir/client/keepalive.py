"""Keepalive of a connection that may be idle: a thread that answers the daemon's pings and sends ours."""

from __future__ import annotations

from _thread import start_new_thread

from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.client.link import Link


def start(link: Link, interval: int, count: int) -> None:
    """Ping each interval seconds; after count pings without any packet from the daemon the connection is lost."""
    start_new_thread(run, (link, interval, count))


def run(link: Link, interval: int, count: int) -> None:
    """The thread: ends with the connection."""
    while not link.broken:
        try:
            if link.pump(interval):
                continue
            if link.unanswered >= count:
                link.lose("connection closed due to keepalive timeout")
                return
            if link.lock.acquire(blocking=False):  # else a call is under way, and its reading answers
                try:
                    link.unanswered += 1
                    link.ping()
                finally:
                    link.lock.release()
        except (Error, OSError, ValueError):
            return
