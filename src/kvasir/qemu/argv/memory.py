"""``-m``, memory backends, ``-numa``, ``-overcommit`` and I/O threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported, InternalError
from kvasir.host import topology
from kvasir.xml.types import write_cpuset

from ..args import Arg, Obj, Opt
from .machine import ram_id


def _mib(kib: int) -> int:
    return -(-kib // 1024)


def memory(vm: Any) -> Iterator[Arg]:
    """``-m`` in MiB (rounded up), and the main memory's backend where there are no cells."""
    domain = vm.domain
    if domain.max_memory:
        start = _mib(_initial(vm, domain.memory - _dimms(domain))) * 1024
        most = _mib(_size(vm, domain.max_memory)) * 1024
        yield Opt("-m", f"size={start}k,slots={domain.max_memory_slots or 0},maxmem={most}k")
    else:
        yield Opt("-m", str(_mib(_initial(vm, domain.memory))))
    if not domain.cpu_cells():
        yield backend(vm, ram_id(vm), _mib(_initial(vm, domain.memory - _dimms(domain))) << 20)


def _size(vm: Any, kib: int) -> int:
    """So much memory, as much as the machine type rounds it to."""
    if vm.is_x86:
        return kib
    from ..boards import aligned

    return aligned(vm, kib)


def _initial(vm: Any, kib: int) -> int:
    """The main memory, where the machine type rounds it."""
    if vm.is_x86:
        return kib
    from ..boards import initial

    return initial(vm, kib)


def _dimms(domain: Any) -> int:
    return sum(m.size or 0 for m in domain.memories)


def backend(vm: Any, id: str, size: int, *, cell: Any = None, nodeset: Any = None, page: int | None = None) -> Arg:
    """A memory backend as the document's backing, NUMA tuning and the cell's own words want it. ``size`` in bytes."""
    backing = vm.domain.memory_backing
    access = (cell.mem_access if cell is not None else None) or (backing.access if backing is not None else None)
    discard = (
        cell.discard
        if cell is not None and cell.discard is not None
        else ((backing.discard or None) if backing is not None else None)
    )
    pagesize = page or _page(backing, cell)
    if pagesize == os.sysconf("SC_PAGE_SIZE") // 1024:
        pagesize = None
    props: dict[str, Any] = {"id": id}
    kind = "memory-backend-ram"
    if pagesize and backing is not None and backing.source == "memfd":
        kind = "memory-backend-memfd"
        props |= {"hugetlb": True, "hugetlbsize": pagesize * 1024}
    elif pagesize:
        kind = "memory-backend-file"
        props |= {"mem-path": _hugepage_path(vm, pagesize), "discard-data": discard}
    elif backing is not None and backing.source == "memfd":
        kind = "memory-backend-memfd"
    elif access is not None or (backing is not None and backing.source == "file"):
        kind = "memory-backend-file"
        props["mem-path"] = os.path.join(vm.memory_folder(), id.removeprefix("mem"))
        props["discard-data"] = discard
    if access is not None:
        props["share"] = access == "shared"
    if kind != "memory-backend-ram" and id.endswith(".ram"):
        props["x-use-canonical-path-for-ramblock-id"] = False
    if pagesize or (backing is not None and backing.allocation == "immediate"):
        props["prealloc"] = True
    if backing is not None:
        props["prealloc-threads"] = backing.allocation_threads or None
    props["size"] = size
    props |= policy(vm, cell, nodeset)
    return Obj(kind, props)


def _page(backing: Any, cell: Any) -> int | None:
    """The huge page size in KiB for a cell, 0 entries meaning the default size."""
    if backing is None:
        return None
    for page in backing.pages:
        if (
            page.nodeset is None
            or (cell is not None and cell.id in page.nodeset)
            or (cell is None and 0 in page.nodeset)
        ):
            return int(page.size)
    return default_hugepage() if backing.hugepages and not backing.pages else None


def default_hugepage() -> int:
    """The host's default huge page size in KiB."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("Hugepagesize:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 2048


def hugepage_mounts() -> list[tuple[str, int]]:
    """Where huge pages are mounted on the host, and their sizes in KiB."""
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as file:
        mounts = [line.split() for line in file if " hugetlbfs " in line]
    found = []
    for _, place, _, options, *_rest in mounts:
        size = next(
            (o.partition("=")[2] for o in options.split(",") if o.startswith("pagesize=")), f"{default_hugepage()}K"
        )
        found.append((place, int(size[:-1]) * {"K": 1, "M": 1024, "G": 1 << 20}[size[-1].upper()]))
    return found


def hugepage_folder(vm: Any, mount: str) -> str:
    """The guest's own folder there."""
    return os.path.join(mount, "libvirt", "qemu", vm.short_name())


def _hugepage_path(vm: Any, kib: int) -> str:
    mounts = hugepage_mounts()
    for place, size in mounts:
        if size == kib:
            return hugepage_folder(vm, place)
    if not mounts:
        raise InternalError("hugetlbfs filesystem is not mounted or disabled by administrator config")
    raise InternalError(f"Unable to find any usable hugetlbfs mount for {kib} KiB")


