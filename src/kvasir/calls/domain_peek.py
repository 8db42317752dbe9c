"""Looking at disks and memory of guests, and connecting to their displays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags
from kvasir.calls.guests import guest
from kvasir.errors import Code, Error, InvalidArg, Origin
from kvasir.qemu import peek

if TYPE_CHECKING:
    from kvasir.daemon.session import Session


async def domain_block_peek(session: Session, dom: Any, path: str, offset: int, size: int, flags: int) -> bytes:
    """Bytes of a raw disk."""
    check_flags(flags, 0, "qemuDomainBlockPeek", Origin.QEMU)
    return await peek.block(guest(session, dom), path, offset, size)


async def domain_memory_peek(session: Session, dom: Any, offset: int, size: int, flags: int) -> bytes:
    """Bytes of the memory, by virtual (1) or physical (2) address."""
    if flags & 3 == 3:
        text = "Flags 'VIR_MEMORY_VIRTUAL' and 'VIR_MEMORY_PHYSICAL' are mutually exclusive"
        raise Error(text, code=Code.INVALID_ARG, origin=Origin.DOMAIN, message=text)
    if flags not in (peek.VIRTUAL, peek.PHYSICAL):
        raise InvalidArg("flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL")
    return await peek.memory(guest(session, dom), offset, size, flags == peek.PHYSICAL)


async def domain_open_graphics(session: Session, dom: Any, idx: int, flags: int) -> None:
    """Give QEMU the client's socket as a client of a display."""
    check_flags(flags, 1, "qemuDomainOpenGraphics", Origin.QEMU)
    if len(session.fds) != 1:
        raise InvalidArg("no file descriptor came with the call")
    await peek.graphics(guest(session, dom), idx, session.fds[0], flags)


async def domain_open_graphics_fd(session: Session, dom: Any, idx: int, flags: int) -> None:
    """A descriptor that is connected to a display."""
    check_flags(flags, 1, "qemuDomainOpenGraphicsFD", Origin.QEMU)
    session.return_fds([await peek.graphics_fd(guest(session, dom), idx, flags)])
