"""Making images for a running guest: by its own QEMU (``blockdev-create``), in any format that QEMU writes."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from kvasir.devices.disk_source import BackingStore
from kvasir.errors import Error, InternalError, OperationFailed, OperationUnsupported, SystemFailure
from kvasir.qemu import chain
from kvasir.qemu.args import Blockdev

from . import graph, labels
from .graph import Image
from .jobs import run_job

PLAIN = ("raw", "none")
REMOTE = ("rbd", "gluster", "ssh", "nfs")
"""Protocols in which QEMU can make an image; others must have it."""
OPENING = ("node-name", "driver", "read-only", "auto-read-only", "discard", "detect-zeroes", "cache")
"""What a node says besides where its image lies."""


async def vm_of(guest: Any) -> Any:
    """What device hooks see of a running guest."""
    from kvasir.qemu import live

    caps = await guest.driver.capabilities(live.emulator(guest.live, guest.driver))
    vm = guest.driver.vm(guest.live, caps)
    vm.id = guest.id
    if guest.run is not None:
        vm.facts.update({"lib": guest.run.lib, "channel": guest.run.channel})
    return vm


async def size_of(guest: Any, image: Image) -> int:
    """The size that the guest sees (bytes). Raises InternalError."""
    row = (await graph.nodes(guest)).get(image.node)
    if row is None:
        raise InternalError(f"QEMU has no node {image.node}")
    return int(row["image"]["virtual-size"])


async def cluster_of(guest: Any, image: Image) -> int | None:
    row = (await graph.nodes(guest)).get(image.node) or {}
    size = (row.get("image") or {}).get("cluster-size")
    return int(size) if size and row.get("drv") == "qcow2" else None


def touch(guest: Any, image: Image) -> bool:
    """Make the file and give it to the guest's user; True when it was not there. Raises SystemFailure."""
    if image.type != "file":
        labels.allow(guest, image, new=True)
        return False
    made = not os.path.exists(image.path)
    try:
        os.close(os.open(image.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise SystemFailure(f"failed to create image file '{image.path}'", error) from error
    try:
        labels.allow(guest, image, new=True)
    except BaseException:
        if made:
            unlink(image)
        raise
    return made


def unlink(image: Image) -> None:
    with contextlib.suppress(OSError):
        os.unlink(image.path)


async def image(
    guest: Any, vm: Any, disk: Any, new: Image, size: int, backing: Image | None, like: Image, *, closed: bool = False
) -> bool:
    """Make an image and add its nodes; True when its file is new.

    ``backing`` is the layer below (None for a whole copy), ``like`` gives the cluster size; ``closed`` leaves the backing
    node out, for a snapshot that puts it there.
    """
    made = touch(guest, new)
    try:
        await labels.own(guest, new)
        await _remote(guest, vm, disk, new, size)
        if new.format in PLAIN:
            await _raw(guest, new, size)
            if not backing:
                await graph.add(guest, vm, disk, new, readonly=False, backing=None, closed=True)
                return made
            raise OperationUnsupported(f"format '{new.format}' cannot have a backing image")
        await _formatted(guest, vm, disk, new, size, backing, like)
        below = None if closed or backing is None else backing.node
        await _format_node(guest, vm, disk, new, below)
    except BaseException:
        if guest.active:
            await graph.remove(guest, new)
        if made:
            unlink(new)
        raise
    if not closed and backing is not None:
        new.below = None
    return made


async def _remote(guest: Any, vm: Any, disk: Any, new: Image, size: int) -> None:
    """Make an image on a server; what QEMU cannot make there is taken as it is."""
    if new.type != "network" or getattr(new.source, "protocol", None) not in REMOTE:
        return
    monitor = guest.monitor()
    *before, node = _until_storage(graph.arguments(vm, disk, new, readonly=False, backing=None, closed=True))
    values = node.qmp()[1]
    place = {key: value for key, value in values.items() if key not in OPENING}
    done: list[str] = []
    try:
        for arg in before:
            command, said = arg.qmp()
            await monitor.command(command, said)
            done.append(str(said["id"]))
        await _job(guest, new, f"create-{new.storage}", {"driver": values["driver"], "location": place, "size": size})
    finally:
        for name in done:
            with contextlib.suppress(Error):
                await monitor.command("object-del", {"id": name})


def _until_storage(args: list[Any]) -> list[Any]:
    """The secrets of an image and its storage node."""
    at = next(at for at, arg in enumerate(args) if isinstance(arg, Blockdev))
    return args[: at + 1]


async def _raw(guest: Any, new: Image, size: int) -> None:
    if new.type == "file":
        name = f"create-{new.storage}"
        options = {"driver": "file", "filename": new.path, "size": size}
        await _job(guest, new, name, options)


async def _formatted(guest: Any, vm: Any, disk: Any, new: Image, size: int, backing: Image | None, like: Image) -> None:
    args = graph.arguments(vm, disk, new, readonly=False, backing=None, closed=True)
    for arg in args[:-1]:
        command, values = arg.qmp()
        await guest.monitor().command(command, values)
    options: dict[str, Any] = {"driver": new.format, "file": new.storage, "size": size}
    if new.format == "qcow2" and (cluster := await cluster_of(guest, like)):
        options["cluster-size"] = cluster
    if backing is not None:
        options["backing-file"] = backing_name(backing)
        if new.format in ("qcow2", "qed"):
            options["backing-fmt"] = backing.format
    await _job(guest, new, f"create-{new.node}", options)


async def _format_node(guest: Any, vm: Any, disk: Any, new: Image, below: str | None) -> None:
    args = graph.arguments(vm, disk, new, readonly=False, backing=below, closed=below is None)
    command, values = args[-1].qmp()
    await guest.monitor().command(command, values)


async def _job(guest: Any, new: Image, name: str, options: dict[str, Any]) -> None:
    try:
        await run_job(guest, "blockdev-create", {"job-id": name, "options": options})
    except OperationFailed as error:
        raise OperationFailed(f"failed to format image: '{error.text}'") from error


def backing_name(image: Image) -> str:
    """How an image names its backing file: a path, or QEMU's JSON form for a remote one."""
    if image.local:
        return image.path
    import json

    from kvasir.devices.disk_qemu import storage_props
    from kvasir.qemu.args import plain

    props = plain(storage_props(image.source, None))
    return "json:" + json.dumps({"driver": image.format, "file": props}, separators=(",", ":"))


def know_chain(guest: Any, image: Image) -> None:
    """Find the layers below an image that was there, and number them. Raises what ``chain`` raises."""
    if not image.local:
        image.below = BackingStore()
        return
    if image.below is None:
        image.below = chain._layer(image.path, image.format, guest.driver, [image.path])
    for layer in image.below.chain():
        layer.index = graph.next_number(guest)
        labels.allow(guest, graph.of_layer(layer), readonly=True)
