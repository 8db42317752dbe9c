"""What /proc says of processes, threads and interfaces."""

from __future__ import annotations

import os
from typing import NamedTuple

TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Times(NamedTuple):
    """Nanoseconds of processor time, where it last ran, and resident memory in KiB."""

    total: int
    user: int
    system: int
    cpu: int
    rss: int


def times(pid: int, tid: int = 0) -> Times | None:
    """Of a process or one of its threads; None when it is gone."""
    path = f"/proc/{pid}/task/{tid}/stat" if tid else f"/proc/{pid}/stat"
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return None
    user, system = int(fields[11]) * TICK, int(fields[12]) * TICK
    return Times(user + system, user, system, int(fields[36]), int(fields[21]) * PAGE // 1024)


def schedule(pid: int, tid: int) -> tuple[int, int, int]:
    """(run, wait, delay) nanoseconds of a thread: time run, time waited to run, and its run-queue delay."""
    run = delay = 0
    wait = 0
    try:
        with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as stream:
            words = stream.read().split()
            run, delay = int(words[0]), int(words[1])
    except (OSError, IndexError, ValueError):
        pass
    try:
        with open(f"/proc/{pid}/task/{tid}/sched", encoding="ascii") as stream:
            for line in stream:
                if line.startswith(("se.statistics.wait_sum", "wait_sum")):
                    wait = int(float(line.partition(":")[2]) * 1_000_000)
    except (OSError, ValueError):
        pass
    return run, wait, delay


def interface(name: str) -> tuple[int, ...] | None:
    """(rx bytes, packets, errors, drops, tx bytes, packets, errors, drops) of a network interface of the host."""
    try:
        with open("/proc/net/dev", encoding="ascii") as stream:
            for line in stream:
                label, colon, rest = line.partition(":")
                if colon and label.strip() == name:
                    words = rest.split()
                    return tuple(int(words[i]) for i in (0, 1, 2, 3, 8, 9, 10, 11))
    except (OSError, IndexError, ValueError):
        pass
    return None


def host_cpus() -> int:
    """How many processors the host can have."""
    return os.cpu_count() or 1


def bitmap(cpus: set[int] | frozenset[int], length: int) -> bytes:
    """A set of processors as the wire's bytes."""
    data = bytearray(length)
    for cpu in cpus:
        if cpu // 8 < length:
            data[cpu // 8] |= 1 << cpu % 8
    return bytes(data)
