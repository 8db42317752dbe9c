"""The guest's CPU and its NUMA cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kvasir.errors import ConfigUnsupported, Error, InvalidArg, Origin, XmlError
from kvasir.xml import Element, attr, child, children, text
from kvasir.xml.types import CPUSET, ENUM, NATURAL, ONOFF, POSITIVE, UINT, YESNO


def _bad(text: str) -> Callable[[str], Error]:
    return lambda value: ConfigUnsupported(text.format(value=value), origin=Origin.CPU)


def _refused(text: str) -> Error:
    return XmlError(text, origin=Origin.CPU)


def _no_bitmap(value: str) -> Error:
    return InvalidArg(f"Failed to parse bitmap '{value}'", origin=Origin.NONE)


def _no_memory(value: str | None = None) -> Error:
    if value is None:
        return XmlError("missing element or attribute './@memory'", origin=Origin.XML)
    return XmlError(f"Invalid value '{value}' for element or attribute './@memory'", origin=Origin.XML)


class CpuFeature(Element, tag="feature"):
    """A CPU feature and what to do with it."""

    policy: str | None = attr(
        "@policy", ENUM("force", "require", "optional", "disable", "forbid"), error=_bad("Invalid CPU feature policy")
    )
    name: str | None = attr("@name", required=True, missing=lambda: _refused("Invalid CPU feature name"))


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
    associativity: str | None = attr(
        "@associativity", ENUM("none", "direct", "full"), error="Invalid cache associativity '{value}'"
    )
    policy: str | None = attr(
        "@policy", ENUM("none", "writeback", "writethrough"), error="Invalid cache policy '{value}'"
    )
    size_value: int | None = attr("size/@value", UINT)
    size_unit: str | None = attr("size/@unit")
    line_value: int | None = attr("line/@value", UINT)
    line_unit: str | None = attr("line/@unit")


class Cell(Element, tag="cell"):
    """A NUMA cell of the guest. Memory is in KiB."""

    id: int | None = attr("@id", UINT)
    cpus: frozenset[int] | None = attr("@cpus", CPUSET, error=_no_bitmap)
    memory: int | None = attr("@memory", UINT, required=True, error=_no_memory, missing=_no_memory)
    unit: str | None = attr("@unit")
    mem_access: str | None = attr("@memAccess", ENUM("shared", "private"))
    discard: bool | None = attr("@discard", YESNO)
    distances: list[Sibling] = children(Sibling, "distances/sibling")
    caches: list[NumaCache] = children(NumaCache)

    def parsed(self, node: object) -> None:
        """Bring the memory to KiB, the unit that is written."""
        if self.memory is not None:
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

    mode: str | None = attr(
        "@mode",
        ENUM("custom", "host-model", "host-passthrough", "maximum"),
        abi=True,
        error=_bad("Invalid mode attribute '{value}'"),
    )
    match: str | None = attr("@match", ENUM("minimum", "exact", "strict"))
    check: str | None = attr("@check", ENUM("none", "partial", "full"))
    migratable: bool | None = attr("@migratable", ONOFF)
    fallback: str | None = attr("model/@fallback", ENUM("allow", "forbid"), error=_bad("Invalid fallback attribute"))
    vendor_id: str | None = attr("model/@vendor_id")
    model: str | None = text("model")
    vendor: str | None = text("vendor")
    topology: Topology | None = child(Topology)
    cache_level: int | None = attr("cache/@level", NATURAL)
    cache_mode: str | None = attr("cache/@mode", ENUM("emulate", "passthrough", "disable"), there=True)
    maxphysaddr_mode: str | None = attr("maxphysaddr/@mode", ENUM("emulate", "passthrough"))
    maxphysaddr_bits: int | None = attr("maxphysaddr/@bits", UINT)
    features: list[CpuFeature] = children(CpuFeature)
    cells: list[Cell] = children(Cell, "numa/cell")
    latencies: list[Interconnect] = children(Interconnect, "numa/interconnects/latency")
    bandwidths: list[Interconnect] = children(Interconnect, "numa/interconnects/bandwidth")

    def parsed(self, node: Any) -> None:
        """What libvirt checks while it reads."""
        if self.migratable is not None and self.mode not in ("host-passthrough", "maximum"):
            raise _bad("Attribute migratable is only allowed for 'host-passthrough' / 'maximum' CPU mode")("")
        if self.vendor_id is not None and len(self.vendor_id) != 12:
            raise _refused("vendor_id must be exactly 12 characters long")
        if self.vendor is not None and self.model is None:
            raise _refused("CPU vendor specified without CPU model")
        if len(node.findall("cache")) > 1:
            raise _refused("at most one CPU cache element may be specified")
        if self.cache_level is not None and not 1 <= self.cache_level <= 3:
            raise _refused("invalid CPU cache level, must be in range [1,3]")
        if self.mode in ("host-passthrough", "maximum"):
            self.model = self.fallback = self.vendor_id = None
        if node.find("numa") is not None and not self.cells:
            raise XmlError("NUMA topology defined without NUMA cells")
        ids = [cell.id for cell in self.cells if cell.id is not None]
        for number in ids:
            if ids.count(number) > 1:
                raise XmlError(f"Duplicate NUMA cell info for cell id '{number}'")
