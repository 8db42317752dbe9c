"""Tuning of block I/O, memory, CPUs and NUMA placement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kvasir.errors import ConfigUnsupported, Error, InternalError, InvalidArg, Origin, XmlError
from kvasir.xml import Element, Form, attr, child, children, flag, scaled, text
from kvasir.xml.types import CPUSET, ENUM, INT, LLONG, UINT, ULLONG, Type, blank, read_cpuset, write_cpuset

from .words import internal, no_size


def _some(value: str) -> frozenset[int]:
    cpus = read_cpuset(value)
    if not cpus:
        raise ValueError(value)
    return cpus


CPUS = Type("cpuset", _some, write_cpuset, pattern=CPUSET.pattern, json=CPUSET.json)
"""Processors: at least one."""


def bad_cpus(value: str) -> Error:
    """libvirt's error for a list of processors that is none, or names none."""
    try:
        read_cpuset(value)
    except ValueError:
        return InvalidArg(f"Failed to parse bitmap '{value}'", origin=Origin.NONE)
    return ConfigUnsupported(f"Invalid value of 'cpuset': {value}", origin=Origin.DOMAIN)


def _bad(kind: str, text: str) -> Callable[[str], Error]:
    """For a list that is none (libvirt's general words), or that names nothing."""

    def failure(value: str) -> Error:
        try:
            read_cpuset(value)
        except ValueError:
            return bad_cpus(value)
        return ConfigUnsupported(text.format(kind=kind, value=value), origin=Origin.DOMAIN)

    return failure


_EMPTY = "'{kind}' scheduler bitmap '{value}' is empty"
_NO_NODES_IN = "Invalid value of '{kind}': {value}"


def _no_limit(name: str) -> str:
    return f"unsupported:could not parse {name} {{value}}"


class BlkioDevice(Element, tag="device"):
    """Limits of one host block device."""

    path: str | None = text("path")
    weight: int | None = text("weight", UINT, error="unsupported:could not parse weight {value}")
    read_iops_sec: int | None = text("read_iops_sec", UINT, error=_no_limit("read iops sec"))
    write_iops_sec: int | None = text("write_iops_sec", UINT, error=_no_limit("write iops sec"))
    read_bytes_sec: int | None = text("read_bytes_sec", ULLONG, error=_no_limit("read bytes sec"))
    write_bytes_sec: int | None = text("write_bytes_sec", ULLONG, error=_no_limit("write bytes sec"))

    def parsed(self, node: object) -> None:
        if self.path is None:
            raise ConfigUnsupported("missing per-device path", origin=Origin.DOMAIN)

    @property
    def limited(self) -> bool:
        limits = (self.weight, self.read_iops_sec, self.write_iops_sec, self.read_bytes_sec, self.write_bytes_sec)
        return any(limits)


def _weight(value: str) -> int | None:
    """As libvirt reads it: what is no number, and 0, count as not said."""
    try:
        return int(UINT.read(value)) or None
    except ValueError:
        return None


class Blkiotune(Element, tag="blkiotune"):
    """Block I/O tuning."""

    weight: int | None = text("weight", replace(UINT, read=_weight))
    devices: list[BlkioDevice] = children(BlkioDevice)

    def parsed(self, node: object) -> None:
        seen: set[str | None] = set()
        for device in self.devices:
            if device.path in seen:
                raise ConfigUnsupported(f"duplicate blkio device path '{device.path}'", origin=Origin.DOMAIN)
            seen.add(device.path)
        self.devices = [device for device in self.devices if device.limited]


UNLIMITED = 9007199254740991
"""KiB: a limit of this size or more is none."""


def _memory_limit(name: str) -> Any:
    return scaled(
        name,
        most=UNLIMITED << 10,
        error=no_size(f"./memtune/{name}"),
        when=lambda tune, form: getattr(tune, name) < UNLIMITED,
    )


class Memtune(Element, tag="memtune"):
    """Memory limits in KiB. Those that are none are kept as a client said them, and stand in no document."""

    hard_limit: int | None = _memory_limit("hard_limit")
    soft_limit: int | None = _memory_limit("soft_limit")
    min_guarantee: int | None = scaled(
        "min_guarantee",
        most=UNLIMITED << 10,
        error=no_size("./memtune/min_guarantee"),
        when=lambda tune, form: tune.min_guarantee > 0,
    )
    swap_hard_limit: int | None = _memory_limit("swap_hard_limit")

    def written(self, form: Form) -> Element | None:
        limits = (self.hard_limit, self.soft_limit, self.swap_hard_limit)
        limited = any(limit is not None and limit < UNLIMITED for limit in limits)
        return self if limited or self.min_guarantee else None


