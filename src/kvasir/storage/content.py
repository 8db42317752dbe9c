"""Upload and download: a volume's bytes through a stream, with holes as holes where the client asks for it."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from typing import Any

from kvasir.errors import Error, Origin, SystemFailure

from . import copying
from .volume import Vol

SPARSE = 1
CHUNK = 1 << 20
PUNCH = 0x03
"""FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE"""


def _cannot(text: str, number: int) -> SystemFailure:
    return SystemFailure(text, OSError(number, os.strerror(number)), origin=Origin.STREAMS)


async def open_volume(volume: Vol, flags: int, offset: int) -> int:
    """A descriptor of the volume's content. Raises SystemFailure, for an offset too that no file of this kind has."""
    volume.owner.need_active()
    fd: int = await asyncio.to_thread(volume.owner.kind.open, volume.document, flags)
    try:
        os.lseek(fd, offset, os.SEEK_SET)
    except (OSError, OverflowError):
        os.close(fd)
        raise _cannot(f"Unable to seek {volume.path} to {offset}", errno.EINVAL) from None
    return fd


async def receive(stream: Any, volume: Vol, fd: int, offset: int, length: int) -> None:
    """Write what the client sends. Raises SystemFailure (ENOSPC) when it sends more than ``length``."""
    place, end = offset, offset + length if length else None
    async with volume.owner.job(volume):
        try:
            while pieces := await stream.read_all():
                place = await asyncio.to_thread(_take_all, fd, pieces, place, end)
        except (OSError, OverflowError) as problem:
            error = problem if isinstance(problem, OSError) else OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            raise SystemFailure(f"Unable to write {volume.path}", error, origin=Origin.STREAMS) from None
        finally:
            os.close(fd)
            await _refresh(volume)


async def _refresh(volume: Vol) -> None:
    """The pool is read anew after an upload, as what came may be an image of another format."""
    try:
        await asyncio.to_thread(_again, volume)
    except (Error, OSError):
        return


def _again(volume: Vol) -> None:
    from .volume import describe

    kind = volume.owner.kind
    if kind.VOLUME_TYPE == "file" and volume.document.type == "file":
        describe(volume.document, full=True)
        kind.recount([])
    else:
        kind.update(volume.document)


def _take_all(fd: int, pieces: list[Any], place: int, end: int | None) -> int:
    for data in pieces:
        size = len(data) if isinstance(data, bytes) else data.length
        if end is not None and place + size > end:
            raise _cannot("cannot write to stream", errno.ENOSPC)
        _take(fd, data, place)
        place += size
    return place


def _take(fd: int, data: Any, place: int) -> None:
    if isinstance(data, bytes):
        view = memoryview(data)
        while view:
            count = os.pwrite(fd, view, place)
            view, place = view[count:], place + count
        return
    _hole(fd, place, data.length)


def _hole(fd: int, place: int, length: int) -> None:
    """Make a hole where the file system can; zeroes on a block device."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        _zeroes(fd, place, length)
        return
    inside = max(0, min(length, status.st_size - place))
    if inside and not _punch(fd, place, inside):
        _zeroes(fd, place, inside)
    if place + length > status.st_size:
        os.ftruncate(fd, place + length)


def _punch(fd: int, place: int, length: int) -> bool:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    done: int = libc.fallocate(fd, PUNCH, ctypes.c_long(place), ctypes.c_long(length))
    return done == 0


def _zeroes(fd: int, place: int, length: int) -> None:
    zeroes = bytes(CHUNK)
    end = place + length
    while place < end:
        place += os.pwrite(fd, zeroes[: min(CHUNK, end - place)], place)


async def send(stream: Any, volume: Vol, fd: int, offset: int, length: int, flags: int) -> None:
    """Send the content; what is a hole in the file is sent as one to a client that wants it so."""
    sparse = bool(flags & SPARSE)
    async with volume.owner.job(volume):
        try:
            size = os.lseek(fd, 0, os.SEEK_END)
            place, end = offset, min(size, offset + length) if length else size
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(fd, place, 0, os.POSIX_FADV_SEQUENTIAL)
            while place < end:
                if sparse:
                    start = copying.data_at(fd, place, end)
                    if start > place:
                        await stream.write_hole(start - place)
                        place = start
                        continue
                stop = copying.hole_at(fd, place, end) if sparse else end
                data = await asyncio.to_thread(os.pread, fd, min(CHUNK, stop - place), place)
                if not data:
                    break
                await stream.write(data)
                place += len(data)
        except OSError as error:
            raise SystemFailure(f"Unable to read {volume.path}", error, origin=Origin.STREAMS) from None
        finally:
            os.close(fd)
