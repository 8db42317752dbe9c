"""A process's own ``/dev``: a small file system with the nodes that it needs and no others, in a mount namespace of its own.

What is mounted below the host's ``/dev`` (``pts``, ``shm``, ``hugepages`` ...) is there as well. Nodes are put in and taken out from
outside, through ``/proc/PID/root``.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from collections.abc import Iterator

from kvasir.errors import SystemFailure

from . import mounts

NEW_MOUNTS = 0x20000
BIND, MOVE, RECURSIVE, SLAVE, NOSUID = 0x1000, 0x2000, 0x4000, 0x80000, 0x2
_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    words = (os.fsencode(source), os.fsencode(target), kind.encode(), flags, options.encode())
    if _libc.mount(*words):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)


def _mounted_below_dev() -> list[str]:
    """What is mounted directly below ``/dev``."""
    found: list[str] = []
    for point in sorted({target for _, target in mounts.table() if target.startswith("/dev/")}):
        if not any(point.startswith(f"{one}/") for one in found):
            found.append(point)
    return found


def enter(folder: str, *, optional: bool) -> None:
    """In a new process, as root: have an empty ``/dev`` of its own, put together at ``folder``. Raises RuntimeError.

    With ``optional`` it goes on with the host's where the kernel allows no new namespace.
    """
    if _libc.unshare(NEW_MOUNTS):
        if optional:
            return
        raise RuntimeError(f"Unable to have mount namespaces: {os.strerror(ctypes.get_errno())}")
    try:
        _mount("none", "/", "", SLAVE | RECURSIVE)
        _mount("devfs", folder, "tmpfs", NOSUID, "mode=755,size=65536")
        for point in _mounted_below_dev():
            target = folder + point.removeprefix("/dev")
            if os.path.isdir(point):
                os.makedirs(target, 0o755)
            else:
                os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
                os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
            _mount(point, target, "", BIND | RECURSIVE)
        _mount(folder, "/dev", "", MOVE)
    except OSError as error:
        raise RuntimeError(f"Unable to set up a /dev for the guest: {error.filename}: {error.strerror}") from error


def separate(pid: int) -> bool:
    """Whether a process is in another mount namespace than this one."""
    return os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")


def _steps(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """The links that lead to a node of the host's ``/dev``, and the node; nothing where there is none. Raises SystemFailure."""
    for _ in range(32):
        if not path.startswith("/dev/"):
            return
        try:
            found = os.lstat(path)
        except OSError:
            return
        if stat.S_ISLNK(found.st_mode):
            yield path, found
            path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
            continue
        if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
            yield path, found
        return
    raise SystemFailure(f"Unable to create device {path}", OSError(40, os.strerror(40)))


def add(pid: int, path: str) -> None:
    """Put a node of the host's ``/dev``, and the links that lead to it, into a process's own. Raises SystemFailure.

    What is no node, or is there already, is passed over.
    """
    for step, found in list(_steps(path)):
        inside = f"/proc/{pid}/root{step}"
        try:
            os.makedirs(os.path.dirname(inside), 0o755, exist_ok=True)
            if stat.S_ISLNK(found.st_mode):
                os.symlink(os.readlink(step), inside)
            else:
                os.mknod(inside, found.st_mode, found.st_rdev)
                os.chown(inside, found.st_uid, found.st_gid)
                os.chmod(inside, stat.S_IMODE(found.st_mode))
        except FileExistsError:
            continue
        except OSError as error:
            raise SystemFailure(f"Unable to create device {step}", error) from error


def drop(pid: int, path: str) -> None:
    """Take a node out of a process's own ``/dev`` again, with the links that led to it."""
    for step, _ in list(_steps(path)):
        with contextlib.suppress(OSError):
            os.unlink(f"/proc/{pid}/root{step}")
