"""What may change in a display of a running guest: its password, how long that holds, and who stays connected."""

from __future__ import annotations

import calendar
import time
from typing import Any

from kvasir.errors import DeviceMissing, InternalError, OperationUnsupported


async def update(guest: Any, graphics: Any, vm: Any) -> None:
    """Change a display that is there."""
    kind = graphics.type
    known = next((one for one in guest.live.graphics if one.type == kind), None)
    if known is None:
        raise DeviceMissing(f"cannot find existing graphics device to modify of type '{kind}'")
    if kind not in ("vnc", "spice"):
        raise InternalError(f"unable to change config on '{kind}' graphics type")
    _listens(known, graphics)
    if not graphics.autoport and (known.autoport or known.port != graphics.port or known.tls_port != graphics.tls_port):
        raise OperationUnsupported(f"cannot change port settings on {kind} graphics")
    if known.keymap != graphics.keymap:
        raise OperationUnsupported(f"cannot change keymap setting on {kind} graphics")
    await password(guest, graphics)
    for name in ("passwd", "passwd_valid_to", "connected"):
        setattr(known, name, getattr(graphics, name))


def _listens(known: Any, graphics: Any) -> None:
    kind = graphics.type
    mine, theirs = known.listens, graphics.listens
    if len(mine) != len(theirs):
        raise OperationUnsupported(f"cannot change the number of listen addresses on '{kind}' graphics")
    for old, new in zip(mine, theirs, strict=True):
        if old.type != new.type:
            raise OperationUnsupported(f"cannot change the type of listen address on '{kind}' graphics")
        what = {"address": "listen address", "network": "listen network", "socket": "listen socket"}.get(old.type)
        field = {"address": "address", "network": "network", "socket": "socket"}.get(old.type or "")
        if field and getattr(old, field, None) != getattr(new, field, None):
            raise OperationUnsupported(f"cannot change {what} setting on '{kind}' graphics")


async def password(guest: Any, graphics: Any) -> None:
    """Tell QEMU the password, who stays connected, and until when it holds."""
    kind, word = graphics.type, graphics.passwd
    connected = graphics.connected
    if word is None:
        word = guest.driver.config.vnc_password if kind == "vnc" else guest.driver.config.spice_password
        if word is None:
            return
    action = connected or ("keep" if kind == "vnc" else None)
    arguments = {"protocol": kind, "password": word}
    if action:
        arguments["connected"] = action
    monitor = guest.monitor()
    await monitor.command("set_password", arguments)
    await monitor.command("expire_password", {"protocol": kind, "time": expiry(graphics.passwd_valid_to)})


def expiry(when: str | None) -> str:
    """``2040-01-01T00:00:00`` (UTC) in seconds since 1970, or ``never``."""
    if not when:
        return "never"
    return str(calendar.timegm(time.strptime(str(when)[:19], "%Y-%m-%dT%H:%M:%S")))
