"""Asking polkit whether the peer of a unix socket may manage or only watch."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from kvasir.errors import Code, Error, Origin

if TYPE_CHECKING:
    from kvasir.daemon.client import Client

log = logging.getLogger(__name__)

MANAGE: Final = "org.libvirt.unix.manage"
MONITOR: Final = "org.libvirt.unix.monitor"
INTERACTIVE: Final = 1
TIMEOUT: Final = 300.0


async def authorize(client: Client) -> None:
    """Return when polkit says yes; else raise libvirt's error (cancelled, unavailable or refused)."""
    from dbus_fast import BusType, Message, Variant
    from dbus_fast.aio import MessageBus
    from dbus_fast.constants import MessageType

    action = MONITOR if client.readonly else MANAGE
    identity = client.identity
    subject = [
        "unix-process",
        {
            "pid": Variant("u", identity.pid),
            "start-time": Variant("t", identity.start_time),
            "uid": Variant("i", identity.uid),
        },
    ]
    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        await asyncio.wait_for(bus.connect(), 10)
        reply = await asyncio.wait_for(
            bus.call(
                Message(
                    destination="org.freedesktop.PolicyKit1",
                    path="/org/freedesktop/PolicyKit1/Authority",
                    interface="org.freedesktop.PolicyKit1.Authority",
                    member="CheckAuthorization",
                    signature="(sa{sv})sa{ss}us",
                    body=[subject, action, {}, INTERACTIVE, ""],
                )
            ),
            TIMEOUT,
        )
    except (OSError, EOFError, TimeoutError, AttributeError) as problem:
        raise _unavailable(action, str(problem)) from None
    finally:
        bus.disconnect()
    if reply is None or reply.message_type == MessageType.ERROR:
        raise _unavailable(action, str(reply.body[0]) if reply is not None and reply.body else "no answer")
    is_authorized, is_challenge, details = reply.body[0]
    if is_authorized:
        log.info("%r: %s allowed to uid %d", client, action, identity.uid)
        return
    log.warning("%r: %s refused to uid %d", client, action, identity.uid)
    if details.get("polkit.dismissed"):
        raise _failed("user cancelled authentication process", Code.AUTH_CANCELLED, "authentication cancelled")
    if is_challenge:
        text = f"no polkit agent available to authenticate action '{action}'"
        raise _failed(text, Code.AUTH_UNAVAILABLE, "authentication unavailable")
    raise _failed("access denied by policy", Code.AUTH_FAILED, "authentication failed")


def _failed(text: str, code: Code, prefix: str) -> Error:
    return Error(text, code=code, origin=Origin.POLKIT, message=f"{prefix}: {text}")


def _unavailable(action: str, reason: str) -> Error:
    log.error("polkit cannot be asked about %s: %s", action, reason)
    return _failed(f"polkit cannot be asked about '{action}': {reason}", Code.AUTH_FAILED, "authentication failed")
