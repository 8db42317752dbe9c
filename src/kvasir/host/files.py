"""Files that are there whole or not at all, whatever ends the daemon or the host meanwhile."""

from __future__ import annotations

import contextlib
import os

NEW = ".new"
"""What the name of a file that is being written ends in."""


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
    """Write a file so that a crash at any moment leaves the old one or the new one. Raises OSError.

    ``durable`` makes it outlast a crash of the host (what lies under /run need not); ``folder`` waits for its name too.
    The folder is made where it is missing. ``draft`` names the file that is written first. ``exclusive`` leaves a file alone that
    is there already.
    """
    draft = draft or path + NEW
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(draft, flags, mode)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        fd = os.open(draft, flags, mode)
    try:
        with open(fd, "wb") as stream:
            stream.write(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
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


def sync_folder(path: str) -> None:
    """Make the folder's entries durable."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
