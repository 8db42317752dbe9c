"""Volumes that are block devices: what logical, disk, scsi, iscsi, mpath and zfs pools share."""

from __future__ import annotations

import os
import stat
import time

from kvasir.errors import Origin, SystemFailure
from kvasir.model.storage import Volume

from .. import copying, images, wiping
from ..volume import describe
from .base import PoolKind
from .files import finish, open_content

APPEAR = 5.0
"""Seconds that a device's node may take to come after its making."""


class BlockPool(PoolKind):
    """A pool of block devices."""

    VOLUME_TYPE = "block"

    def update(self, volume: Volume) -> None:
        describe(volume, full=False)

    def wipe(self, volume: Volume, algorithm: str) -> None:
        wiping.wipe(str(volume.path), algorithm, volume.allocation or 0)

    def open(self, volume: Volume, flags: int) -> int:
        return open_content(volume, flags)

    def fill(self, volume: Volume, source: Volume | None) -> None:
        """Copy another volume's content into a device that was just made; set its owner and mode."""
        path = str(volume.path)
        wait_for(path)
        if source is not None:
            kind = images.source_format(source)
            if kind == "raw":
                _copy(path, source)
            else:
                from kvasir.host import tools

                words = ("convert", "-f", kind, "-O", "raw", "-n", str(source.path), path)
                tools.run(images.QEMU_IMG, *words)
        finish(path, volume.permissions)

    @staticmethod
    def lock(volume: Volume, secret: object) -> None:
        """Encryption of a device is made by the caller's own tool."""


def _copy(path: str, source: Volume) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        copying.copy(str(source.path), fd, sparse=False)
        os.fsync(fd)
    finally:
        os.close(fd)


def wait_for(path: str) -> None:
    """Wait until a device's node is there. Raises SystemFailure when it does not come."""
    end = time.monotonic() + APPEAR
    while not os.path.exists(path):
        if time.monotonic() > end:
            error = OSError(2, os.strerror(2))
            raise SystemFailure(f"cannot open volume '{path}'", error, origin=Origin.STORAGE)
        time.sleep(0.02)


def is_block(path: str) -> bool:
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except OSError:
        return False


def stable_path(device: str, folder: str) -> str:
    """The link below ``folder`` that leads to a device, which outlives a boot; the device itself where there is none."""
    folder = folder.rstrip("/")
    if folder in ("", "/dev"):
        return device
    real = os.path.realpath(device)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return device
    for name in names:
        path = os.path.join(folder, name)
        if os.path.realpath(path) == real:
            return path
    return device
