"""Disks, CD-ROM and floppy drives: the part of the guest and how it is served."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, InternalError, Origin, XmlError
from kvasir.xml import Element, Form, attr, child, children, flag, runtime, scaled, text, variant
from kvasir.xml.types import ENUM, ONOFF, POSITIVE, UINT, ULLONG, YESNO

from .base import Device
from .disk_parts import Auth, Encryption
from .disk_source import (
    DRIVER_FORMATS,
    FORMATS,
    SOURCE_TYPES,
    SOURCES,
    BackingStore,
    NodeName,
    no_target,
)

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

BUSES = ("ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd")
PREFIXES = (("fd", "fdc"), ("hd", "ide"), ("sd", "scsi"), ("vd", "virtio"), ("xvd", "xen"), ("ubd", "uml"))
NAMED = re.compile(r"(fd|hd|vd|sd|xvd|ubd)[a-z]+[0-9]*")
"""Names of disks that say where a disk sits."""
MODELS = ("virtio", "virtio-transitional", "virtio-non-transitional")


class Iotune(Element, tag="iotune"):
    """Limits of a disk's throughput; bytes and operations a second."""

    total_bytes_sec: int | None = text(
        "total_bytes_sec", ULLONG, error="disk iotune field 'total_bytes_sec' must be an integer"
    )
    read_bytes_sec: int | None = text(
        "read_bytes_sec", ULLONG, error="disk iotune field 'read_bytes_sec' must be an integer"
    )
    write_bytes_sec: int | None = text(
        "write_bytes_sec", ULLONG, error="disk iotune field 'write_bytes_sec' must be an integer"
    )
    total_iops_sec: int | None = text(
        "total_iops_sec", ULLONG, error="disk iotune field 'total_iops_sec' must be an integer"
    )
    read_iops_sec: int | None = text(
        "read_iops_sec", ULLONG, error="disk iotune field 'read_iops_sec' must be an integer"
    )
    write_iops_sec: int | None = text(
        "write_iops_sec", ULLONG, error="disk iotune field 'write_iops_sec' must be an integer"
    )
    total_bytes_sec_max: int | None = text(
        "total_bytes_sec_max", ULLONG, error="disk iotune field 'total_bytes_sec_max' must be an integer"
    )
    read_bytes_sec_max: int | None = text(
        "read_bytes_sec_max", ULLONG, error="disk iotune field 'read_bytes_sec_max' must be an integer"
    )
    write_bytes_sec_max: int | None = text(
        "write_bytes_sec_max", ULLONG, error="disk iotune field 'write_bytes_sec_max' must be an integer"
    )
    total_iops_sec_max: int | None = text(
        "total_iops_sec_max", ULLONG, error="disk iotune field 'total_iops_sec_max' must be an integer"
    )
    read_iops_sec_max: int | None = text(
        "read_iops_sec_max", ULLONG, error="disk iotune field 'read_iops_sec_max' must be an integer"
    )
    write_iops_sec_max: int | None = text(
        "write_iops_sec_max", ULLONG, error="disk iotune field 'write_iops_sec_max' must be an integer"
    )
    size_iops_sec: int | None = text(
        "size_iops_sec", ULLONG, error="disk iotune field 'size_iops_sec' must be an integer"
    )
    group_name: str | None = text("group_name")
    total_bytes_sec_max_length: int | None = text(
        "total_bytes_sec_max_length", ULLONG, error="disk iotune field 'total_bytes_sec_max_length' must be an integer"
    )
    read_bytes_sec_max_length: int | None = text(
        "read_bytes_sec_max_length", ULLONG, error="disk iotune field 'read_bytes_sec_max_length' must be an integer"
    )
    write_bytes_sec_max_length: int | None = text(
        "write_bytes_sec_max_length", ULLONG, error="disk iotune field 'write_bytes_sec_max_length' must be an integer"
    )
    total_iops_sec_max_length: int | None = text(
        "total_iops_sec_max_length", ULLONG, error="disk iotune field 'total_iops_sec_max_length' must be an integer"
    )
    read_iops_sec_max_length: int | None = text(
        "read_iops_sec_max_length", ULLONG, error="disk iotune field 'read_iops_sec_max_length' must be an integer"
    )
    write_iops_sec_max_length: int | None = text(
        "write_iops_sec_max_length", ULLONG, error="disk iotune field 'write_iops_sec_max_length' must be an integer"
    )

    def clean(self) -> bool:
        """Drop zeros, which mean no limit; tells whether a limit is left."""
        left = False
        for name in self.FIELDS:
            if getattr(self, name) == 0:
                setattr(self, name, None)
            left = left or getattr(self, name) is not None
        return left

    def limits(self) -> dict[str, int]:
        """The limits that are set."""
        named = {name: getattr(self, name) for name in self.FIELDS if name != "group_name"}
        return {name: value for name, value in named.items() if value}

    def check(self) -> None:
        """Refuse a total beside its parts, and a burst without its limit."""
        for kind in ("bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max"):
            if getattr(self, f"total_{kind}") and (getattr(self, f"read_{kind}") or getattr(self, f"write_{kind}")):
                raise XmlError(f"total and read/write {kind} cannot be set at the same time")


