"""The block graph of a running guest: the layers of each disk, their numbers and node names, adding and removing nodes.

Nodes are named as libvirt names them (``libvirt-N-storage``, ``libvirt-N-format``), so that either daemon finds them; the last
number given is kept in the status document.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from dataclasses import dataclass
from typing import Any

from kvasir.devices.disk_qemu import _layer as layer_args
from kvasir.devices.disk_qemu import layers as numbered
from kvasir.devices.disk_source import SOURCES, BackingStore, NodeName
from kvasir.errors import InvalidArg
from kvasir.qemu import statusdoc
from kvasir.qemu.args import Arg
from kvasir.qemu.monitor import MonitorError

log = logging.getLogger(__name__)

INDEXED = re.compile(r"(.+)\[(\d+)\]\Z")


@dataclass(slots=True)
class Image:
    """One layer of a disk's chain: where it lies, its format, the number of its nodes, and what lies below."""

    type: str
    format: str
    source: Any
    index: int | None = None
    below: BackingStore | None = None
    """The layer below; a ``BackingStore`` without type is the known end, None means that it is not known."""
    metadata_cache: int | None = None

    @property
    def path(self) -> str:
        return str(self.source.location() or "")

    @property
    def local(self) -> bool:
        """Whether it is a file or a block device of this host."""
        return self.type in ("file", "block")

    @property
    def node(self) -> str:
        return f"libvirt-{self.index}-format"

    @property
    def storage(self) -> str:
        return f"libvirt-{self.index}-storage"

    def images(self) -> list[Image]:
        """This layer and those below."""
        found = [self]
        if self.below is not None:
            found += [of_layer(layer) for layer in self.below.chain()]
        return found

    def under(self) -> Image | None:
        """The layer just below, or None at the end."""
        return of_layer(self.below) if self.below is not None and self.below.type is not None else None

    def named(self) -> Image:
        """Put the node names where status documents keep them."""
        if self.index is not None:
            self.source.nodenames = [
                NodeName(type=word, name=f"libvirt-{self.index}-{word}") for word in ("storage", "format")
            ]
        return self


def of_disk(disk: Any) -> Image:
    """The top layer of a disk; that of a volume is what the volume is."""
    actual = getattr(disk.source, "actual", None)
    kind = next((name for name, known in SOURCES.items() if type(actual) is known), disk.type)
    source = disk.source if actual is None else actual
    return Image(kind, disk.format or "raw", source, disk.source.index, disk.backing_store, disk.metadata_cache)


def of_layer(layer: BackingStore) -> Image:
    return Image(
        layer.type or "file", layer.format or "raw", layer.source, layer.index, layer.backing_store,
        layer.metadata_cache,
    )  # fmt: skip


def of_mirror(mirror: Any) -> Image:
    return Image(
        mirror.type or "file", mirror.format or mirror.file_format or "raw", mirror.source, mirror.source.index,
        mirror.backing_store, mirror.metadata_cache,
    )  # fmt: skip


def as_layer(image: Image) -> BackingStore:
    """The image as a layer below another one."""
    source = image.source.copy()
    index, source.index, source.startup_policy = image.index, None, None
    layer = BackingStore(type=image.type, index=index, format=image.format, source=source)
    layer.metadata_cache = image.metadata_cache
    layer.backing_store = image.below
    return layer


def put(disk: Any, image: Image) -> None:
    """Make the image the top of the disk."""
    policy = disk.source.startup_policy
    disk.type, disk.format, disk.metadata_cache = image.type, image.format, image.metadata_cache
    disk.source = image.source.copy()
    disk.source.index, disk.source.startup_policy = image.index, policy
    if disk.auth is not None:  # where the document had it is where it stays
        disk.auth, disk.source.auth = disk.source.auth, None
    disk.backing_store = image.below


def file_image(path: str, format: str, *, kind: str = "file") -> Image:
    """An image by its path."""
    return Image(kind, format, SOURCES[kind](**{"dev" if kind == "block" else "file": path}))


def plain(image: Image) -> Image:
    """The image as a persistent definition has it: without numbers and nodes; the chain is read anew at the next start."""
    below = BackingStore() if image.below is not None and image.below.type is None else None
    source = image.source.copy()
    source.index, source.nodenames = None, []
    return Image(image.type, image.format, source, None, below, image.metadata_cache)


def bare(layer: BackingStore | None) -> BackingStore | None:
    """A copy of a chain without numbers and nodes."""
    if layer is None:
        return None
    new = layer.copy()
    each: Any = new
    while each is not None and each.type is not None:
        each.index = None
        each.source.nodenames = []
        if each.backing_store is not None:
            each.backing_store = each.backing_store.copy()
        each = each.backing_store
    return new


# -- numbers


def highest(domain: Any) -> int:
    """The greatest node number in a live document."""
    most = 0
    for disk in domain.disks:
        known = [source.index or 0 for source in numbered(disk)]
        if disk.mirror is not None:
            mirror = of_mirror(disk.mirror)
            known += [image.index or 0 for image in mirror.images()]
        most = max(most, *known)
    return most


def next_number(guest: Any) -> int:
    """A node number that this guest has not had yet."""
    run = guest.need_active()
    run.nodename_index = max(run.nodename_index, highest(guest.live)) + 1
    statusdoc.save(guest)  # QEMU may have the node when we die
    return int(run.nodename_index)


# -- finding