def policy(vm: Any, cell: Any = None, nodeset: Any = None) -> dict[str, Any]:
    """On which nodes of the host a backend's memory lies."""
    tune = vm.domain.numatune
    mode, nodes = None, nodeset
    if tune is not None:
        node = next((n for n in tune.memnodes if cell is not None and n.cellid == cell.id), None)
        if node is not None:
            mode, nodes = node.mode, nodeset or node.nodeset
        elif tune.memory is not None:
            mode, nodes = tune.memory.mode, nodeset or tune.memory.nodeset
            if tune.memory.placement == "auto" and not nodes:
                nodes = vm.facts.get("numad")
                if not nodes:
                    raise InternalError("Advice from numad is needed in case of automatic numa placement")
    if not nodes:
        return {}
    there = topology.nodes_online()
    for number in sorted(nodes):
        if number not in there:
            raise ConfigUnsupported(f"NUMA node {number} is unavailable")
    if mode == "restrictive":
        return {}
    policy = {"strict": "bind", "preferred": "preferred", "interleave": "interleave"}[mode or "strict"]
    return {"host-nodes": sorted(nodes), "policy": policy}


def overcommit(vm: Any) -> Iterator[Arg]:
    """Whether the guest's memory is locked."""
    backing = vm.domain.memory_backing
    locked = backing is not None and backing.locked
    yield Opt("-overcommit", f"mem-lock={'on' if locked else 'off'}")


def iothreads(vm: Any) -> Iterator[Arg]:
    """I/O threads and the main loop's thread pool."""
    domain = vm.domain
    threads = domain.iothreadids
    if threads:
        for thread in threads:
            yield Obj(
                "iothread",
                {
                    "id": f"iothread{thread.id}",
                    "thread-pool-min": thread.thread_pool_min,
                    "thread-pool-max": thread.thread_pool_max,
                },
            )
    else:
        for number in range(1, (domain.iothreads or 0) + 1):
            yield Obj("iothread", {"id": f"iothread{number}"})
    if domain.default_iothread_min is not None or domain.default_iothread_max is not None:
        yield Obj(
            "main-loop",
            {
                "id": "main-loop",
                "thread-pool-min": domain.default_iothread_min,
                "thread-pool-max": domain.default_iothread_max,
            },
        )


def numa(vm: Any) -> Iterator[Arg]:
    """Cells with their backends, distances, and the HMAT."""
    domain = vm.domain
    cells = domain.cpu_cells()
    plain = bool(cells) and _by_size(vm, cells)
    if plain and domain.memory_backing is not None and domain.memory_backing.allocation == "immediate":
        yield Opt("-mem-prealloc")
    for cell in cells:
        size = _mib(_size(vm, cell.memory or 0)) << 20
        if size and not plain:
            yield backend(vm, f"ram-node{cell.id}", size, cell=cell)
        words = ["node", f"nodeid={cell.id}"]
        if cell.cpus:
            words += [f"cpus={part}" for part in write_cpuset(cell.cpus).split(",")]
        hmat = domain.cpu.latencies or domain.cpu.bandwidths
        if hmat:
            words.append(f"initiator={_initiator(domain, cell)}")
        if size:
            words.append(f"mem={size >> 20}" if plain else f"memdev=ram-node{cell.id}")
        yield Opt("-numa", ",".join(words))
    for cell in cells:
        for sibling in cell.distances:
            yield Opt("-numa", f"dist,src={cell.id},dst={sibling.id},val={sibling.value}")
    if domain.cpu is not None:
        yield from _hmat(domain.cpu)


def _by_size(vm: Any, cells: Any) -> bool:
    """True where cells need no backends of their own and the machine type, an old one, still takes their sizes."""
    domain = vm.domain
    kind, backing = vm.caps.machine(vm.machine), domain.memory_backing
    if kind is None or not kind.numa_mem or domain.cpu.latencies or domain.cpu.bandwidths:
        return False
    if backing is not None and (
        backing.source in ("file", "memfd") or backing.access or backing.hugepages or backing.pages
    ):
        return False
    tuned = {node.cellid for node in domain.numatune.memnodes} if domain.numatune is not None else set()
    return not any(cell.mem_access or cell.id in tuned for cell in cells)


def _initiator(domain: Any, cell: Any) -> int:
    if cell.cpus:
        return int(cell.id)
    best = [x for x in domain.cpu.latencies if x.target == cell.id]
    if best:
        return int(min(best, key=lambda x: x.value).initiator)
    wide = [x for x in domain.cpu.bandwidths if x.target == cell.id]
    if wide:
        return int(max(wide, key=lambda x: x.value).initiator)
    return int(next((c.id for c in domain.cpu.cells if c.cpus), 0))


def _hmat(cpu: Any) -> Iterator[Arg]:
    for kind, rows in (("latency", cpu.latencies), ("bandwidth", cpu.bandwidths)):
        for row in rows:
            hierarchy = (
                "memory" if not row.cache else {1: "first-level", 2: "second-level", 3: "third-level"}[row.cache]
            )
            value = f"latency={row.value}" if kind == "latency" else f"bandwidth={row.value}K"
            yield Opt(
                "-numa",
                f"hmat-lb,initiator={row.initiator},target={row.target},hierarchy={hierarchy},data-type={row.type}-{kind},{value}",
            )
    for cell in cpu.cells:
        for cache in cell.caches:
            size = f"{cache.size_value}{(cache.size_unit or 'B')[0]}".removesuffix("B")
            policy = {"none": "none", "writeback": "write-back", "writethrough": "write-through"}[
                cache.policy or "none"
            ]
            associativity = {"full": "complex"}.get(cache.associativity or "none", cache.associativity or "none")
            yield Opt(
                "-numa",
                f"hmat-cache,node-id={cell.id},size={size},level={cache.level},associativity={associativity},policy={policy},line={cache.line_value}",
            )
