"""Copies of image files: holes stay holes, shared extents where the file system can, and nothing is seen until all is there."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

FICLONE = 0x40049409
CHUNK = 16 << 20
Progress = Callable[[int, int], None]


@dataclass
class Draft:
    """A copy without a name yet: it gets its place by ``keep`` and is gone when it is closed before."""

    fd: int
    path: str
    draft: str = ""  # its name for the time being, where the file system knows no nameless files
    made: bool = False

    def keep(self) -> None:
        """Put the file at its place. Raises OSError when something is there already."""
        if self.draft:
            os.link(self.draft, self.path)
            os.unlink(self.draft)
            self.draft = ""
        else:
            here = os.open(
                "/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY
            )  # with a folder, link() follows the symbolic link
            try:
                os.link(str(self.fd), self.path, src_dir_fd=here, follow_symlinks=True)
            finally:
                os.close(here)
        self.made = True

    def close(self, *, undo: bool = False) -> None:
        """Close the file. ``undo`` takes away what ``keep`` put there."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        if self.draft:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.draft)
        if undo and self.made:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
            self.made = False


def begin(path: str) -> Draft:
    """A new file that will stand at ``path``. Raises OSError."""
    folder = os.path.dirname(path)
    try:
        return Draft(os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600), path)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
    draft = f"{path}.{os.getpid()}.part"
    return Draft(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), path, draft)


def copy(
    source: str, target: int, *, sparse: bool = True, reflink: bool = False, progress: Progress | None = None
) -> None:
    """Copy a file or block device into an open file. ``reflink``: shared extents or an OSError. Sizes in bytes."""
    fd = os.open(source, os.O_RDONLY)
    try:
        size = os.lseek(fd, 0, os.SEEK_END)
        if reflink or sparse:
            if _clone(fd, target):
                if progress:
                    progress(size, size)
                return
            if reflink:
                raise OSError(errno.EOPNOTSUPP, "the file system cannot share extents (reflink)", source)
        regular = os.path.isfile(f"/proc/self/fd/{target}")
        if regular:
            os.ftruncate(target, size)
            if not sparse:
                os.posix_fallocate(target, 0, size) if size else None
        _extents(fd, target, size, sparse and regular, progress)
        os.fsync(target)
    finally:
        os.close(fd)


def _clone(source: int, target: int) -> bool:
    import fcntl

    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError:
        return False
    return True


def _extents(source: int, target: int, size: int, sparse: bool, progress: Progress | None) -> None:
    """Copy the data between the holes; without ``sparse`` all there is."""
    at = 0
    while at < size:
        end = size
        if sparse:
            try:
                at = os.lseek(source, at, os.SEEK_DATA)
                end = os.lseek(source, at, os.SEEK_HOLE)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    break
                if error.errno != errno.EINVAL:
                    raise
                sparse, end = False, size
        _range(source, target, at, end, size, progress)
        at = end
    if progress:
        progress(size, size)


def _range(source: int, target: int, at: int, end: int, size: int, progress: Progress | None) -> None:
    kernel = True
    while at < end:
        count = min(CHUNK, end - at)
        if kernel:
            try:
                done = os.copy_file_range(source, target, count, at, at)
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF):
                    raise
                kernel = False
                continue
            if not done:
                return
        else:
            data = os.pread(source, count, at)
            if not data:
                return
            done = os.pwrite(target, data, at)
        at += done
        if progress:
            progress(at, size)


def bar(name: str) -> Progress | None:
    """A line of progress on a terminal; None where standard error is none."""
    import sys
    import time

    if not sys.stderr.isatty():
        return None
    last = [0.0]

    def show(done: int, size: int) -> None:
        now = time.monotonic()
        if done < size and now - last[0] < 0.2:
            return
        last[0] = now
        width = min(shutil.get_terminal_size().columns, 100) - 40
        part = done / size if size else 1.0
        end = "\n" if done >= size else ""
        sys.stderr.write(f"\rCloning {name[:20]:20} |{'=' * int(part * width):{width}}| {part:4.0%}{end}")
        sys.stderr.flush()

    return show
