"""Disk pools: a partition table whose partitions are the volumes."""

from __future__ import annotations

import os
import re

from kvasir.errors import InternalError, InvalidArg, OperationFailed, OperationInvalid, Origin, SystemFailure
from kvasir.host import blkid, parted, tools
from kvasir.model.storage import Extent, Pool, Volume, VolumeDevice, VolumeSource

from . import base
from .blocks import BlockPool, stable_path

FILE_SYSTEMS = {
    "none": "ext2", "linux": "ext2", "fat16": "fat16", "fat32": "fat32", "linux-swap": "linux-swap",
    "linux-lvm": "ext2", "linux-raid": "ext2",
}  # fmt: skip
BY_PARTED = ("bsd", "pc98", "dvh")
"""Labels that blkid does not tell from others."""


class DiskPool(BlockPool):
    """A disk with a partition table."""

    TYPE, NUMBER = "disk", 4
    NEEDS = ("device",)
    SHOWS = ("devices",)
    SOURCE_FORMATS = ("unknown", "dos", "dvh", "gpt", "mac", "bsd", "pc98", "sun", "lvm2")
    DEFAULT_FORMAT = "unknown"
    VOLUME_FORMATS = ("none", "linux", "fat16", "fat32", "linux-swap", "linux-lvm", "linux-raid", "extended")
    DEFAULT_VOLUME_FORMAT = "none"
    HIDDEN_FORMATS = ()

    @property
    def device(self) -> str:
        return str(self.one_device().path)

    @property
    def label(self) -> str:
        kind = str(self.source.format)
        return "dos" if kind == "unknown" else kind

    def same(self, other: Pool) -> bool:
        from .fs import share_device

        return share_device(self.document, other)

    def active(self) -> bool:
        return os.path.exists(self.device)

    # --- the pool

    def build(self, flags: int) -> None:
        """Write an empty label; over something only with ``--overwrite``."""
        base.exclusive(flags)
        self.source.format = self.label
        if not flags & base.OVERWRITE:
            self._examine(build=True)
        _zero_head(self.device)
        parted.make_label(self.device, self.label)

    def start(self) -> None:
        self.source.format = self.label
        if not os.path.exists(self.device):
            error = OSError(2, os.strerror(2))
            raise SystemFailure(f"device path '{self.device}' doesn't exist", error, origin=Origin.STORAGE)
        self._examine(build=False)

    def _examine(self, build: bool) -> None:
        """Refuse a disk that holds something else (or, for a start, nothing)."""
        found = blkid.look(self.device)
        label = self.label
        if found.empty and label not in BY_PARTED:
            self._nothing(build)
        elif not found.kind and label in BY_PARTED:
            self._by_parted(build)
        elif not found.kind and found.table == label:
            if build:
                raise self._built()
        elif build:
            raise base.already_built(
                f"Format of device '{self.device}' does not match the expected format '{label}', "
                "forced overwrite is necessary",
                hint=f"it holds {found.kind or found.table}; --overwrite destroys that",
            )
        else:
            raise OperationInvalid(
                f"Format of device '{self.device}' does not match the expected format '{label}'", origin=Origin.STORAGE
            )

    def _by_parted(self, build: bool) -> None:
        there = parted.label_of(self.device)
        if there is None:
            self._nothing(build)
        elif there != parted.LABELS.get(self.label, self.label):
            raise OperationFailed(
                "Known, but different label format present, requires build --overwrite", origin=Origin.STORAGE
            )
        elif build:
            raise self._built()

    def _nothing(self, build: bool) -> None:
        if not build:
            raise base.probe_failed(
                f"Device '{self.device}' is unrecognized, requires build",
                hint=f"virsh pool-build {self.document.name} writes an empty {self.label} label",
            )

    def _built(self) -> Exception:
        return base.already_built(f"Device '{self.device}' already formatted using '{self.label}'")

    def delete(self, flags: int) -> None:
        """The label stays, as libvirt leaves it."""

    def scan(self) -> list[Volume]:
        return self._read()

    def _read(self) -> list[Volume]:
        if tools.find("udevadm"):
            tools.attempt("udevadm", "settle")
        document, device = self.document, self.one_device()
        found = parted.parts(self.device)
        device.free = [Extent(start=part.start, end=part.end) for part in found if part.kind == "free"]
        volumes = [self._volume(part, found) for part in found if part.number]
        document.capacity = max((part.end for part in found), default=0)
        if self.label == "dos":
            device.free = _whole_cylinders(device.free, parted.geometry(self.device).cylinder)
            document.capacity = max([extent.end or 0 for extent in device.free] + [p.end for p in found if p.number])
        document.allocation = sum(part.end - part.start for part in found if part.kind in ("primary", "logical"))
        document.available = sum((extent.end or 0) - (extent.start or 0) for extent in device.free)
        return volumes

    def node(self, number: int) -> str:
        """The node of a partition."""
        real = os.path.realpath(self.device)
        divided = self.one_device().part_separator
        letter = "p" if (divided if divided is not None else real[-1:].isdigit()) else ""
        return f"{real}{letter}{number}"

    def _volume(self, part: parted.Part, others: list[parted.Part]) -> Volume:
        node = self.node(part.number)
        path = stable_path(node, self.path)
        volume = Volume(type="block", name=os.path.basename(node), key=path, path=path, format="none")
        extent = Extent(start=part.start, end=part.end)
        volume.source = VolumeSource(devices=[VolumeDevice(path=self.device, extents=[extent])])
        self._sizes(volume, part, others)
        try:
            self.update(volume)
        except OSError:
            volume.physical = part.end - part.start
        self._sizes(volume, part, others)
        return volume

    @staticmethod
    def _sizes(volume: Volume, part: parted.Part, others: list[parted.Part]) -> None:
        volume.capacity = volume.allocation = part.end - part.start
        if part.kind == "extended":
            volume.format = "extended"
            volume.allocation = sum(other.end - other.start for other in others if other.kind == "logical")

    def update(self, volume: Volume) -> None:
        sizes = volume.capacity, volume.allocation
        super().update(volume)
        volume.capacity, volume.allocation = sizes
        if volume.format != "extended":
            volume.physical = volume.capacity

    def recount(self, volumes: list[Volume]) -> None:
        found = {volume.name: volume for volume in self._read()}
        for volume in volumes:
            if volume.name in found:
                volume.capacity = found[volume.name].capacity
                volume.allocation = found[volume.name].allocation

    # --- volumes

    def prepare(self, volume: Volume) -> None:
        volume.type = "block"

    def create(self, volume: Volume, source: Volume | None, flags: int) -> None:
        if volume.encryption is not None and volume.encryption.format != "luks":
            from kvasir.errors import ConfigUnsupported

            raise ConfigUnsupported("storage pool only supports LUKS encrypted volumes", origin=Origin.STORAGE)
        found = parted.parts(self.device)
        what, logical = self._kind(volume, found)
        start, end = self._place_for(volume.capacity or 0, logical)
        number = _next_number(found, logical)
        expected = os.path.basename(self.node(number))
        if volume.name != expected:
            raise InvalidArg(f"invalid partition name '{volume.name}', expected '{expected}'", origin=Origin.STORAGE)
        parted.make_part(self.device, what, start, end)
        try:
            for made in self._read():
                if made.name == expected:
                    volume.key, volume.path = made.key, made.path
                    for name in ("capacity", "allocation", "physical", "source", "permissions", "timestamps"):
                        setattr(volume, name, getattr(made, name))
            if what != "extended":
                self.fill(volume, source)
        except BaseException:
            tools.attempt("parted", self.device, "rm", "--script", str(number))
            raise

    def _kind(self, volume: Volume, found: list[parted.Part]) -> tuple[str, bool]:
        """What mkpart is told, and whether the partition is a logical one."""
        if self.label != "dos":
            return "primary", False
        extended = any(part.kind == "extended" for part in found)
        count = sum(part.kind in ("primary", "extended") for part in found)
        if volume.format == "extended":
            if extended:
                raise InternalError("extended partition already exists", origin=Origin.STORAGE)
            return "extended", False
        word = FILE_SYSTEMS[str(volume.format)]
        if count < 4:
            return f"primary {word}", False
        if not extended:
            raise InternalError("no extended partition found and no primary partition available", origin=Origin.STORAGE)
        return f"logical {word}", True

    def _place_for(self, size: int, logical: bool) -> tuple[int, int]:
        """The smallest free extent that is large enough; DOS partitions end with a cylinder."""
        cylinder = parted.geometry(self.device).cylinder if self.label == "dos" else 0
        best: tuple[int, int, int] | None = None
        for extent in self.one_device().free:
            start, end = extent.start or 0, extent.end or 0
            extra = start % cylinder if cylinder else 0
            needed = size if not cylinder else -(-size // cylinder) * cylinder
            if end - start > needed and (best is None or end - start < best[0]):
                best = (end - start, start, start - extra + needed)
        if best is None:
            raise InternalError("no large enough free extent", origin=Origin.STORAGE)
        return best[1] + (512 if logical else 0), best[2]

    def remove(self, volume: Volume, flags: int) -> None:
        match = re.search(r"(\d+)$", os.path.basename(os.path.realpath(str(volume.path))))
        if match is None:
            raise InternalError(f"cannot parse partition number from target '{volume.name}'", origin=Origin.STORAGE)
        parted.remove_part(self.device, int(match[1]))
        self._read()


def _next_number(found: list[parted.Part], logical: bool) -> int:
    used = {part.number for part in found if part.number}
    number = 5 if logical else 1
    while number in used:
        number += 1
    return number


def _whole_cylinders(free: list[Extent], cylinder: int) -> list[Extent]:
    """Free extents that end with a cylinder, as DOS partitions do."""
    kept = []
    for extent in free:
        end = (extent.end or 0) // cylinder * cylinder if cylinder else extent.end or 0
        if end > (extent.start or 0):
            kept.append(Extent(start=extent.start, end=end))
    return kept


def _zero_head(device: str) -> None:
    """Clear the first sectors: an old label there confuses parted."""
    try:
        fd = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SystemFailure(f"cannot open volume '{device}'", error, origin=Origin.STORAGE) from None
    try:
        os.pwrite(fd, bytes(1 << 20), 0)
        os.fsync(fd)
    except OSError as error:
        raise SystemFailure(f"failed to clear the start of '{device}'", error, origin=Origin.STORAGE) from None
    finally:
        os.close(fd)
