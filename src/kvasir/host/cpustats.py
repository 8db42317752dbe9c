"""Processors of the host in numbers: how many, how fast, how busy (``/proc/stat``, ``/proc/cpuinfo``)."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from kvasir.host.topology import SYSTEM, cells, cpuset

PROC = Path("/proc")


class Shape(NamedTuple):
    """Sockets of a cell, cores of a socket, threads of a core; with ``nodes`` they multiply to the number of processors."""

    cpus: int
    mhz: int
    nodes: int
    sockets: int
    cores: int
    threads: int


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def mhz(proc: Path = PROC) -> int:
    """The frequency that the first processor runs at now; 0 when the kernel does not say."""
    for line in _read(proc / "cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("cpu MHz", "clock", "BogoMIPS"):
            return int(float(value.strip().removesuffix("MHz")))
    return 0


def present(root: Path = SYSTEM) -> int:
    """One more than the highest processor that may be there."""
    return max(cpuset(_read(root / "cpu/present") or "0"), default=0) + 1


def online(root: Path = SYSTEM) -> list[int]:
    """The processors that run."""
    return cpuset(_read(root / "cpu/online") or "0")


def bitmap(cpus: list[int], size: int) -> bytes:
    """Processors as libvirt's map: bit 0 of byte 0 is processor 0."""
    made = bytearray((size + 7) // 8)
    for cpu in cpus:
        made[cpu // 8] |= 1 << (cpu % 8)
    return bytes(made)


@lru_cache(maxsize=8)
def _product(root: Path, running: str) -> tuple[int, int, int, int, int]:
    """Processors, cells, sockets, cores, threads while ``running`` is what the kernel says is online."""
    found = cells(root)
    total = sum(cpu.online for cell in found for cpu in cell.cpus)
    sockets = cores = threads = 0
    for cell in found:
        by_socket: dict[int, dict[tuple[int, int], int]] = {}
        for cpu in cell.cpus:
            if cpu.online:
                inside = by_socket.setdefault(cpu.socket, {})
                inside[cpu.die, cpu.core] = inside.get((cpu.die, cpu.core), 0) + 1
        sockets = max(sockets, len(by_socket))
        cores = max([cores, *(len(inside) for inside in by_socket.values())])
        threads = max([threads, *(count for inside in by_socket.values() for count in inside.values())])
    offline = sum(not cpu.online for cell in found for cpu in cell.cpus)
    if len(found) * sockets * cores * threads != total + offline:
        return total, 1, 1, total, 1
    return total, len(found), sockets, cores, threads


def shape(root: Path = SYSTEM, proc: Path = PROC) -> Shape:
    """The topology as one product; where it is none (offline or mixed processors) one socket with that many cores."""
    total, *product = _product(root, _read(root / "cpu/online"))
    return Shape(total, mhz(proc), *product)


def times(cpu: int = -1, proc: Path = PROC) -> list[tuple[str, int]] | None:
    """Nanoseconds since boot in kernel, user, idle and iowait, of one processor or (-1) of all; None: no such processor."""
    wanted = "cpu" if cpu < 0 else f"cpu{cpu}"
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    for line in _read(proc / "stat").splitlines():
        name, *numbers = line.split()
        if name == wanted:
            user, nice, system, idle, iowait, irq, softirq = (int(number) for number in numbers[:7])
            return [
                ("kernel", (system + irq + softirq) * tick),
                ("user", (user + nice) * tick),
                ("idle", idle * tick),
                ("iowait", iowait * tick),
            ]
    return None
