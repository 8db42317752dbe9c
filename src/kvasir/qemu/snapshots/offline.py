"""Snapshots of guests that are off: by qemu-img, inside the images or as new images above them."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from kvasir.errors import Error, OperationFailed
from kvasir.host import qemu_img
from kvasir.qemu import volumes
from kvasir.qemu.blocks import create, graph
from kvasir.qemu.blocks.graph import Image

from .document import Snapshot
from .overlays import put_above_plain


def chosen(guest: Any, snap: Snapshot, domain: Any, location: str) -> list[Any]:
    """The disks of the definition that the snapshot takes in that way; volumes are looked up."""
    volumes.resolve(domain, guest.driver.drivers)
    wanted = {entry.name for entry in snap.disks if entry.snapshot == location}
    return [disk for disk in domain.disks if disk.target in wanted]


async def internal(guest: Any, snap: Snapshot) -> None:
    """Keep the state inside each image; what was kept is dropped when one fails. Raises OperationFailed."""
    done: list[str] = []
    try:
        for disk in chosen(guest, snap, guest.config, "internal"):
            path = graph.of_disk(disk).path
            await qemu_img.run("snapshot", "-c", snap.name, path)
            done.append(path)
    except Error:
        for path in done:
            with contextlib.suppress(Error):
                await qemu_img.run("snapshot", "-d", snap.name, path)
        raise


async def apply(guest: Any, snap: Snapshot, domain: Any) -> None:
    """Bring the images back to the snapshot. Raises OperationFailed."""
    for disk in chosen(guest, snap, domain, "internal"):
        await qemu_img.run("snapshot", "-a", snap.name, graph.of_disk(disk).path)


async def delete(guest: Any, snap: Snapshot, domain: Any) -> None:
    """Drop the state from each image that has it."""
    for disk in chosen(guest, snap, domain, "internal"):
        try:
            await qemu_img.run("snapshot", "-d", snap.name, graph.of_disk(disk).path)
        except Error as error:
            if "not found" not in error.message and "Can't find" not in error.message:
                raise


async def external(guest: Any, snap: Snapshot, *, reuse: bool) -> None:
    """Make new images above those of now, and let the definition name them. Raises OperationFailed."""
    domain = guest.config.copy()
    entries = {entry.name: entry for entry in snap.disks}
    made: list[Image] = []
    try:
        for disk in chosen(guest, snap, domain, "external"):
            entry = entries[disk.target]
            new = Image(entry.type or "file", entry.format or "qcow2", entry.source.copy())
            if not reuse:
                if new.type == "file" and not os.path.exists(new.path):
                    made.append(new)
                await overlay(graph.of_disk(disk), new)
            if disk.backing_store is not None:
                put_above_plain(disk, new)
            else:
                graph.put(disk, new)
        guest.driver.rewrite_at_once(guest, domain)
    except BaseException:
        for new in made:
            create.unlink(new)
        raise


async def overlay(below: Image, new: Image) -> None:
    """An empty image above another one."""
    if not below.path:
        raise OperationFailed("a drive without medium has no snapshot")
    options = f"backing_fmt={below.format},backing_file={create.backing_name(below).replace(',', ',,')}"
    await qemu_img.run("create", "-f", new.format, "-o", options, new.path)
