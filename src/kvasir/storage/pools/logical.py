"""LVM pools: a volume group whose logical volumes are the volumes."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from kvasir.errors import ConfigUnsupported, InternalError, Origin, SystemFailure
from kvasir.host import blkid, tools
from kvasir.model.storage import Extent, PoolSource, SourceDevice, Volume, VolumeDevice, VolumeSource

from ..errors import no_volume
from ..volume import beneath
from . import base
from .blocks import BlockPool

FIELDS = "lv_name,origin,uuid,devices,segtype,stripes,seg_size,vg_extent_size,size,lv_attr"


class Segment(NamedTuple):
    """A line of ``lvs``."""

    name: str
    origin: str
    uuid: str
    devices: str
    kind: str
    stripes: int
    length: int
    extent: int
    size: int
    attributes: str


class LogicalPool(BlockPool):
    """A volume group."""

    TYPE, NUMBER = "logical", 3
    SHOWS = ("devices", "name")
    TARGET = "/dev/{name}"
    SOURCE_FORMATS = ("unknown", "lvm2")
    DEFAULT_FORMAT = "lvm2"

    @property
    def group(self) -> str:
        return str(self.source.name)

    def same(self, other: object) -> bool:
        from .fs import share_device

        return share_device(self.document, other)  # type: ignore[arg-type]  # a Pool

    def active(self) -> bool:
        return os.path.isdir(self.path)

    # --- the pool

    def build(self, flags: int) -> None:
        """Make physical volumes of the devices, and the group of them; nothing foreign is overwritten unasked."""
        base.exclusive(flags)
        made: list[str] = []
        try:
            for device in (str(found.path) for found in self.source.devices):
                self._make_physical(device, flags)
                made.append(device)
            tools.run("/sbin/vgcreate", self.group, *made)
        except BaseException:
            for device in made:
                tools.attempt("/sbin/pvremove", device)
            raise

    def _make_physical(self, device: str, flags: int) -> None:
        if not flags & base.OVERWRITE:
            found = blkid.look(device)
            if not found.empty:
                raise base.already_built(
                    f"Format of device '{device}' does not match the expected format 'LVM2_member', "
                    "forced overwrite is necessary"
                    if found.kind != "LVM2_member"
                    else f"Device '{device}' already formatted using 'LVM2_member'",
                    hint=f"it holds {found.kind or found.table}; --overwrite destroys that",
                )
        _clear(device)
        tools.run("/sbin/pvcreate", device)

    def start(self) -> None:
        """Activate the group, after seeing that it is the one of the devices named."""
        if not self._known():
            raise ConfigUnsupported(
                f"cannot find logical volume group name '{self.group}'",
                origin=Origin.STORAGE,
                hint=f"virsh pool-build {self.document.name} makes it",
            )
        tools.run("/sbin/vgchange", "-aly", self.group)

    def _known(self) -> bool:
        groups = _groups()
        if self.group not in groups:
            return False
        wanted = {str(device.path) for device in self.source.devices}
        missing = wanted - set(groups[self.group])
        if wanted and missing == wanted:
            raise ConfigUnsupported(
                f"cannot find any matching source devices for logical volume group '{self.group}'",
                origin=Origin.STORAGE,
            )
        return True

    def stop(self) -> None:
        tools.run("/sbin/vgchange", "-aln", self.group)

    def delete(self, flags: int) -> None:
        tools.run("/sbin/vgremove", "-f", self.group)
        for device in self.source.devices:
            tools.attempt("/sbin/pvremove", str(device.path))

    def scan(self) -> list[Volume]:
        found = self._read()
        words = ("--separator", ":", "--noheadings", "--units", "b", "--unbuffered", "--nosuffix")
        out = tools.run("/sbin/vgs", *words, "--options", "vg_size,vg_free", self.group)
        match = re.match(r"\s*(\d+):(\d+)\s*$", out)
        if match is None:
            raise InternalError("malformed vgs output", origin=Origin.STORAGE)
        document = self.document
        document.capacity, document.available = int(match[1]), int(match[2])
        document.allocation = document.capacity - document.available
        return found

    @classmethod
    def find_sources(cls, spec: PoolSource | None) -> list[PoolSource]:
        """Volume groups of the host with their devices."""
        tools.attempt("/sbin/vgscan")
        return [
            PoolSource(devices=[SourceDevice(path=path) for path in devices], name=name, format="lvm2")
            for name, devices in _groups(scan=False).items()
        ]

    # --- volumes

    def _read(self) -> list[Volume]:
        where = self.group
        words = ("--separator", "#", "--noheadings", "--units", "b", "--unbuffered", "--nosuffix")
        status, out, _ = tools.attempt("/sbin/lvs", *words, "--options", FIELDS, where)
        if status:
            raise tools.failure(status, _, "/sbin/lvs", *words, "--options", FIELDS, where)
        found: dict[str, Volume] = {}
        for line in out.splitlines():
            segment = _segment(line)
            if segment is not None and not _hidden(segment):
                self._add(found, segment)
        return [volume for volume in found.values() if self._seen(volume)]

    def _add(self, found: dict[str, Volume], segment: Segment) -> None:
        volume = found.get(segment.name)
        if volume is None:
            path = f"{self.path}/{segment.name}"
            volume = Volume(type="block", name=segment.name, path=path, key=segment.uuid, source=VolumeSource())
            volume.capacity = volume.allocation = volume.physical = segment.size
            volume.sparse = segment.attributes[:1] == "s"
            if segment.origin:
                volume.backing = beneath(f"{self.path}/{segment.origin}")
            found[segment.name] = volume
        assert volume.source is not None
        volume.source.devices += _extents(segment)

    def _seen(self, volume: Volume) -> bool:
        """Read the node of an active volume; an inactive one has none and is no volume to use."""
        try:
            self.update(volume)
        except OSError:
            return False
        return True

    def prepare(self, volume: Volume) -> None:
        volume.type = "block"
        volume.path = f"{self.path}/{volume.name}"
        volume.key = volume.key if volume.key and volume.key != volume.path else None

    def create(self, volume: Volume, source: Volume | None, flags: int) -> None:
        capacity = volume.capacity or 0
        allocation = volume.allocation if volume.allocation is not None else capacity
        words = ["--name", str(volume.name), "-L"]
        if volume.backing is not None:
            words += [f"{_kib(capacity)}K", "-s", str(volume.backing.path)]
        elif allocation != capacity:
            words += [f"{_kib(allocation)}K", "--type", "snapshot", "--virtualsize", f"{_kib(capacity)}K", self.group]
        else:
            words += [f"{_kib(capacity)}K", self.group]
        tools.run("/sbin/lvcreate", *words, "--yes")
        try:
            self.fill(volume, source)
            self._adopt(volume)
        except BaseException:
            tools.attempt("/sbin/lvremove", "-f", str(volume.path))
            raise

    def _adopt(self, volume: Volume) -> None:
        """Take what LVM says of the new volume into its document."""
        for found in self._read():
            if found.name != volume.name:
                continue
            for name in ("key", "capacity", "allocation", "physical", "source", "permissions", "timestamps"):
                setattr(volume, name, getattr(found, name))
            return
        raise no_volume(f"path '{volume.path}'")

    def fill(self, volume: Volume, source: Volume | None) -> None:
        if not os.path.exists(str(volume.path)):
            raise no_volume(f"path '{volume.path}'")
        super().fill(volume, source)

    def wipe(self, volume: Volume, algorithm: str) -> None:
        if volume.sparse:
            raise base.no_support(f"logical volume '{volume.path}' is sparse, volume wipe not supported")
        super().wipe(volume, algorithm)

    def remove(self, volume: Volume, flags: int) -> None:
        path = str(volume.path)
        if tools.attempt("/sbin/lvremove", "-f", path)[0]:
            tools.attempt("/sbin/lvchange", "-aln", path)
            tools.run("/sbin/lvremove", "-f", path)


def _kib(size: int) -> int:
    return -(-size // 1024)


def _clear(device: str) -> None:
    """Zero the first sectors, so that pvcreate finds no old label."""
    try:
        fd = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SystemFailure(f"cannot open device '{device}'", error, origin=Origin.STORAGE) from None
    try:
        os.pwrite(fd, bytes(4096), 0)
        os.fsync(fd)
    finally:
        os.close(fd)


def _groups(scan: bool = True) -> dict[str, list[str]]:
    """Volume groups with the physical volumes of each, as LVM finds them."""
    if scan:
        tools.attempt("/sbin/vgscan")
    out = tools.run("/sbin/pvs", "--noheadings", "-o", "pv_name,vg_name")
    found: dict[str, list[str]] = {}
    for line in out.splitlines():
        words = line.split()
        if len(words) == 2:
            found.setdefault(words[1], []).append(words[0])
    return found


def _segment(line: str) -> Segment | None:
    words = line.strip().split("#")
    if len(words) < 10:
        return None
    try:
        numbers = (int(words[5] or 0), int(words[6] or 0), int(words[7] or 0), int(words[8] or 0))
    except ValueError:
        raise InternalError("malformed volume extent size value", origin=Origin.STORAGE) from None
    name, origin, uuid, devices, kind = words[:5]
    return Segment(name, origin, uuid, devices, kind, *numbers, words[9])


def _hidden(segment: Segment) -> bool:
    """Inactive volumes, thin pools, and what LVM keeps for itself are no volumes."""
    attributes = segment.attributes
    return (
        attributes[4:5] != "a"
        or attributes[:1] == "t"
        or segment.origin.endswith("_vorigin")
        or not (segment.devices or segment.kind == "thin")
    )


def _extents(segment: Segment) -> list[VolumeDevice]:
    if not segment.devices or segment.kind == "thin":
        return []
    found = []
    for path, first in re.findall(r"([^,()]+)\((\d+)\)", segment.devices):
        start = int(first) * segment.extent
        found.append(VolumeDevice(path=path, extents=[Extent(start=start, end=start + segment.length)]))
    return found
