"""Locks on files that live as long as any process holds the descriptor, and exclude virtlockd's (byte 0 of the file)."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct

FIRST, LENGTH = 0, 1
"""The byte that virtlockd locks."""
_PIDFD_OPEN, _PIDFD_GETFD = 434, 438


class Locked(OSError):
    """Somebody else holds it."""


def take(path: str, *, shared: bool = False, create: bool = False) -> int:
    """A descriptor that holds the lock. Raises Locked, OSError."""
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
    fd = os.open(path, flags, 0o600)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _request(fcntl.F_RDLCK if shared else fcntl.F_WRLCK))
    except OSError as error:
        os.close(fd)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise Locked(error.errno, "is locked") from None
        raise
    return fd


def give_back(fd: int) -> None:
    """Unlock, whoever else has the same descriptor, and close ours."""
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _request(fcntl.F_UNLCK))
    finally:
        os.close(fd)


def _request(kind: int) -> bytes:
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, FIRST, LENGTH, 0)


def of_process(pid: int, path: str) -> int | None:
    """Our copy of the descriptor by which a process holds the lock on a file, None where it holds none. Raises OSError."""
    number = _number(pid, path)
    if number is None:
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = libc.syscall(_PIDFD_OPEN, pid, 0)
    if pidfd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        fd = libc.syscall(_PIDFD_GETFD, pidfd, number, 0)
        if fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        os.set_inheritable(fd, False)
        return int(fd)
    finally:
        os.close(pidfd)


def _number(pid: int, path: str) -> int | None:
    folder = f"/proc/{pid}/fd"
    try:
        entries = os.listdir(folder)
    except OSError:
        return None
    for entry in entries:
        try:
            if os.readlink(f"{folder}/{entry}") != path:
                continue
            with open(f"/proc/{pid}/fdinfo/{entry}", encoding="ascii", errors="replace") as stream:
                rows = [line.split() for line in stream if line.startswith("lock:")]
        except OSError:
            continue
        if any(row[2] == "OFDLCK" and row[-2:] == ["0", "0"] for row in rows):
            return int(entry)
    return None
