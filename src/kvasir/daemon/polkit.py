"""Asking polkit: whether the peer of a unix socket may manage or only watch, and single rights (``daemon.access``)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from kvasir.errors import Code, Error, Origin
from kvasir.host.bus import Bus, Place, Refused, Unreachable

if TYPE_CHECKING:
    from kvasir.daemon.client import Client
    from kvasir.daemon.identity import Identity

log = logging.getLogger(__name__)

MANAGE: Final = "org.libvirt.unix.manage"
MONITOR: Final = "org.libvirt.unix.monitor"
INTERACTIVE: Final = 1
TIMEOUT: Final = 300.0
"""Seconds that somebody has to type a password."""


AUTHORITY: Final = Place(
    "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority"
)


class Authority(Bus):
    """A connection to polkit."""

    def __init__(self) -> None:
        super().__init__(TIMEOUT)

    async def check(
        self, identity: Identity, action: str, details: dict[str, str], flags: int = 0
    ) -> tuple[bool, bool, dict[str, str]]:
        """Authorized, could be after a challenge, and polkit's own details. Raises Unreachable."""
        from dbus_fast import Variant

        subject = [
            "unix-process",
            {
                "pid": Variant("u", identity.pid),
                "start-time": Variant("t", identity.start_time),
                "uid": Variant("i", identity.uid),
            },
        ]
        words = (subject, action, details, flags, "")
        try:
            authorized, challenge, found = await self.call(AUTHORITY, "CheckAuthorization", "(sa{sv})sa{ss}us", *words)
        except Refused as refusal:
            raise Unreachable(refusal.words or "no answer") from None
        return authorized, challenge, found


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
