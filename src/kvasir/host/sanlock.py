"""Leases on shared storage by the sanlock daemon, through its own client library. Every call blocks.

Numbers, structures and calls are those of ``sanlock.h``, ``sanlock_resource.h`` and ``sanlock_admin.h``.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import re
from dataclasses import dataclass
from typing import Any

NAME, PATH, HELPER = 48, 1024, 128
"""Bytes of a name, of a path, and of a helper's path or arguments, with the final zero."""
MOST = 8
"""Resources in one call."""
_LVER, _SHARED = 1, 4
_RESTRICT_ALL, _WAIT = 1, 1
LVER_CHANGED = -240
HELD = (-243, -244, -245, -246, -247)
"""Answers that say that somebody else has the lease."""


class SanlockError(Exception):
    """``number`` is a negative errno, or sanlock's own number."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number, self.text = number, text


@dataclass(frozen=True, slots=True)
class Lease:
    """A resource: where it lies, and under what name."""

    space: str
    name: str
    path: str
    offset: int = 0
    shared: bool = False
    version: int | None = None
    """The lease's version that must not have changed, None for any."""


class _Disk(ctypes.Structure):
    _fields_ = [("path", ctypes.c_char * PATH), ("offset", ctypes.c_uint64), ("pad", ctypes.c_uint32 * 2)]


class _Resource(ctypes.Structure):
    _fields_ = [
        ("space", ctypes.c_char * NAME), ("name", ctypes.c_char * NAME), ("lver", ctypes.c_uint64),
        ("data64", ctypes.c_uint64), ("data32", ctypes.c_uint32), ("unused", ctypes.c_uint32),
        ("flags", ctypes.c_uint32), ("disks", ctypes.c_uint32), ("disk", _Disk),
    ]  # fmt: skip


class _Options(ctypes.Structure):
    _fields_ = [("owner", ctypes.c_char * NAME), ("flags", ctypes.c_uint32), ("len", ctypes.c_uint32)]


class _Lockspace(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * NAME), ("host", ctypes.c_uint64), ("flags", ctypes.c_uint32), ("disk", _Disk)]


@functools.cache
def library() -> Any:
    """Raises OSError where the library is not installed."""
    lib = ctypes.CDLL("libsanlock_client.so.1", use_errno=True)
    lib.sanlock_strerror.restype = ctypes.c_char_p
    return lib


def why(number: int) -> str:
    """What a negative answer means."""
    if number > -200:
        return os.strerror(-number)
    if number == LVER_CHANGED:
        return "Lease had another owner in between"
    return str((library().sanlock_strerror(number) or b"").decode(errors="replace")) or f"error {number}"


def _checked(number: int) -> int:
    if number < 0:
        raise SanlockError(number, why(number))
    return number


def _bytes(text: str, room: int) -> bytes:
    data = os.fsencode(text)
    if len(data) >= room:
        raise SanlockError(-errno.ENAMETOOLONG, f"'{text}' exceeds {room} characters")
    return data


def _disk(path: str, offset: int = 0) -> _Disk:
    return _Disk(_bytes(path, PATH), offset)


def _resource(lease: Lease) -> _Resource:
    made = _Resource(_bytes(lease.space, NAME), _bytes(lease.name, NAME), disks=1)
    made.disk = _disk(lease.path, lease.offset)
    made.flags = _SHARED if lease.shared else 0
    if lease.version is not None:
        made.lver, made.flags = lease.version, made.flags | _LVER
    return made


def _space(name: str, path: str, host: int) -> _Lockspace:
    made = _Lockspace(_bytes(name, NAME), host)
    made.disk = _disk(path)
    return made


def _pointers(leases: list[Lease]) -> Any:
    rows = [_resource(lease) for lease in leases]
    return (ctypes.POINTER(_Resource) * len(rows))(*map(ctypes.pointer, rows))


# -- storage


def size_at(path: str) -> int:
    """Bytes that a lockspace or a lease takes there. Raises SanlockError."""
    return _checked(library().sanlock_align(ctypes.byref(_disk(path))))


def write_space(name: str, path: str, timeout: int) -> None:
    """Make a lockspace in a file that has its size. ``timeout`` in seconds, 0 for the daemon's own."""
    _checked(library().sanlock_write_lockspace(ctypes.byref(_space(name, path, 0)), 0, 0, timeout))


def write_lease(lease: Lease) -> None:
    """Make a lease in a file that has its size."""
    _checked(library().sanlock_init(None, ctypes.byref(_resource(lease)), 0, 0))


def join(name: str, path: str, host: int, timeout: int) -> None:
    """Be host number ``host`` of a lockspace; takes twice the timeout and more. One that we are in already is no error."""
    space = _space(name, path, host)
    for _ in range(10):
        answer = library().sanlock_add_lockspace_timeout(ctypes.byref(space), 0, timeout)
        if answer != -errno.EINPROGRESS:
            break
        library().sanlock_inq_lockspace(ctypes.byref(space), _WAIT)
    if answer != -errno.EEXIST:
        _checked(answer)


# -- processes


def register(helper: tuple[str, str] | None) -> int:
    """Make this process one that may hold leases; gives the descriptor that it must keep. Called in QEMU's own process.

    ``helper`` (program, arguments) is run when the leases are lost; without one the process is ended.
    """
    sock = _checked(library().sanlock_register())
    if helper is not None:
        program, arguments = (_bytes(word, HELPER) for word in helper)
        _checked(library().sanlock_killpath(sock, 0, program, arguments))
    _checked(library().sanlock_restrict(sock, _RESTRICT_ALL))
    return sock


def acquire(pid: int, leases: list[Lease], owner: str) -> None:
    """Give leases to a registered process. Raises SanlockError."""
    options = _Options(os.fsencode(owner)[: NAME - 1])
    _checked(library().sanlock_acquire(-1, pid, 0, len(leases), _pointers(leases), ctypes.byref(options)))


def release(pid: int, leases: list[Lease]) -> None:
    _checked(library().sanlock_release(-1, pid, 0, len(leases), _pointers(leases)))


def held(pid: int) -> str:
    """What a process holds: ``SPACE:NAME:PATH:OFFSET:VERSION ...``, as ``parse`` reads it."""
    count, state = ctypes.c_int(0), ctypes.c_void_p()
    _checked(library().sanlock_inquire(-1, pid, 0, ctypes.byref(count), ctypes.byref(state)))
    if not state.value:
        return ""
    try:
        return os.fsdecode(ctypes.string_at(state.value))
    finally:
        free = ctypes.CDLL(None).free
        free.argtypes = [ctypes.c_void_p]
        free(state)


def parse(state: str) -> list[Lease]:
    """The leases of a state, with their versions; what is no lease is left out."""
    found = []
    for word in re.split(r"(?<!\\) ", state):
        parts = [re.sub(r"\\(.)", r"\1", part) for part in re.split(r"(?<!\\):", word)]
        if len(parts) == 5 and parts[3].isdigit() and parts[4].split(" ")[0].removesuffix("SH").isdigit():
            version = parts[4].removesuffix("SH")
            found.append(Lease(parts[0], parts[1], parts[2], int(parts[3]), parts[4].endswith("SH"), int(version)))
    return found
