"""GlusterFS pools: files of a volume, reached by libgfapi without a mount."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import platform
import stat
import struct
from typing import Any, NamedTuple

from kvasir.errors import InternalError, Origin, SystemFailure
from kvasir.model.storage import BackingStore, Permissions, PoolSource, SourceHost, Timestamps, Volume

from .. import probe
from ..volume import from_head
from . import base
from .base import PoolKind
from .netfs import gluster_volumes, named_host

PORT = 24007
HEAD = 64 << 10


class GlusterPool(PoolKind):
    """A GlusterFS volume, or a folder in one."""

    TYPE, NUMBER = "gluster", 11
    NEEDS = ("host",)
    SHOWS = ("hosts", "directory", "name")
    TARGET = "none"
    VOLUME_TYPE = "network"
    VOLUME_FORMATS = (
        "none", "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "cow", "qcow",
        "qcow2", "qed", "vmdk",
    )  # fmt: skip
    DEFAULT_VOLUME_FORMAT = "raw"

    def check(self) -> None:
        folder = self.source.directory
        self.source.name = self.source.name or self.document.name
        self.source.directory = "/" if folder is None else base.sanitize(folder)

    def same(self, other: Any) -> bool:
        from .netfs import share_host

        theirs = other.source
        mine = (self.source.name, self.source.directory)
        return mine == (theirs.name, theirs.directory) and share_host(self.source, theirs)

    def active(self) -> bool:
        """The daemon looks at the volume anew when it starts."""
        return True

    def scan(self) -> list[Volume]:
        host = self.one_host()
        with Share(str(host.name), host.port or PORT, str(self.source.name)) as share:
            space = share.space(self._inside(""))
            document = self.document
            document.capacity, document.available = space
            document.allocation = document.capacity - document.available
            found = []
            for name in share.names(self._inside("")):
                volume = self._volume(share, name)
                if volume is not None:
                    found.append(volume)
            return found

    def _inside(self, name: str) -> str:
        return os.path.join("/", str(self.source.directory).strip("/"), name)

    def _volume(self, share: Share, name: str) -> Volume | None:
        if name.startswith(".") or "\n" in name:
            return None
        status = share.status(self._inside(name))
        mode, size = status.mode, status.size
        host, path = self.one_host(), f"{self.source.name}{self._inside(name)}"
        volume = Volume(
            type="network", name=name, key=f"gluster://{host.name}/{path}", path=f"gluster://{host.name}/{path}"
        )
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            return None
        volume.capacity, volume.allocation, volume.physical = size, status.blocks * 512, size
        volume.permissions = Permissions(mode=stat.S_IMODE(mode), owner=status.uid, group=status.gid)
        volume.timestamps = Timestamps(**dict(zip(("atime", "mtime", "ctime"), status.times, strict=True)), btime=0)
        if stat.S_ISDIR(mode):
            volume.type, volume.format = "netdir", "dir"
            return volume
        info = probe.read_head(share.head(self._inside(name)))
        from_head(volume, info, size)
        volume.cluster_size = None
        if volume.backing is not None:
            volume.backing = BackingStore(path=info.backing, format=info.backing_format or "raw")
        return volume

    def remove(self, volume: Volume, flags: int) -> None:
        host = self.one_host()
        with Share(str(host.name), host.port or PORT, str(self.source.name)) as share:
            share.remove(self._inside(str(volume.name)), volume.type == "netdir")

    @classmethod
    def find_sources(cls, spec: PoolSource | None) -> list[PoolSource]:
        """Volumes of a server."""
        host = named_host(spec, "gluster")
        return [PoolSource(hosts=[SourceHost(name=host)], directory="/", name=name) for name in gluster_volumes(host)]


class Status(NamedTuple):
    """A file's ``struct stat``."""

    mode: int
    uid: int
    gid: int
    size: int
    blocks: int
    times: tuple[int, ...]
    """Of access, change of content, change of the entry: nanoseconds since 1970."""

    @classmethod
    def of(cls, raw: bytes) -> Status:
        """From the structure of 64-bit Linux, whose head only x86 orders otherwise."""
        head = struct.unpack_from("=24xIII" if platform.machine() == "x86_64" else "=16xI4xII", raw)
        size, blocks, *times = struct.unpack_from("=q8xq6q", raw, 48)
        stamps = (seconds * 10**9 + rest for seconds, rest in zip(times[::2], times[1::2], strict=True))
        return cls(head[0], head[1], head[2], size, blocks, tuple(stamps))


