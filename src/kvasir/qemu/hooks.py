"""The hook scripts of guests: when they are called and what they read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvasir.host import hooks
from kvasir.xml.form import LIVE

if TYPE_CHECKING:
    from .guest import Guest


async def ask(guest: Guest, operation: str) -> None:
    """Before something begins (prepare, start, started, reconnect, attach). Raises HookFailed where a script refuses."""
    if hooks.present(guest.driver.paths, "qemu") and guest.live is not None:
        await hooks.run(guest.driver.paths, "qemu", guest.name, operation, "begin", xml=guest.live.xml(LIVE))


async def tell(guest: Guest, operation: str) -> None:
    """After something ended (stopped, release)."""
    if hooks.present(guest.driver.paths, "qemu") and guest.live is not None:
        await hooks.tell(guest.driver.paths, "qemu", guest.name, operation, "end", xml=guest.live.xml(LIVE))


async def ended(guest: Guest) -> None:
    """What a start that failed says behind itself."""
    await tell(guest, "stopped")
    await tell(guest, "release")
