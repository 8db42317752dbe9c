"""Pools whose volumes are files of a folder: the base of dir, fs, netfs and vstorage."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import ClassVar

from kvasir.errors import (
    InternalError,
    InvalidArg,
    OperationInvalid,
    OperationUnsupported,
    Origin,
    SystemFailure,
)
from kvasir.host import tools
from kvasir.model.storage import Permissions, Volume

from .. import copying, images, wiping
from ..volume import LABEL, Seen, describe, permissions, seen_volume
from . import base
from .base import PoolKind

CREATED = ("qcow", "qcow2", "qed", "vmdk", "vdi", "vpc", "bochs", "cloop", "dmg", "iso", "fat", "vhd", "cow")


class FilePool(PoolKind):
    """A folder of image files."""

    VOLUME_FORMATS = (
        "none", "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "cow", "qcow",
        "qcow2", "qed", "vmdk",
    )  # fmt: skip
    DEFAULT_VOLUME_FORMAT = "raw"
    FOLDER_MODE: ClassVar[int] = 0o711
    _seen: dict[str, Seen] = {}

    def build(self, flags: int) -> None:
        """Make the folder with its permissions; what already stands there stays."""
        base.exclusive(flags)
        if flags & (base.OVERWRITE | base.NO_OVERWRITE):
            raise OperationInvalid(
                f"No source device specified when formatting pool '{self.document.name}'", origin=Origin.STORAGE
            )
        self.make_folder()

    def make_folder(self) -> None:
        wanted = self.document.permissions
        mode = wanted.mode if wanted and wanted.mode is not None else None
        try:
            os.makedirs(os.path.dirname(self.path) or "/", 0o755, exist_ok=True)
            if not os.path.isdir(self.path):
                os.mkdir(self.path)
                os.chmod(self.path, self.FOLDER_MODE if mode is None else mode)
            elif mode is not None:
                os.chmod(self.path, mode)
            own(self.path, wanted)
        except OSError as error:
            raise SystemFailure(f"cannot create path '{self.path}'", error, origin=Origin.STORAGE) from None

    def delete(self, flags: int) -> None:
        try:
            os.rmdir(self.path)
        except OSError as error:
            raise SystemFailure(f"failed to remove pool '{self.path}'", error, origin=Origin.STORAGE) from None

    def scan(self) -> list[Volume]:
        try:
            with os.scandir(self.path) as entries:
                names = [entry.name for entry in entries]
            space, status = os.statvfs(self.path), os.stat(self.path)
        except OSError as error:
            hint = f"make the folder: virsh pool-build {self.document.name}" if error.errno == errno.ENOENT else ""
            raise SystemFailure(
                f"cannot open directory '{self.path}'", error, origin=Origin.STORAGE, hint=hint
            ) from None
        self.space(space)
        self.document.permissions = permissions(self.path, status)
        volumes: list[Volume] = []
        before, self._seen = self._seen, {}
        folder = os.path.join(self.path, "")
        for name in names:
            if hidden(name):
                continue
            volume, seen = seen_volume(folder + name, name, before.get(name))
            if seen is not None:
                self._seen[name] = seen
            if volume is not None:
                volumes.append(volume)
        return volumes

    def space(self, space: os.statvfs_result | None = None) -> None:
        """Set the pool's sizes from its file system."""
        space = space or os.statvfs(self.path)
        document = self.document
        document.capacity = space.f_blocks * space.f_frsize
        document.available = space.f_bfree * space.f_frsize
        document.allocation = document.capacity - document.available

    def recount(self, volumes: list[Volume]) -> None:
        with contextlib.suppress(OSError):  # the folder itself is gone
            self.space()

    # --- volumes

    def prepare(self, volume: Volume) -> None:
        name = str(volume.name)
        if "/" in name:
            raise OperationInvalid(f"volume name '{name}' cannot contain '/'", origin=Origin.STORAGE)
        volume.type = "dir" if volume.format == "dir" else "file"
        volume.path = volume.key = os.path.join(self.path, name)
        if os.path.lexists(volume.path):
            raise OperationInvalid(f"volume target path '{volume.path}' already exists", origin=Origin.STORAGE)

    def create(self, volume: Volume, source: Volume | None, flags: int) -> None:
        path = str(volume.path)
        try:
            self._make(volume, source, flags)
            finish(path, volume.permissions)
        except BaseException as error:
            discard(path)
            if isinstance(error, OSError):
                what = "failed to create directory" if volume.format == "dir" else "Failed to create file"
                raise SystemFailure(f"{what} '{path}'", error, origin=Origin.STORAGE) from None
            raise

    def _make(self, volume: Volume, source: Volume | None, flags: int) -> None:
        kind = volume.format
        if kind == "dir":
            if source is not None:
                raise base.no_support("storage pool does not support building directories from other volumes")
            os.mkdir(str(volume.path))
        elif kind == "ploop":
            tools.need("ploop")
            raise InternalError("ploop volumes are not built", origin=Origin.STORAGE)
        elif kind == "raw" and volume.encryption is None and volume.backing is None and _plain(source, flags):
            copying.make_raw(volume, source, flags)
        else:
            shown, volume.format = volume.format, "raw" if kind == "iso" else kind
            try:
                images.make(volume, source, flags, self.secret, self.secrets_folder, str(self.document.name))
            finally:
                volume.format = shown

    def update(self, volume: Volume) -> None:
        describe(volume, full=False)

    def remove(self, volume: Volume, flags: int) -> None:
        if flags:
            text = f"unsupported flags (0x{flags:x}) in function virStorageBackendVolDeleteLocal"
            raise InvalidArg(text, origin=Origin.STORAGE, message=text)
        path = str(volume.path)
        folder = os.path.isdir(path) and not os.path.islink(path)
        try:
            os.rmdir(path) if folder else os.unlink(path)
        except FileNotFoundError:
            return
        except OSError as error:
            word = "remove directory" if folder else "unlink file"
            raise SystemFailure(f"cannot {word} '{path}'", error, origin=Origin.STORAGE) from None

    def resize(self, volume: Volume, capacity: int, flags: int) -> None:
        path, kind = str(volume.path), volume.format or "raw"
        if flags & base.ALLOCATE and (kind != "raw" or volume.encryption is not None):
            raise OperationUnsupported("preallocate is only supported for raw type volume", origin=Origin.STORAGE)
        if kind != "raw" or volume.encryption is not None:
            images.resize(volume, capacity, flags, self.secret, self.secrets_folder, str(self.document.name))
            return
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as closed:
            raise SystemFailure(f"Unable to open '{path}'", closed, origin=Origin.STORAGE) from None
        try:
            with os.fdopen(fd, "r+b", 0) as file:
                if flags & base.ALLOCATE:
                    allocate(path, capacity)
                else:
                    os.ftruncate(file.fileno(), capacity)
        except (OSError, OverflowError) as problem:
            error = problem if isinstance(problem, OSError) else OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            raise SystemFailure(f"Failed to truncate file '{path}'", error, origin=Origin.STORAGE) from None

    def wipe(self, volume: Volume, algorithm: str) -> None:
        wiping.wipe(str(volume.path), algorithm, volume.allocation or 0)

    def open(self, volume: Volume, flags: int) -> int:
        return open_content(volume, flags)