class Share:
    """A GlusterFS volume, open."""

    def __init__(self, host: str, port: int, volume: str) -> None:
        self.lib = _library()
        self.volume = volume
        self.fs = self.lib.glfs_new(volume.encode())
        if not self.fs or self.lib.glfs_set_volfile_server(self.fs, b"tcp", host.encode(), port):
            raise _failed(f"failed to connect to gluster://{host}/{volume}")
        self.lib.glfs_set_logging(self.fs, b"/dev/null", 1)
        self.where = f"gluster://{host}/{volume}"

    def __enter__(self) -> Share:
        if self.lib.glfs_init(self.fs):
            problem = _failed(f"failed to connect to {self.where}")
            self.lib.glfs_fini(self.fs)
            raise problem
        return self

    def __exit__(self, *_: object) -> None:
        self.lib.glfs_fini(self.fs)

    def names(self, path: str) -> list[str]:
        handle = self.lib.glfs_opendir(self.fs, path.encode("utf-8", "surrogateescape"))
        if not handle:
            raise _failed(f"cannot open path '{path}' in '{self.volume}'")
        found = []
        while entry := self.lib.glfs_readdir(handle):
            name = ctypes.string_at(entry + 19)  # struct dirent of 64-bit Linux: d_name
            if name not in (b".", b".."):
                found.append(name.decode("utf-8", "surrogateescape"))
        self.lib.glfs_closedir(handle)
        return sorted(found)

    def status(self, path: str) -> Status:
        """What ``stat`` says of a file."""
        data = ctypes.create_string_buffer(256)
        if self.lib.glfs_stat(self.fs, path.encode("utf-8", "surrogateescape"), data):
            raise _failed(f"failed to stat '{path}'")
        return Status.of(data.raw)

    def space(self, path: str) -> tuple[int, int]:
        """(bytes, free bytes) of the file system."""
        data = ctypes.create_string_buffer(256)
        if self.lib.glfs_statvfs(self.fs, path.encode(), data):
            raise _failed(f"cannot statvfs path '{path}' in '{self.volume}'")
        words = [int.from_bytes(data.raw[at : at + 8], "little") for at in range(0, 40, 8)]
        return words[1] * words[2], words[1] * words[3]

    def head(self, path: str) -> bytes:
        handle = self.lib.glfs_open(self.fs, path.encode("utf-8", "surrogateescape"), os.O_RDONLY | os.O_NONBLOCK)
        if not handle:
            return b""
        data = ctypes.create_string_buffer(HEAD)
        count = self.lib.glfs_read(handle, data, HEAD, 0)
        self.lib.glfs_close(handle)
        return data.raw[: max(count, 0)]

    def remove(self, path: str, folder: bool) -> None:
        call = self.lib.glfs_rmdir if folder else self.lib.glfs_unlink
        if call(self.fs, path.encode("utf-8", "surrogateescape")):
            raise _failed(f"cannot remove '{path}' in '{self.volume}'")


def _failed(text: str) -> SystemFailure:
    number = ctypes.get_errno() or 5
    return SystemFailure(text, OSError(number, os.strerror(number)), origin=Origin.STORAGE)


def _library() -> Any:
    name = ctypes.util.find_library("gfapi") or "libgfapi.so.0"
    try:
        lib = ctypes.CDLL(name, use_errno=True)
    except OSError:
        raise InternalError(
            "unable to load libgfapi", origin=Origin.STORAGE,
            hint="install the package that has it: apt install libgfapi0",
        ) from None  # fmt: skip
    for call in ("glfs_new", "glfs_opendir", "glfs_readdir", "glfs_open"):
        getattr(lib, call).restype = ctypes.c_void_p
    for call in ("glfs_set_volfile_server", "glfs_init", "glfs_fini", "glfs_set_logging", "glfs_stat", "glfs_statvfs",
                 "glfs_unlink", "glfs_rmdir"):  # fmt: skip
        getattr(lib, call).argtypes = [ctypes.c_void_p, *_MORE.get(call, ())]
    lib.glfs_opendir.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    lib.glfs_open.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    lib.glfs_read.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    lib.glfs_read.restype = ctypes.c_ssize_t
    for call in ("glfs_readdir", "glfs_closedir", "glfs_close"):
        getattr(lib, call).argtypes = [ctypes.c_void_p]
    return lib


_MORE: dict[str, tuple[Any, ...]] = {
    "glfs_set_volfile_server": (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int),
    "glfs_set_logging": (ctypes.c_char_p, ctypes.c_int),
    "glfs_stat": (ctypes.c_char_p, ctypes.c_void_p),
    "glfs_statvfs": (ctypes.c_char_p, ctypes.c_void_p),
    "glfs_unlink": (ctypes.c_char_p,),
    "glfs_rmdir": (ctypes.c_char_p,),
}
