"""The guest's CPU and its NUMA cells."""

from __future__ import annotations

from kvasir.errors import ConfigUnsupported, Error, Origin
from kvasir.xml import Element, attr, child, children, text
from kvasir.xml.types import CPUSET, ENUM, ONOFF, POSITIVE, UINT, YESNO


def _bad_policy(value: str) -> Error:
    return ConfigUnsupported("Invalid CPU feature policy", origin=Origin.CPU)


class CpuFeature(Element, tag="feature"):
    """A CPU feature and what to do with it."""

    policy: str | None = attr("@policy", ENUM("force", "require", "optional", "disable", "forbid"), error=_bad_policy)
    name: str | None = attr("@name", required=True)


class Topology(Element, tag="topology"):
    """Sockets, dies, cores and threads; their product is the number of vCPUs."""

    sockets: int | None = attr("@sockets", POSITIVE, required=True)
    dies: int | None = attr("@dies", POSITIVE)
    cores: int | None = attr("@cores", POSITIVE, required=True)
    threads: int | None = attr("@threads", POSITIVE, required=True)


class Sibling(Element, tag="sibling"):
    """Distance to another cell."""

    id: int | None = attr("@id", UINT, required=True)
    value: int | None = attr("@value", UINT, required=True)


class NumaCache(Element, tag="cache"):
    """A memory side cache of a cell."""

    level: int | None = attr("@level", UINT)
    associativity: str | None = attr("@associativity", ENUM("none", "direct", "full"))
    policy: str | None = attr("@policy", ENUM("none", "writeback", "writethrough"))
    size_value: int | None = attr("size/@value", UINT)
    size_unit: str | None = attr("size/@unit")
    line_value: int | None = attr("line/@value", UINT)
    line_unit: str | None = attr("line/@unit")


class Cell(Element, tag="cell"):
    """A NUMA cell of the guest. Memory is in KiB."""

    id: int | None = attr("@id", UINT)
    cpus: frozenset[int] | None = attr("@cpus", CPUSET)
    memory: int | None = attr("@memory", UINT)
    unit: str | None = attr("@unit")
    mem_access: str | None = attr("@memAccess", ENUM("shared", "private"))
    discard: bool | None = attr("@discard", YESNO)
    distances: list[Sibling] = children(Sibling, "distances/sibling")
    caches: list[NumaCache] = children(NumaCache)

    def parsed(self, node: object) -> None:
        """Bring the memory to KiB, the unit that is written."""
        if self.memory is not None:
            from kvasir.errors import InvalidArg, Origin
            from kvasir.xml.types import UNITS

            try:
                self.memory = -(-self.memory * UNITS[(self.unit or "KiB").lower()] // 1024)
            except KeyError:
                raise InvalidArg(f"unknown suffix '{self.unit}'", origin=Origin.NONE) from None
            self.unit = "KiB"


class Interconnect(Element):
    """A latency or bandwidth between cells."""

    initiator: int | None = attr("@initiator", UINT)
    target: int | None = attr("@target", UINT)
    cache: int | None = attr("@cache", UINT)
    type: str | None = attr("@type", ENUM("access", "read", "write"))
    value: int | None = attr("@value", UINT)
    unit: str | None = attr("@unit")


class Cpu(Element, tag="cpu"):
    """The guest's CPU."""

    mode: str | None = attr("@mode", ENUM("custom", "host-model", "host-passthrough", "maximum"), abi=True)
    match: str | None = attr("@match", ENUM("minimum", "exact", "strict"))
    check: str | None = attr("@check", ENUM("none", "partial", "full"))
    migratable: bool | None = attr("@migratable", ONOFF)
    fallback: str | None = attr("model/@fallback", ENUM("allow", "forbid"))
    vendor_id: str | None = attr("model/@vendor_id")
    model: str | None = text("model")
    vendor: str | None = text("vendor")
    topology: Topology | None = child(Topology)
    cache_level: int | None = attr("cache/@level", UINT)
    cache_mode: str | None = attr("cache/@mode", ENUM("emulate", "passthrough", "disable"))
    maxphysaddr_mode: str | None = attr("maxphysaddr/@mode", ENUM("emulate", "passthrough"))
    maxphysaddr_bits: int | None = attr("maxphysaddr/@bits", UINT)
    features: list[CpuFeature] = children(CpuFeature)
    cells: list[Cell] = children(Cell, "numa/cell")
    latencies: list[Interconnect] = children(Interconnect, "numa/interconnects/latency")
    bandwidths: list[Interconnect] = children(Interconnect, "numa/interconnects/bandwidth")
