"""What libvirt refuses of a disk, in its words and order (general rules first, QEMU's after them)."""

from __future__ import annotations

import re
from typing import Any

from kvasir.errors import Code, ConfigUnsupported, Error, InternalError, Origin, XmlError

from .address import DriveAddress, PciAddress
from .common_check import shared_memory
from .disk_source import NetworkSource
from .virtio_options import not_virtio

VIRTIO_OPTIONS = ("iommu", "ats", "packed", "page_per_vq")
DRIVE_BUSES = ("ide", "scsi", "sata", "fdc")
SAFE_SERIAL = re.compile(r"[A-Za-z0-9_ .+-]*\Z")


def unsupported(text: str, origin: Origin = Origin.QEMU) -> ConfigUnsupported:
    """Error 67 of that subsystem."""
    return ConfigUnsupported(text, origin=origin)


def check(disk: Any, vm: Any) -> None:
    """Raise what libvirt raises for the disk."""
    _unique(disk, vm.domain)
    _general(disk)
    _models(disk)
    _qemu(disk, vm)
    _drivers(disk, vm)
    _names(disk)


def _general(disk: Any) -> None:
    if disk.empty and disk.device not in ("cdrom", "floppy"):
        raise Error(f"missing source information for device {disk.target}", code=Code.NO_SOURCE, origin=Origin.DOMAIN)
    _bus(disk)
    disk.source.check()
    if disk.backing_store is not None:
        for layer in disk.backing_store.chain():
            layer.source.check()
    if disk.bus != "virtio":
        _not_virtio(disk)
    _lun(disk)
    _auth(disk)
    _source(disk)
    if disk.tray == "open" and disk.device not in ("cdrom", "floppy"):
        raise unsupported("tray is only valid for cdrom and floppy", Origin.DOMAIN)
    if disk.removable is not None and disk.bus != "usb":
        raise XmlError("removable is only valid for usb disks")
    if disk.iotune is not None:
        disk.iotune.check()


def _bus(disk: Any) -> None:
    dom = Origin.DOMAIN
    if disk.device == "floppy" and disk.bus != "fdc":
        raise InternalError(f"Invalid bus type '{disk.bus}' for floppy disk", origin=dom)
    if disk.device == "floppy" and not disk.target.startswith("fd"):
        raise InternalError(f"Invalid floppy device name: {disk.target}", origin=dom)
    if disk.device != "floppy" and disk.bus == "fdc":
        raise InternalError("Invalid bus type 'fdc' for disk", origin=dom)
    if disk.bus in DRIVE_BUSES and disk.address is not None and not isinstance(disk.address, DriveAddress):
        raise unsupported(
            f"Invalid address type '{disk.address.type}' for the disk '{disk.target}' with the bus type '{disk.bus}'",
            dom,
        )


def _not_virtio(disk: Any) -> None:
    dom = Origin.DOMAIN
    if disk.queues:
        raise unsupported("queues attribute in disk driver element is only supported by virtio-blk", dom)
    if disk.queue_size:
        raise unsupported("queue_size attribute in disk driver is only supported by virtio-blk", dom)
    for name in ("event_idx", "ioeventfd"):
        if getattr(disk, name) is not None:
            raise unsupported(f"disk {name} mode supported only for virtio bus", dom)
    for name in VIRTIO_OPTIONS:
        if getattr(disk, name) is not None:
            raise not_virtio(name)


def _lun(disk: Any) -> None:
    dom = Origin.DOMAIN
    if disk.device == "lun":
        if disk.type not in ("block", "network", "volume"):
            raise unsupported("disk device='lun' is only valid for block type disk source", dom)
        if disk.type == "network" and disk.source.protocol != "iscsi":
            raise unsupported(f"disk device='lun' is not supported for protocol='{disk.source.protocol}'", dom)
        if disk.format not in (None, "raw"):
            raise unsupported("disk device 'lun' must use 'raw' format", dom)
        if disk.source.slices:
            raise unsupported("disk device 'lun' doesn't support storage slice", dom)
        if disk.encryption is not None or disk.source.encryption is not None:
            raise unsupported("disk device 'lun' doesn't support encryption", dom)
        return
    if disk.sgio == "unfiltered":
        raise unsupported("unfiltered sgio is no longer supported", dom)
    if disk.rawio is not None:
        raise unsupported("rawio can be used only with device='lun'", dom)
    if disk.sgio is not None:
        raise unsupported("sgio can be used only with device='lun'", dom)
    if disk.source.reservations is not None:
        raise unsupported("<reservations/> allowed only for lun devices", dom)


