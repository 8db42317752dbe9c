"""The host's processors, NUMA cells, huge pages and caches, as Linux shows them under ``/sys/devices/system``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

SYSTEM = Path("/sys/devices/system")


@dataclass(frozen=True)
class HostCpu:
    """A logical processor."""

    id: int
    socket: int
    die: int
    core: int
    siblings: str
    online: bool = True


@dataclass
class Cell:
    """A NUMA cell: memory in KiB, pages by size in KiB, distances to every cell."""

    id: int
    memory: int = 0
    pages: dict[int, int] = field(default_factory=dict)
    distances: dict[int, int] = field(default_factory=dict)
    cpus: list[HostCpu] = field(default_factory=list)


@dataclass(frozen=True)
class Cache:
    """A cache that processors share; size in KiB."""

    id: int
    level: int
    type: str
    size: int
    cpus: str


def cpuset(text: str) -> list[int]:
    """The numbers of a list like ``0-3,8``."""
    numbers: list[int] = []
    for part in text.strip().split(","):
        low, _, high = part.partition("-")
        if low:
            numbers.extend(range(int(low), int(high or low) + 1))
    return numbers


def _word(path: Path, missing: str = "") -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return missing


def _number(path: Path, missing: int = 0) -> int:
    try:
        return int(_word(path))
    except ValueError:
        return missing


def host_cpu(number: int, root: Path = SYSTEM) -> HostCpu:
    """One processor's place."""
    folder = root / f"cpu/cpu{number}/topology"
    if not folder.is_dir():
        return HostCpu(number, 0, 0, 0, str(number), online=False)
    return HostCpu(
        number,
        max(_number(folder / "physical_package_id"), 0),
        max(_number(folder / "die_id"), 0),
        _number(folder / "core_id"),
        _word(folder / "thread_siblings_list", str(number)),
    )


def page_sizes(root: Path = SYSTEM) -> list[int]:
    """The page sizes of the host in KiB, smallest first."""
    folder = root.parent.parent / "kernel/mm/hugepages"
    sizes = [int(entry.name[10:-2]) for entry in folder.glob("hugepages-*kB")]
    return [4, *sorted(sizes)]


def nodes_online(root: Path = SYSTEM) -> list[int]:
    """The numbers of the NUMA nodes; 0 alone where the kernel has no NUMA."""
    return cpuset(_word(root / "node/online")) or [0]


def cells(root: Path = SYSTEM) -> list[Cell]:
    """The NUMA cells; one without distances where the kernel has no NUMA."""
    nodes = cpuset(_word(root / "node/online"))
    if not nodes:
        cpus = [host_cpu(n, root) for n in cpuset(_word(root / "cpu/online", "0"))]
        return [Cell(0, _meminfo(Path("/proc/meminfo")), {}, {}, cpus)]
    result = []
    for number in nodes:
        folder = root / f"node/node{number}"
        cell = Cell(number, _meminfo(folder / "meminfo"))
        huge = {
            int(entry.name[10:-2]): _number(entry / "nr_hugepages") for entry in folder.glob("hugepages/hugepages-*kB")
        }
        small = cell.memory - sum(size * count for size, count in huge.items())
        cell.pages = {4: max(small, 0) // 4, **dict(sorted(huge.items()))}
        distances = _word(folder / "distance").split()
        cell.distances = dict(zip(nodes, map(int, distances), strict=False))
        cell.cpus = [host_cpu(n, root) for n in cpuset(_word(folder / "cpulist"))]
        result.append(cell)
    return result


def _meminfo(path: Path) -> int:
    for line in _word(path).splitlines():
        words = line.split()
        if "MemTotal:" in words:
            return int(words[words.index("MemTotal:") + 1])
    return 0


def caches(root: Path = SYSTEM, least: int = 3) -> list[Cache]:
    """The caches of at least that level, by level and number."""
    types = {"Unified": "both", "Data": "data", "Instruction": "code"}
    found: dict[tuple[int, int, str], Cache] = {}
    for folder in root.glob("cpu/cpu[0-9]*/cache/index[0-9]*"):
        level = _number(folder / "level")
        if level < least or not (folder / "id").exists():
            continue
        kind = types.get(_word(folder / "type"), "both")
        size = _word(folder / "size", "0K")
        scale = {"K": 1, "M": 1024}.get(size[-1:], 1)
        cache = Cache(
            _number(folder / "id"), level, kind, int(size.rstrip("KM") or 0) * scale, _word(folder / "shared_cpu_list")
        )
        found.setdefault((level, cache.id, kind), cache)
    return [found[key] for key in sorted(found)]


def shape(root: Path = SYSTEM) -> tuple[int, int, int, int]:
    """Sockets of a cell, dies of a socket, cores of a die and threads of a core (the largest of each)."""
    sockets, dies, cores, threads = 1, 1, 1, 1
    for cell in cells(root):
        online = [cpu for cpu in cell.cpus if cpu.online]
        sockets = max(sockets, len({cpu.socket for cpu in online}))
        for socket in {cpu.socket for cpu in online}:
            here = [cpu for cpu in online if cpu.socket == socket]
            dies = max(dies, len({cpu.die for cpu in here}))
            for die in {cpu.die for cpu in here}:
                cores = max(cores, len({cpu.core for cpu in here if cpu.die == die}))
        threads = max([threads, *(len(cpuset(cpu.siblings)) for cpu in online)])
    return sockets, dies, cores, threads
