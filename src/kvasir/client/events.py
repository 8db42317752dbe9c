"""Events: callbacks by number, and the default event loop that libvirt-python programs expect."""

from __future__ import annotations

from kvasir.client.objects import class_of
from kvasir.errors import InvalidArg, Origin
from kvasir.rpc import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kvasir.client.connection import Connection
    from kvasir.rpc.programs import Procedure

OBJECT_FIELDS = {"dom": "D", "net": "N", "pool": "SP", "dev": "ND", "secret": "SE"}
KINDS = ("domain", "network", "storage_pool", "node_device", "secret")


class Registry:
    """The callbacks of one connection. The daemon numbers them by kind of object; ours are unique over all kinds."""

    def __init__(self, connection: Connection) -> None:
        self._conn = connection
        self._known: dict[int, tuple[str, int, Callable[..., Any], Any]] = {}
        self._last = -1

    def _add(self, kind: str, remote: int, cb: Callable[..., Any], opaque: Any) -> int:
        self._last += 1
        self._known[self._last] = (kind, remote, cb, opaque)
        return self._last

    def register(self, kind: str, event: int, thing: Any, cb: Callable[..., Any], opaque: Any) -> int:
        name = (
            "connect_domain_event_callback_register_any" if kind == "domain" else f"connect_{kind}_event_register_any"
        )
        handle = getattr(thing, "handle", None)
        return self._add(kind, self._conn.link.call(programs.REMOTE[name], (event, handle)), cb, opaque)

    def register_monitor(self, thing: Any, event: str | None, cb: Callable[..., Any], opaque: Any, flags: int) -> int:
        handle = getattr(thing, "handle", None)
        procedure = programs.QEMU["connect_domain_monitor_event_register"]
        return self._add("monitor", self._conn.link.call(procedure, (handle, event, flags)), cb, opaque)

    def deregister(self, number: int) -> int:
        if number not in self._known:
            raise InvalidArg(f"no callback has the number {number}", origin=Origin.REMOTE)
        kind, remote, _, _ = self._known.pop(number)
        if kind == "monitor":
            self._conn.link.call(programs.QEMU["connect_domain_monitor_event_deregister"], (remote,))
            return 0
        middle = "event_callback" if kind == "domain" else "event"
        self._conn.link.call(programs.REMOTE[f"connect_{kind}_{middle}_deregister_any"], (remote,))
        return 0

    def dispatch(self, timeout: float | None) -> int:
        """Call the callbacks of what has come, after waiting for it."""
        link = self._conn.link
        if not link.events:
            link.pump(timeout)
        done = 0
        while link.events:
            message, values = link.events.popleft()
            done += self._deliver(message, values)
        return done

    def _deliver(self, message: Procedure, values: tuple[Any, ...]) -> int:
        if message.name == "connect_event_connection_closed":
            if self._conn.link.on_close:
                self._conn.link.on_close()
            return 1
        kind = "monitor" if message.program is programs.QEMU else kind_of(message.name)
        done = 0
        for known, remote, cb, opaque in list(self._known.values()):
            if known == kind and remote == values[0]:
                cb(self._conn, *arguments(self._conn, message, values), opaque)
                done += 1
        return done


def kind_of(name: str) -> str:
    """The kind of object that a message's name begins with."""
    return next((kind for kind in KINDS if name.startswith(kind + "_event")), "")


def arguments(connection: Connection, message: Procedure, values: tuple[Any, ...]) -> list[Any]:
    """What a callback is given: the object first, then the message's fields as libvirt-python has them."""
    named = dict(zip(message.args.names, values, strict=True))
    named.pop("callbackID")
    inner = named.pop("msg", None)
    if inner is not None:
        named = {**inner._asdict(), **named}
    found: list[Any] = []
    for name, value in named.items():
        kind = OBJECT_FIELDS.get(name)
        if kind and hasattr(value, "_fields"):
            found.insert(0, class_of(kind)(connection, value))
        elif name == "params":
            found.append(dict(value))
        elif name in ("local", "remote"):
            found.append(value._asdict())
        elif name == "subject":
            found.append([tuple(item) for item in value])
        else:
            found.append(value)
    return found