AUTHS = ("rbd", "iscsi", "http", "https", "ftp", "ftps", "ssh")
"""Protocols that know a login."""
USAGES = ("none", "volume", "ceph", "iscsi", "tls", "vtpm")


def _auth(disk: Any) -> None:
    below = disk.backing_store.chain() if disk.backing_store is not None else ()
    for source in (disk.source, *(layer.source for layer in below)):
        auth = source.auth or (disk.auth if source is disk.source else None)
        if auth is None or not isinstance(source, NetworkSource):
            continue
        kind, wanted = auth.secret.type, {"rbd": "ceph", "iscsi": "iscsi"}.get(source.protocol or "")
        if source.protocol not in AUTHS:
            raise unsupported(f"authentication is not supported for protocol '{source.protocol}'", Origin.DOMAIN)
        if kind not in USAGES:
            raise unsupported(f"unknown secret type '{kind or '<null>'}'", Origin.DOMAIN)
        if wanted not in (None, kind):
            raise unsupported(f"invalid secret type '{kind}'", Origin.DOMAIN)


def _source(disk: Any) -> None:
    policy = disk.source.startup_policy
    if policy and disk.type in ("network", "nvme", "vhostuser"):
        raise XmlError(f"disk startupPolicy '{policy}' is not allowed for disk of '{disk.type}' type")
    if policy == "requisite" and disk.device not in ("cdrom", "floppy"):
        raise XmlError("disk startupPolicy 'requisite' is allowed only for cdrom or floppy")


def _unique(disk: Any, domain: Any) -> None:
    place = disk.address if isinstance(disk.address, DriveAddress) else None
    for other in domain.disks:
        if other is disk:
            return
        if place is not None and disk.bus == other.bus and _same_unit(place, other.address):
            raise unsupported(
                f"Found duplicate drive address for disk with target name '{other.target}' "
                f"controller='{place.controller or 0}' bus='{place.bus or 0}' target='{place.target or 0}' "
                f"unit='{place.unit or 0}'",
                Origin.DOMAIN,
            )
        if other.target == disk.target:
            raise XmlError(
                f"target '{disk.target}' duplicated for disk sources '{other.location() or '<null>'}' and "
                f"'{disk.location() or '<null>'}'"
            )


def _same_unit(place: DriveAddress, other: Any) -> bool:
    """Whether they are one place; most differ in the unit, which is quick to see."""
    return isinstance(other, DriveAddress) and place.unit == other.unit and place == other


def _models(disk: Any) -> None:
    if disk.model is not None and disk.bus != "virtio":
        raise unsupported(f"disk model '{disk.model}' not supported for bus '{disk.bus}'", Origin.DOMAIN)


def _qemu(disk: Any, vm: Any) -> None:
    if disk.driver_name not in (None, "qemu"):
        raise unsupported(f"unsupported driver name '{disk.driver_name}' for disk '{disk.target}'")
    if disk.type == "vhostuser" and disk.discard is not None:
        raise unsupported("discard is not supported with vhostuser disk", Origin.DOMAIN)
    if disk.type == "vhostuser" and not shared_memory(vm.domain):
        raise unsupported("'vhostuser' requires shared memory")
    _encryption(disk)
    _format(disk)
    _frontend(disk)
    _throttle_group(disk, vm.domain)
    if disk.bus == "scsi":
        scsi_place(disk.address, vm)
    if disk.bus == "usb" and isinstance(disk.address, (PciAddress, DriveAddress)):
        raise InternalError("unexpected address type for usb disk", origin=Origin.QEMU)


def scsi_place(place: Any, vm: Any) -> None:
    """Old SCSI controllers have one target."""
    if not isinstance(place, DriveAddress):
        return
    index = place.controller or 0
    model = next((c.model for c in vm.domain.controllers if c.type == "scsi" and c.index == index), None)
    if model == "lsilogic" and place.target:
        raise unsupported(f"target must be 0 for controller model '{model}'")


def _encryption(disk: Any) -> None:
    for encryption in (disk.encryption, disk.source.encryption):
        if encryption is None:
            continue
        if encryption.format in ("default", "qcow"):
            raise unsupported("old qcow/qcow2 encryption is not supported")
        if encryption.engine == "librbd" and not (disk.type == "network" and disk.source.protocol == "rbd"):
            raise unsupported("librbd encryption is supported only with RBD backed disks")
        if encryption.engine == "qemu" and encryption.format == "luks2":
            raise unsupported("luks2 is currently not supported by the qemu encryption engine")


