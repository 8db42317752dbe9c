"""The host that the test driver plays."""

from __future__ import annotations

import asyncio
from typing import Any

from kvasir.calls.flags import bad, check_flags
from kvasir.cpu import x86_tables
from kvasir.errors import InvalidArg, Origin
from kvasir.host.hostname import hostname
from kvasir.testdriver import first

MODEL = "i686"
CPU_STATS = (("user", 9797400000), ("kernel", 34678723400000), ("idle", 87264900000), ("iowait", 763600000))
ONLINE = 0b00010101


def connect_get_version(session: Any) -> int:
    """The driver's own."""
    return 2


async def connect_get_hostname(session: Any) -> str:
    """The real host's."""
    return await asyncio.to_thread(hostname)


def connect_get_max_vcpus(session: Any, type: str | None) -> int:
    """The most that a guest may have."""
    return 32


def connect_get_capabilities(session: Any) -> str:
    """The host's document."""
    return first.capabilities()


def connect_get_sysinfo(session: Any, flags: int) -> str:
    """What its firmware says."""
    check_flags(flags, 0, "testConnectGetSysinfo", Origin.TEST)
    return first.SYSINFO


def connect_get_cpu_model_names(session: Any, arch: str, need_results: int, flags: int) -> tuple[list[str], int]:
    """The CPU models of an architecture."""
    from kvasir.qemu.emulators import ARCHES

    check_flags(flags, 0, "testConnectGetCPUModelNames", Origin.TEST)
    if arch not in ARCHES:
        raise InvalidArg(f"cannot find architecture {arch}", origin=Origin.TEST)
    names = list(x86_tables.models()) if arch in ("x86_64", "i686") else []
    return (names if need_results else []), len(names)


def connect_baseline_cpu(session: Any, xmlCPUs: list[str], flags: int) -> str:
    """The CPU that all of these hosts have."""
    from kvasir.calls import cpu

    check_flags(flags, 1, "testConnectBaselineCPU", Origin.TEST)
    return cpu.connect_baseline_cpu(session, xmlCPUs, flags)


def node_get_info(session: Any) -> tuple[Any, ...]:
    """16 processors on two cells."""
    model = [ord(letter) for letter in MODEL] + [0] * (32 - len(MODEL))
    return model, 3145728, 16, 1400, 2, 2, 2, 2


def node_get_cpu_stats(session: Any, cpuNum: int, nparams: int, flags: int) -> tuple[list[Any], int]:
    """Times of the processors."""
    return ([], len(CPU_STATS)) if nparams == 0 else ([(name, value) for name, value in CPU_STATS[:nparams]], 0)


def node_get_free_memory(session: Any) -> int:
    """In bytes."""
    return 3072 << 10


def node_get_cells_free_memory(session: Any, startCell: int, maxcells: int) -> list[int]:
    """In bytes, by cell."""
    if not 0 <= startCell < len(first.CELLS):
        raise InvalidArg("Range exceeds available cells", origin=Origin.TEST)
    return [memory for _, memory, _ in first.CELLS[startCell : startCell + maxcells]]


def node_get_free_pages(session: Any, pages: list[int], startCell: int, cellCount: int, flags: int) -> list[int]:
    """Free pages, of no host."""
    if not pages:
        raise bad("virNodeGetFreePages", "npages", "must not be zero")
    found, value = [], 6
    for _ in range(cellCount):
        for _ in pages:
            value = (value * 2 + 7) & 0xFFFFFFFFFFFFFFFF
            found.append(value)
    return found


def node_get_cpu_map(session: Any, need_map: int, need_online: int, flags: int) -> tuple[bytes, int, int]:
    """Which processors are on."""
    return bytes([ONLINE]) if need_map else b"", 3 if need_online else 0, 8


def node_get_security_model(session: Any) -> tuple[str, str]:
    return "testSecurity\0", "\0"
