"""``-m``, memory backends and ``-numa``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..args import Arg, Obj, Opt

POLICIES = {"strict": "bind", "preferred": "preferred", "interleave": "interleave"}


def ram_id(vm: Any) -> str | None:
    """The id of the backend of the whole memory; None where the guest has NUMA cells, which have their own."""
    if vm.domain.cpu is not None and vm.domain.cpu.cells:
        return None
    machine = vm.caps.machine(vm.machine)
    found: str | None = machine.default_ram_id if machine is not None else None
    return found


def plugged(domain: Any) -> int:
    """The memory in KiB that memory devices bring."""
    return sum(m.size or 0 for m in domain.memories)


def initial(domain: Any) -> int:
    """The memory in KiB that the guest has without memory devices."""
    return int(domain.memory) - plugged(domain)


def memory(vm: Any) -> Iterator[Arg]:
    """``-m`` and the backend behind it."""
    domain = vm.domain
    size = initial(domain)
    if domain.max_memory_slots:
        yield Opt("-m", f"size={size}k,slots={domain.max_memory_slots},maxmem={domain.max_memory}k")
    else:
        yield Opt("-m", str(size // 1024))
    name = ram_id(vm)
    if name is not None:
        yield backend(vm, name, size, system=True)


def backend(
    vm: Any, name: str, kib: int, *, cell: int | None = None, access: str | None = None, system: bool = False,
    pagesize: int | None = None, nodeset: Iterable[int] | None = None, discard: bool | None = None, path: str | None = None,
) -> Obj:  # fmt: skip
    """A memory backend as the document's memory backing, huge pages and NUMA placement want it."""
    backing = vm.domain.memory_backing
    access = access or _cell_access(vm, cell) or (backing.access if backing is not None else None)
    source = backing.source if backing is not None else None
    page = pagesize or _page(vm, cell)
    props: dict[str, Any] = {}
    kind = "memory-backend-ram"
    prealloc = backing is not None and backing.allocation == "immediate"
    if path is not None:
        kind, props["mem-path"] = "memory-backend-file", path
    elif source == "memfd":
        kind = "memory-backend-memfd"
        if page:
            props |= {"hugetlb": True, "hugetlbsize": page * 1024}
            prealloc = True
    elif page:
        kind = "memory-backend-file"
        props["mem-path"] = f"{_huge_path(vm, page)}/libvirt/qemu/{_short(vm)}"
        prealloc = True
    elif source == "file" or access == "shared":
        kind = "memory-backend-file"
        props["mem-path"] = f"{_ram_folder(vm)}/{name}"
    if kind == "memory-backend-file" and (discard if discard is not None else backing is not None and backing.discard):
        props["discard-data"] = True
    if access is not None:
        props["share"] = access == "shared"
    if system and kind != "memory-backend-ram":
        props["x-use-canonical-path-for-ramblock-id"] = False
    if prealloc:
        props["prealloc"] = True
        if backing is not None and backing.allocation_threads:
            props["prealloc-threads"] = backing.allocation_threads
    props["size"] = kib * 1024
    nodes, policy = _placement(vm, cell, nodeset)
    if nodes:
        props |= {"host-nodes": nodes, "policy": policy}
    return Obj(kind, {"id": name, **{k: v for k, v in props.items() if v is not None}})


def _cell_access(vm: Any, cell: int | None) -> str | None:
    cells = vm.domain.cpu.cells if vm.domain.cpu is not None else []
    found = next((c for c in cells if c.id == cell), None)
    access: str | None = found.mem_access if found is not None else None
    return access


def _page(vm: Any, cell: int | None) -> int | None:
    """The huge page size in KiB for a cell, or None for ordinary pages."""
    backing = vm.domain.memory_backing
    if backing is None or not (backing.hugepages or backing.pages):
        return None
    default = None
    for page in backing.pages:
        if page.nodeset is None:
            default = page.size
        elif cell in page.nodeset:
            size: int = page.size
            return size
    if default is None:
        default = 0 if backing.pages else _default_huge()
    if default == 4:
        return None
    return default or None


def _default_huge() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("Hugepagesize:"):
                    return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 2048


def _huge_path(vm: Any, page: int) -> str:
    """Where huge pages of that size are mounted."""
    configured = getattr(vm.config, "hugetlbfs_mount", None)
    if isinstance(configured, str) and configured:
        return configured
    if isinstance(configured, list) and configured:
        return str(configured[0])
    return "/dev/hugepages" if page == _default_huge() else f"/dev/hugepages{page // 1024}M"


