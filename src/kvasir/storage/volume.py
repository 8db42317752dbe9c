"""One volume of a pool: the document it is described by, refreshed from the file."""

from __future__ import annotations

import os
import stat
import time
from typing import Any, NamedTuple

from kvasir.errors import InternalError, Origin
from kvasir.model.storage import BackingStore, Permissions, Timestamps, Volume, VolumeEncryption

from . import probe

FILE, BLOCK, DIR, NETWORK, NETDIR, PLOOP = range(6)
TYPES = {"file": FILE, "block": BLOCK, "dir": DIR, "network": NETWORK, "netdir": NETDIR, "ploop": PLOOP}
HEADED = ("qcow", "qcow2", "qed", "vmdk", "vdi", "vpc", "cow", "ploop")
"""Formats whose capacity stands in their head."""


class Vol:
    """A volume. ``name``, ``key`` and ``pool`` (its name) are what the wire carries."""

    __slots__ = ("building", "document", "in_use", "owner")

    def __init__(self, owner: Any, document: Volume) -> None:
        self.owner, self.document = owner, document
        self.in_use = 0
        self.building = False

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
        """Read sizes, permissions and times anew. Raises OSError when the file is gone."""
        self.owner.backend().update(self.document)


class Seen(NamedTuple):
    """A file as it was when a volume was described from it."""

    same: int
    """Made of all that changes with the file: who has it, its sizes, when it was written and when its inode changed."""
    atime: int
    volume: Volume


FINE, COARSE = 10**8, 3 * 10**9
"""Nanoseconds after which a file's times cannot hide one more change within a tick of the file system's clock: of one that
counts parts of seconds, and of one that does not."""


def settled(status: os.stat_result) -> bool:
    """Whether each later change of the file will show in its times."""
    written = max(status.st_mtime_ns, status.st_ctime_ns)
    return time.time_ns() - written > (FINE if status.st_ctime_ns % 10**9 else COARSE)


def seen_volume(path: str, name: str, known: Seen | None) -> tuple[Volume | None, Seen | None]:
    """``file_volume``, but a file that is as ``known`` says keeps its volume; and what is known of it from now on."""
    try:
        status = os.stat(path)
    except OSError:
        return None, None
    same = hash((*status[:7], status.st_blocks, status.st_mtime_ns, status.st_ctime_ns))
    if known is not None and known.same == same:
        if known.atime != status.st_atime_ns:
            known.volume.timestamps = _times(status)
            known = known._replace(atime=status.st_atime_ns)
        return known.volume, known
    found = file_volume(path, name, status)
    if found is None or found.type != "file" or found.backing is not None or not settled(status):
        return found, None
    return found, Seen(same, status.st_atime_ns, found)


def file_volume(path: str, name: str, status: os.stat_result) -> Volume | None:
    """Describe a file as a volume of a directory pool, or None for what is none (sockets, FIFOs, broken links)."""
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISBLK(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return None
    document = Volume(name=name, key=path, path=path)
    try:
        describe(document, full=True, status=status)
    except OSError:
        return None
    return document


def describe(document: Volume, *, full: bool, status: os.stat_result | None = None) -> None:
    """Fill in a volume from its file or device: sizes, owner and times; with ``full`` its format and what lies below.

    Raises OSError, InternalError (what took the file's place is no volume).
    """
    path = str(document.path)
    status = status or os.stat(path)
    document.permissions = permissions(path, status)
    document.timestamps = _times(status)
    for kind, what in ((stat.S_ISFIFO, "FIFO"), (stat.S_ISSOCK, "socket")):
        if kind(status.st_mode):
            raise InternalError(f"Volume path '{path}' is a {what}", origin=Origin.STORAGE)
    if stat.S_ISDIR(status.st_mode):
        if full:
            document.type, document.format = "dir", "dir"
        document.capacity = document.allocation = 0
        document.physical = None
        return
    block = stat.S_ISBLK(status.st_mode)
    if full:
        document.type = "block" if block else "file"
    if not (full or block or document.format in HEADED or document.encryption):
        document.allocation, document.physical = status.st_blocks * 512, status.st_size or None
        document.capacity = status.st_size
        return
    if not full and document.backing is not None and probe.is_local(str(document.backing.path)):
        now = beneath(os.path.join(os.path.dirname(path), str(document.backing.path)))
        document.backing.permissions, document.backing.timestamps = now.permissions, now.timestamps
    fd = probe.open_volume(path)
    try:
        length, allocated = probe.size_of(fd) if block else (status.st_size, status.st_blocks * 512)
        head = b"" if block and not full and document.format not in HEADED else os.pread(fd, probe.HEAD, 0)
    finally:
        os.close(fd)
    document.physical = length or None
    if not block or full or document.allocation is None:
        document.allocation = allocated
    info = probe.read_head(head)
    if full:
        from_head(document, info, length)
    else:
        _capacity(document, info, length)


def from_head(document: Volume, info: probe.ImageInfo, length: int) -> None:
    """Fill in what an image's head says."""
    document.format = info.format
    document.encryption = None
    if info.encrypted == "luks":
        document.encryption = VolumeEncryption(format="luks")
    elif info.encrypted == "qcow":
        document.encryption = VolumeEncryption(format="default")
    _capacity(document, info, length)
    document.compat = info.compat if info.compat == "1.1" else None
    document.cluster_size = info.cluster_size
    document.lazy_refcounts = "lazy_refcounts" in info.features
    document.extended_l2 = "extended_l2" in info.features
    document.features = info.compat == "1.1"
    document.backing = None
    if info.backing:
        document.backing = _below(str(document.path), info)


def _capacity(document: Volume, info: probe.ImageInfo, length: int) -> None:
    if document.format in HEADED and info.format == document.format:
        document.capacity = info.capacity or length
    elif info.payload and length > info.payload and document.format == "raw" and document.encryption is not None:
        document.capacity = length - info.payload
    else:
        document.capacity = length


def _below(path: str, info: probe.ImageInfo) -> BackingStore:
    """The image below, as the head names it. It is looked at by ``stat`` and never opened."""
    assert info.backing is not None
    if not probe.is_local(info.backing):
        return BackingStore(path=info.backing, format="raw")
    below = beneath(os.path.join(os.path.dirname(path), info.backing))
    below.format = info.backing_format or "raw"
    return below


def beneath(path: str) -> BackingStore:
    """The element of what a volume stands on, with its owner and times where it is there."""
    below = BackingStore(path=path)
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return below
    if stat.S_ISREG(status.st_mode) or stat.S_ISBLK(status.st_mode) or stat.S_ISDIR(status.st_mode):
        below.permissions, below.timestamps = permissions(path, status), _times(status)
    return below


LABEL = "security.selinux"


def permissions(path: str, status: os.stat_result) -> Permissions:
    """Mode, owner and SELinux's label of a file."""
    try:
        label = os.getxattr(path, LABEL).rstrip(b"\0").decode("ascii")
    except (OSError, ValueError):
        label = ""
    return Permissions(
        mode=stat.S_IMODE(status.st_mode),
        owner=status.st_uid,
        group=status.st_gid,
        label=label if label.isprintable() and label else None,
    )


def _times(status: os.stat_result) -> Timestamps:
    return Timestamps(atime=status.st_atime_ns, mtime=status.st_mtime_ns, ctime=status.st_ctime_ns, btime=0)
