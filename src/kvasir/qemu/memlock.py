"""How much memory QEMU may lock: all of it where the document asks for that or a device reaches it by itself (VFIO, vDPA, NVMe)."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterable
from typing import Any

from kvasir.host.cgroup_tune import UNLIMITED

from . import live, stats

IO_SPACE = 1 << 20
"""KiB for the devices' own memory, beyond the guest's (libvirt's number)."""


def wanted(domain: Any, plugged: Iterable[Any] = ()) -> int | None:
    """The limit in bytes for a guest, with devices that are being plugged; None where the process may keep its own.

    A hard limit of the guest's memory is the limit here too; as libvirt counts (guide row limit-overcommit-device-assignment).
    """
    tune, backing = domain.memtune, domain.memory_backing
    if tune is not None and tune.hard_limit and tune.hard_limit < UNLIMITED:
        return int(tune.hard_limit) << 10
    if backing is not None and backing.locked:
        return resource.RLIM_INFINITY
    devices = [
        *live.list_of(domain, "hostdevs"),
        *live.list_of(domain, "interfaces"),
        *live.list_of(domain, "disks"),
        *plugged,
    ]
    vdpa = sum(1 for device in devices if device.TAG == "interface" and device.type == "vdpa")
    vfio = sum(1 for device in devices if _by_vfio(device))
    nvme = any(device.TAG == "disk" and device.type == "nvme" for device in devices)
    times = vdpa + (vfio if vfio and live.list_of(domain, "iommus") else min(vfio, 1)) + nvme
    return (times * stats.total_memory(domain) + IO_SPACE) << 10 if times else None


def _by_vfio(device: Any) -> bool:
    return (device.TAG == "hostdev" and device.type in ("pci", "mdev")) or (
        device.TAG == "interface" and device.type == "hostdev"
    )


def adjust(guest: Any, plugged: Iterable[Any] = ()) -> None:
    """Give a running QEMU the limit that its devices want; without such devices the one that it began with."""
    run = guest.run
    limit = wanted(guest.live, plugged)
    if limit is None and run.memlock is None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError, ValueError):
        before = resource.prlimit(run.pid, resource.RLIMIT_MEMLOCK)
        if run.memlock is None:
            run.memlock = before
        new = run.memlock if limit is None else (limit, limit)
        if new != before:
            resource.prlimit(run.pid, resource.RLIMIT_MEMLOCK, new)
