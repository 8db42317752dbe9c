"""Raw content: making a raw file, allocating it, copying one volume's bytes to another. Blocks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat

from kvasir.errors import Origin, SystemFailure
from kvasir.model.storage import Volume

from .pools.base import REFLINK

CHUNK = 1 << 20
FICLONE = 0x40049409


def make_raw(volume: Volume, source: Volume | None, flags: int) -> None:
    """Make a raw file of the volume's capacity and allocation, with the source's bytes."""
    capacity, path = volume.capacity or 0, str(volume.path)
    allocation = volume.allocation if volume.allocation is not None else capacity
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.ftruncate(fd, capacity)
        except OSError as error:
            raise SystemFailure(f"cannot extend file '{path}'", error, origin=Origin.STORAGE) from None
        if source is not None:
            copy(str(source.path), fd, min(allocation, capacity) < capacity, bool(flags & REFLINK))
        if allocation and not flags & REFLINK and (source is None or allocation >= capacity):
            _allocate(fd, allocation, path)
        if source is not None or allocation:
            os.fsync(fd)
    finally:
        os.close(fd)


def allocate(path: str, capacity: int) -> None:
    """Give a file blocks up to its new size."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.posix_fallocate(fd, 0, capacity)
        os.ftruncate(fd, capacity)
    finally:
        os.close(fd)


def _allocate(fd: int, size: int, path: str) -> None:
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            raise SystemFailure(
                f"cannot allocate {size} bytes in file '{path}'", error, origin=Origin.STORAGE
            ) from None


def copy(source: str, fd: int, sparse: bool, reflink: bool = False) -> None:
    """Copy a file or block device into an open file; holes stay holes where ``sparse``."""
    try:
        below = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SystemFailure(f"could not open input path '{source}'", error, origin=Origin.STORAGE) from None
    try:
        if reflink:
            try:
                fcntl.ioctl(fd, FICLONE, below)
            except OSError as error:
                raise SystemFailure(f"failed to clone files from '{source}'", error, origin=Origin.STORAGE) from None
            return
        _copy(below, fd)
    finally:
        os.close(below)


def _copy(below: int, fd: int) -> None:
    """Copy the data runs; what lies between is a hole in the target, which is new (``sparse`` costs nothing more)."""
    end = os.lseek(below, 0, os.SEEK_END)
    place = 0
    while place < end:
        start = data_at(below, place, end)
        if start >= end:
            break
        stop = hole_at(below, start, end)
        while start < stop:
            count = _chunk(below, fd, start, min(CHUNK << 6, stop - start))
            if not count:
                return
            start += count
        place = stop


def _chunk(below: int, fd: int, place: int, size: int) -> int:
    if stat.S_ISREG(os.fstat(below).st_mode) and stat.S_ISREG(os.fstat(fd).st_mode):
        with contextlib.suppress(OSError):
            return os.copy_file_range(below, fd, size, place, place)
    data = os.pread(below, min(size, CHUNK), place)
    view = memoryview(data)
    at = place
    while view:
        count = os.pwrite(fd, view, at)
        view, at = view[count:], at + count
    return len(data)


def data_at(fd: int, place: int, end: int) -> int:
    """Where the next data begin; ``end`` when only a hole is left."""
    try:
        return min(os.lseek(fd, place, os.SEEK_DATA), end)
    except OSError as error:
        return end if error.errno == errno.ENXIO else place


def hole_at(fd: int, place: int, end: int) -> int:
    """Where the next hole begins."""
    try:
        return min(os.lseek(fd, place, os.SEEK_HOLE), end)
    except OSError:
        return end
