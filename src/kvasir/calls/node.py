"""The host: processors, memory, pages, the security model. Answers are those of libvirt's Linux code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import bad, check_flags, check_params
from kvasir.errors import (
    ArgumentUnsupported,
    ConfigUnsupported,
    Error,
    InternalError,
    InvalidArg,
    OperationFailed,
    OperationUnsupported,
    Origin,
    SystemFailure,
)
from kvasir.host import cpustats, kvm, memory, sysinfo

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.rpc.typed import Params

STRING_OKAY = 4
PAGES_SET = 1
TCG_MAX_VCPUS = 16
ALL = -1


def node_get_info(session: Session) -> tuple[str, int, int, int, int, int, int, int]:
    """Architecture, memory in KiB, processors, MHz, cells, sockets, cores, threads."""
    session.require_open()
    found = cpustats.shape()
    return os.uname().machine, memory.total(), *found


def node_get_cpu_stats(session: Session, cpuNum: int, nparams: int, flags: int) -> tuple[list[tuple[str, int]], int]:
    """Times of one processor or of all (-1)."""
    session.require_open()
    if cpuNum < ALL:
        raise bad("virNodeGetCPUStats", "cpuNum", "only accepts -1 as a negative value")
    check_flags(flags, 0, "virHostCPUGetStats")
    if nparams == 0:
        return [], 4
    if nparams != 4:
        problem = bad("virHostCPUGetStatsLinux", "nparams", "must be equal to 4", Origin.NONE)
        problem.str2 = "*nparams"
        raise problem
    found = cpustats.times(cpuNum)
    if found is None:
        problem = bad("virHostCPUGetStatsLinux", "cpuNum", "", Origin.NONE)
        problem.message = problem.text = "Invalid cpuNum in virHostCPUGetStatsLinux"
        raise problem
    return found, 0


def node_get_memory_stats(
    session: Session, nparams: int, cellNum: int, flags: int
) -> tuple[list[tuple[str, int]], int]:
    """Memory of the host (-1) or a cell in KiB."""
    session.require_open()
    if cellNum < ALL:
        problem = bad("virNodeGetMemoryStats", "cellNum", "only accepts -1 as a negative value")
        problem.str2 = "cpuNum"
        raise problem
    check_flags(flags, 0, "virHostMemGetStats")
    last = max(memory.nodes() or [0])
    if cellNum > last:
        raise bad("virHostMemGetStats", "cellNum", f"must be less than or equal to {last}", Origin.NONE)
    found = memory.stats(cellNum)
    if nparams == 0:
        return [], len(found)
    if nparams != len(found):
        raise bad("virHostMemGetStatsLinux", "nparams", f"must be {len(found)}", Origin.NONE)
    return found, 0


def node_get_cpu_map(session: Session, need_map: int, need_online: int, flags: int) -> tuple[bytes, int, int]:
    """The processors that run as a map, their number, and how many are present."""
    session.require_open()
    check_flags(flags, 0, "virHostCPUGetMap")
    running, size = cpustats.online(), cpustats.present()
    return cpustats.bitmap(running, size) if need_map else b"", len(running) if need_online else 0, size


def node_get_free_memory(session: Session) -> int:
    """Free memory in bytes."""
    session.require_open()
    return memory.free()


def _cells(start: int, count: int) -> range:
    last = max(memory.nodes() or [0])
    if start > last:
        raise InternalError(f"start cell {start} out of range (0-{last})", origin=Origin.NONE)
    return range(start, min(start + count - 1, last) + 1)


def node_get_cells_free_memory(session: Session, startCell: int, maxcells: int) -> list[int]:
    """Free memory of cells in bytes."""
    session.require_open()
    if maxcells <= 0:
        raise bad("virNodeGetCellsFreeMemory", "maxCells", "must be greater than zero")
    if startCell < 0:
        raise bad("virNodeGetCellsFreeMemory", "startCell", "must be zero or greater")
    return [memory.of_cell(cell)["MemFree"] * 1024 for cell in _cells(startCell, maxcells)]


def node_get_free_pages(session: Session, pages: list[int], startCell: int, cellCount: int, flags: int) -> list[int]:
    """Free pages by cell and size."""
    session.require_open()
    if not pages:
        raise bad("virNodeGetFreePages", "npages", "must not be zero")
    if not cellCount:
        raise bad("virNodeGetFreePages", "cellCount", "must not be zero")
    check_flags(flags, 0, "qemuNodeGetFreePages", Origin.QEMU)
    found = []
    for cell in _cells(max(startCell, 0), cellCount):
        for size in pages:
            count = memory.free_pages(cell, size)
            if count is None:
                raise _no_pages(size, cell)
            found.append(count)
    return found


def _no_pages(size: int, cell: int) -> Error:
    return OperationFailed(f"page size {size} is not available on node {cell}", origin=Origin.NONE)


async def node_alloc_pages(
    session: Session, pageSizes: list[int], pageCounts: list[int], startCell: int, cellCount: int, flags: int
) -> int:
    """Add huge pages to the pools of cells, or (flag 1) set the pools. Returns how many pools have what was asked."""
    session.require_open()
    if not pageSizes or len(pageSizes) != len(pageCounts):
        raise bad("virNodeAllocPages", "npages", "must not be zero")
    check_flags(flags, PAGES_SET, "qemuNodeAllocPages", Origin.QEMU)
    done = 0
    for cell in _cells(max(startCell, 0), cellCount):
        for size, count in zip(pageSizes, pageCounts, strict=True):
            if size == 4:
                raise OperationUnsupported("system pages pool can't be modified", origin=Origin.NONE)
            try:
                result = memory.set_pages(cell, size, count, not flags & PAGES_SET)
            except OSError as problem:
                raise SystemFailure(
                    f"Unable to change the pool of {size} KiB pages", problem, origin=Origin.NONE
                ) from None
            if result is None and startCell < 0:
                raise OperationFailed(f"page size {size} is not available", origin=Origin.NONE)
            if result is None:
                raise _no_pages(size, cell)
            done += result
    return done


def node_get_memory_parameters(session: Session, nparams: int, flags: int) -> tuple[Params, int]:
    """How the kernel merges equal pages."""
    session.require_open()
    check_flags(flags, STRING_OKAY, "virHostMemGetParameters")
    found: Params = list(memory.ksm())
    return ([], len(found)) if nparams == 0 else (found[:nparams], 0)


def node_set_memory_parameters(session: Session, params: Params, flags: int) -> None:
    """Change that."""
    session.require_open()
    check_flags(flags, 0, "virHostMemSetParameters")
    check_params(params, [(name, kind) for name, (_, kind, may_set) in memory.KSM_PARAMETERS.items() if may_set])
    for name, value in params:
        try:
            memory.set_ksm(name, int(value))
        except OSError as problem:
            raise SystemFailure(f"failed to set {name}", problem, origin=Origin.NONE) from None


def node_get_security_model(session: Session) -> tuple[str, str]:
    """Which security model labels guests; the values end with a NUL as on libvirt's wire."""
    driver = session.driver
    model, doi = getattr(driver, "security_model", ("none", "0"))
    return f"{model}\0", f"{doi}\0"


