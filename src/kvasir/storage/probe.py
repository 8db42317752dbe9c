"""What a disk image says of itself: format, capacity, backing file, encryption.

Reads a bounded head of the file and trusts nothing: a raw image never leads to another file, since a volume's
backing file is only reported, not opened. Magic numbers are those of the formats' public descriptions.
"""

from __future__ import annotations

import json
import os
import re
import stat
import struct
from dataclasses import dataclass, field

HEAD = 64 << 10
MAX_NAME = 1023


@dataclass(slots=True)
class ImageInfo:
    """Facts read from an image's head. ``problem`` says what is wrong with a header that claims a format."""

    format: str = "raw"
    capacity: int | None = None
    backing: str | None = None
    backing_format: str | None = None
    encrypted: str | None = None
    compat: str | None = None
    cluster_size: int | None = None
    features: list[str] = field(default_factory=list)
    payload: int = 0
    """Where the data of a LUKS container begin."""
    problem: str = ""


def probe(fd: int) -> ImageInfo:
    """Read the head of an open file. Never raises for a strange image, only OSError for a failing read."""
    return read_head(os.pread(fd, HEAD, 0))


def read_head(head: bytes) -> ImageInfo:
    """What the first bytes say. Never raises."""
    for magic, offset, reader in FORMATS:
        if head[offset : offset + len(magic)] == magic:
            info = ImageInfo()
            try:
                reader(head, info)
            except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
                info.problem = f"broken header: {error}"
                info.backing = info.backing_format = info.compat = None
                info.features = []
            if info.format != "raw" or info.encrypted:
                return _sober(info)
    return ImageInfo()


def _sober(info: ImageInfo) -> ImageInfo:
    """Drop what no image can mean: sizes beyond the format's own limits, names that are none."""
    if info.capacity is not None and info.capacity >= 1 << 64:
        info.capacity, info.problem = None, info.problem or "impossible capacity"
    if info.backing is not None:
        info.backing = info.backing.partition("\0")[0]
        if not 0 < len(info.backing) <= MAX_NAME:
            info.backing = info.backing_format = None
    return info


def _qcow2(head: bytes, info: ImageInfo) -> None:
    version, backing_at, backing_len, cluster_bits, size, crypt = struct.unpack_from(">IQIIQI", head, 4)
    if version == 1:
        _qcow1(head, info)
        return
    if version not in (2, 3):
        return
    info.format, info.capacity = "qcow2", size
    info.compat = "1.1" if version == 3 else "0.10"
    if 9 <= cluster_bits <= 21:
        info.cluster_size = 1 << cluster_bits
    else:
        info.problem = f"broken header: cluster bits {cluster_bits}"
    info.encrypted = {0: None, 1: "qcow", 2: "luks"}.get(crypt, "unknown")
    length = 72
    if version == 3:
        incompatible, compatible = struct.unpack_from(">QQ", head, 72)
        (length,) = struct.unpack_from(">I", head, 100)
        if compatible & 1:
            info.features.append("lazy_refcounts")
        if incompatible & 16:
            info.features.append("extended_l2")
    if backing_at and backing_len:
        if backing_len > MAX_NAME:
            raise ValueError(f"backing file name of {backing_len} bytes")
        info.backing = _name(head, backing_at, backing_len)
        info.backing_format = _qcow2_extension(head, max(length, 72), backing_at)


def _qcow2_extension(head: bytes, at: int, end: int) -> str | None:
    """The backing format, from the header extension of its kind."""
    while at + 8 <= min(end, len(head)):
        kind, size = struct.unpack_from(">II", head, at)
        if kind == 0:
            return None
        if kind == 0xE2792ACA and size <= 64:
            return head[at + 8 : at + 8 + size].decode("ascii").rstrip("\0")
        at += 8 + size + (-size % 8)
    return None


def _name(head: bytes, at: int, size: int) -> str:
    if at + size > len(head):
        raise ValueError(f"backing file name at offset {at}")
    return head[at : at + size].partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _qcow1(head: bytes, info: ImageInfo) -> None:
    backing_at, backing_len, _mtime, size = struct.unpack_from(">QIIQ", head, 8)
    (crypt,) = struct.unpack_from(">I", head, 36)
    info.format, info.capacity = "qcow", size
    info.encrypted = "qcow" if crypt else None
    if backing_at:
        if not 0 < backing_len <= MAX_NAME:
            raise ValueError(f"backing file name of {backing_len} bytes")
        info.backing = _name(head, backing_at, backing_len)


