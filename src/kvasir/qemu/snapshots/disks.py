"""Which disks a snapshot takes and how: the document's wishes brought into line with the guest's disks."""

from __future__ import annotations

import os
import stat
from typing import Any

from kvasir.devices.disk_source import SOURCES
from kvasir.errors import OperationUnsupported, SystemFailure
from kvasir.qemu import live
from kvasir.qemu.blocks import jobs

from .document import Snapshot, SnapshotDisk, unsupported


def align(snap: Snapshot, domain: Any, default: str, *, uniform: bool = False) -> None:
    """One entry for each disk of the guest, in its order; ``uniform`` takes no other way than ``default``."""
    wanted: dict[str, SnapshotDisk] = {}
    for entry, disk in live.disks_named(snap.disks, domain):
        wanted[disk.target] = entry
        if entry.snapshot is None:
            own = disk.snapshot
            entry.snapshot = own if own and (not uniform or own in (default, "no")) else default
        elif uniform and entry.snapshot != default and not (entry.snapshot == "no" and _left_out(disk)):
            raise unsupported(f"disk '{entry.name}' must use snapshot mode '{default}'")
        if entry.path and entry.snapshot != "external":
            raise unsupported(f"file '{entry.path}' for disk '{entry.name}' requires use of external snapshot mode")
        entry.name = disk.target
    snap.disks = [wanted.get(disk.target) or _default(disk, default) for disk in domain.disks]
    for entry, disk in zip(snap.disks, domain.disks, strict=True):
        if entry.snapshot == "external":
            entry.make_external()
            if not entry.path:
                _name(entry, disk, snap.name)
                _collision(snap, entry)
        else:
            entry.type = None
            entry.source = SOURCES["file"]()


def _left_out(disk: Any) -> bool:
    return bool(disk.empty or disk.readonly or disk.snapshot == "no")


def _default(disk: Any, default: str) -> SnapshotDisk:
    own = disk.snapshot
    if disk.empty or (disk.readonly and not own):
        return SnapshotDisk(name=disk.target, snapshot="no")
    return SnapshotDisk(name=disk.target, snapshot=own or default)


def _collision(snap: Snapshot, entry: SnapshotDisk) -> None:
    """Two disks whose images differ in the ending alone would get one name."""
    for other in snap.disks:
        if other is not entry and other.snapshot == "external" and other.path == entry.path:
            raise unsupported(
                f"cannot generate external snapshot name for disk '{entry.name}': collision with disk '{other.name}'"
            )


def _name(entry: SnapshotDisk, disk: Any, name: str) -> None:
    """The image's name with the snapshot's as its ending, beside the image of now."""
    if disk.type == "network":
        raise unsupported(
            f"source for disk '{disk.target}' is not a regular file; refusing to generate external snapshot name"
        )
    if entry.type == "network":
        raise unsupported(f"cannot generate external snapshot name for disk '{disk.target}' on a '{entry.type}' device")
    path = disk.location()
    if not path:
        raise unsupported(f"cannot generate external snapshot name for disk '{disk.target}' without source")
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        regular = True
    if not regular:
        raise unsupported(
            f"source for disk '{disk.target}' is not a regular file; refusing to generate external snapshot name"
        )
    folder, slash, leaf = path.rpartition("/")
    stem = leaf.rpartition(".")[0] or leaf
    entry.source.file = f"{folder}{slash}{stem}.{name}"


INTERNAL_FORMATS = ("qcow2", "qcow", "sheepdog")
OVERLAYS = ("qcow2", "qed")


def check(guest: Any, snap: Snapshot, domain: Any, *, reuse: bool, disk_only: bool) -> None:
    """Refuse what cannot be done, before anything is done. Raises ConfigUnsupported, OperationUnsupported."""
    internal = external = 0
    for entry, disk in zip(snap.disks, domain.disks, strict=True):
        if entry.snapshot == "internal":
            if guest.active and (disk_only or snap.memory == "external"):
                raise unsupported(
                    f"active qemu domains require external disk snapshots; disk {entry.name} requested internal"
                )
            if disk.format not in INTERNAL_FORMATS:
                raise unsupported(f"internal snapshot for disk {entry.name} unsupported for storage type {disk.format}")
            internal += 1
        elif entry.snapshot == "external":
            _external(guest, entry, disk, reuse)
            external += 1
        elif entry.snapshot == "manual":
            raise unsupported(f"'manual' snapshot of disk {entry.name} is not supported" if guest.active else
                              f"disk {entry.name} uses an unsupported snapshot mode 'manual'")  # fmt: skip
        if entry.snapshot != "no" and guest.active:
            jobs.need_idle(guest, disk)
    _mixture(guest, snap, domain, internal, external)


def _mixture(guest: Any, snap: Snapshot, domain: Any, internal: int, external: int) -> None:
    if not internal and not external and snap.memory != "external":
        raise unsupported(
            "nothing selected for snapshot" if not guest.active else
            "internal and disk-only snapshots require at least one disk to be selected for snapshot"
        )  # fmt: skip
    if guest.active and internal and snap.memory == "no":
        raise OperationUnsupported("internal snapshot of a running VM must include the memory state")
    if internal and (external or snap.memory == "external"):
        raise unsupported("mixing internal and external targets for a snapshot is not yet supported")
    if internal and domain.os.loader and (domain.os.nvram or domain.os.nvram_file):
        raise OperationUnsupported("internal snapshots of a VM with pflash based firmware are not supported")


def _external(guest: Any, entry: SnapshotDisk, disk: Any, reuse: bool) -> None:
    if entry.format not in OVERLAYS:
        raise unsupported(f"external snapshot format for disk {entry.name} is unsupported: {entry.format}")
    if disk.shareable and not disk.readonly:
        raise OperationUnsupported(f"shared disk '{disk.target}' cannot have an external snapshot")
    if entry.type not in ("file", "block"):
        if not reuse:
            raise unsupported(f"the image of disk {entry.name} on a '{entry.type}' device must be made before")
        return
    try:
        found = os.stat(entry.path)
    except FileNotFoundError as error:
        if reuse:
            raise SystemFailure(f"missing existing file for disk {entry.name}: {entry.path}", error) from error
        if entry.type == "block":
            raise OperationUnsupported(f"block device snapshot target '{entry.path}' doesn't exist") from error
        return
    except OSError as error:
        raise SystemFailure(f"unable to stat for disk {entry.name}: {entry.path}", error) from error
    if not stat.S_ISBLK(found.st_mode) and found.st_size and not reuse:
        raise unsupported(
            f"external snapshot file for disk {entry.name} already exists and is not a block device: {entry.path}"
        )
