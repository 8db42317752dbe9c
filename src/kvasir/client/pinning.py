"""Where a domain's threads may run, in libvirt-python's shapes: one tuple of bools for each thread, a bool for each host CPU."""

from __future__ import annotations

from kvasir.rpc import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def pack(cpus: Sequence[bool]) -> bytes:
    """Bools as the wire's bytes."""
    data = bytearray((len(cpus) + 7) // 8)
    for at, on in enumerate(cpus):
        if on:
            data[at // 8] |= 1 << at % 8
    return bytes(data)


def unpack(data: bytes, count: int) -> tuple[bool, ...]:
    """The first ``count`` bits."""
    return tuple(at // 8 < len(data) and bool(data[at // 8] >> at % 8 & 1) for at in range(count))


class Pinning:
    """The part of a domain that is about its threads' processors."""

    handle: Any
    _conn: Any

    def _ask(self, name: str, *values: Any) -> Any:
        return self._conn.link.call(programs.REMOTE[name], (self.handle, *values))

    def pinVcpu(self, vcpu: int, cpumap: Sequence[bool]) -> int:
        """Say where a virtual CPU of the running domain may run."""
        self._ask("domain_pin_vcpu", vcpu, pack(cpumap))
        return 0

    def pinVcpuFlags(self, vcpu: int, cpumap: Sequence[bool], flags: int = 0) -> int:
        """Say where a virtual CPU may run."""
        self._ask("domain_pin_vcpu_flags", vcpu, pack(cpumap), flags)
        return 0

    def vcpuPinInfo(self, flags: int = 0) -> list[tuple[bool, ...]]:
        """Where each virtual CPU may run."""
        host = self._conn.getCPUMap()[0]
        width = (host + 7) // 8
        count = self._ask("domain_get_vcpus_flags", flags | 4)
        data, number = self._ask("domain_get_vcpu_pin_info", count, width, flags)
        return [unpack(data[at * width : (at + 1) * width], host) for at in range(number)]

    def pinEmulator(self, cpumap: Sequence[bool], flags: int = 0) -> int:
        """Say where the emulator's own threads may run."""
        self._ask("domain_pin_emulator", pack(cpumap), flags)
        return 0

    def emulatorPinInfo(self, flags: int = 0) -> tuple[bool, ...]:
        """Where the emulator's own threads may run."""
        host = self._conn.getCPUMap()[0]
        return unpack(self._ask("domain_get_emulator_pin_info", (host + 7) // 8, flags)[0], host)

    def pinIOThread(self, iothread_id: int, cpumap: Sequence[bool], flags: int = 0) -> int:
        """Say where an I/O thread may run."""
        self._ask("domain_pin_iothread", iothread_id, pack(cpumap), flags)
        return 0

    def ioThreadInfo(self, flags: int = 0) -> list[tuple[int, tuple[bool, ...]]]:
        """(number, where it may run) of each I/O thread."""
        host = self._conn.getCPUMap()[0]
        rows = self._ask("domain_get_iothread_info", flags)[0]
        return [(row.iothread_id, unpack(row.cpumap, host)) for row in rows]

    def getCPUStats(self, total: bool, flags: int = 0) -> list[dict[str, int]]:
        """Processor time in ns: of all host CPUs together, or of each."""
        if total:
            count = self._ask("domain_get_cpu_stats", 0, -1, 1, flags)[1]
            return [dict(self._ask("domain_get_cpu_stats", count, -1, 1, flags)[0])]
        cpus = self._ask("domain_get_cpu_stats", 0, 0, 0, flags)[1]
        return self.cpu_stats(0, cpus, flags)

    def cpu_stats(self, first: int, count: int, flags: int = 0) -> list[dict[str, int]]:
        """Processor time in ns on ``count`` host CPUs, 128 at a time as the protocol has it."""
        found: list[dict[str, int]] = []
        size = self._ask("domain_get_cpu_stats", 0, 0, 1, flags)[1]
        while count > len(found):
            part = min(count - len(found), 128)
            rows, size = self._ask("domain_get_cpu_stats", size, first + len(found), part, flags)
            found += [dict(rows[at : at + size]) for at in range(0, len(rows), size)]
            if not rows:
                break
        return found