def disk_by_name(domain: Any, name: str) -> Any:
    """The disk of that target or source path. Raises InvalidArg in libvirt's words."""
    for disk in domain.disks:
        if name and name in (disk.target, disk.location()):
            return disk
    raise InvalidArg(f"disk '{name}' not found in domain")


def number_in(word: str | None, target: str) -> int:
    """The number in ``vda[3]``, 0 where there is none. Raises InvalidArg for another disk's."""
    found = INDEXED.match(word or "")
    if found is None:
        return 0
    if found[1] != target:
        raise InvalidArg(f"requested target '{found[1]}' does not match target '{target}'")
    return int(found[2])


def find_layer(disk: Any, word: str, beneath: Image | None = None) -> tuple[Image, Image | None]:
    """(layer, the one above it) by ``vda[3]`` or by path; only below ``beneath`` where that is given. Raises InvalidArg."""
    chain = of_disk(disk).images()
    number = number_in(word, disk.target)
    first = 0
    if beneath is not None:
        first = next(at for at, image in enumerate(chain) if image.index == beneath.index) + 1
    folder = ""
    for at, image in enumerate(chain):
        if at >= first and (
            (number and image.index == number) or (not number and _same_path(word, image.path, folder))
        ):
            return image, chain[at - 1] if at else None
        folder = os.path.dirname(image.path) if image.local else ""
    if number:
        raise InvalidArg(f"could not find backing store index '{number}' in chain for '{disk.target}'")
    if beneath is not None:
        raise InvalidArg(f"could not find image '{word}' beneath '{beneath.path}' in chain for '{disk.target}'")
    raise InvalidArg(f"could not find image '{word}' in chain for '{disk.target}'")


def _same_path(word: str, path: str, folder: str) -> bool:
    if word == path:
        return True
    if word.startswith("/") or not folder:
        return False
    return os.path.realpath(os.path.join(folder, word)) == os.path.realpath(path)


def disk_of_node(domain: Any, node: str) -> tuple[Any, Image] | None:
    """(disk, layer) of a node name of ours."""
    found = re.match(r"libvirt-(\d+)-(storage|format|slice-sto)\Z", node)
    if found is None:
        return None
    for disk in domain.disks:
        if disk.type == "vhostuser":
            continue
        for image in of_disk(disk).images():
            if image.index == int(found[1]):
                return disk, image
    return None


# -- changing QEMU's graph


def arguments(vm: Any, disk: Any, image: Image, *, readonly: bool, backing: str | None, closed: bool) -> list[Arg]:
    """What QEMU needs for one layer: secrets, storage node, format node. ``closed``: no backing file, whatever the image says."""
    metadata = image.metadata_cache
    return list(layer_args(vm, disk, image.source, image.index or 0, image.format, metadata, readonly, backing, closed))


async def add(guest: Any, vm: Any, disk: Any, image: Image, **how: Any) -> None:
    """Add the nodes of one layer; a failure leaves none behind."""
    done: list[str] = []
    try:
        for arg in arguments(vm, disk, image, **how):
            command, values = arg.qmp()
            await guest.monitor().command(command, values)
            if "node-name" in values:
                done.append(values["node-name"])
    except BaseException:
        for name in reversed(done):
            await _delete(guest, name)
        raise


async def add_chain(guest: Any, vm: Any, disk: Any, image: Image) -> None:
    """Add all layers below (and with) an image, read-only, deepest first."""
    below: str | None = None
    done: list[Image] = []
    try:
        for each in reversed(image.images()):
            await add(guest, vm, disk, each, readonly=True, backing=below, closed=below is None)
            done.append(each)
            below = each.node
    except BaseException:
        for each in reversed(done):
            await remove(guest, each)
        raise


async def remove(guest: Any, image: Image) -> None:
    """Remove the nodes of one layer; those that are gone already do not matter."""
    await _delete(guest, image.node)
    if getattr(image.source, "slices", None):
        await _delete(guest, f"libvirt-{image.index}-slice-sto")
    await _delete(guest, image.storage)


async def _delete(guest: Any, node: str) -> None:
    with contextlib.suppress(MonitorError):
        await guest.monitor().command("blockdev-del", {"node-name": node})


async def nodes(guest: Any) -> dict[str, dict[str, Any]]:
    """Every node that QEMU has, by name."""
    rows = await guest.monitor().command("query-named-block-nodes", {"flat": True})
    return {str(row.get("node-name")): row for row in rows}


NODE = re.compile(r"libvirt-(\d+)-(format|slice-sto|storage)\Z")


async def sweep(guest: Any) -> None:
    """After a daemon that died in the middle: drop the nodes that no document names, and never give their numbers again.

    QEMU keeps those that something works on.
    """
    found = {name: int(match[1]) for name in await nodes(guest) if (match := NODE.match(name))}
    disks = [disk for disk in guest.live.disks if disk.type != "vhostuser" and not disk.empty]
    known = {image.index for disk in disks for image in of_disk(disk).images()}
    known |= {image.index for disk in disks if disk.mirror is not None for image in of_mirror(disk.mirror).images()}
    guest.run.nodename_index = max([guest.run.nodename_index, *found.values()])
    for name in sorted(found, key=lambda name: ("format", "slice-sto", "storage").index(name.split("-", 2)[2])):
        if found[name] not in known:
            log.info("guest %s: block node %s is nobody's", guest.name, name)
            await _delete(guest, name)
