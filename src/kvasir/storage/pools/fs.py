"""File system pools: a block device with a file system, mounted on the target."""

from __future__ import annotations

import os

from kvasir.errors import ConfigUnsupported, Origin, SystemFailure
from kvasir.host import blkid, mounts, tools
from kvasir.model.storage import Pool, Volume

from . import base
from .files import FilePool

FORCE = {"ext2": ["-F"], "ext3": ["-F"], "ext4": ["-F"], "xfs": ["-f"], "vfat": ["-I"]}
"""What makes mkfs overwrite; the check before is ours."""


class MountedPool(FilePool):
    """A folder of files on a file system that is mounted while the pool runs: the base of fs and netfs."""

    def source_word(self) -> str:
        """What mount is given as the source."""
        raise NotImplementedError

    def mount_options(self) -> list[str]:
        return [str(option.name) for option in self.document.mount_options]

    def mount_type(self) -> str:
        return str(self.source.format)

    def active(self) -> bool:
        """Mounted from this source (the daemon was started anew)."""
        found = mounts.source_of(self.path)
        if found is None:
            return False
        wanted = self.source_word()
        return found == wanted or os.path.realpath(found) == os.path.realpath(wanted)

    def start(self) -> None:
        self.source_word()
        if mounts.source_of(self.path) is None:
            mounts.mount(self.source_word(), self.path, self.mount_type(), self.mount_options())

    def stop(self) -> None:
        if mounts.source_of(self.path) is not None:
            mounts.unmount(self.path)


class FsPool(MountedPool):
    """A file system on a block device."""

    TYPE, NUMBER = "fs", 1
    NEEDS = ("device",)
    SHOWS = ("devices",)
    SOURCE_FORMATS = (
        "auto", "ext2", "ext3", "ext4", "ufs", "iso9660", "udf", "gfs", "gfs2", "vfat", "hfs+", "xfs", "ocfs2", "vmfs",
    )  # fmt: skip
    DEFAULT_FORMAT = "auto"

    def source_word(self) -> str:
        if len(self.source.devices) != 1:
            raise ConfigUnsupported("expected exactly 1 device for the storage pool", origin=Origin.STORAGE)
        return str(self.source.devices[0].path)

    def same(self, other: Pool) -> bool:
        return share_device(self.document, other)

    def build(self, flags: int) -> None:
        """Make the mount point; with a flag also the file system, over something only with ``--overwrite``."""
        base.exclusive(flags)
        if flags & (base.OVERWRITE | base.NO_OVERWRITE):
            self._make_file_system(flags)
        self.make_folder()

    def _make_file_system(self, flags: int) -> None:
        device, kind = self.source_word(), str(self.source.format)
        if not os.path.exists(device):
            error = OSError(2, os.strerror(2))
            raise SystemFailure(f"Source device does not exist when formatting pool '{self.document.name}'", error)
        if not flags & base.OVERWRITE:
            refuse_full(device, kind)
        tools.run("/sbin/mkfs", "-t", kind, *FORCE.get(kind, []), device)

    def scan(self) -> list[Volume]:
        return super().scan()


def refuse_full(device: str, kind: str) -> None:
    """Refuse a device on which something lies: what is there is never overwritten unasked."""
    found = blkid.look(device)
    if found.empty:
        return
    here = found.kind or {"dos": "dos", "gpt": "gpt"}.get(found.table, found.table)
    if here == kind:
        raise base.already_built(f"Device '{device}' already formatted using '{kind}'")
    raise base.already_built(
        f"Format of device '{device}' does not match the expected format '{kind}', forced overwrite is necessary",
        hint=f"it holds {here}; --overwrite destroys that",
    )


def share_device(mine: Pool, other: Pool) -> bool:
    """Whether two pools name the same device."""
    held = {device.path for device in other.source.devices} if other.source else set()
    return mine.source is not None and any(device.path in held for device in mine.source.devices)
