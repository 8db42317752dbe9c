"""The file of a saved guest, in libvirt's format: header, definition, cookie, room to grow, QEMU's migration stream.

The header is 92 bytes: a magic of 16 (``LibvirtQemudPart`` while it is written, ``LibvirtQemudSave`` when it is whole), then
19 words in the host's order: version 2, length of what follows up to the stream, whether the guest ran, compression, offset of
the cookie, 14 reserved. A file of the other byte order is read too.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from kvasir.errors import Code, Error, OperationFailed, Origin, SystemFailure

MAGIC, PARTIAL = b"LibvirtQemudSave", b"LibvirtQemudPart"
VERSION = 2
HEADER = 92
ROOM = 65536
"""Bytes behind the cookie, so that the definition can be changed later without moving the stream."""

FORMATS = ("raw", "gzip", "bzip2", "xz", "lzop", "zstd")
"""By the numbers of the header; zstd is a later libvirt's."""

LARGEST = 64 << 20
"""Bytes of definition and cookie that are read at most."""


class Incomplete(OperationFailed):
    """The file was never finished, or is too short for a header: a managed image like that is dropped."""


@dataclass(slots=True)
class Saved:
    """What stands before the stream."""

    xml: str
    cookie: str | None = None
    was_running: bool = True
    compression: int = 0
    length: int = 0
    """Bytes between header and stream; 0: as many as are needed, and room to grow."""

    @property
    def offset(self) -> int:
        """Where the stream begins."""
        return HEADER + self.length

    def pack(self, *, whole: bool = False) -> bytes:
        """Header, definition and cookie; ``length`` is filled in. Raises OperationFailed."""
        xml = self.xml.encode() + b"\0"
        cookie = self.cookie.encode() + b"\0" if self.cookie is not None else b""
        needed = len(xml) + len(cookie)
        if not self.length:
            self.length = needed + ROOM
        elif needed > self.length:
            raise OperationFailed("new xml too large to fit in file", origin=Origin.QEMU)
        words = [VERSION, self.length, int(self.was_running), self.compression, len(xml) if cookie else 0, *([0] * 14)]
        head = (MAGIC if whole else PARTIAL) + struct.pack("=19I", *words)
        return head + xml + cookie + bytes(self.length - needed)


def _fail(text: str) -> OperationFailed:
    return OperationFailed(text, origin=Origin.QEMU)


def parse(data: bytes) -> Saved:
    """The header alone: lengths and flags, no texts. Raises Incomplete, OperationFailed."""
    if len(data) < HEADER:
        raise Incomplete("failed to read qemu header", origin=Origin.QEMU)
    if data[:16] != MAGIC:
        if data[:16] == PARTIAL:
            raise Incomplete("save image is incomplete", origin=Origin.QEMU)
        raise _fail("image magic is incorrect")
    words = struct.unpack("=19I", data[16:HEADER])
    if words[0] > VERSION:
        words = struct.unpack("=19I", b"".join(data[i : i + 4][::-1] for i in range(16, HEADER, 4)))
    version, length, running, compression, cookie = words[:5]
    if version > VERSION:
        raise _fail(f"image version is not supported ({version} > {VERSION})")
    if compression >= len(FORMATS):
        raise _fail(f"Invalid compressed save format {compression}")
    if not 0 < length <= LARGEST:
        raise _fail("failed to read domain XML")
    saved = Saved("", None, bool(running), compression, length)
    saved.cookie = str(cookie) if cookie else None
    return saved


def texts(saved: Saved, data: bytes) -> Saved:
    """Fill in definition and cookie from the bytes behind the header. Raises OperationFailed."""
    at = int(saved.cookie or 0)
    saved.cookie = None
    if len(data) < (at or saved.length):
        raise _fail("failed to read domain XML")
    if len(data) < saved.length:
        raise _fail("failed to read cookie")
    try:
        saved.xml = data[: at or saved.length].split(b"\0", 1)[0].decode()
        if at:
            saved.cookie = data[at : saved.length].split(b"\0", 1)[0].decode()
    except UnicodeDecodeError:
        raise _fail("failed to read domain XML") from None
    return saved


def read_fd(fd: int) -> Saved:
    """Read all that stands before the stream; ``fd`` is then at the stream. Raises Incomplete, OperationFailed."""
    saved = parse(_take(fd, HEADER))
    return texts(saved, _take(fd, saved.length))


def _take(fd: int, count: int) -> bytes:
    out = b""
    while len(out) < count:
        piece = os.read(fd, count - len(out))
        if not piece:
            break
        out += piece
    return out


def open_file(path: str, flags: int = os.O_RDONLY) -> int:
    """Raises SystemFailure in libvirt's words."""
    try:
        return os.open(path, flags | os.O_CLOEXEC)
    except OSError as error:
        raise SystemFailure(f"Failed to open file '{path}'", error) from error


def read(path: str) -> Saved:
    """What a file says. Raises SystemFailure, Incomplete, OperationFailed."""
    fd = open_file(path)
    try:
        return read_fd(fd)
    finally:
        os.close(fd)


def rewrite(path: str, saved: Saved) -> None:
    """Put a changed definition or flag in place; the stream stays where it is. Raises OperationFailed, SystemFailure."""
    data = saved.pack(whole=True)
    fd = open_file(path, os.O_RDWR)
    try:
        os.pwrite(fd, data, 0)
        os.fsync(fd)
    except OSError as error:
        raise SystemFailure(f"failed to write header data to '{path}'", error) from error
    finally:
        os.close(fd)


def finish(path: str) -> None:
    """Mark the file as whole. Raises SystemFailure."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(fd, MAGIC, 0)
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise SystemFailure(f"unable to close {path}", error) from error


def number_of(name: str, what: str) -> int:
    """The compression that a key of qemu.conf names; ``what`` is save, dump or snapshot. Raises OperationFailed."""
    import shutil

    if name not in FORMATS:
        raise _fail(f"Invalid {what} image format specified in configuration file")
    if name != "raw" and shutil.which(name) is None:
        raise _fail(f"Compression program for {what} image format in configuration file isn't available")
    return FORMATS.index(name)


def exclusive(flags: int) -> None:
    """Refuse RUNNING and PAUSED together. Raises Error with libvirt's code 8."""
    if flags & 2 and flags & 4:
        text = "Flags 'VIR_DOMAIN_SAVE_RUNNING' and 'VIR_DOMAIN_SAVE_PAUSED' are mutually exclusive"
        raise Error(text, code=Code.INVALID_ARG, origin=Origin.QEMU, message=text)