def _plain(source: Volume | None, flags: int) -> bool:
    """Whether bytes are copied as they are, without qemu-img."""
    if flags & base.PREALLOC_METADATA:
        return False
    return source is None or (images.source_format(source) == "raw" and source.encryption is None)


def hidden(name: str) -> bool:
    """Names that are no volumes: those with control characters other than white space."""
    return any(letter < " " and letter not in "\t\n\r" for letter in name)


def own(path: str, wanted: Permissions | None) -> None:
    """Give a path the owner that a document asks for (root only)."""
    if wanted is not None and os.geteuid() == 0:
        owner, group = (-1 if value is None else value for value in (wanted.owner, wanted.group))
        if (owner, group) != (-1, -1):
            os.chown(path, owner, group)


def finish(path: str, wanted: Permissions | None) -> None:
    """Owner and mode of what was made."""
    own(path, wanted)
    os.chmod(path, wanted.mode if wanted is not None and wanted.mode is not None else 0o600)
    if wanted is not None and ":" in (wanted.label or "") and os.geteuid() == 0:
        with contextlib.suppress(
            OSError
        ):  # a file system without labels, or a label that this host's policy does not know
            os.setxattr(path, LABEL, f"{wanted.label}\0".encode())


def allocate(path: str, capacity: int) -> None:
    """Give a file its whole length on disk; as it was when there is no room."""
    before = os.stat(path).st_size
    try:
        copying.allocate(path, capacity)
    except OSError:
        os.truncate(path, before)
        raise


def discard(path: str) -> None:
    """Remove what a failed creation left."""
    if os.path.isdir(path) and not os.path.islink(path):
        os.rmdir(path)
    elif os.path.lexists(path):
        os.unlink(path)


def open_content(volume: Volume, flags: int) -> int:
    """Open a volume's file for its content. Refuses what is no plain file or block device."""
    try:
        fd = os.open(str(volume.path), flags | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        raise SystemFailure(f"Unable to open stream for '{volume.path}'", error, origin=Origin.STREAMS) from None
    mode = os.fstat(fd).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        os.close(fd)
        raise OperationInvalid(f"volume '{volume.name}' has no content to copy", origin=Origin.STORAGE)
    os.set_blocking(fd, True)
    return fd