def node_get_sev_info(session: Session, nparams: int, flags: int) -> Any:
    """AMD SEV is not built."""
    session.require_open()
    raise OperationUnsupported("QEMU does not support SEV guest")


def node_suspend_for_duration(session: Session, target: int, duration: int, flags: int) -> None:
    """Suspending the host is not built; says so with libvirt's words for a host that cannot."""
    session.require_open()
    check_flags(flags, 0, "virNodeSuspend")
    names = ("Suspend-to-RAM", "Suspend-to-Disk", "Hybrid-Suspend")
    if target >= len(names):
        raise InvalidArg("Invalid suspend target", origin=Origin.NONE)
    raise ArgumentUnsupported(names[target], origin=Origin.NONE)


def connect_get_max_vcpus(session: Session, type: str | None) -> int:
    """The most processors that a guest of that type may have."""
    session.require_open()
    kind = (type or "qemu").lower()
    if kind == "qemu":
        return TCG_MAX_VCPUS
    if kind != "kvm":
        raise InvalidArg(f"unknown type '{type}'")
    found = kvm.max_cpus()
    if found is None:
        raise Error("KVM is not available", hint="load the kvm modules, or give the guest the type 'qemu'")
    return found


async def connect_get_sysinfo(session: Session, flags: int) -> str:
    """What the firmware says of the host (dmidecode), as a document."""
    session.require_open()
    check_flags(flags, 0, "qemuConnectGetSysinfo", Origin.QEMU)
    found = await sysinfo.document()
    if found is None:
        raise ConfigUnsupported("Host SMBIOS information is not available")
    return found


async def connect_get_version(session: Session) -> int:
    """The version of the QEMU that guests of the host's architecture get."""
    driver = session.driver
    arch = os.uname().machine
    binary = driver.binaries.get(arch)
    if binary is None:
        raise InternalError(f"Cannot find suitable emulator for {arch}", hint="install qemu-system-x86 (Debian)")
    caps = await driver.caps.get(binary)
    return int(caps.version_number)
