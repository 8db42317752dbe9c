"""One volume of a pool: the document it is described by, refreshed from the file."""

from __future__ import annotations

import os
import stat
from typing import Any

from kvasir.model.storage import BackingStore, Permissions, Timestamps, Volume

from . import probe

FILE, BLOCK, DIR, NETWORK, NETDIR, PLOOP = range(6)
TYPES = {"file": FILE, "block": BLOCK, "dir": DIR, "network": NETWORK, "netdir": NETDIR, "ploop": PLOOP}


class Vol:
    """A volume. ``name``, ``key`` and ``pool`` (its name) are what the wire carries."""

    __slots__ = ("document", "in_use", "owner")

    def __init__(self, owner: Any, document: Volume) -> None:
        self.owner, self.document = owner, document
        self.in_use = 0

    @property
    def pool(self) -> str:
        return str(self.owner.name)

    @property
    def name(self) -> str:
        return str(self.document.name)

    @property
    def key(self) -> str:
        return str(self.document.key)

    @property
    def path(self) -> str:
        return str(self.document.path)

    @property
    def kind(self) -> int:
        return TYPES[self.document.type or "file"]

    def refresh(self) -> None:
        """Read sizes, permissions, times and format anew. Raises OSError when the file is gone."""
        describe(self.document)


def file_volume(path: str, name: str) -> Volume | None:
    """Describe a file as a volume of a directory pool, or None for what is none (sockets, FIFOs, broken links)."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISBLK(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return None
    document = Volume(name=name, key=path, path=path)
    try:
        describe(document)
    except OSError:
        return None
    return document


def describe(document: Volume) -> None:
    """Fill a file volume's document from its file. Raises OSError."""
    path = str(document.path)
    status = os.stat(path)
    document.permissions = Permissions(mode=stat.S_IMODE(status.st_mode), owner=status.st_uid, group=status.st_gid)
    document.timestamps = _times(status)
    if stat.S_ISDIR(status.st_mode):
        document.type, document.format = "dir", "dir"
        document.capacity = document.allocation = 0
        document.physical = 0
        return
    document.type = "block" if stat.S_ISBLK(status.st_mode) else "file"
    fd = probe.open_volume(path)
    try:
        length, allocated = probe.size_of(fd)
        info = probe.probe(fd)
    finally:
        os.close(fd)
    document.allocation, document.physical = allocated, length
    document.capacity = info.capacity if info.capacity is not None else length
    document.format = info.format
    _features(document, info)


def _features(document: Volume, info: probe.ImageInfo) -> None:
    document.compat = info.compat
    document.cluster_size = info.cluster_size
    document.lazy_refcounts = "lazy_refcounts" in info.features
    document.extended_l2 = "extended_l2" in info.features
    document.features = info.compat == "1.1"
    document.backing = None
    if info.backing is not None:
        below = probe.resolve_backing(str(document.path), info.backing)
        document.backing = BackingStore(path=below, format=info.backing_format or "raw")
        try:
            status = os.stat(below)
        except OSError:
            return
        document.backing.permissions = Permissions(
            mode=stat.S_IMODE(status.st_mode), owner=status.st_uid, group=status.st_gid
        )
        document.backing.timestamps = _times(status)


def _stamp(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{seconds}.{rest:09d}" if rest else str(seconds)


def _times(status: os.stat_result) -> Timestamps:
    return Timestamps(
        atime=_stamp(status.st_atime_ns), mtime=_stamp(status.st_mtime_ns), ctime=_stamp(status.st_ctime_ns), btime="0"
    )
