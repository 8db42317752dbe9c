"""Statistics of disks: what QEMU counts, and sizes from QEMU or from the image itself."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Any

from kvasir.errors import InternalError, InvalidArg, OperationInvalid, Origin, SystemFailure
from kvasir.rpc.typed import Params, UInt, ULLong

from . import live
from .guest import Guest
from .jobs import Kind


@dataclass(slots=True)
class Row:
    """The counters of one disk (times in ns)."""

    rd_reqs: int = 0
    rd_bytes: int = 0
    rd_times: int = 0
    wr_reqs: int = 0
    wr_bytes: int = 0
    wr_times: int = 0
    fl_reqs: int = 0
    fl_times: int = 0
    capacity: int = 0
    allocation: int = 0
    physical: int = 0

    def add(self, other: Row) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


async def rows(guest: Guest) -> dict[str, Row]:
    """The counters of every disk, by its alias. Asks the monitor: the caller holds a job."""
    monitor = guest.monitor()
    found: dict[str, Row] = {}
    for entry in await monitor.command("query-blockstats"):
        alias = _alias(guest, entry)
        if not alias:
            continue
        counted = entry.get("stats") or {}
        found[alias] = Row(
            rd_reqs=int(counted.get("rd_operations", 0)),
            rd_bytes=int(counted.get("rd_bytes", 0)),
            rd_times=int(counted.get("rd_total_time_ns", 0)),
            wr_reqs=int(counted.get("wr_operations", 0)),
            wr_bytes=int(counted.get("wr_bytes", 0)),
            wr_times=int(counted.get("wr_total_time_ns", 0)),
            fl_reqs=int(counted.get("flush_operations", 0)),
            fl_times=int(counted.get("flush_total_time_ns", 0)),
            allocation=int(((entry.get("parent") or {}).get("stats") or counted).get("wr_highest_offset", 0)),
        )
    return found


def _alias(guest: Guest, entry: dict[str, Any]) -> str:
    device = str(entry.get("qdev") or entry.get("device") or "").removesuffix("/virtio-backend")
    return live.disk_of(guest, device, str(entry.get("node-name") or ""))[0]


async def capacities(guest: Guest) -> dict[str, tuple[int, int]]:
    """(virtual size, size on the host) of every disk with a medium, by alias."""
    found = {}
    for entry in await guest.monitor().command("query-block"):
        image = (entry.get("inserted") or {}).get("image")
        device = str(entry.get("qdev") or entry.get("device") or "").removesuffix("/virtio-backend")
        alias, _ = live.disk_of(guest, device, str((entry.get("inserted") or {}).get("node-name") or ""))
        if alias and image:
            found[alias] = (int(image.get("virtual-size", 0)), int(image.get("actual-size", 0)))
    return found


async def of_path(guest: Guest, path: str) -> Row:
    """The counters of one disk by target or path; of all together for ''. Raises InvalidArg."""
    guest.need_active()
    async with guest.jobs.normal(Kind.QUERY):
        guest.need_active()
        if not path:
            total = Row()
            for row in (await rows(guest)).values():
                total.add(row)
            return total
        disk = live.find_disk(guest.live, path)
        if disk is None:
            raise InvalidArg(f"invalid path: {path}")
        if not disk.alias:
            raise OperationInvalid(f"missing disk device alias name for {live.disk_target(disk)}")
        found = (await rows(guest)).get(disk.alias)
        if found is None:
            raise OperationInvalid(f"cannot find statistics for device '{disk.alias}'")
        return found


async def errors(guest: Guest) -> list[tuple[str, int]]:
    """(target, kind) of the disks with an error."""
    found = []
    for entry in await guest.monitor().command("query-block"):
        kind = {"failed": 1, "nospace": 2}.get(str(entry.get("io-status")), 0)
        device = str(entry.get("qdev") or entry.get("device") or "").removesuffix("/virtio-backend")
        alias, _ = live.disk_of(guest, device, str((entry.get("inserted") or {}).get("node-name") or ""))
        if kind and alias:
            found.append((live.target_of(guest, alias), kind))
    return found


def image_sizes(path: str) -> tuple[int, int, int]:
    """(allocation, capacity, physical) of an image that nobody uses. Raises OSError."""
    found = os.stat(path)
    if stat.S_ISBLK(found.st_mode):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.lseek(fd, 0, os.SEEK_END)
        finally:
            os.close(fd)
        return size, size, size
    capacity = found.st_size
    with open(path, "rb") as stream:
        head = stream.read(32)
    if head[:4] == b"QFI\xfb":
        capacity = int.from_bytes(head[24:32], "big")
    return found.st_blocks * 512, capacity, found.st_size


async def sizes(guest: Guest, path: str) -> tuple[int, int, int]:
    """(allocation, capacity, physical) of a disk, as domblkinfo shows. Raises InvalidArg, SystemFailure."""
    disk = live.find_disk(guest.current, path)
    if disk is None:
        raise InvalidArg(f"invalid path {path} not assigned to domain")
    if _remote(disk):
        return await _remote_sizes(guest, disk)
    source = live.source_path(disk)
    if not source and disk.type == "volume" and not disk.empty:
        raise InternalError("missing storage backend for 'volume' storage", origin=Origin.STORAGE)
    if not source:
        raise InvalidArg(f"disk '{path}' does not currently have a source assigned")
    try:
        allocation, capacity, physical = image_sizes(source)
    except OSError as error:
        if guest.active:  # QEMU has it open though its name is gone
            return await _open_sizes(guest, disk)
        raise SystemFailure(f"cannot stat file '{source}'", error, origin=Origin.QEMU) from error
    if guest.active:
        async with guest.jobs.normal(Kind.QUERY):
            guest.need_active()
            counted = await rows(guest)
            if disk.alias in counted and getattr(disk, "format", None) not in (None, "raw"):
                high = counted[disk.alias].allocation
                if stat.S_ISBLK(os.stat(source).st_mode):
                    allocation = high
            known = (await capacities(guest)).get(disk.alias)
            if known and known[0]:
                capacity = known[0]
    return allocation, capacity, physical


def _remote(disk: Any) -> bool:
    from .blocks import graph

    return graph.of_disk(disk).type == "network" and not disk.empty


async def _open_sizes(guest: Guest, disk: Any) -> tuple[int, int, int]:
    """Of an image that only QEMU can reach."""
    async with guest.jobs.normal(Kind.QUERY):
        guest.need_active()
        capacity, used = (await capacities(guest)).get(disk.alias, (0, 0))
        return used, capacity, used


async def _remote_sizes(guest: Guest, disk: Any) -> tuple[int, int, int]:
    """Of an image on a server, of which QEMU alone can tell. Raises InternalError for a guest that does not run."""
    if not guest.active:
        source = getattr(disk.source, "actual", None) or disk.source
        text = f"missing storage backend for network files using {source.protocol} protocol"
        raise InternalError(text, origin=Origin.STORAGE)
    async with guest.jobs.normal(Kind.QUERY):
        guest.need_active()
        high = (await rows(guest)).get(disk.alias, Row()).allocation
        capacity, physical = (await remote_capacities(guest)).get(disk.alias, (0, 0))
        used = (await capacities(guest)).get(disk.alias, (0, 0))[1]
        return high or used or physical, capacity, physical


async def remote_capacities(guest: Guest) -> dict[str, tuple[int, int]]:
    """(virtual size, size on the server) of each disk on a server, by alias."""
    from .blocks import graph

    disks = [disk for disk in live.list_of(guest.live, "disks") if _remote(disk)]
    nodes = await graph.nodes(guest) if disks else {}
    found = {}
    for disk in disks:
        top = graph.of_disk(disk)
        shown, stored = ((nodes.get(name) or {}).get("image") or {} for name in (top.node, top.storage))
        if shown:
            size = int(shown.get("virtual-size", 0))
            found[str(disk.alias)] = (size, int(stored.get("virtual-size", size)))
    return found


def record_inactive(disks: list[tuple[str, str]]) -> Params:
    """The block part of the record of a guest that does not run, from (target, path) of its disks."""
    out: Params = [("block.count", UInt(len(disks)))]
    for number, (target, path) in enumerate(disks):
        out.append((f"block.{number}.name", target))
        if not path:
            continue
        out.append((f"block.{number}.path", path))
        try:
            allocation, capacity, physical = image_sizes(path)
        except OSError:
            continue
        out += _sizes(number, allocation, capacity, physical)
    return out


def _sizes(number: int, allocation: int, capacity: int, physical: int) -> Params:
    rows = (("allocation", allocation), ("capacity", capacity), ("physical", physical))
    return [(f"block.{number}.{name}", ULLong(value)) for name, value in rows if value]


async def record(guest: Guest, monitor: bool, backing: bool) -> Params:
    """The block part of the record of a running guest."""
    disks = live.list_of(guest.live, "disks")
    if not monitor or not disks:
        return record_inactive([(live.disk_target(d), live.source_path(d) or "") for d in disks])
    counted, known = await rows(guest), await capacities(guest) | await remote_capacities(guest)
    out: Params = [("block.count", UInt(len(disks)))]
    for number, disk in enumerate(disks):
        path = live.source_path(disk)
        out.append((f"block.{number}.name", live.disk_target(disk)))
        if path:
            out.append((f"block.{number}.path", path))
        if path or _remote(disk):
            index = _index(disk)
            if index is not None:
                out.append((f"block.{number}.backingIndex", UInt(index)))
        row = counted.get(disk.alias)
        if row is None:
            continue
        values = (
            ("rd.reqs", row.rd_reqs), ("rd.bytes", row.rd_bytes), ("rd.times", row.rd_times), ("wr.reqs", row.wr_reqs),
            ("wr.bytes", row.wr_bytes), ("wr.times", row.wr_times), ("fl.reqs", row.fl_reqs), ("fl.times", row.fl_times),
        )  # fmt: skip
        out += [(f"block.{number}.{name}", ULLong(value)) for name, value in values]
        if path or _remote(disk):
            capacity, physical = known.get(disk.alias, (0, 0))
            sizes_ = (("allocation", row.allocation), ("capacity", capacity), ("physical", physical))
            out += [(f"block.{number}.{name}", ULLong(value)) for name, value in sizes_]
    return out


def _index(disk: Any) -> int | None:
    """The number in a disk's node names (``<source index='2'/>``)."""
    for owner in (disk, getattr(disk, "source", None)):
        for name in ("source_index", "index"):
            value = getattr(owner, name, None)
            if isinstance(value, int):
                return value
    return None
