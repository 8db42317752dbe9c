"""Counting a process's performance events (perf_event_open): software and hardware counters of the kernel.

Cache and memory bandwidth counters (``cmt``, ``mbmt``, ``mbml``) need Intel's resource monitoring as a kernel event source, which
kernels since 4.14 do not have: opening them fails as it does in libvirt.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

from kvasir.errors import Origin, SystemFailure

SOURCES = {
    "cpu_cycles": (0, 0),
    "instructions": (0, 1),
    "cache_references": (0, 2),
    "cache_misses": (0, 3),
    "branch_instructions": (0, 4),
    "branch_misses": (0, 5),
    "bus_cycles": (0, 6),
    "stalled_cycles_frontend": (0, 7),
    "stalled_cycles_backend": (0, 8),
    "ref_cpu_cycles": (0, 9),
    "cpu_clock": (1, 0),
    "task_clock": (1, 1),
    "page_faults": (1, 2),
    "context_switches": (1, 3),
    "cpu_migrations": (1, 4),
    "page_faults_min": (1, 5),
    "page_faults_maj": (1, 6),
    "alignment_faults": (1, 7),
    "emulation_faults": (1, 8),
}
"""(type, number) of the kernel's events."""
NAMES = ("cmt", "mbmt", "mbml", *SOURCES)
SYSCALL = {"x86_64": 298, "aarch64": 241, "riscv64": 241, "ppc64le": 319, "s390x": 331}
INHERIT = 1 << 1
ENABLE = 0x2400
FD_CLOEXEC = 1 << 3


def open_event(name: str, pid: int) -> int:
    """A descriptor that counts the event for the process, its threads and all they start. Raises SystemFailure."""
    if name not in SOURCES:
        try:
            with open("/sys/devices/intel_cqm/type", encoding="ascii") as stream:
                stream.read()
        except OSError as error:
            raise SystemFailure(
                "failed to open file '/sys/devices/intel_cqm/type'", error, origin=Origin.NONE
            ) from error
        raise SystemFailure(f"failed to open event {name}", OSError(95, os.strerror(95)), origin=Origin.NONE)
    kind, number = SOURCES[name]
    attributes = struct.pack("=IIQQQQQ", kind, 112, number, 0, 0, 0, INHERIT).ljust(112, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(SYSCALL.get(platform.machine(), 241), attributes, pid, -1, -1, FD_CLOEXEC)
    if fd < 0:
        number = ctypes.get_errno()
        problem = OSError(number, os.strerror(number))
        raise SystemFailure(f"unable to open host cpu perf event for {name}", problem, origin=Origin.PERF)
    return int(fd)


def read_event(fd: int) -> int:
    """What was counted so far."""
    return int(struct.unpack("=Q", os.read(fd, 8))[0])
