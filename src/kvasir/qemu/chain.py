"""The backing chain of each disk at the start: what the images' heads say, where the document does not.

Only a layer whose format is known is followed (a raw image never leads anywhere), as libvirt does since a guest could
write a header into its own raw disk.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from kvasir.errors import InternalError, OperationInvalid, SystemFailure
from kvasir.storage import probe

from . import live, volumes

MAX_LAYERS = 200
FOLLOWED = ("qcow2", "qcow", "qed", "vmdk")


async def complete(domain: Any, driver: Any) -> None:
    """Fill in the chains of the file and block disks of a guest that is about to run.

    Raises SystemFailure for an image that is not there, OperationInvalid or InternalError for a chain that cannot be followed.
    """
    volumes.resolve(domain, getattr(driver, "drivers", {}))
    disks = live.list_of(domain, "disks")
    for disk in disks:
        disk.driver_name = disk.driver_name or "qemu"
        if getattr(disk, "empty", False):
            disk.format = None
    local = [disk for disk in disks if disk.type in ("file", "block", "volume") and live.source_path(disk)]
    if local:
        await asyncio.to_thread(_complete, local, driver)


def _complete(disks: list[Any], driver: Any) -> None:
    for disk in disks:
        path = live.source_path(disk) or ""
        problem = _unseen(path)
        if problem is not None:
            policy = getattr(disk.source, "startup_policy", None)
            if policy == "optional" and disk.device in ("cdrom", "floppy"):
                _empty(disk)
                continue
            raise _missing(problem, path, "", driver, probed=(disk.format or "raw") in FOLLOWED)
        _extend(disk, path, driver)


def _extend(disk: Any, path: str, driver: Any) -> None:
    """Find what lies below the last layer that the document names, unless it says that the chain ends there."""
    if disk.backing_store is None:
        disk.backing_store = _layer(path, disk.format or "raw", driver, [path])
        return
    named = disk.backing_store.chain()
    if not named or named[-1].backing_store is not None:
        return
    last = named[-1]
    where = str(last.source.location() or "")
    if last.type in ("file", "block") and os.path.exists(where):
        last.backing_store = _layer(where, last.format or "raw", driver, [path, where])


def _empty(disk: Any) -> None:
    """Take the medium out, as startupPolicy='optional' wants when it is missing."""
    for name in ("file", "dev"):
        if hasattr(disk.source, name):
            setattr(disk.source, name, None)


def _unseen(path: str) -> OSError | None:
    """Why there is nothing at a path."""
    try:
        os.stat(path)
    except OSError as error:
        return error
    return None


def _missing(error: OSError, path: str, parent: str, driver: Any, *, probed: bool = True) -> SystemFailure:
    """libvirt names its user where it would have read the image's head, which a raw image does not need."""
    identity = driver.identity
    who = f" (as uid:{identity.uid}, gid:{identity.gid})" if probed and identity.uid is not None else ""
    what = f"backing file '{path}' of storage file '{parent}'{who}" if parent else f"storage file '{path}'{who}"
    hint = f"qemu-img create -f qcow2 {path} 10G makes an empty image"
    if parent:
        hint = f"qemu-img info --backing-chain {parent}"
    return SystemFailure(f"Cannot access {what}", error, hint=hint)


def _layer(path: str, format: str, driver: Any, seen: list[str]) -> Any:
    """The layer below an image; an empty one at the end of the chain."""
    from kvasir.devices.disk_source import SOURCES, BackingStore

    end = BackingStore()
    if format not in FOLLOWED:
        return end
    info = _read(path)
    if info is None or not info.backing:
        return end
    backing = probe.resolve_backing(path, info.backing)
    if not backing.startswith("/"):
        return end  # a remote layer: QEMU opens what the image names
    if backing in seen or len(seen) > MAX_LAYERS:
        raise InternalError(f"backing store for {seen[0]} is self-referential or too deeply nested")
    problem = _unseen(backing)
    if problem is not None:
        raise _missing(problem, backing, seen[0], driver)
    below = info.backing_format
    if below is None:
        found = _read(backing)
        below = found.format if found is not None else "raw"
        if below != "raw":
            raise OperationInvalid(
                f"format of backing image '{backing}' of image '{path}' was not specified in the image metadata "
                "(See https://libvirt.org/kbase/backing_chains.html for troubleshooting)",
                hint=f"qemu-img rebase -u -F {below} -b {info.backing} {path}",
            )
    kind = "block" if _is_block(backing) else "file"
    source = SOURCES[kind](**{"dev" if kind == "block" else "file": backing})
    layer = BackingStore(type=kind, format=below, source=source, detected=True)
    layer.backing_store = _layer(backing, below, driver, [*seen, backing])
    return layer


def _is_block(path: str) -> bool:
    import stat

    return stat.S_ISBLK(os.stat(path).st_mode)


def _read(path: str) -> probe.ImageInfo | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return probe.probe(fd)
    finally:
        os.close(fd)
