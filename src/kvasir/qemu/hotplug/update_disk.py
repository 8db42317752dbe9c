"""What may change in a disk of a running guest: the medium of a removable drive, and its startup policy."""

from __future__ import annotations

from typing import Any

from kvasir.errors import ConfigUnsupported, Error, InternalError, OperationUnsupported

from . import compatible, matching
from .media import change

FIXED = (
    ("bus", "bus"), ("device", "device"), ("serial", "serial"), ("wwn", "wwn"), ("vendor", "vendor"),
    ("product", "product"), ("cache", "cache"), ("error_policy", "error_policy"), ("rerror_policy", "rerror_policy"),
    ("io", "io"), ("ioeventfd", "ioeventfd"), ("event_idx", "event_idx"), ("copy_on_read", "copy_on_read"),
    ("discard", "discard"), ("detect_zeroes", "detect_zeroes"), ("iothread", "iothread"), ("queues", "queues"),
    ("readonly", "readonly"), ("shareable", "shareable"), ("transient", "transient"), ("rawio", "rawio"), ("sgio", "sgio"),
    ("logical_block_size", "blockio logical_block_size"), ("physical_block_size", "blockio physical_block_size"),
    ("cyls", "cylinders"), ("heads", "heads"), ("secs", "sectors"), ("trans", "trans"), ("model", "model"),
    ("removable", "removable"), ("rotation_rate", "rotation_rate"), ("snapshot", "snapshot"),
)  # fmt: skip
"""Field of ours, name in libvirt's message; in the order in which libvirt compares."""


async def update(guest: Any, disk: Any, vm: Any, *, force: bool) -> None:
    """Change a disk that is there. Raises OperationUnsupported for what only a restart changes."""
    known = matching.disk(guest.live, disk.target)
    if known is None:
        raise InternalError(f"disk '{disk.target}' not found")
    compatible.boot(guest.live, disk, known)
    _same(known, disk)
    policy = disk.source.startup_policy
    if _location(known) != _location(disk):
        if known.device not in ("cdrom", "floppy"):
            raise ConfigUnsupported("disk source can be changed only in removable drives")
        await change(guest, known, disk, vm, force=force)
    known.source.startup_policy = policy


def _location(disk: Any) -> tuple[Any, ...]:
    """What libvirt compares of a source."""
    source = disk.source
    return (
        disk.type if not disk.empty else "file", disk.location(), getattr(source, "protocol", None),
        getattr(source, "name", None), getattr(source, "pool", None), getattr(source, "volume", None),
    )  # fmt: skip


def _same(known: Any, disk: Any) -> None:
    for field, word in FIXED:
        if (getattr(known, field, None) or None) != (getattr(disk, field, None) or None):
            raise refused(word)
    _iotune(known.iotune, disk.iotune)
    if disk.address is not None and disk.address != known.address:
        raise refused("address")
    if disk.alias and disk.alias != known.alias:
        raise refused("alias")


def _iotune(known: Any, wanted: Any) -> None:
    fields = type(known or wanted).FIELDS if known or wanted else ()
    for name in fields:
        if (getattr(known, name, None) or 0) != (getattr(wanted, name, None) or 0):
            raise refused(f"blkdeviotune {name}")


def refused(word: str) -> Error:
    """libvirt's words for a field that does not change."""
    return OperationUnsupported(f"cannot modify field '{word}' of the disk")