def _short(vm: Any) -> str:
    return f"{vm.id}-{vm.name[:20]}"


def _ram_folder(vm: Any) -> str:
    folder = getattr(vm.config, "memory_backing_dir", None) or "/var/lib/libvirt/qemu/ram"
    return f"{folder}/libvirt/qemu/{_short(vm)}" if not folder.endswith("/qemu/ram") else f"{folder}/{_short(vm)}"


def _placement(vm: Any, cell: int | None, nodeset: Iterable[int] | None) -> tuple[list[int], str]:
    tune = vm.domain.numatune
    mode, nodes = "strict", nodeset
    if tune is not None:
        own = next((m for m in tune.memnodes if m.cellid == cell and cell is not None), None)
        chosen = own or tune.memory
        if chosen is not None:
            mode = chosen.mode or "strict"
            nodes = nodes if nodes is not None else chosen.nodeset
    if mode == "restrictive" or not nodes:
        return [], ""
    return sorted(nodes), POLICIES[mode]


def ranges(numbers: Iterable[int]) -> list[str]:
    """``0-3`` and single numbers."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return [str(low) if low == high else f"{low}-{high}" for low, high in found]


def numa(vm: Any) -> Iterator[Arg]:
    """The guest's NUMA cells, their memory, distances and HMAT."""
    cpu = vm.domain.cpu
    cells = cpu.cells if cpu is not None else []
    for cell in cells:
        name = f"ram-node{cell.id}"
        if cell.memory:
            yield backend(vm, name, cell.memory, cell=cell.id, access=cell.mem_access, discard=cell.discard)
        words = [f"node,nodeid={cell.id}"]
        words += [f"cpus={part}" for part in ranges(cell.cpus or ())]
        if cpu.latencies or cpu.bandwidths:
            words += [f"initiator={_initiator(cpu, cell.id)}"]
        if cell.memory:
            words.append(f"memdev={name}")
        yield Opt("-numa", ",".join(words))
    if any(cell.distances for cell in cells):
        yield from _distances(cells)
    yield from _hmat(cpu) if cpu is not None else ()


def _initiator(cpu: Any, cell: int) -> int:
    best = [(i.value, i.initiator) for i in cpu.bandwidths if i.target == cell and i.cache is None]
    if best:
        return int(max(best, key=lambda pair: pair[0])[1])
    worst = [(i.value, i.initiator) for i in cpu.latencies if i.target == cell and i.cache is None]
    return int(min(worst, key=lambda pair: pair[0])[1]) if worst else cell


def _distances(cells: list[Any]) -> Iterator[Arg]:
    known = {(cell.id, other.id): other.value for cell in cells for other in cell.distances}
    for source in cells:
        for target in cells:
            far = known.get((source.id, target.id), 10 if source is target else 20)
            yield Opt("-numa", f"dist,src={source.id},dst={target.id},val={far}")


def _hmat(cpu: Any) -> Iterator[Arg]:
    words = {"access": "access", "read": "read", "write": "write"}
    for kind, entries in (("latency", cpu.latencies), ("bandwidth", cpu.bandwidths)):
        for entry in entries:
            level = "memory" if entry.cache is None else ("first", "second", "third")[entry.cache - 1] + "-level"
            value = entry.value if kind == "latency" else f"{entry.value}K"
            yield Opt(
                "-numa",
                f"hmat-lb,initiator={entry.initiator},target={entry.target},hierarchy={level},"
                f"data-type={words[entry.type]}-{kind},{kind}={value}",
            )
    for cell in cpu.cells:
        for cache in cell.caches:
            associativity = {"none": "none", "direct": "direct", "full": "complex"}[cache.associativity]
            policy = {"none": "none", "writeback": "write-back", "writethrough": "write-through"}[cache.policy]
            yield Opt(
                "-numa",
                f"hmat-cache,node-id={cell.id},size={_kib(cache.size_value, cache.size_unit)}K,level={cache.level},"
                f"associativity={associativity},policy={policy},line={_kib(cache.line_value, cache.line_unit) * 1024}",
            )


def _kib(value: int, unit: str | None) -> int:
    from kvasir.xml.types import UNITS

    return int(value * UNITS[(unit or "KiB").lower()] // 1024) if unit not in ("B", "bytes") else value // 1024
