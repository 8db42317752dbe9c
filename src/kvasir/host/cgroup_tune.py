"""What control groups can be told, in one form for v1 and v2: processor shares and bandwidth, memory limits, block I/O.

Sizes are KiB, times microseconds. Reading and writing raise SystemFailure with the file's path.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from kvasir.errors import OperationInvalid, SystemFailure
from kvasir.xml.types import write_cpuset

from . import cgroup_devices
from .cgroup import Group

UNLIMITED = 9007199254740991
"""KiB: no limit (libvirt's number)."""
NO_QUOTA = -1


# -- processors


def shares(group: Group) -> int:
    """The weight among groups (v1: ``cpu.shares``, v2: ``cpu.weight``)."""
    group = group.scope or group
    return int(group.read("cpu", "cpu.weight" if "cpu" in group.unified else "cpu.shares"))


def set_shares(group: Group, value: int) -> None:
    group = group.scope or group
    group.write("cpu", "cpu.weight" if "cpu" in group.unified else "cpu.shares", value)


def bandwidth(group: Group) -> tuple[int, int]:
    """(period, quota); quota -1 is none."""
    if "cpu" in group.unified:
        quota, period = group.read("cpu", "cpu.max").split()
        return int(period), NO_QUOTA if quota == "max" else int(quota)
    return int(group.read("cpu", "cpu.cfs_period_us")), int(group.read("cpu", "cpu.cfs_quota_us"))


def set_bandwidth(group: Group, period: int | None, quota: int | None) -> None:
    """Change the period, the quota (negative: none) or both."""
    if "cpu" in group.unified:
        old_period, old_quota = bandwidth(group)
        quota = old_quota if quota is None else quota
        group.write("cpu", "cpu.max", f"{'max' if quota < 0 else quota} {period or old_period}")
        return
    if period:
        group.write("cpu", "cpu.cfs_period_us", period)
    if quota is not None:
        group.write("cpu", "cpu.cfs_quota_us", max(quota, NO_QUOTA))


def cpu_times(group: Group) -> tuple[int, int, int]:
    """(all, user, system) nanoseconds that the group has run."""
    if "cpuacct" in group.unified:
        rows = dict(line.split() for line in group.read("cpuacct", "cpu.stat").splitlines())
        return tuple(int(rows[f"{name}_usec"]) * 1000 for name in ("usage", "user", "system"))  # type: ignore[return-value]
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    rows = dict(line.split() for line in group.read("cpuacct", "cpuacct.stat").splitlines())
    return int(group.read("cpuacct", "cpuacct.usage")), int(rows["user"]) * tick, int(rows["system"]) * tick


def per_cpu(group: Group) -> list[int]:
    """Nanoseconds on each host processor (v1 only). Raises OperationInvalid."""
    if "cpuacct" in group.unified:
        raise OperationInvalid("operation 'virCgroupGetCpuacctPercpuUsage' not supported")
    return [int(word) for word in group.read("cpuacct", "cpuacct.usage_percpu").split()]


def set_cpus(group: Group, cpus: frozenset[int] | set[int]) -> None:
    group.write("cpuset", "cpuset.cpus", write_cpuset(cpus))


def set_nodes(group: Group, nodes: frozenset[int] | set[int]) -> None:
    group.write("cpuset", "cpuset.mems", write_cpuset(nodes))


# -- memory

V1_MEMORY = {
    "hard_limit": "memory.limit_in_bytes",
    "soft_limit": "memory.soft_limit_in_bytes",
    "swap_hard_limit": "memory.memsw.limit_in_bytes",
}
V2_MEMORY = {"hard_limit": "memory.max", "soft_limit": "memory.high", "swap_hard_limit": "memory.swap.max"}


def memory_limit(group: Group, name: str) -> int:
    """KiB of ``hard_limit``, ``soft_limit`` or ``swap_hard_limit`` (memory and swap together); UNLIMITED when none."""
    if "memory" not in group.unified:
        found = int(group.read("memory", V1_MEMORY[name])) >> 10
        return UNLIMITED if found >= UNLIMITED - 3 else found
    text = group.read("memory", V2_MEMORY[name])
    if text == "max":
        return UNLIMITED
    found = int(text) >> 10
    if name == "swap_hard_limit":
        hard = memory_limit(group, "hard_limit")
        return UNLIMITED if hard == UNLIMITED else found + hard
    return found


def set_memory_limit(group: Group, name: str, kib: int) -> None:
    """Set a limit; UNLIMITED or more takes it away."""
    free = kib >= UNLIMITED
    if "memory" not in group.unified:
        group.write("memory", V1_MEMORY[name], -1 if free else kib << 10)
        return
    if name == "swap_hard_limit" and not free:
        hard = memory_limit(group, "hard_limit")
        if hard == UNLIMITED or kib < hard:
            raise OperationInvalid("swap hard limit must be greater than hard limit")
        kib -= hard
    group.write("memory", V2_MEMORY[name], "max" if free else kib << 10)


# -- block devices

V1_THROTTLE = {
    "read_iops_sec": "blkio.throttle.read_iops_device",
    "write_iops_sec": "blkio.throttle.write_iops_device",
    "read_bytes_sec": "blkio.throttle.read_bps_device",
    "write_bytes_sec": "blkio.throttle.write_bps_device",
}
V2_THROTTLE = {"read_iops_sec": "riops", "write_iops_sec": "wiops", "read_bytes_sec": "rbps", "write_bytes_sec": "wbps"}
ONLY_BFQ = "blkio weight is valid only for bfq or cfq scheduler"


def block_device(path: str) -> str:
    """``MAJOR:MINOR`` of a block device. Raises SystemFailure."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise SystemFailure(f"Path '{path}' is not accessible", error) from error
    if not stat.S_ISBLK(found.st_mode):
        raise SystemFailure(f"Path '{path}' must be a block device", OSError(22, os.strerror(22)))
    return f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"


def _weight_file(group: Group) -> str:
    names = ("io.bfq.weight", "io.weight") if "blkio" in group.unified else ("blkio.bfq.weight", "blkio.weight")
    for name in names:
        if os.path.exists(group.file("blkio", name)):
            return name
    raise OperationInvalid(ONLY_BFQ)


def io_weight(group: Group) -> int:
    """The weight among groups. Raises OperationInvalid where the scheduler has none."""
    group = group.scope or group
    text = group.read("blkio", _weight_file(group))
    return int(text.split("\n")[0].removeprefix("default").strip())


def set_io_weight(group: Group, value: int) -> None:
    group = group.scope or group
    name = _weight_file(group)
    group.write("blkio", name, f"default {value}" if name == "io.weight" else value)


def set_device_weight(group: Group, path: str, value: int) -> None:
    """The weight of one device; 0 takes it away. libvirt 9.0 knows the files of cfq only, which kernels have no more."""
    device = block_device(path)
    names = (
        ("io.weight", "io.bfq.weight")
        if "blkio" in group.unified
        else ("blkio.weight_device", "blkio.bfq.weight_device")
    )
    name = next((name for name in names if os.path.exists(group.file("blkio", name))), None)
    if name is None:
        raise OperationInvalid("blkio device weight is valid only for cfq scheduler")
    group.write("blkio", name, f"{device} {value or ('default' if 'bfq' in name else 0)}")


def set_throttle(group: Group, path: str, name: str, value: int) -> None:
    """A limit of one device (``read_iops_sec``, ``write_bytes_sec`` ...); 0 takes it away."""
    device = block_device(path)
    if "blkio" in group.unified:
        group.write("blkio", "io.max", f"{device} {V2_THROTTLE[name]}={value or 'max'}")
    else:
        group.write("blkio", V1_THROTTLE[name], f"{device} {value}")


# -- device nodes


def deny_devices(group: Group) -> None:
    """No device node may be opened any more."""
    if "devices" in group.unified:
        cgroup_devices.close(group.dirs["devices"])
    else:
        group.write("devices", "devices.deny", "a *:* rwm")


def allow_nodes(group: Group, nodes: Iterable[cgroup_devices.Node], *, deny: bool = False) -> None:
    """Let device nodes be opened, or ``deny`` them again."""
    nodes = list(nodes)
    if "devices" not in group.unified:
        for kind, major, minor, access in nodes:
            group.write("devices", "devices.deny" if deny else "devices.allow", f"{kind} {major}:{minor} {access}")
    elif nodes:
        cgroup_devices.allow(group.dirs["devices"], nodes, deny=deny)


def nodes_at(paths: Iterable[tuple[str, str]]) -> Iterator[cgroup_devices.Node]:
    """The device nodes at (path, access); what is none, or not there, is passed over."""
    for path, access in paths:
        try:
            found = os.stat(path)
        except OSError:
            continue
        if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
            kind = "b" if stat.S_ISBLK(found.st_mode) else "c"
            yield kind, os.major(found.st_rdev), os.minor(found.st_rdev), access
