"""What a host needs for its guests: the rules of thumb for memory, swap and processors. Sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1 << 30
HOST_MEMORY = 4 * GIB
LEAST_SWAP = 4 * GIB
SAFE_VCPUS, MOST_VCPUS = 5, 10  # for each core


@dataclass(frozen=True)
class Host:
    """Memory, swap and cores of a host."""

    memory: int
    swap: int
    cores: int

    @classmethod
    def here(cls) -> Host:
        """This host, as /proc says."""
        import os

        with open("/proc/meminfo", encoding="ascii") as file:
            rows = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in file if line.rstrip().endswith("kB")}
        return cls(rows.get("MemTotal", 0), rows.get("SwapTotal", 0), os.cpu_count() or 1)


def swap_needed(guests: int, memory: int) -> int:
    """Swap for guests of that much memory on a host: 4 GiB at least, and what they and the host's own 4 GiB lack."""
    return max(LEAST_SWAP, guests + HOST_MEMORY - memory)


def advice(host: Host, memory: int, vcpus: int) -> list[str]:
    """What is to be said when guests of that much memory and that many processors run on a host; nothing when they fit."""
    out = []
    needed = swap_needed(memory, host.memory)
    if memory + HOST_MEMORY > host.memory and host.swap < needed:
        out.append(
            f"the guests' {memory / GIB:.1f} GiB overcommit the host's {host.memory / GIB:.1f} GiB of memory: it needs "
            f"{needed / GIB:.1f} GiB of swap and has {host.swap / GIB:.1f} GiB"
        )
    share = vcpus / max(host.cores, 1)
    if share > MOST_VCPUS:
        out.append(f"{share:.0f} virtual CPUs for each core: more than {MOST_VCPUS} are not recommended")
    elif share > SAFE_VCPUS:
        out.append(f"{share:.0f} virtual CPUs for each core: up to {SAFE_VCPUS} are safe")
    return out


def guest_vcpus(host: Host, vcpus: int) -> str:
    """What is to be said of one guest with more processors than the host has; empty when it has not."""
    if vcpus <= host.cores:
        return ""
    return f"{vcpus} virtual CPUs are more than the host's {host.cores} cores: such a guest runs slower, not faster"
