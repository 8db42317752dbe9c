"""Files that are there whole or not at all, whatever ends the daemon or the host meanwhile."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Iterator

from kvasir.errors import Origin, SystemFailure

log = logging.getLogger(__name__)

NEW = ".new"
"""What the name of a file that is being written ends in."""


class FileFailure(SystemFailure, OSError):
    """A file of ours that cannot be written, linked or removed: libvirt's error 38, and an OSError for who waits for one."""

    def __init__(self, text: str, error: OSError) -> None:
        super().__init__(text, error, origin=Origin.NONE)
        self.errno, self.strerror, self.filename = error.errno, error.strerror, error.filename

    def __str__(self) -> str:
        return self.message


@contextlib.contextmanager
def failing(text: str) -> Iterator[None]:
    """What the system refuses inside is raised as FileFailure with that text and the reason."""
    try:
        yield
    except FileFailure:
        raise
    except OSError as error:
        raise FileFailure(text, error) from error


def banner(command: str) -> str:
    """What libvirt writes over each of its files (clients never see it): the command that changes it."""
    return (
        "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE\n"
        "OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:\n"
        f"  {command}\nor other application using the libvirt API.\n-->\n\n"
    )


def write_file(
    path: str,
    text: str | bytes,
    mode: int = 0o600,
    *,
    durable: bool = True,
    folder: bool = True,
    draft: str = "",
    exclusive: bool = False,
) -> None:
    """Write a file so that a crash at any moment, or a full disk, leaves the old one or the new one. Raises FileFailure.

    ``durable`` makes it outlast a crash of the host (what lies under /run need not); ``folder`` waits for its name too.
    The folder is made where it is missing. ``draft`` names the file that is written first. ``exclusive`` leaves a file alone that
    is there already.
    """
    draft, shown = draft or path + NEW, path + NEW
    fd = _open(draft, shown, mode)
    try:
        with failing(f"cannot write data to file '{shown}'"):
            _fill(fd, text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"), durable)
        with failing(f"cannot rename file '{shown}' as '{path}'"):
            if exclusive:
                with contextlib.suppress(FileExistsError):
                    os.link(draft, path)
                os.unlink(draft)
            else:
                os.rename(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
    if durable and folder:
        sync_folder(os.path.dirname(path))


def _open(draft: str, shown: str, mode: int = 0o600) -> int:
    """A new draft, in a folder that is made where it is missing."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with failing(f"Failed to create file '{shown}'"):
        try:
            return os.open(draft, flags, mode)
        except FileNotFoundError:
            make_folder(os.path.dirname(draft))
            return os.open(draft, flags, mode)


def rehearse(path: str, size: int) -> None:
    """What ``write_file`` of so many bytes would raise, before the work that the file tells of is done. Raises FileFailure."""
    draft = path + NEW
    fd = _open(draft, draft)
    try:
        with failing(f"cannot write data to file '{draft}'"), open(fd, "wb") as stream:
            stream.write(bytes(size))
        with failing(f"cannot rename file '{draft}' as '{path}'"):
            if os.path.isdir(path):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    finally:
        discard(draft)


def make_folder(path: str, mode: int = 0o777) -> None:
    """A folder and those above it, where they are missing. Raises FileFailure."""
    with failing(f"cannot create directory '{path}'"):
        os.makedirs(path, mode, exist_ok=True)


def make_link(target: str, link: str) -> None:
    """A symbolic link, in a folder that is made where it is missing; one that is there is replaced. Raises FileFailure."""
    make_folder(os.path.dirname(link))
    with failing(f"Failed to create symlink '{link}' to '{target}'"):
        try:
            os.symlink(target, link)
        except FileExistsError:
            if not os.path.islink(link):
                raise
            if os.readlink(link) != target:
                os.unlink(link)
                os.symlink(target, link)


def remove(*paths: str) -> None:
    """Remove files; those that are not there, or cannot be, are fine. Raises FileFailure."""
    for path in paths:
        with failing(f"cannot remove file '{path}'"):
            try:
                os.unlink(path)
            except OSError:
                if os.path.lexists(path):
                    raise


def remove_linked(path: str, link: str) -> None:
    """Remove a document and the link to it, or neither; the document goes last. Raises FileFailure."""
    linked = os.path.islink(link)
    remove(link)
    try:
        remove(path)
    except FileFailure:
        if linked:
            make_link(path, link)
        raise


def discard(*paths: str) -> None:
    """Remove files where nothing can be done about one that stays: it is named in the log."""
    for path in paths:
        try:
            remove(path)
        except FileFailure as error:
            log.error("%s", error)


def _fill(fd: int, data: bytes, durable: bool) -> None:
    """Write all and close: fewer calls of the system than a file object makes."""
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)


def sync_folder(path: str) -> None:
    """Make the folder's entries durable."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
