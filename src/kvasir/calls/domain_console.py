"""Consoles, channels, the screen and the keyboard of a guest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags
from kvasir.calls.guests import guest
from kvasir.qemu import console

if TYPE_CHECKING:
    from kvasir.daemon.session import Session


def domain_open_console(session: Session, dom: Any, dev_name: str | None, flags: int) -> None:
    """A stream to a console: one holder at a time."""
    check_flags(flags, console.FORCE | console.SAFE, "qemuDomainOpenConsole")
    found = guest(session, dom)
    found.need_active()
    _open(session, found, console.find(found, dev_name), flags)


def domain_open_channel(session: Session, dom: Any, name: str | None, flags: int) -> None:
    """A stream to a channel."""
    check_flags(flags, console.FORCE, "qemuDomainOpenChannel")
    found = guest(session, dom)
    found.need_active()
    _open(session, found, console.find_channel(found, name), flags)


def _open(session: Session, found: Any, device: Any, flags: int) -> None:
    holder = console.take(found, device, flags)
    try:
        fd = console.open_device(device)
    except BaseException:
        holder.release()
        raise
    session.open_stream(lambda stream: console.pump(stream, fd, holder))


async def domain_screenshot(session: Session, dom: Any, screen: int, flags: int) -> str:
    """A picture of a screen, as a stream; the answer is its MIME type."""
    check_flags(flags, 0, "qemuDomainScreenshot")
    fd, mime = await console.screenshot(guest(session, dom), screen)
    session.open_stream(lambda stream: console.send_file(stream, fd))
    return mime


async def domain_send_key(
    session: Session, dom: Any, codeset: int, holdtime: int, keycodes: list[int], flags: int
) -> None:
    """Press keys."""
    check_flags(flags, 0, "qemuDomainSendKey")
    await console.send_key(guest(session, dom), codeset, holdtime, keycodes)


async def domain_inject_nmi(session: Session, dom: Any, flags: int) -> None:
    """Press the NMI button."""
    check_flags(flags, 0, "qemuDomainInjectNMI")
    await console.inject_nmi(guest(session, dom))
