"""Asking polkit: whether the peer of a unix socket may manage or only watch, and single rights (``daemon.access``)."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from kvasir.errors import Code, Error, Origin

if TYPE_CHECKING:
    from kvasir.daemon.client import Client
    from kvasir.daemon.identity import Identity

log = logging.getLogger(__name__)

MANAGE: Final = "org.libvirt.unix.manage"
MONITOR: Final = "org.libvirt.unix.monitor"
INTERACTIVE: Final = 1
TIMEOUT: Final = 300.0


class Unreachable(Exception):
    """Polkit gave no answer."""


class Authority:
    """A connection to polkit that is kept, and made anew when it broke."""

    def __init__(self) -> None:
        self._bus: Any = None
        self._connecting = asyncio.Lock()

    async def check(
        self, identity: Identity, action: str, details: dict[str, str], flags: int = 0
    ) -> tuple[bool, bool, dict[str, str]]:
        """Authorized, could be after a challenge, and polkit's own details. Raises Unreachable."""
        from dbus_fast import Message, Variant
        from dbus_fast.constants import MessageType

        subject = [
            "unix-process",
            {
                "pid": Variant("u", identity.pid),
                "start-time": Variant("t", identity.start_time),
                "uid": Variant("i", identity.uid),
            },
        ]
        try:
            bus = await self._connected()
            reply = await asyncio.wait_for(
                bus.call(
                    Message(
                        destination="org.freedesktop.PolicyKit1",
                        path="/org/freedesktop/PolicyKit1/Authority",
                        interface="org.freedesktop.PolicyKit1.Authority",
                        member="CheckAuthorization",
                        signature="(sa{sv})sa{ss}us",
                        body=[subject, action, details, flags, ""],
                    )
                ),
                TIMEOUT,
            )
        except (OSError, EOFError, TimeoutError, AttributeError) as problem:
            self.close()
            raise Unreachable(str(problem)) from None
        if reply is None or reply.message_type == MessageType.ERROR:
            raise Unreachable(str(reply.body[0]) if reply is not None and reply.body else "no answer")
        authorized, challenge, found = reply.body[0]
        return authorized, challenge, found

    async def _connected(self) -> Any:
        from dbus_fast import BusType
        from dbus_fast.aio import MessageBus

        async with self._connecting:
            if self._bus is None or not self._bus.connected:
                bus = MessageBus(bus_type=BusType.SYSTEM)
                await asyncio.wait_for(bus.connect(), 10)
                self._bus = bus
            return self._bus

    def close(self) -> None:
        """Give the connection up."""
        if self._bus is not None:
            self._bus.disconnect()
            self._bus = None


async def authorize(client: Client) -> None:
    """Return when polkit says yes; else raise libvirt's error (cancelled, unavailable or refused)."""
    action = MONITOR if client.readonly else MANAGE
    identity = client.identity
    authority = Authority()
    try:
        is_authorized, is_challenge, details = await authority.check(identity, action, {}, INTERACTIVE)
    except Unreachable as problem:
        raise _unavailable(action, str(problem)) from None
    finally:
        authority.close()
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
