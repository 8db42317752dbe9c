"""Memory of the host: what is free, in which cells and pages, and the kernel's merging of equal pages (KSM)."""

from __future__ import annotations

from pathlib import Path

from kvasir.host.topology import SYSTEM, cpuset
from kvasir.rpc.typed import UInt, ULLong

PROC = Path("/proc")
KSM = Path("/sys/kernel/mm/ksm")
KSM_PARAMETERS: dict[str, tuple[str, type[UInt] | type[ULLong], bool]] = {
    "shm_pages_to_scan": ("pages_to_scan", UInt, True),
    "shm_sleep_millisecs": ("sleep_millisecs", UInt, True),
    "shm_pages_shared": ("pages_shared", ULLong, False),
    "shm_pages_sharing": ("pages_sharing", ULLong, False),
    "shm_pages_unshared": ("pages_unshared", ULLong, False),
    "shm_pages_volatile": ("pages_volatile", ULLong, False),
    "shm_full_scans": ("full_scans", ULLong, False),
    "shm_merge_across_nodes": ("merge_across_nodes", UInt, True),
}
"""Name of the parameter -> file, type on the wire, may be set."""


def nodes(root: Path = SYSTEM) -> list[int]:
    """The numbers of the NUMA cells; empty where the kernel has none."""
    try:
        return cpuset((root / "node/online").read_text(encoding="ascii"))
    except OSError:
        return []


def meminfo(path: Path) -> dict[str, int]:
    """``meminfo`` of the host or of a cell: name -> KiB."""
    found: dict[str, int] = {}
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if value.strip():
            found[name.split()[-1]] = int(value.split()[0])
    return found


def of_cell(cell: int, root: Path = SYSTEM, proc: Path = PROC) -> dict[str, int]:
    """``meminfo`` of a cell; of the host where there are no cells."""
    path = root / f"node/node{cell}/meminfo"
    return meminfo(path if path.exists() else proc / "meminfo")


def total(root: Path = SYSTEM, proc: Path = PROC) -> int:
    """Memory of the host in KiB."""
    return sum(of_cell(cell, root, proc)["MemTotal"] for cell in nodes(root) or [0])


def free(root: Path = SYSTEM, proc: Path = PROC) -> int:
    """Free memory of the host in bytes."""
    return sum(of_cell(cell, root, proc)["MemFree"] for cell in nodes(root) or [0]) * 1024


def stats(cell: int = -1, root: Path = SYSTEM, proc: Path = PROC) -> list[tuple[str, int]]:
    """Figures in KiB of the host (-1) or a cell."""
    names = (("total", "MemTotal"), ("free", "MemFree"), ("buffers", "Buffers"), ("cached", "Cached"))
    found = meminfo(proc / "meminfo") if cell < 0 else of_cell(cell, root, proc)
    return [(name, found.get(key, 0)) for name, key in (names if cell < 0 else names[:2])]


def _huge(cell: int, size: int, root: Path) -> Path | None:
    for folder in (root / f"node/node{cell}/hugepages", root.parent.parent / "kernel/mm/hugepages"):
        path = folder / f"hugepages-{size}kB"
        if path.is_dir():
            return path
    return None


def free_pages(cell: int, size: int, root: Path = SYSTEM, proc: Path = PROC) -> int | None:
    """Free pages of that size (KiB) in a cell; None when it has no such pages."""
    if size == 4:
        return of_cell(cell, root, proc)["MemFree"] // 4
    path = _huge(cell, size, root)
    return None if path is None else int((path / "free_hugepages").read_text(encoding="ascii"))


def set_pages(cell: int, size: int, count: int, add: bool, root: Path = SYSTEM) -> bool | None:
    """Set (or add to) the pool of huge pages. True: there are as many now; None: the cell has no such pages."""
    path = _huge(cell, size, root)
    if path is None:
        return None
    file = path / "nr_hugepages"
    wanted = count + (int(file.read_text(encoding="ascii")) if add else 0)
    file.write_text(str(wanted), encoding="ascii")
    return int(file.read_text(encoding="ascii")) == wanted


def ksm(folder: Path = KSM) -> list[tuple[str, UInt | ULLong]]:
    """The parameters of page merging that the kernel has."""
    found: list[tuple[str, UInt | ULLong]] = []
    for name, (file, kind, _) in KSM_PARAMETERS.items():
        try:
            found.append((name, kind((folder / file).read_text(encoding="ascii"))))
        except (OSError, ValueError):
            continue
    return found


def set_ksm(name: str, value: int, folder: Path = KSM) -> None:
    """Set one of them."""
    (folder / KSM_PARAMETERS[name][0]).write_text(str(value), encoding="ascii")
