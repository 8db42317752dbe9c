"""The log of a guest, var/log/libvirt/qemu/NAME.log: how it was started, what QEMU said, why it ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import shlex
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from kvasir.errors import ConfigUnsupported, SystemFailure
from kvasir.host import virtlogd

log = logging.getLogger(__name__)

MOST = 1024
"""Bytes of QEMU's last words that go into an error message, as libvirt."""


def stamp(now: float | None = None) -> str:
    """The time as libvirt's logs write it."""
    now = time.time() if now is None else now
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}+0000"


class GuestLog:
    """One guest's log file, opened for its start."""

    def __init__(self, path: str, privileged: bool, pipe: int = -1, logd: str = "") -> None:
        """``pipe`` leads to virtlogd, whose socket ``logd`` is. Raises OSError."""
        self.path = path
        mode = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | (0 if privileged else os.O_TRUNC)
        self.fd = pipe if pipe >= 0 else os.open(path, mode, 0o600)
        self.logd = logd
        self.start = os.fstat(self.fd).st_size

    def write(self, text: str) -> None:
        """Add to the log. A full disk keeps no guest from running, as in libvirt."""
        try:
            os.write(self.fd, text.encode("utf-8", "surrogateescape"))
        except OSError as error:
            log.warning("cannot write to %s: %s", self.path, error.strerror)

    def begin(self, version: str, qemu_version: str) -> None:
        """The line with time and versions."""
        self.write(
            f"{stamp()}: starting up libvirt version: {version}, qemu version: {qemu_version}, "
            f"kernel: {platform.release()}, hostname: {socket.gethostname()}\n"
        )

    def command(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Environment and command line, one option a line."""
        self.write(" \\\n".join([*(f"{k}={quote(v)}" for k, v in env.items()), *_lines(argv)]) + "\n")
        self.start = os.fstat(self.fd).st_size

    async def settled(self) -> int:
        """Where the file ends when all that was written is in it. Raises Error where virtlogd does not answer."""
        if not self.logd:
            return os.fstat(self.fd).st_size
        return await asyncio.to_thread(virtlogd.position, self.logd, self.path)

    def words(self) -> str:
        """What QEMU said since the start, without the lines that are no complaint; at most 1 KiB."""
        return last_words(self.path, self.start)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


async def open_log(driver: Any, guest: Any) -> GuestLog:
    """A guest's log as ``stdio_handler`` says: QEMU writes to the file, or virtlogd does. Raises Error."""
    path = f"{driver.paths.qemu.log}/{guest.name}.log"
    pipe, logd = -1, ""
    if driver.config.stdio_handler not in ("file", "logd"):
        raise ConfigUnsupported(f"Unknown stdio handler {driver.config.stdio_handler}")
    if driver.config.stdio_handler == "logd":
        logd = f"{driver.paths.run}/virtlogd-sock"
        truncate = not driver.privileged
        pipe = await asyncio.to_thread(virtlogd.open_log, logd, guest.uuid, guest.name, path, truncate=truncate)
    try:
        return GuestLog(path, driver.privileged, pipe, logd)
    except OSError as error:
        raise SystemFailure(f"failed to create logfile {path}", error) from error


def quote(word: str) -> str:
    """The word as a shell would read it, as libvirt writes it."""
    return "'" + word.replace("'", "'\\''") + "'" if shlex.quote(word) != word else word


def _lines(argv: Sequence[str]) -> list[str]:
    """The command line with each option and its values on one line."""
    lines = [argv[0]] if argv else []
    for word in argv[1:]:
        if word.startswith("-") and len(word) > 1:
            lines.append(word)
        else:
            lines[-1] += " " + quote(word)
    return lines


def last_words(path: str, start: int) -> str:
    """The log from ``start`` on, filtered, at most its last 1 KiB."""
    try:
        with open(path, "rb") as stream:
            stream.seek(start)
            text = stream.read(1 << 20).decode("utf-8", "replace")
    except OSError:
        return ""
    kept = [
        line
        for line in text.split("\n")
        if "char device redirected" not in line
        and not line.startswith(("libvirt:", "\n"))
        and " shutting down, reason=" not in line
    ]
    return "\n".join(kept).strip()[-MOST:]


def append(path: str, text: str) -> None:
    """Add a line with the time, as at the end of a guest; a log that cannot be written is no error."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, f"{stamp()}: {text}\n".encode("utf-8", "surrogateescape"))
        finally:
            os.close(fd)