class Mirror(Element, tag="mirror"):
    """A copy that a block job writes; only in live documents."""

    type: str | None = attr("@type", ENUM(*SOURCE_TYPES))
    file: str | None = attr("@file")
    file_format: str | None = attr("@format")
    job: str | None = attr("@job", ENUM("copy", "active-commit"))
    ready: str | None = attr("@ready", ENUM("yes", "abort", "pivot"))
    format: str | None = attr("format/@type", ENUM(*FORMATS))
    metadata_cache: int | None = scaled("format/metadata_cache/max_size", unit="bytes")
    source: Any = variant("type", SOURCES)
    backing_store: BackingStore | None = child(BackingStore)


def _shown_snapshot(disk: Any, form: Form) -> bool:
    return not (disk.snapshot == "no" and disk.readonly)


def _shown_mirror(disk: Any, form: Form) -> bool:
    return form.live


class Disk(Device, tag="disk"):
    """A disk, CD-ROM, floppy or passed-through SCSI unit."""

    BOOT, HOTPLUG = True, True

    type: str | None = attr("@type", ENUM(*SOURCE_TYPES))
    device: str | None = attr("@device", ENUM("disk", "cdrom", "floppy", "lun"))
    model: str | None = attr("@model", ENUM(*MODELS))
    rawio: bool | None = attr("@rawio", YESNO)
    sgio: str | None = attr("@sgio", ENUM("filtered", "unfiltered"))
    snapshot: str | None = attr("@snapshot", ENUM("no", "internal", "external", "manual"), when=_shown_snapshot)
    driver_name: str | None = attr("driver/@name")
    format: str | None = attr(
        "driver/@type", ENUM(*DRIVER_FORMATS), error="unsupported:unknown driver format value '{value}'"
    )
    cache: str | None = attr(
        "driver/@cache", ENUM("default", "none", "writethrough", "writeback", "directsync", "unsafe"), live=True,
    )  # fmt: skip
    error_policy: str | None = attr("driver/@error_policy", ENUM("stop", "report", "ignore", "enospace"))
    rerror_policy: str | None = attr("driver/@rerror_policy", ENUM("stop", "report", "ignore"))
    io: str | None = attr("driver/@io", ENUM("native", "threads", "io_uring"))
    ioeventfd: bool | None = attr("driver/@ioeventfd", ONOFF)
    event_idx: bool | None = attr("driver/@event_idx", ONOFF)
    copy_on_read: bool | None = attr("driver/@copy_on_read", ONOFF)
    discard: str | None = attr("driver/@discard", ENUM("unmap", "ignore"))
    iothread: int | None = attr("driver/@iothread", POSITIVE)
    detect_zeroes: str | None = attr("driver/@detect_zeroes", ENUM("off", "on", "unmap"))
    queues: int | None = attr("driver/@queues", UINT)
    queue_size: int | None = attr("driver/@queue_size", UINT)
    iommu: bool | None = attr("driver/@iommu", ONOFF)
    ats: bool | None = attr("driver/@ats", ONOFF)
    packed: bool | None = attr("driver/@packed", ONOFF)
    page_per_vq: bool | None = attr("driver/@page_per_vq", ONOFF)
    metadata_cache: int | None = scaled("driver/metadata_cache/max_size", unit="bytes")
    auth: Auth | None = child(Auth)
    source: Any = variant("type", SOURCES, absent="file")
    sourced: bool = runtime(False)
    """Whether the document has a source element, be it a useless one."""
    backing_store: BackingStore | None = child(BackingStore)
    backenddomain: str | None = attr("backenddomain/@name")
    cyls: int | None = attr("geometry/@cyls", UINT)
    heads: int | None = attr("geometry/@heads", UINT)
    secs: int | None = attr("geometry/@secs", UINT)
    trans: str | None = attr("geometry/@trans", ENUM("none", "auto", "lba"))
    logical_block_size: int | None = attr("blockio/@logical_block_size", UINT)
    physical_block_size: int | None = attr("blockio/@physical_block_size", UINT)
    mirror: Mirror | None = child(Mirror, when=_shown_mirror)
    target: str | None = attr("target/@dev", key=True)
    bus: str | None = attr("target/@bus", ENUM(*BUSES))
    tray: str | None = attr("target/@tray", ENUM("closed", "open"), when=lambda d, form: d.tray == "open")
    removable: bool | None = attr("target/@removable", ONOFF)
    rotation_rate: int | None = attr("target/@rotation_rate", UINT)
    iotune: Iotune | None = child(Iotune, live=True)
    readonly: bool = flag("readonly")
    shareable: bool = flag("shareable")
    transient: bool = flag("transient")
    share_backing: bool | None = attr("transient/@shareBacking", YESNO)
    serial: str | None = text("serial")
    wwn: str | None = text("wwn")
    vendor: str | None = text("vendor")
    product: str | None = text("product")
    encryption: Encryption | None = child(Encryption)
    qom: str | None = attr("privateData/qom/@name", last=True, only="status")
    nodenames: list[NodeName] = children(NodeName, "privateData/nodenames/nodename", last=True, only="status")

    @property
    def target_dev(self) -> str | None:
        """The disk's name in the guest's document (``vda``)."""
        return self.target

    def location(self) -> str | None:
        """The path or name of the data, or None for a drive without medium."""
        where = self.source.location() if self.source is not None else None
        return str(where) if where is not None else None

    @property
    def empty(self) -> bool:
        """Whether there is no medium."""
        return self.location() is None and not (self.type == "network" and self.source.protocol)

    def parsed(self, node: Any) -> None:
        self.sourced = node.find("source") is not None
        if not (self.cyls and self.heads and self.secs):
            self.cyls = self.heads = self.secs = self.trans = None
        self.device = self.device or "disk"
        self.type = self.type or "file"
        if self.source is None:
            self.source = SOURCES[self.type]()
        if self.source.index is not None and self.empty:
            self.source.emptied = True
        if not self.target:
            raise no_target(self.location())
        if self.device == "floppy" and self.bus is None and not self.target.startswith("fd"):
            raise InternalError(f"Invalid floppy device name: {self.target}", origin=Origin.DOMAIN)
        self.source.slices = [part for part in self.source.slices if part.type == "storage"]
        if self.cache == "default":
            self.cache = None
        if self.iotune is not None and not self.iotune.clean():
            self.iotune = None
        if self.device == "cdrom":
            self.readonly = True
        self._check_words()

    def _check_words(self) -> None:
        """Refuse names that a disk cannot have."""
        if self.wwn is not None and not _is_wwn(self.wwn):
            raise InternalError(f"Malformed wwn: {self.wwn}", origin=Origin.NONE)
        for name, text_, most in (("vendor", self.vendor, 8), ("product", self.product, 16)):
            if text_ is not None and len(text_) > most:
                raise ConfigUnsupported(f"disk {name} is more than {most} characters", origin=Origin.DOMAIN)
            if text_ is not None and not text_.isprintable():
                raise XmlError(f"disk {name} is not printable string")

    def defaults(self, vm: Any) -> None:
        """The bus by the target's name, driver qemu, format raw, ports of network hosts."""
        if self.bus is None:
            self.bus = next((bus for prefix, bus in PREFIXES if (self.target or "").startswith(prefix)), "ide")
        if self.address is None and not NAMED.fullmatch(self.target or ""):
            raise XmlError(f"Unknown disk name '{self.target}' and no address specified")
        if self.empty and not self.sourced and self.device in ("cdrom", "floppy") and self.type != "file":
            policy = self.source.startup_policy
            self.type, self.source = "file", SOURCES["file"](startup_policy=policy)
        self.source.defaults()
        if self.encryption is not None:
            self.encryption.fill()
        self.driver_name = "qemu" if self.driver_name is None else self.driver_name
        self.queues, self.queue_size = self.queues or None, self.queue_size or None
        self.format = self.format or "raw"
        if self.type == "vhostuser" and self.snapshot is None:
            self.snapshot = "no"
        if self.backing_store is not None:
            for layer in self.backing_store.chain():
                layer.index = None
                layer.source.defaults()
        if self.mirror is not None and not self.mirror.job:
            self.mirror = None
        self._join_group(vm.domain)

    def _join_group(self, domain: Any) -> None:
        """A disk that names a throttle group only has the limits of the group's other disks."""
        if self.iotune is None or not self.iotune.group_name or self.iotune.limits():
            return
        tunes = [disk.iotune for disk in domain.disks if disk.iotune is not None]
        model = next((tune for tune in tunes if tune.group_name == self.iotune.group_name and tune.limits()), None)
        for name, value in (model.limits() if model is not None else {}).items():
            setattr(self.iotune, name, value)

    def check(self, vm: Any) -> None:
        """libvirt's rules for disks."""
        from .disk_check import check

        check(self, vm)

    def qemu(self, vm: Any) -> Iterator[Arg]:
        """The block nodes of the chain, then the device."""
        from .disk_qemu import disk

        yield from disk(self, vm)

    async def started(self, monitor: Any) -> None:
        """Set the limits of the throughput."""
        from .disk_throttle import throttle

        limits = throttle(self) if not self.empty else None
        if limits is not None:
            command, arguments = limits
            await monitor.command(command, arguments)

    async def prepare(self, host: Any) -> None:
        """Refuse what a later version starts."""
        if self.transient:
            raise ConfigUnsupported(f"disk '{self.target}' is transient, which this version cannot start yet")
        if self.source.reservations is not None and self.source.reservations.managed:
            raise ConfigUnsupported(
                f"disk '{self.target}' has managed reservations, whose helper this version cannot start yet",
                hint="start qemu-pr-helper and name its socket: <reservations managed='no'><source type='unix' path='...'/>",
            )


def _is_wwn(word: str) -> bool:
    return len(word) == 16 and all(c in "0123456789abcdefABCDEF" for c in word)
