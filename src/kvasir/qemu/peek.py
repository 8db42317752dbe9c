"""Looking at a guest's disk and memory, and connecting to its display by a descriptor."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

from kvasir.errors import InternalError, InvalidArg, OperationInvalid, OperationUnsupported, Origin, SystemFailure

from .guest import Guest
from .jobs import Kind

VIRTUAL, PHYSICAL = 1, 2
SKIP_AUTH = 1
MOST = 4 << 20
"""Bytes of one answer."""
PROTOCOLS = {"vnc": "vnc", "spice": "spice"}


async def block(guest: Guest, path: str, offset: int, size: int) -> bytes:
    """Bytes of a raw disk at an offset. Raises InvalidArg, SystemFailure."""
    domain = guest.live if guest.live is not None else guest.config
    disk = next((one for one in domain.disks if path and path in (one.target, one.location())), None)
    if disk is None:
        raise InvalidArg(f"disk '{path}' not found in domain")
    if (disk.format or "raw") != "raw":
        text = f"peeking is only supported for disk with 'raw' format not '{disk.format}'"
        raise OperationUnsupported(text)
    where = disk.location()
    if not where or not str(where).startswith("/"):
        raise OperationInvalid(f"disk '{path}' has no file on this host", origin=Origin.QEMU)
    return await asyncio.to_thread(_read, str(where), offset, size)


def _read(path: str, offset: int, size: int) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SystemFailure(f"Failed to open file '{path}'", error) from None
    try:
        data = os.pread(fd, min(size, MOST), offset)
    except OSError as error:
        raise SystemFailure(f"Failed to read '{size}' bytes from '{path}'", error) from None
    finally:
        os.close(fd)
    if len(data) < size:
        raise SystemFailure(f"Failed to read '{size}' bytes from '{path}'", OSError(5, os.strerror(5)))
    return data


async def memory(guest: Guest, offset: int, size: int, physical: bool) -> bytes:
    """Bytes of the guest's memory, which QEMU writes to a file of the guest's own folder."""
    if not guest.active or guest.run is None:
        raise OperationInvalid("domain is not running", origin=Origin.DOMAIN)
    path = f"{guest.run.lib}/peek"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        guest.driver.identity.own(path)
        async with guest.jobs.normal(Kind.QUERY):
            name = "pmemsave" if physical else "memsave"
            await guest.monitor().command(name, {"val": offset, "size": min(size, MOST), "filename": path})
        return os.pread(fd, size, 0)
    finally:
        os.close(fd)
        os.unlink(path)


async def graphics(guest: Guest, index: int, fd: int, flags: int) -> None:
    """Give QEMU a connected socket as a client of a display."""
    if not guest.active:
        raise OperationInvalid("domain is not running", origin=Origin.DOMAIN)
    live: Any = guest.live
    if index >= len(live.graphics):
        raise InternalError(f"No graphics backend with index {index}")
    kind = live.graphics[index].type
    protocol = PROTOCOLS.get(kind)
    if protocol is None:
        raise InvalidArg(f"Can only open VNC or SPICE graphics backends, not {kind}")
    async with guest.jobs.normal(Kind.MODIFY):
        monitor = guest.monitor()
        await monitor.get_fd(fd, "graphicsfd")
        arguments = {"protocol": protocol, "fdname": "graphicsfd", "skipauth": bool(flags & SKIP_AUTH)}
        await monitor.command("add_client", arguments)


async def graphics_fd(guest: Guest, index: int, flags: int) -> int:
    """A descriptor that is connected to a display; the caller closes it."""
    ours, theirs = socket.socketpair()
    try:
        await graphics(guest, index, theirs.fileno(), flags)
        return ours.detach()
    finally:
        theirs.close()
        ours.close()
