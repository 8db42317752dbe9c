"""The client library: synchronous, standard library only, with libvirt-python's names.

    from kvasir import client
    with client.open("qemu:///system") as conn:
        for domain in conn.listAllDomains():
            print(domain.name(), domain.state())

Errors are ``kvasir.errors.Error`` (``libvirtError`` is the same class). Constants ``VIR_*`` are attributes of this module.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kvasir.client.connection import Connection


def open(name: str | None = None) -> Connection:
    """Connect; None means the default URI."""
    from kvasir.client.connection import open as connect

    return connect(name)


def openReadOnly(name: str | None = None) -> Connection:
    """Connect for looking only."""
    from kvasir.client.connection import open as connect

    return connect(name, readonly=True)


def openAuth(uri: str | None = None, auth: Any = None, flags: int = 0) -> Connection:
    """Connect; ``auth`` as libvirt-python has it, ``[credential types, callback(credentials, opaque) -> int, opaque]``;
    flags VIR_CONNECT_RO."""
    from kvasir.client.connection import open as connect

    ask = (lambda questions, _: auth[1](questions, auth[2])) if auth else None
    return connect(uri, readonly=bool(flags & 1), ask=ask)


def virEventRegisterDefaultImpl() -> int:
    """Nothing to register: the loop is ``virEventRunDefaultImpl``."""
    return 0


def virEventRunDefaultImpl() -> int:
    """One round of the event loop over all open connections."""
    from kvasir.client.events import run_once

    run_once()
    return 0


def virEventAddTimeout(timeout: int, cb: Any, opaque: Any) -> int:
    """A timer of the loop, in milliseconds."""
    from kvasir.client.events import add_timer

    return add_timer(timeout, cb, opaque)


def virEventRemoveTimeout(timer: int) -> int:
    from kvasir.client.events import remove_timer

    return remove_timer(timer)


def virEventAddHandle(fd: int, events: int, cb: Any, opaque: Any) -> int:
    """A descriptor of the loop: ``cb(watch, fd, events, opaque)`` when VIR_EVENT_HANDLE_* of ``events`` hold."""
    from kvasir.client.events import add_handle

    return add_handle(fd, events, cb, opaque)


def virEventUpdateHandle(watch: int, events: int) -> None:
    """Other events for a descriptor; 0 for none."""
    from kvasir.client.events import update_handle

    update_handle(watch, events)


def virEventRemoveHandle(watch: int) -> int:
    from kvasir.client.events import remove_handle

    return remove_handle(watch)


def virEventUpdateTimeout(timer: int, timeout: int) -> None:
    """Another period for a timer, in milliseconds; -1 stops it."""
    from kvasir.client.events import update_timer

    update_timer(timer, timeout)


def virInitialize() -> int:
    """Nothing to do."""
    return 0


def registerErrorHandler(f: Any, ctx: Any) -> int:
    """Nothing is printed by this library, so there is nothing to keep quiet."""
    return 0


def getVersion(name: str | None = None) -> int:
    """The version of libvirt whose behaviour this is."""
    return 9000000


def __getattr__(name: str) -> Any:
    if name == "libvirtError":
        from kvasir.errors import Error

        return Error
    if name.startswith("VIR_"):
        from kvasir.rpc.constants import find

        return find(name)
    known = {"virConnect": "Connection"}.get(name, name.removeprefix("vir"))
    if known[:1].isupper():
        from importlib import import_module

        module = {"Connection": "connection", "Stream": "stream", "Domain": "objects"}.get(known, "others")
        found = getattr(import_module(f"kvasir.client.{module}"), known, None)
        if found is not None:
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
