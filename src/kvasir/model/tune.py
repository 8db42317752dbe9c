"""Tuning of block I/O, memory, CPUs and NUMA placement."""

from __future__ import annotations

from kvasir.xml import Element, attr, child, children, flag, scaled, text
from kvasir.xml.types import CPUSET, ENUM, INT, LLONG, UINT, ULLONG


class BlkioDevice(Element, tag="device"):
    """Limits of one host block device."""

    path: str | None = text("path")
    weight: int | None = text("weight", UINT)
    read_iops_sec: int | None = text("read_iops_sec", UINT)
    write_iops_sec: int | None = text("write_iops_sec", UINT)
    read_bytes_sec: int | None = text("read_bytes_sec", ULLONG)
    write_bytes_sec: int | None = text("write_bytes_sec", ULLONG)


class Blkiotune(Element, tag="blkiotune"):
    """Block I/O tuning."""

    weight: int | None = text("weight", UINT)
    devices: list[BlkioDevice] = children(BlkioDevice)


class Memtune(Element, tag="memtune"):
    """Memory limits in KiB."""

    hard_limit: int | None = scaled("hard_limit")
    soft_limit: int | None = scaled("soft_limit")
    min_guarantee: int | None = scaled("min_guarantee")
    swap_hard_limit: int | None = scaled("swap_hard_limit")


class HugePage(Element, tag="page"):
    """A huge page size and the guest cells that use it."""

    size: int | None = attr("@size", ULLONG, required=True)
    unit: str | None = attr("@unit")
    nodeset: frozenset[int] | None = attr("@nodeset", CPUSET)

    def parsed(self, node: object) -> None:
        from kvasir.errors import InvalidArg, Origin
        from kvasir.xml.types import UNITS

        try:
            self.size = -(-(self.size or 0) * UNITS[(self.unit or "KiB").lower()] // 1024)
        except KeyError:
            raise InvalidArg(f"unknown suffix '{self.unit}'", origin=Origin.NONE) from None
        self.unit = "KiB"


class MemoryBacking(Element, tag="memoryBacking"):
    """What the guest's memory is made of."""

    pages: list[HugePage] = children(HugePage, "hugepages/page")
    hugepages: bool = flag("hugepages")
    nosharepages: bool = flag("nosharepages")
    locked: bool = flag("locked")
    source: str | None = attr("source/@type", ENUM("file", "anonymous", "memfd"))
    access: str | None = attr("access/@mode", ENUM("shared", "private"))
    allocation: str | None = attr("allocation/@mode", ENUM("immediate", "ondemand"))
    allocation_threads: int | None = attr("allocation/@threads", UINT)
    discard: bool = flag("discard")


class VcpuPin(Element, tag="vcpupin"):
    """Host CPUs of a vCPU."""

    vcpu: int | None = attr("@vcpu", UINT, required=True)
    cpuset: frozenset[int] | None = attr("@cpuset", CPUSET, required=True)


class IothreadPin(Element, tag="iothreadpin"):
    """Host CPUs of an I/O thread."""

    iothread: int | None = attr("@iothread", UINT, required=True)
    cpuset: frozenset[int] | None = attr("@cpuset", CPUSET, required=True)


class VcpuSched(Element, tag="vcpusched"):
    """Scheduler of vCPUs."""

    vcpus: frozenset[int] | None = attr("@vcpus", CPUSET)
    scheduler: str | None = attr("@scheduler", ENUM("batch", "idle", "fifo", "rr"))
    priority: int | None = attr("@priority", INT)


class IothreadSched(Element, tag="iothreadsched"):
    """Scheduler of I/O threads."""

    iothreads: frozenset[int] | None = attr("@iothreads", CPUSET)
    scheduler: str | None = attr("@scheduler", ENUM("batch", "idle", "fifo", "rr"))
    priority: int | None = attr("@priority", INT)


class Cache(Element, tag="cache"):
    """A share of a host cache."""

    id: int | None = attr("@id", UINT)
    level: int | None = attr("@level", UINT)
    type: str | None = attr("@type", ENUM("both", "code", "data"))
    size: int | None = attr("@size", ULLONG)
    unit: str | None = attr("@unit")


class CacheMonitor(Element, tag="monitor"):
    """A cache or memory bandwidth monitor."""

    level: int | None = attr("@level", UINT)
    vcpus: frozenset[int] | None = attr("@vcpus", CPUSET)


class Cachetune(Element, tag="cachetune"):
    """Cache allocation of vCPUs."""

    vcpus: frozenset[int] | None = attr("@vcpus", CPUSET, required=True)
    id: str | None = attr("@id", only="live")
    caches: list[Cache] = children(Cache)
    monitors: list[CacheMonitor] = children(CacheMonitor)


class MemoryNode(Element, tag="node"):
    """Memory bandwidth of a host cell, in percent."""

    id: int | None = attr("@id", UINT)
    bandwidth: int | None = attr("@bandwidth", UINT)


class Memorytune(Element, tag="memorytune"):
    """Memory bandwidth allocation of vCPUs."""

    vcpus: frozenset[int] | None = attr("@vcpus", CPUSET, required=True)
    id: str | None = attr("@id", only="live")
    nodes: list[MemoryNode] = children(MemoryNode)
    monitors: list[CacheMonitor] = children(CacheMonitor)


class Cputune(Element, tag="cputune"):
    """CPU tuning. Periods and quotas are in microseconds."""

    shares: int | None = text("shares", ULLONG)
    period: int | None = text("period", ULLONG)
    quota: int | None = text("quota", LLONG)
    global_period: int | None = text("global_period", ULLONG)
    global_quota: int | None = text("global_quota", LLONG)
    emulator_period: int | None = text("emulator_period", ULLONG)
    emulator_quota: int | None = text("emulator_quota", LLONG)
    iothread_period: int | None = text("iothread_period", ULLONG)
    iothread_quota: int | None = text("iothread_quota", LLONG)
    vcpupins: list[VcpuPin] = children(VcpuPin)
    emulatorpin: frozenset[int] | None = attr("emulatorpin/@cpuset", CPUSET)
    iothreadpins: list[IothreadPin] = children(IothreadPin)
    emulator_scheduler: str | None = attr("emulatorsched/@scheduler", ENUM("batch", "idle", "fifo", "rr"))
    emulator_priority: int | None = attr("emulatorsched/@priority", INT)
    vcpuscheds: list[VcpuSched] = children(VcpuSched)
    iothreadscheds: list[IothreadSched] = children(IothreadSched)
    cachetunes: list[Cachetune] = children(Cachetune)
    memorytunes: list[Memorytune] = children(Memorytune)


class MemNode(Element, tag="memnode"):
    """Placement of one guest cell's memory."""

    cellid: int | None = attr("@cellid", UINT, required=True)
    mode: str | None = attr("@mode", ENUM("strict", "preferred", "interleave", "restrictive"))
    nodeset: frozenset[int] | None = attr("@nodeset", CPUSET)


class NumaMemory(Element, tag="memory"):
    """Placement of the guest's memory."""

    mode: str | None = attr("@mode", ENUM("strict", "preferred", "interleave", "restrictive"))
    nodeset: frozenset[int] | None = attr("@nodeset", CPUSET)
    placement: str | None = attr("@placement", ENUM("static", "auto"))


class Numatune(Element, tag="numatune"):
    """Host cells that the guest's memory comes from."""

    memory: NumaMemory | None = child(NumaMemory)
    memnodes: list[MemNode] = children(MemNode)
