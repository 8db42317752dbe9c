"""Binding a running guest's threads to host processors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.errors import InvalidArg
from kvasir.events import Tunable
from kvasir.host import cgroup_tune, proc
from kvasir.xml.types import write_cpuset

from . import cgroups

if TYPE_CHECKING:
    from .guest import Guest


def cpus_of(data: bytes) -> frozenset[int]:
    """A map of the wire as a set, without processors that the host cannot have. Raises InvalidArg when it is empty."""
    found = frozenset(n for n in range(min(len(data) * 8, proc.host_cpus())) if data[n // 8] >> n % 8 & 1)
    if not found:
        raise InvalidArg("Empty cpu list for pinning")
    return found


def pin_thread(found: Guest, name: str, tids: list[int], cpus: frozenset[int]) -> None:
    """Bind running threads, in their group and by themselves."""
    group = cgroups.thread_group(found, name)
    if group is not None and group.exists_for("cpuset"):
        cgroup_tune.set_cpus(group, cpus)
    for tid in tids:
        cgroups.set_affinity(tid, cpus)


def tell(found: Guest, name: str, cpus: frozenset[int]) -> None:
    """Publish the change."""
    found.driver.bus.publish(Tunable(found, [(f"cputune.{name}", write_cpuset(cpus))]))


def emulator_threads(found: Guest) -> list[int]:
    """Those in the emulator's group; without groups the main thread, as libvirt."""
    group = cgroups.thread_group(found, "emulator")
    run = found.need_active()
    if group is not None and group.exists_for("cpuset"):
        return group.tasks("cpuset")
    return [run.pid]


def iothread_numbers(domain: Any) -> list[int]:
    """The ids of a definition's I/O threads: the named ones, and those that are only counted."""
    named = [row.id for row in domain.iothreadids]
    free = (number for number in range(1, 1 << 16) if number not in named)
    return sorted([*named, *(next(free) for _ in range((domain.iothreads or 0) - len(named)))])