def run_once(timeout: float | None = None) -> int:
    """One round of the default loop: wait until something is there, call callbacks of connections, streams and descriptors, run due timers."""
    from select import POLLIN, poll
    from time import monotonic

    from kvasir.client.connection import OPEN

    poller = poll()
    alive = [connection for connection in OPEN if not connection.link.broken]
    for connection in alive:
        poller.register(connection.link.channel.fileno(), POLLIN)
        if connection.link.events or any(stream.ready() for stream in connection.watched):
            timeout = 0
    for fd, events, _, _ in HANDLES.values():
        if events:
            poller.register(fd, _wanted(fd))
    for due, period, _, _ in TIMERS.values():
        if period >= 0:
            left = max(0.0, due - monotonic())
            timeout = left if timeout is None else min(timeout, left)
    found = dict(poller.poll(None if timeout is None else int(timeout * 1000 + 0.999)))
    done = sum(_serve(connection) for connection in alive)
    done += sum(stream.tell() for connection in alive for stream in list(connection.watched))
    return done + _tell_handles(found) + _run_timers()


def _wanted(fd: int) -> int:
    """What poll() shall look for, of all that watch a descriptor."""
    events = 0
    for known, more, _, _ in HANDLES.values():
        events |= more if known == fd else 0
    return (1 if events & READABLE else 0) | (4 if events & WRITABLE else 0)


def _tell_handles(found: dict[int, int]) -> int:
    done = 0
    for number, (fd, events, cb, opaque) in list(HANDLES.items()):
        bits = found.get(fd, 0)
        now = (READABLE if bits & 1 else 0) | (WRITABLE if bits & 4 else 0)
        now = now & events | (ERROR if bits & 8 else 0) | (HANGUP if bits & 16 else 0)
        if events and now and number in HANDLES:
            cb(number, fd, now, opaque)
            done += 1
    return done


def _run_timers() -> int:
    from time import monotonic

    done = 0
    for number, (due, period, cb, opaque) in list(TIMERS.items()):
        if period >= 0 and monotonic() >= due and number in TIMERS:
            TIMERS[number] = (monotonic() + period, period, cb, opaque)
            cb(number, opaque)
            done += 1
    return done


def _serve(connection: Connection) -> int:
    from kvasir.client.link import Lost

    try:
        return connection.dispatch(0)
    except Lost:
        return 0


READABLE, WRITABLE, ERROR, HANGUP = 1, 2, 4, 8
TIMERS: dict[int, tuple[float, float, Any, Any]] = {}
"""Timers of the default loop: number -> (when due, period in seconds, callback, opaque); a negative period stands still."""
HANDLES: dict[int, tuple[int, int, Any, Any]] = {}
"""Descriptors of the default loop: number -> (descriptor, events, callback, opaque)."""


def add_timer(milliseconds: int, cb: Callable[[int, Any], Any], opaque: Any = None) -> int:
    """Have ``cb(timer, opaque)`` called each so many milliseconds by the default loop; -1: not now."""
    from time import monotonic

    number = max(TIMERS, default=0) + 1
    TIMERS[number] = (monotonic() + milliseconds / 1000, milliseconds / 1000, cb, opaque)
    return number


def update_timer(number: int, milliseconds: int) -> None:
    from time import monotonic

    if number in TIMERS:
        TIMERS[number] = (monotonic() + milliseconds / 1000, milliseconds / 1000, *TIMERS[number][2:])


def remove_timer(number: int) -> int:
    return 0 if TIMERS.pop(number, None) else -1


def add_handle(fd: int, events: int, cb: Callable[[int, int, int, Any], Any], opaque: Any = None) -> int:
    """Have ``cb(watch, fd, events, opaque)`` called by the default loop."""
    number = max(HANDLES, default=0) + 1
    HANDLES[number] = (fd, events, cb, opaque)
    return number


def update_handle(number: int, events: int) -> None:
    if number in HANDLES:
        fd, _, cb, opaque = HANDLES[number]
        HANDLES[number] = (fd, events, cb, opaque)


def remove_handle(number: int) -> int:
    return 0 if HANDLES.pop(number, None) else -1
