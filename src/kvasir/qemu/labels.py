"""Ownership of a guest's files (the DAC security model): given to QEMU's user at the start, given back at the end.

The owner before is remembered in extended attributes, with a count of the guests that use the file, exactly as libvirt
does, so that either daemon restores what the other labelled. Files that are shared or read-only and files on which the
document says ``relabel='no'`` stay as they are, in libvirt's way.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
import stat
import time
from typing import Any

from kvasir.errors import Error, SystemFailure

from . import live

log = logging.getLogger(__name__)

PREFIX = "trusted.libvirt.security."


def _timestamp() -> str:
    """When the host booted, as libvirt writes it beside its attributes: what was remembered before a boot is void."""
    with open("/proc/stat", encoding="ascii") as stream:
        for line in stream:
            if line.startswith("btime "):
                return line.split()[1]
    return str(int(time.time() - time.monotonic()))


def _get(path: str, name: str) -> str | None:
    try:
        return os.getxattr(path, PREFIX + name).rstrip(b"\0").decode("ascii", "replace")
    except OSError:
        return None


def _set(path: str, name: str, value: str) -> bool:
    try:
        os.setxattr(path, PREFIX + name, value.encode("ascii"))
    except OSError as error:
        log.debug("%s cannot remember its owner: %s", path, error.strerror)
        return False
    return True


def _drop(path: str) -> None:
    for name in ("dac", "ref_dac", "timestamp_dac"):
        with contextlib.suppress(OSError):
            os.removexattr(path, PREFIX + name)


def _valid(path: str) -> bool:
    """Whether what is remembered on the file is of this boot; older is dropped."""
    when = _get(path, "timestamp_dac")
    if when is None:
        return False
    if when.split(".")[0] != _timestamp():
        _drop(path)
        return False
    return True


def remember(path: str, owner: str) -> int:
    """Count one more user of the file and keep the owner of before the first. Gives the count, -1 if nothing is kept."""
    count = int(_get(path, "ref_dac") or 0) if _valid(path) else 0
    if count == 0 and not (_set(path, "dac", owner) and _set(path, "timestamp_dac", _timestamp())):
        return -1
    return count + 1 if _set(path, "ref_dac", str(count + 1)) else -1


def recall(path: str) -> str | None:
    """Count one user less; the remembered owner when it was the last, '' when others use the file, None if unknown."""
    if not _valid(path):
        return None
    count = int(_get(path, "ref_dac") or 0) - 1
    if count > 0:
        _set(path, "ref_dac", str(count))
        return ""
    owner = _get(path, "dac")
    _drop(path)
    return owner


def move(old: str, new: str) -> None:
    """Let what is remembered of a file's owner be remembered of the one that takes its place in the guest (libvirt's rule)."""
    if not _valid(old):
        return
    for name in ("dac", "ref_dac", "timestamp_dac"):
        _set(new, name, _get(old, name) or "")
    _drop(old)


class Labels:
    """The ownership of one guest's files."""

    def __init__(self, driver: Any, guest: Any) -> None:
        self.driver, self.guest = driver, guest
        self.identity = driver.identity
        self.done: list[str] = []
        """The files that got a new owner, in order."""

    @property
    def works(self) -> bool:
        """Whether ownership is managed at all: root's daemon with ``dynamic_ownership``."""
        return self.identity.uid is not None and bool(self.driver.config.dynamic_ownership)

    def _owner(self, domain: Any) -> tuple[int, int] | None:
        """Whom the guest's files belong to; None when its document says not to relabel."""
        label = live.dac_label(domain)
        if label is None:
            return self.identity.uid, self.identity.gid
        if not label.relabel:
            return None
        if label.text:
            from .identity import group_id, user_id

            user, _, group = label.text.partition(":")
            return user_id(user), group_id(group or user)
        return self.identity.uid, self.identity.gid

    async def apply(self, domain: Any) -> None:
        """Give the guest's files to its user. Raises SystemFailure; what was done is then undone by ``restore``."""
        if not self.works:
            return
        owner = self._owner(domain)
        if owner is None:
            return
        for path, restorable in live.labelled_paths(domain):
            self.give(path, owner, remember_owner=restorable)
            if owner[0]:
                self._reachable(path, owner)

    def give(self, path: str, owner: tuple[int, int], *, remember_owner: bool = True) -> None:
        """Change a file's owner, remembering the one of before."""
        try:
            found = os.stat(path)
        except OSError as error:
            raise SystemFailure(f"unable to stat: {path}", error) from error
        if remember_owner and self.driver.config.remember_owner:
            count = remember(path, f"+{found.st_uid}:+{found.st_gid}")
            if count > 1 and (found.st_uid, found.st_gid) != owner:
                recall(path)
                raise Error(
                    f"Requested operation is not valid: Setting different DAC user or group on {path} which is already in use",
                    code=55,
                )
        self.done.append(path)
        if (found.st_uid, found.st_gid) == owner:
            return
        try:
            os.chown(path, *owner)
        except OSError as error:
            if error.errno in (30, 1) and (error.errno == 30 or found.st_mode & stat.S_IROTH):
                log.warning("%s stays with its owner: %s", path, error.strerror)
                return
            raise SystemFailure(
                f"unable to set user and group to '{owner[0]}:{owner[1]}' on '{path}'", error
            ) from error

    def _reachable(self, path: str, owner: tuple[int, int]) -> None:
        """Complain with a repair when a folder on the way bars QEMU's user."""
        folder = os.path.dirname(os.path.realpath(path))
        while folder and folder != "/":
            found = os.stat(folder)
            mode = found.st_mode
            allowed = mode & stat.S_IXOTH
            if found.st_uid == owner[0]:
                allowed = mode & stat.S_IXUSR
            elif found.st_gid in (owner[1], *self.identity.groups):
                allowed = mode & stat.S_IXGRP
            if not allowed and not _has_acl(folder):
                name = _user_name(owner[0])
                raise SystemFailure(
                    f"Cannot access storage file '{path}' (as uid:{owner[0]}, gid:{owner[1]})",
                    OSError(13, os.strerror(13)),
                    hint=f"{folder} bars user {name}: setfacl -m u:{name}:x {folder}, or move the image to "
                    "/var/lib/libvirt/images",
                )
            folder = os.path.dirname(folder)

    def restore(self) -> None:
        """Undo what this start did."""
        for path in reversed(self.done):
            self.give_back(path)
        self.done.clear()

    def restore_all(self, domain: Any) -> None:
        """Give back every file of a guest that has ended."""
        if not self.works or self._owner(domain) is None:
            return
        for path, restorable in live.labelled_paths(domain):
            if restorable:
                self.give_back(path)
        for path in live.mirrors(domain):
            if _valid(path):
                self.give_back(path)

    def give_back(self, path: str) -> None:
        """Restore one file's owner: the remembered one, or root as libvirt does when none is known."""
        if not os.path.exists(path):
            return
        owner = recall(path) if self.driver.config.remember_owner else None
        if owner == "":
            return
        uid, gid = 0, 0
        if owner:
            user, _, group = owner.partition(":")
            uid, gid = int(user.lstrip("+")), int(group.lstrip("+"))
        try:
            os.chown(path, uid, gid)
        except OSError as error:
            log.warning("cannot restore the owner of %s: %s", path, error.strerror)


def _has_acl(folder: str) -> bool:
    try:
        return "system.posix_acl_access" in os.listxattr(folder)
    except OSError:
        return False


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