def _bad_page(value: str) -> Error:
    return XmlError(f"Invalid value '{value}' for element or attribute './@size'", origin=Origin.XML)


class HugePage(Element, tag="page"):
    """A huge page size and the guest cells that use it."""

    size: int | None = attr("@size", ULLONG, required=True, error=_bad_page, missing=no_size("./@size"))
    unit: str | None = attr("@unit")
    nodeset: frozenset[int] | None = attr("@nodeset", CPUSET, error=bad_cpus)

    def parsed(self, node: object) -> None:
        from kvasir.xml.types import UNITS

        try:
            self.size = -(-(self.size or 0) * UNITS[(self.unit or "KiB").lower()] // 1024)
        except KeyError:
            raise InvalidArg(f"unknown suffix '{self.unit}'", origin=Origin.NONE) from None
        self.unit = "KiB"


def _backing(name: str) -> str:
    return f"unsupported:unknown memoryBacking/{name} '{{value}}'"


class MemoryBacking(Element, tag="memoryBacking"):
    """What the guest's memory is made of."""

    pages: list[HugePage] = children(HugePage, "hugepages/page")
    hugepages: bool = flag("hugepages")
    nosharepages: bool = flag("nosharepages")
    locked: bool = flag("locked")
    source: str | None = attr("source/@type", blank(ENUM("file", "anonymous", "memfd")), error=_backing("source/type"))
    access: str | None = attr("access/@mode", blank(ENUM("shared", "private")), error=_backing("access/mode"))
    allocation: str | None = attr(
        "allocation/@mode", blank(ENUM("immediate", "ondemand")), error=_backing("allocation/mode")
    )
    allocation_threads: int | None = attr("allocation/@threads", blank(UINT))
    discard: bool = flag("discard")


class VcpuPin(Element, tag="vcpupin"):
    """Host CPUs of a vCPU."""

    vcpu: int | None = attr("@vcpu", UINT, required=True)
    cpuset: frozenset[int] | None = attr(
        "@cpuset", CPUS, required=True, error=bad_cpus, missing=internal("missing cpuset for vcpupin")
    )


class IothreadPin(Element, tag="iothreadpin"):
    """Host CPUs of an I/O thread."""

    iothread: int | None = attr("@iothread", UINT, required=True)
    cpuset: frozenset[int] | None = attr(
        "@cpuset", CPUS, required=True, error=bad_cpus, missing=internal("missing cpuset for iothreadpin")
    )


def priority(scheduler: str | None, value: int | None, tag: str) -> int | None:
    """The priority that a scheduler has: two of them must have one, the others have none. Raises XmlError."""
    if scheduler not in ("fifo", "rr"):
        return None
    if value is None:
        raise XmlError(f"Missing required attribute 'priority' in element '{tag}'", origin=Origin.XML)
    return value


def _no_list(name: str, tag: str) -> Callable[[], Error]:
    return lambda: XmlError(f"Missing attribute '{name}' in element '{tag}'")


class VcpuSched(Element, tag="vcpusched"):
    """Scheduler of vCPUs."""

    vcpus: frozenset[int] | None = attr(
        "@vcpus", CPUS, required=True, error=_bad("vcpus", _EMPTY), missing=_no_list("vcpus", "vcpusched")
    )
    scheduler: str | None = attr("@scheduler", ENUM("batch", "idle", "fifo", "rr"), required=True)
    priority: int | None = attr("@priority", INT)

    def parsed(self, node: Any) -> None:
        self.priority = priority(self.scheduler, self.priority, node.tag)


class IothreadSched(Element, tag="iothreadsched"):
    """Scheduler of I/O threads."""

    iothreads: frozenset[int] | None = attr(
        "@iothreads",
        CPUS,
        required=True,
        error=_bad("iothreads", _EMPTY),
        missing=_no_list("iothreads", "iothreadsched"),
    )
    scheduler: str | None = attr("@scheduler", ENUM("batch", "idle", "fifo", "rr"), required=True)
    priority: int | None = attr("@priority", INT)

    def parsed(self, node: Any) -> None:
        self.priority = priority(self.scheduler, self.priority, node.tag)


_BAD_VCPUS = "Invalid {} attribute 'vcpus' value '{{value}}'"


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

    vcpus: frozenset[int] | None = attr("@vcpus", CPUSET, required=True, error=_BAD_VCPUS.format("cachetune"))
    id: str | None = attr("@id", only="live")
    caches: list[Cache] = children(Cache)
    monitors: list[CacheMonitor] = children(CacheMonitor)


class MemoryNode(Element, tag="node"):
    """Memory bandwidth of a host cell, in percent."""

    id: int | None = attr("@id", UINT)
    bandwidth: int | None = attr("@bandwidth", UINT)


class Memorytune(Element, tag="memorytune"):
    """Memory bandwidth allocation of vCPUs."""

    vcpus: frozenset[int] | None = attr("@vcpus", CPUSET, required=True, error=_BAD_VCPUS.format("memorytune"))
    id: str | None = attr("@id", only="live")
    nodes: list[MemoryNode] = children(MemoryNode)
    monitors: list[CacheMonitor] = children(CacheMonitor)


class Cputune(Element, tag="cputune"):
    """CPU tuning. Periods and quotas are in microseconds."""

    def parsed(self, node: Any) -> None:
        if node.find("emulatorpin") is not None and self.emulatorpin is None:
            raise InternalError("missing cpuset for emulatorpin", origin=Origin.DOMAIN)
        self.emulator_priority = priority(self.emulator_scheduler, self.emulator_priority, "emulatorsched")
        pinned = [pin.iothread for pin in self.iothreadpins]
        for number in pinned:
            if pinned.count(number) > 1:
                raise InternalError(f"duplicate iothreadpin for same iothread '{number}'", origin=Origin.DOMAIN)

    shares: int | None = text("shares", ULLONG)
    period: int | None = text("period", ULLONG, error="can't parse cputune period value")
    quota: int | None = text("quota", LLONG, error="can't parse cputune quota value")
    global_period: int | None = text("global_period", ULLONG, error="can't parse cputune global period value")
    global_quota: int | None = text("global_quota", LLONG, error="can't parse cputune global quota value")
    emulator_period: int | None = text("emulator_period", ULLONG, error="can't parse cputune emulator period value")
    emulator_quota: int | None = text("emulator_quota", LLONG, error="can't parse cputune emulator quota value")
    iothread_period: int | None = text("iothread_period", ULLONG, error="can't parse cputune iothread period value")
    iothread_quota: int | None = text("iothread_quota", LLONG, error="can't parse cputune iothread quota value")
    vcpupins: list[VcpuPin] = children(VcpuPin)
    emulatorpin: frozenset[int] | None = attr("emulatorpin/@cpuset", CPUS, error=bad_cpus)
    iothreadpins: list[IothreadPin] = children(IothreadPin)
    emulator_scheduler: str | None = attr("emulatorsched/@scheduler", ENUM("batch", "idle", "fifo", "rr"), there=True)
    emulator_priority: int | None = attr("emulatorsched/@priority", INT)
    vcpuscheds: list[VcpuSched] = children(VcpuSched)
    iothreadscheds: list[IothreadSched] = children(IothreadSched)
    cachetunes: list[Cachetune] = children(Cachetune)
    memorytunes: list[Memorytune] = children(Memorytune)


_NO_NODES = "Missing required nodeset attribute in memnode element"


class MemNode(Element, tag="memnode"):
    """Placement of one guest cell's memory."""

    cellid: int | None = attr("@cellid", UINT, required=True)
    mode: str | None = attr("@mode", ENUM("strict", "preferred", "interleave", "restrictive"))
    nodeset: frozenset[int] | None = attr(
        "@nodeset", CPUS, required=True, error=_bad("nodeset", _NO_NODES_IN), missing=lambda: XmlError(_NO_NODES)
    )


class NumaMemory(Element, tag="memory"):
    """Placement of the guest's memory."""

    mode: str | None = attr(
        "@mode",
        ENUM("strict", "preferred", "interleave", "restrictive"),
        error="unsupported:Unsupported NUMA memory tuning mode '{value}'",
    )
    nodeset: frozenset[int] | None = attr("@nodeset", CPUS, error=_bad("nodeset", _NO_NODES_IN))
    placement: str | None = attr(
        "@placement",
        ENUM("static", "auto"),
        error="unsupported:Unsupported NUMA memory placement mode '{value}'",
    )


class Numatune(Element, tag="numatune"):
    """Host cells that the guest's memory comes from."""

    memory: NumaMemory | None = child(NumaMemory)
    memnodes: list[MemNode] = children(MemNode)
