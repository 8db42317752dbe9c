"""Copying a running guest's disk to another image (drive mirror), and going on with the copy."""

from __future__ import annotations

import os
import stat
from typing import Any

from kvasir.devices.disk import Mirror
from kvasir.errors import ConfigUnsupported, InvalidArg, OperationInvalid, SystemFailure
from kvasir.qemu.jobs import Kind

from . import create, graph, labels
from .graph import Image
from .jobs import BlockJob, What, need_idle, start

SHALLOW, REUSE, TRANSIENT, SYNCHRONOUS = 1, 2, 4, 8


def destination(document: str) -> Image:
    """The image that a ``<disk>`` document names. Raises XmlError."""
    from kvasir.devices.disk import Disk
    from kvasir.xml.reader import read

    root = read(document, "(disk_definition)")
    if root.tag != "disk":
        from kvasir.errors import XmlError

        raise XmlError(f"expecting root element of 'disk', not '{root.tag}'")
    if root.find("target") is None:
        target = root.makeelement("target", {"dev": "vda"})
        root.append(target)
    disk = Disk.parse(root)
    said = disk.format
    disk.source.defaults()
    image = graph.of_disk(disk)
    image.format = said or ""
    return image


async def copy(
    guest: Any, path: str, image: Image, flags: int, *, speed: int = 0, granularity: int = 0, buffer: int = 0
) -> None:
    """Begin to copy a disk. Raises OperationInvalid, ConfigUnsupported, SystemFailure."""
    if granularity & (granularity - 1):
        raise InvalidArg("granularity must be power of 2")
    guest.need_active()
    async with guest.jobs.normal(Kind.MODIFY):
        guest.need_active()
        disk = graph.disk_by_name(guest.live, path)
        need_idle(guest, disk)
        if disk.empty:
            raise InvalidArg(f"disk '{disk.target}' has no source file to be mirrored")
        if guest.persistent and not flags & TRANSIENT:
            raise OperationInvalid("domain is not transient", hint="give --transient-job")
        reuse = _check_target(disk, image, bool(flags & REUSE))
        _choose_format(disk, image, reuse)
        await _begin(guest, disk, image, flags, reuse, {"speed": speed or None, "granularity": granularity or None,
                                                        "buf-size": buffer or None})  # fmt: skip


def _check_target(disk: Any, image: Image, reuse: bool) -> bool:
    """Whether the destination is taken as it is: always for block devices. Raises what libvirt raises."""
    if not image.local:
        return reuse
    try:
        found = os.stat(image.path)
    except OSError as error:
        if error.errno != 2:
            raise SystemFailure(f"unable to stat for disk {disk.target}: {image.path}", error) from error
        if reuse or image.type == "block":
            raise SystemFailure(f"missing destination file for disk {disk.target}: {image.path}", error) from error
        return reuse
    is_block = stat.S_ISBLK(found.st_mode)
    if not is_block and found.st_size and not reuse:
        raise ConfigUnsupported(
            f"external destination file for disk {disk.target} already exists and is not a block device: {image.path}",
            hint="--reuse-external writes into it",
        )
    if image.type == "block" and not is_block:
        raise InvalidArg(
            f"blockdev flag requested for disk {disk.target}, but file '{image.path}' is not a block device"
        )
    return reuse


def _choose_format(disk: Any, image: Image, reuse: bool) -> None:
    if image.format:
        return
    if not reuse:
        image.format = disk.format or "raw"
        return
    from kvasir.qemu.chain import _read

    info = _read(image.path) if image.local else None
    image.format = info.format if info is not None else "raw"


async def _begin(guest: Any, disk: Any, image: Image, flags: int, reuse: bool, tuning: dict[str, Any]) -> None:
    vm = await create.vm_of(guest)
    top = graph.of_disk(disk)
    shallow = bool(flags & SHALLOW) and top.under() is not None
    image.index = graph.next_number(guest)
    image.source.index = image.index
    backing = top.under() if shallow and not reuse else None
    made = False
    try:
        if not reuse:
            made = await create.image(guest, vm, disk, image, await create.size_of(guest, top), backing, top)
        else:
            await labels.own(guest, image, new=True)
            if shallow:
                create.know_chain(guest, image)
            await graph.add(guest, vm, disk, image, readonly=False, backing=None, closed=True)
        if not shallow:
            from kvasir.devices.disk_source import BackingStore

            image.below = image.below or BackingStore()
        source = image.source.copy()
        disk.mirror = Mirror(type=image.type, job="copy", format=image.format, source=source, backing_store=image.below)
        if image.type == "file":
            disk.mirror.file, disk.mirror.file_format = image.path, image.format
        job = BlockJob(f"copy-{disk.target}-{top.node}", What.COPY, disk.target, flags, shallow=backing is not None)
        await start(
            guest, job, "blockdev-mirror",
            {
                "job-id": job.name, "device": top.node, "target": image.node, **tuning,
                "sync": "top" if flags & SHALLOW else "full",
                "copy-mode": "write-blocking" if flags & SYNCHRONOUS else None,
                "auto-finalize": False, "auto-dismiss": False,
            },
        )  # fmt: skip
    except BaseException:
        disk.mirror = None
        if guest.active:
            await graph.remove(guest, image)
            labels.revoke(guest, image)
        if made:
            create.unlink(image)
        raise


async def before_pivot(guest: Any, disk: Any, job: BlockJob) -> None:
    """A shallow copy into an image that was there gets its own backing chain now."""
    image = graph.of_mirror(disk.mirror)
    below = image.under()
    if below is None or job.shallow:
        return
    vm = await create.vm_of(guest)
    await graph.add_chain(guest, vm, disk, below)
    try:
        await guest.monitor().command(
            "transaction",
            {"actions": [{"type": "blockdev-snapshot", "data": {"node": below.node, "overlay": image.node}}]},
        )
    except BaseException:
        for each in below.images():
            await graph.remove(guest, each)
        raise