def _format(disk: Any) -> None:
    if disk.format == "iso":
        raise unsupported("storage format 'iso' is not directly supported by QEMU, use 'raw' instead")
    if disk.format == "dir":
        raise unsupported("'directory' storage format is not directly supported by QEMU, use 'dir' disk type instead")
    if disk.format == "cow":
        raise unsupported("'cow' storage format is not supported")
    if disk.format == "fat" and disk.type not in ("dir", "volume"):
        raise unsupported("storage format 'fat' is supported only with 'dir' storage type")
    if disk.shareable and disk.format not in ("raw", "luks") and not disk.readonly:
        raise unsupported(f"shared access for disk '{disk.target}' requires use of supported storage format")
    if disk.type == "network" and disk.source.protocol == "tftp":
        raise unsupported("'tftp' protocol is not supported with this QEMU binary")
    if disk.type == "dir":
        if disk.format != "fat":
            raise unsupported("storage type 'dir' requires use of storage format 'fat'")
        if not disk.readonly:
            raise unsupported("virtual FAT storage can't be accessed in read-write mode")


def _throttle_group(disk: Any, domain: Any) -> None:
    """Disks of one throttle group have the same limits."""
    group = disk.iotune.group_name if disk.iotune is not None else None
    if not group:
        return
    limits = disk.iotune.limits()
    if not limits:
        raise unsupported("group_name can be configured only together with settings")
    for other in domain.disks:
        if other.iotune is not None and other.iotune.group_name == group and other.iotune.limits() not in ({}, limits):
            raise unsupported(f"different iotunes for disks {disk.target} and {other.target}")


def _frontend(disk: Any) -> None:
    if disk.trans is not None and disk.bus != "ide":
        raise unsupported(f"CHS translation mode can only be set for 'ide' bus not '{disk.bus}'")
    if disk.device == "lun" and disk.bus not in ("virtio", "scsi"):
        raise unsupported(f"disk device='lun' is not supported for bus='{disk.bus}'")
    if disk.device == "cdrom" and disk.bus in ("virtio", "sd"):
        raise unsupported(f"disk type of '{disk.target}' does not support ejectable media")
    if disk.device == "disk" and disk.readonly and disk.bus in ("ide", "sata"):
        raise unsupported(f"readonly {disk.bus} disks are not supported")
    if disk.transient and disk.readonly:
        raise unsupported(f"transient disk '{disk.target}' must not be read-only")
    if disk.rotation_rate is not None:
        if disk.bus not in ("ide", "scsi", "sata"):
            raise unsupported("rotation rate is only valid for SCSI, IDE and SATA disks")
        if disk.device != "disk":
            raise InternalError("rotation rate is only valid for disk device", origin=Origin.QEMU)
    if disk.wwn is not None and disk.bus not in ("ide", "scsi", "sata"):
        raise unsupported("Only ide and scsi disk support wwn")
    if (disk.vendor or disk.product) and disk.bus != "scsi":
        raise unsupported("Only scsi disk supports vendor and product")
    if disk.device == "lun":
        _lun_frontend(disk)


def _lun_frontend(disk: Any) -> None:
    if disk.wwn is not None:
        raise unsupported("Setting wwn is not supported for lun device")
    if disk.vendor or disk.product:
        raise unsupported("Setting vendor or product is not supported for lun device")
    if disk.serial is not None and disk.bus == "scsi":
        raise unsupported("scsi-block 'lun' devices do not support the serial property")


def _drivers(disk: Any, vm: Any) -> None:
    if disk.io == "native" and disk.cache not in ("none", "directsync"):
        raise unsupported("io='native' needs either no disk cache or directsync cache mode")
    if disk.iothread is not None:
        if disk.bus != "virtio":
            raise unsupported(f"IOThreads not available for bus {disk.bus} target {disk.target}")
        if not _has_iothread(vm.domain, disk.iothread):
            raise unsupported(f"Disk iothread '{disk.iothread}' not defined in iothreadid")


def _names(disk: Any) -> None:
    if disk.serial is not None and not SAFE_SERIAL.match(disk.serial):
        raise InternalError(f"driver serial '{disk.serial}' contains unsafe characters", origin=Origin.QEMU)


def _has_iothread(domain: Any, number: int) -> bool:
    listed = [thread.id for thread in domain.iothreadids]
    return number in listed or (not listed and number <= (domain.iothreads or 0))