def _qed(head: bytes, info: ImageInfo) -> None:
    features, _c, _a, _l1, size = struct.unpack_from("<QQQQQ", head, 16)
    info.format, info.capacity = "qed", size
    if features & 1:
        at, length = struct.unpack_from("<II", head, 56)
        if not 0 < length <= MAX_NAME:
            raise ValueError(f"backing file name of {length} bytes")
        info.backing = _name(head, at, length)
        info.backing_format = "raw" if features & 4 else None


def _vmdk(head: bytes, info: ImageInfo) -> None:
    version, _flags, sectors = struct.unpack_from("<IIQ", head, 4)
    if version not in (1, 2, 3):
        return
    info.format, info.capacity = "vmdk", sectors * 512
    text = head[0x200 : 0x200 + 20 * 512]
    for line in text.split(b"\n"):
        if line.startswith(b"parentFileNameHint="):
            info.backing = line.split(b'"')[1].decode("utf-8", "surrogateescape")
            info.backing_format = "vmdk"


def _vdi(head: bytes, info: ImageInfo) -> None:
    info.format, info.capacity = "vdi", struct.unpack_from("<Q", head, 0x170)[0]


def _vpc(head: bytes, info: ImageInfo) -> None:
    if struct.unpack_from(">I", head, 12)[0] != 0x10000:
        return
    info.format, info.capacity = "vpc", struct.unpack_from(">Q", head, 48)[0]


def _luks(head: bytes, info: ImageInfo) -> None:
    """A LUKS container is raw data with encryption."""
    (version,) = struct.unpack_from(">H", head, 6)
    if version in (1, 2):
        info.encrypted = "luks"
    if version == 1 and len(head) >= 108:
        info.payload = struct.unpack_from(">I", head, 104)[0] * 512


def _cow(head: bytes, info: ImageInfo) -> None:
    """User-mode Linux's old format: version, name of the backing file, time, size."""
    if struct.unpack_from(">I", head, 4)[0] != 2:
        return
    info.format = "cow"
    if len(head) >= 1048:
        info.capacity = struct.unpack_from(">Q", head, 1036)[0] or None
    name = head[8:1032].partition(b"\0")[0]
    if name:
        info.backing = name.decode("utf-8", "surrogateescape")


def _iso(head: bytes, info: ImageInfo) -> None:
    info.format = "iso"


def _parallels(head: bytes, info: ImageInfo) -> None:
    info.format, info.capacity = "ploop", struct.unpack_from("<I", head, 36)[0] * 512


FORMATS = (
    (b"QFI\xfb", 0, _qcow2),
    (b"QED\0", 0, _qed),
    (b"KDMV", 0, _vmdk),
    (b"\x7f\x10\xda\xbe", 0x40, _vdi),
    (b"conectix", 0, _vpc),
    (b"OOOM", 0, _cow),
    (b"LUKS\xba\xbe", 0, _luks),
    (b"WithoutFreeSpace", 0, _parallels),
    (b"CD001", 0x8001, _iso),
)


def open_volume(path: str) -> int:
    """Open a volume for probing: never a tape, never a FIFO, never waits. Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def size_of(fd: int) -> tuple[int, int]:
    """Length and allocated bytes of a file or block device."""
    status = os.fstat(fd)
    if stat.S_ISBLK(status.st_mode):
        end = os.lseek(fd, 0, os.SEEK_END)
        return end, end
    return status.st_size, status.st_blocks * 512


PROTOCOL = re.compile(r"[A-Za-z0-9+_-]+:")


def is_local(backing: str) -> bool:
    """Whether a backing name is a path, not a URI, ``json:`` or another protocol of QEMU."""
    return not PROTOCOL.match(backing)


def resolve_backing(path: str, backing: str) -> str:
    """The backing file as the format means it: beside the image where it is a relative path, else as it stands."""
    if not is_local(backing) or backing.startswith("/"):
        return local_file(backing) or backing
    return os.path.join(os.path.dirname(path), backing)


def local_file(backing: str) -> str | None:
    """The absolute path in a ``json:`` name of a local file; None for every other name."""
    if not backing.startswith("json:") or len(backing) > MAX_NAME:
        return None
    try:
        data = json.loads(backing[5:])
        found = data.get("file", data)
        name = found.get("filename") if isinstance(found, dict) else data.get("file.filename")
    except (ValueError, AttributeError, RecursionError):
        return None
    return str(name) if isinstance(name, str) and name.startswith("/") else None
