"""Directory pools: every file in the folder is a volume."""

from __future__ import annotations

import errno
import os
import stat
from typing import Any

from kvasir.errors import InternalError, InvalidArg, OperationFailed, Origin, SystemFailure, XmlError
from kvasir.host import qemu_img
from kvasir.model.storage import Permissions, Volume

from ..errors import VolumeExists
from ..volume import file_volume
from .base import PoolKind

PREALLOC_METADATA, REFLINK = 1, 2
ALLOCATE, SHRINK = 1, 4
OVERWRITE_BUILD, NO_OVERWRITE_BUILD = 1 << 1, 1 << 2


class DirPool(PoolKind):
    """A folder of image files."""

    TYPE = "dir"
    FORMATS = (
        "none", "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "cow", "qcow",
        "qcow2", "qed", "vmdk",
    )  # fmt: skip
    CREATABLE = frozenset(
        {"raw", "bochs", "cloop", "dmg", "vpc", "vdi", "qcow", "qcow2", "qed", "vmdk", "vhdx", "luks"}
    )

    @property
    def path(self) -> str:
        return str(self.document.target_path)

    def check(self) -> None:
        if not self.document.target_path:
            raise XmlError("missing storage pool target path", origin=Origin.STORAGE)

    def probe(self) -> bool:
        return os.path.isdir(self.path)

    def build(self, flags: int) -> None:
        """Make the folder with its permissions; what already stands there stays."""
        if flags & OVERWRITE_BUILD and flags & NO_OVERWRITE_BUILD:
            raise InvalidArg("Overwrite and no overwrite flags are mutually exclusive", origin=Origin.STORAGE)
        wanted = self.document.permissions
        mode = wanted.mode if wanted and wanted.mode is not None else 0o711
        try:
            parent = os.path.dirname(self.path.rstrip("/"))
            if parent:
                os.makedirs(parent, 0o755, exist_ok=True)
            if not os.path.isdir(self.path):
                os.mkdir(self.path)
                os.chmod(self.path, mode)
            elif wanted and wanted.mode is not None:
                os.chmod(self.path, mode)
            if wanted and (wanted.owner not in (None, -1) or wanted.group not in (None, -1)) and os.geteuid() == 0:
                os.chown(self.path, _id(wanted.owner), _id(wanted.group))
        except OSError as error:
            raise SystemFailure(f"cannot create path '{self.path}'", error, origin=Origin.STORAGE) from None

    def start(self) -> None:
        if not os.path.isdir(self.path):
            error = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
            raise SystemFailure(
                f"cannot open directory '{self.path}'",
                error,
                origin=Origin.STORAGE,
                hint=f"make the folder: virsh pool-build {self.document.name}",
            )

    def delete(self, flags: int) -> None:
        try:
            os.rmdir(self.path)
        except OSError as error:
            raise SystemFailure(f"failed to remove pool '{self.path}'", error, origin=Origin.STORAGE) from None

    def scan(self) -> list[Volume]:
        try:
            names = [entry.name for entry in os.scandir(self.path)]
            space = os.statvfs(self.path)
            status = os.stat(self.path)
        except OSError as error:
            raise SystemFailure(f"cannot open directory '{self.path}'", error, origin=Origin.STORAGE) from None
        document = self.document
        document.capacity = space.f_blocks * space.f_frsize
        document.available = space.f_bfree * space.f_frsize
        document.allocation = document.capacity - document.available
        document.permissions = Permissions(mode=stat.S_IMODE(status.st_mode), owner=status.st_uid, group=status.st_gid)
        found = (file_volume(os.path.join(self.path, name), name) for name in names if not _hidden(name))
        return [volume for volume in found if volume is not None]

    def prepare(self, volume: Volume) -> None:
        name = str(volume.name)
        if "/" in name or name in (".", "..") or "\n" in name:
            raise OperationFailed(f"volume name '{name}' cannot contain '/'", origin=Origin.STORAGE)
        volume.type = "file"
        volume.path = volume.key = os.path.join(self.path, name)
        if os.path.lexists(volume.path):
            raise VolumeExists(f"volume target path '{volume.path}' already exists", origin=Origin.STORAGE)

    async def create(self, volume: Volume, source: Any, flags: int) -> None:
        kind = volume.format or "raw"
        path = str(volume.path)
        try:
            if source is not None:
                await self._convert(volume, source, kind)
            elif kind == "dir":
                os.mkdir(path)
            elif kind == "raw" and volume.encryption is None:
                self._make_raw(volume)
            elif kind in self.CREATABLE:
                await self._make_image(volume, kind, flags)
            else:
                raise InternalError(f"format {kind} not supported", origin=Origin.STORAGE)
            self._own(volume)
        except BaseException as error:
            if os.path.isdir(path):
                os.rmdir(path)
            elif os.path.lexists(path):
                os.unlink(path)
            if isinstance(error, OSError):
                raise SystemFailure(f"cannot create path '{path}'", error, origin=Origin.STORAGE) from None
            raise

    @staticmethod
    def _make_raw(volume: Volume) -> None:
        capacity = volume.capacity or 0
        allocation = min(volume.allocation if volume.allocation is not None else capacity, capacity)
        fd = os.open(str(volume.path), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, capacity)
            if allocation:
                os.posix_fallocate(fd, 0, allocation)
        finally:
            os.close(fd)

    async def _make_image(self, volume: Volume, kind: str, flags: int) -> None:
        options = []
        if kind == "qcow2":
            options.append(f"compat={volume.compat or '1.1'}")
            if volume.cluster_size:
                options.append(f"cluster_size={volume.cluster_size}")
            if volume.lazy_refcounts:
                options.append("lazy_refcounts=on")
            if volume.extended_l2:
                options.append("extended_l2=on")
            if flags & PREALLOC_METADATA:
                options.append("preallocation=metadata")
        if volume.encryption is not None:
            raise InternalError("volumes with encryption need a secret, which is not built yet", origin=Origin.STORAGE)
        if volume.backing is not None and volume.backing.path:
            if not os.access(str(volume.backing.path), os.R_OK):
                error = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
                raise SystemFailure(
                    f"inaccessible backing store volume {volume.backing.path}", error, origin=Origin.STORAGE
                )
            options.append(f"backing_fmt={volume.backing.format or 'raw'}")
        words = ["create", "-f", kind]
        if options:
            words += ["-o", ",".join(options)]
        if volume.backing is not None and volume.backing.path:
            words += ["-b", str(volume.backing.path)]
        await qemu_img.run(*words, "--", str(volume.path), f"{-(-(volume.capacity or 0) // 1024)}K")

    @staticmethod
    async def _convert(volume: Volume, source: Any, kind: str) -> None:
        below = source.document
        path = str(volume.path)
        words = ["convert", "-f", below.format or "raw", "-O", kind]
        if kind == "qcow2":
            words += ["-o", f"compat={volume.compat or '1.1'}"]
        await qemu_img.run(*words, "--", str(below.path), path)
        if volume.capacity and volume.capacity > (below.capacity or 0):
            await qemu_img.run("resize", "-f", kind, "--", path, str(volume.capacity))

    @staticmethod
    def _own(volume: Volume) -> None:
        wanted = volume.permissions
        mode = wanted.mode if wanted is not None and wanted.mode is not None else 0o600
        os.chmod(str(volume.path), mode)
        if (
            wanted is not None
            and os.geteuid() == 0
            and (wanted.owner not in (None, -1) or wanted.group not in (None, -1))
        ):
            os.chown(str(volume.path), _id(wanted.owner), _id(wanted.group))

    def remove(self, volume: Volume, flags: int) -> None:
        path = str(volume.path)
        try:
            if volume.type == "dir":
                os.rmdir(path)
            else:
                os.unlink(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise SystemFailure(f"cannot unlink file '{path}'", error, origin=Origin.STORAGE) from None

    async def resize(self, volume: Volume, capacity: int, flags: int) -> None:
        kind, path = volume.format or "raw", str(volume.path)
        if kind == "raw":
            os.truncate(path, capacity)
            if flags & ALLOCATE:
                with open(path, "r+b") as file:
                    os.posix_fallocate(file.fileno(), 0, capacity)
            return
        words = ["resize", "-f", kind]
        if flags & SHRINK:
            words.append("--shrink")
        if flags & ALLOCATE:
            words.append("--preallocation=falloc")
        await qemu_img.run(*words, "--", path, str(capacity))


def _hidden(name: str) -> bool:
    return name in (".", "..") or name.startswith(".") or "\n" in name


def _id(value: int | None) -> int:
    return -1 if value is None else value
