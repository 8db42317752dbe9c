"""Opening and closing a connection, who it is, what the daemon can."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from kvasir.daemon import drivers
from kvasir.errors import Code, Error, Origin
from kvasir.host.hostname import hostname

if TYPE_CHECKING:
    from kvasir.daemon.sasl import Login
    from kvasir.daemon.session import Session

LIB_VERSION = 9_000_000
"""The libvirt whose wire and API we speak: 9.0.0."""
OPEN_READ_ONLY = 1
AUTH_NONE, AUTH_SASL, AUTH_POLKIT = range(3)
AUTH_NUMBERS = {"none": AUTH_NONE, "sasl": AUTH_SASL, "polkit": AUTH_POLKIT}

FEATURE_FD_PASSING, FEATURE_KEEPALIVE = 8, 10
OWN_FEATURES = frozenset({14, 15})
"""Answered by the daemon itself: filtered event callbacks, close callbacks."""
DRIVER_FEATURES = frozenset({3, 4, 6, 7, 9, 11, 12, 13, 16})
"""Change protection, migration (peer to peer, version 3, XML, offline, parameters), typed strings, order of network_update."""


def auth_list(session: Session) -> list[int]:
    """How a client may say who it is."""
    return [AUTH_NUMBERS[session.client.auth]]


async def auth_polkit(session: Session) -> int:
    """Let polkit decide about the peer of a unix socket."""
    from kvasir.daemon import polkit

    client = session.client
    if client.auth != "polkit":
        raise _auth_failed()
    await polkit.authorize(client)
    client.admit()
    return 1


async def auth_sasl_init(session: Session) -> str:
    """The SASL mechanisms that a client may choose from."""
    from kvasir.daemon.sasl import Login

    client = session.client
    if client.auth != "sasl" or client.authenticated or "sasl" in client.data:
        raise _auth_failed()
    login = client.data["sasl"] = Login(client)
    return await login.mechanisms()


async def auth_sasl_start(session: Session, mech: str, nil: int, data: bytes) -> tuple[int, int, bytes]:
    """The client's choice and its first word."""
    complete, answer = await _login(session).start(mech, None if nil else data)
    return int(complete), int(answer is None), answer or b""


async def auth_sasl_step(session: Session, nil: int, data: bytes) -> tuple[int, int, bytes]:
    """Its next word."""
    complete, answer = await _login(session).step(None if nil else data)
    return int(complete), int(answer is None), answer or b""


def _login(session: Session) -> Login:
    found: Login | None = session.client.data.get("sasl")
    if found is None or session.client.authenticated:
        raise _auth_failed()
    return found


def _auth_failed() -> Error:
    text = "authentication failed"
    return Error(text, code=Code.AUTH_FAILED, origin=Origin.RPC, message=f"authentication failed: {text}")


def connect_open(session: Session, name: str | None, flags: int) -> None:
    """Choose the driver of the URI."""
    client = session.client
    if client.driver is not None:
        raise _internal("connection already open")
    if client.service.limits.keepalive_required and not client.keeps_alive:
        text = "keepalive support is required to connect"
        raise Error(text, code=Code.OPERATION_FAILED, origin=Origin.RPC, message=f"operation failed: {text}")
    client.driver = drivers.choose(name, session.daemon.drivers, client)
    client.data["uri"] = client.driver.uri if not name or name.startswith("remote:") else name
    if flags & OPEN_READ_ONLY:
        client.readonly = True


def _internal(text: str) -> Error:
    return Error(text, code=Code.INTERNAL_ERROR, origin=Origin.RPC, message=f"internal error: {text}")


def connect_close(session: Session) -> None:
    """The client leaves; the connection closes after the answer."""
    session.client.close_soon()


def connect_supports_feature(session: Session, feature: int) -> int:
    """Whether daemon or driver can a thing (numbers of VIR_DRV_FEATURE). Asking for keepalive starts it."""
    if feature == FEATURE_KEEPALIVE:
        session.client.start_keepalive()
        return 1
    driver = session.driver
    if feature == FEATURE_FD_PASSING:
        return int(session.client.is_local)
    if feature in OWN_FEATURES:
        return 1
    supported = getattr(driver, "FEATURES", DRIVER_FEATURES)
    return int(feature in supported)


def connect_get_uri(session: Session) -> str:
    """The URI of the connection."""
    uri: str = session.driver and session.client.data["uri"]
    return uri


def connect_get_type(session: Session) -> str:
    """``QEMU``, by tradition in capitals."""
    return str(getattr(session.driver, "TYPE", "QEMU"))


def connect_get_lib_version(session: Session) -> int:
    """Major * 1,000,000 + minor * 1,000 + release of the libvirt that we stand for."""
    session.require_open()
    return LIB_VERSION


async def connect_get_hostname(session: Session) -> str:
    """The host's name, fully qualified where the resolver says so, as libvirt reports it."""
    session.require_open()
    return await asyncio.to_thread(hostname)


def connect_is_secure(session: Session) -> int:
    """A unix socket and TLS are, TCP is where SASL agreed on encryption."""
    session.require_open()
    return int(session.client.is_secure)


def connect_set_identity(session: Session, params: list[tuple[str, Any]], flags: int) -> None:
    """Accepted of root and of the daemon's own user: for whom a proxy asks. Kept for the log only."""
    if session.identity.uid not in (0, os.geteuid()):
        text = "only root may speak for others"
        raise Error(text, code=Code.ACCESS_DENIED, origin=Origin.RPC, message=f"access denied: {text}")
    session.client.data["identity"] = dict(params)


def connect_register_close_callback(session: Session) -> None:
    """Tell the client when the driver goes away."""
    session.require_open()
    session.client.close_callback = True


def connect_unregister_close_callback(session: Session) -> None:
    """Take that back."""
    session.require_open()
    session.client.close_callback = False
