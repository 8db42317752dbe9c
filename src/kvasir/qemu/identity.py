"""As whom guests run: user and group from qemu.conf, libvirt's own user where it exists, else the daemon's."""

from __future__ import annotations

import grp
import logging
import os
import pwd
from dataclasses import dataclass, field
from typing import Any

from kvasir.errors import Code, Error, Origin

log = logging.getLogger(__name__)


def user_id(word: str) -> int:
    """The number of a user given by name or as ``+1000``. Raises Error."""
    if word.startswith("+") and word[1:].isdigit():
        return int(word[1:])
    try:
        return pwd.getpwnam(word).pw_uid
    except KeyError:
        if word.isdigit():
            return int(word)
        raise Error(f"Failed to parse user '{word}'", code=Code.INVALID_ARG, origin=Origin.NONE) from None


def group_id(word: str) -> int:
    """The number of a group given by name or as ``+1000``. Raises Error."""
    if word.startswith("+") and word[1:].isdigit():
        return int(word[1:])
    try:
        return grp.getgrnam(word).gr_gid
    except KeyError:
        if word.isdigit():
            return int(word)
        raise Error(f"Failed to parse group '{word}'", code=Code.INVALID_ARG, origin=Origin.NONE) from None


RESERVED = 64055
"""The number that Debian keeps for libvirt-qemu; guests run under it where no such user is made."""


def closed_folder(folder: str) -> str:
    """The first of a folder and its parents that others cannot pass through, '' when all are open."""
    path = ""
    for step in os.path.abspath(folder).split("/"):
        path = f"{path}/{step}" if step else path
        try:
            if path and not os.stat(path).st_mode & 0o001:
                return path
        except OSError:
            break
    return ""


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@dataclass(slots=True)
class Identity:
    """Numbers of the guests' user; None where the daemon is no root and guests run as itself."""

    uid: int | None = None
    gid: int | None = None
    groups: list[int] = field(default_factory=list)
    name: str = ""

    @classmethod
    def of(cls, config: Any, privileged: bool, folder: str = "/") -> Identity:
        """From the keys ``user`` and ``group``. ``folder`` is where the guests' files lie."""
        if not privileged or os.geteuid() != 0:
            return cls()
        uid, gid = 0, 0
        name = "root"
        if config.user is not None:
            uid = user_id(config.user)
        else:
            for candidate in ("libvirt-qemu", "qemu"):
                try:
                    uid = pwd.getpwnam(candidate).pw_uid
                except KeyError:
                    continue
                break
            else:
                closed = closed_folder(folder)
                if closed:
                    log.warning("guests run as root: others cannot pass through %s (set user in qemu.conf)", closed)
                else:
                    uid = gid = RESERVED
        try:
            entry = pwd.getpwuid(uid)
            name, gid = entry.pw_name, entry.pw_gid
        except KeyError:
            name = str(uid)
        if config.group is not None:
            gid = group_id(config.group)
        groups = sorted({gid, *os.getgrouplist(name, gid)}) if name else [gid]
        if uid:
            for more in ("kvm",):
                try:
                    groups.append(grp.getgrnam(more).gr_gid)
                except KeyError:
                    continue
        return cls(uid, gid, sorted(set(groups)), name)

    def labelled(self, label: Any) -> Identity:
        """As whom a guest runs whose document has a static label (``user:group``) of its own. Raises Error."""
        if self.uid is None or label is None or not label.static or not label.text:
            return self
        user, _, group = label.text.partition(":")
        uid = user_id(user)
        gid = group_id(group or user)
        return Identity(uid, gid, sorted({gid, *self.groups} - {self.gid or 0}) or [gid], _name(uid))

    @property
    def probe_uid(self) -> int | None:
        return self.uid or None

    @property
    def probe_gid(self) -> int | None:
        return self.gid or None

    def own(self, path: str) -> None:
        """Give a file or folder of the driver to the guests' user."""
        if self.uid is not None:
            try:
                os.chown(path, self.uid, self.gid if self.gid is not None else -1, follow_symlinks=False)
            except OSError as error:
                log.warning("cannot give %s to %s: %s", path, self.name, error.strerror)

    @property
    def label(self) -> str:
        """The DAC label, as documents and the security model show it."""
        uid = os.getuid() if self.uid is None else self.uid
        gid = os.getgid() if self.gid is None else self.gid
        return f"+{uid}:+{gid}"
