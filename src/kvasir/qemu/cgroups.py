"""Control groups of guests: where a guest is put at its start, what its document tunes there, how it is found again.

As libvirt: ``libvirt`` in the scope that systemd's machine service has made for the guest, without that service
``/machine/qemu-ID-NAME.libvirt-qemu``, in every controller; below it ``emulator``, ``vcpuN`` and ``iothreadN`` in those
of the processor. A daemon that may not make groups goes on without them. With ``--root DIR`` only what is mounted below
``DIR/sys/fs/cgroup`` counts, so that such a daemon leaves the host's groups alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import Any

from kvasir.errors import ConfigUnsupported, SystemFailure
from kvasir.host import cgroup, cgroup_tune, proc
from kvasir.host.cgroup import Group
from kvasir.host.machined import scope_name

from . import device_nodes, numa

log = logging.getLogger(__name__)

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")


def machine_name(driver: Any, number: int, name: str) -> str:
    """``qemu-ID-NAME``: the name under which hosts know their machines (letters, digits, single dots and dashes)."""
    out = ""
    for letter in name:
        if len(out) >= 64:
            break
        if letter in ".-":
            out += letter if out and out[-1] not in ".-" else ""
        elif letter in LETTERS:
            out += letter
    out = out.rstrip(".-")
    if driver.privileged:
        return f"qemu-{number}-{out}"
    import pwd

    return f"qemu-{pwd.getpwuid(os.geteuid()).pw_name}-{number}-{out}"


def trees(driver: Any) -> list[cgroup.Hierarchy]:
    """The hierarchies that guests may be put into; none for the daemon of a session."""
    known: list[cgroup.Hierarchy] | None = driver.__dict__.get("cgroup_trees")
    if known is None:
        known = cgroup.hierarchies(driver.paths.root, driver.config.cgroup_controllers) if driver.privileged else []
        driver.cgroup_trees = known
    return known


# -- at the start


def place(guest: Any, domain: Any, pid: int, stack: contextlib.AsyncExitStack) -> None:
    """Put a process that is to become the guest's QEMU into its groups, tune them, and bind it to its processors.

    Raises ConfigUnsupported for what the document wants of a controller that is not there. Blocks: the kernel moves
    processes between groups slowly.
    """
    _place(guest, domain, pid, stack)
    place_emulator(guest, domain, pid)


def _place(guest: Any, domain: Any, pid: int, stack: contextlib.AsyncExitStack) -> None:
    driver = guest.driver
    if not (found := trees(driver)):
        return
    partition = domain.partition or "/machine"
    if not partition.startswith("/"):
        raise ConfigUnsupported(f"Resource partition '{partition}' must start with '/'")
    if guest.run.machine is not None:
        _place_in_scope(guest, domain, pid, found, stack)
        return
    parent = Group(found, cgroup.partition_path(partition))
    group = parent.child(cgroup.escape(f"{machine_name(driver, guest.id, guest.name)}.libvirt-qemu"))
    if partition != "/machine" and not parent.exists:
        folder = next(folder for folder in parent.folders if not os.path.isdir(folder))
        raise SystemFailure(f"Failed to access resource partition {folder}", OSError(2, os.strerror(2)))
    stack.push_async_callback(remove, group)
    try:
        parent.make()
        group.make()
        group.add(pid)
    except SystemFailure as error:
        if error.int1 not in (1, 6, 13, 30):  # EPERM ENXIO EACCES EROFS
            raise
        log.info("guest %s runs without control groups: %s", guest.name, error.text)
        return
    domain.partition = partition
    _tune(guest, domain, group)


def _place_in_scope(guest: Any, domain: Any, pid: int, found: Any, stack: contextlib.AsyncExitStack) -> None:
    """Below the scope that systemd has put the process into."""
    scope = cgroup.of_process(found, pid)
    if scope is None or not scope.name.endswith(".scope"):
        raise SystemFailure(f"machine {guest.run.machine} is in no scope", OSError(2, os.strerror(2)))
    group = scope.child(cgroup.IN_SCOPE)
    stack.push_async_callback(remove, group)
    group.make()
    group.add(pid)
    domain.partition = domain.partition or "/machine"
    _tune(guest, domain, group)


def _tune(guest: Any, domain: Any, group: Group) -> None:
    driver = guest.driver
    guest.run.cgroup = group
    device_nodes.close(group, driver, domain)
    _block(group, domain)
    _memory(group, domain)
    _processor(group, domain)


async def remove(group: Group) -> None:
    """Remove the groups of a guest whose process is gone or just going."""
    for _ in range(500):
        if group.remove() and (group.scope is None or group.scope.remove()):
            return
        await asyncio.sleep(0.02)
    log.warning("control group %s cannot be removed: it is in use", group.path)


def _block(group: Group, domain: Any) -> None:
    tune = domain.blkiotune
    if tune is None:
        return
    if not group.has("blkio"):
        if tune.weight or tune.devices:
            raise ConfigUnsupported("Block I/O tuning is not available on this host")
        return
    if tune.weight:
        cgroup_tune.set_io_weight(group, tune.weight)
        tune.weight = cgroup_tune.io_weight(group)
    for device in tune.devices:
        if device.weight:
            cgroup_tune.set_device_weight(group, device.path, device.weight)
        for name in cgroup_tune.V1_THROTTLE:
            value = getattr(device, name)
            if value:
                cgroup_tune.set_throttle(group, device.path, name, value)


def _memory(group: Group, domain: Any) -> None:
    tune = domain.memtune
    if tune is None:
        return
    if not group.has("memory"):
        if tune.hard_limit or tune.soft_limit or tune.swap_hard_limit:
            raise ConfigUnsupported("Memory cgroup is not available on this host")
        return
    for name in ("hard_limit", "soft_limit", "swap_hard_limit"):
        value = getattr(tune, name)
        if value:
            cgroup_tune.set_memory_limit(group, name, value)


def _processor(group: Group, domain: Any) -> None:
    tune = domain.cputune
    if not group.has("cpu"):
        if tune is not None and tune.shares:
            raise ConfigUnsupported("CPU tuning is not available on this host")
        return
    if tune is None:
        return
    if tune.shares:
        cgroup_tune.set_shares(group, tune.shares)
        tune.shares = cgroup_tune.shares(group)
    if tune.global_period or tune.global_quota:
        cgroup_tune.set_bandwidth(group, tune.global_period, tune.global_quota)


# -- threads


def wanted_cpus(guest: Any, domain: Any, pin: Any) -> frozenset[int] | None:
    """Where a thread may run: its own pin, else that of the whole guest; None for anywhere."""
    return pin or guest.run.auto_cpus or domain.vcpu_cpuset or None


def emulator_pin(guest: Any, domain: Any) -> frozenset[int] | None:
    return wanted_cpus(guest, domain, domain.cputune.emulatorpin if domain.cputune is not None else None)


def set_affinity(tid: int, cpus: frozenset[int] | None) -> None:
    """Bind a thread to processors (all: those of the host). Raises SystemFailure."""
    try:
        os.sched_setaffinity(tid, cpus or range(proc.host_cpus()))
    except ProcessLookupError:
        return
    except OSError as error:
        raise SystemFailure(f"cannot set CPU affinity on process {tid}", error) from error


SCHEDULERS = {"batch": os.SCHED_BATCH, "idle": os.SCHED_IDLE, "fifo": os.SCHED_FIFO, "rr": os.SCHED_RR}


def set_scheduler(tid: int, policy: str | None, priority: int | None) -> None:
    """Give a thread a scheduler. Raises SystemFailure."""
    if policy is None:
        return
    number = priority or 0 if policy in ("fifo", "rr") else 0
    try:
        os.sched_setscheduler(tid, SCHEDULERS[policy], os.sched_param(number))
    except OSError as error:
        raise SystemFailure(f"Cannot set scheduler parameters for pid {tid}", error) from error


def thread_group(guest: Any, name: str) -> Group | None:
    """The group of a thread (``vcpu0``), where the guest has groups for threads."""
    group: Group | None = guest.run.cgroup
    if group is None or not (group.has("cpu") or group.has("cpuset")):
        return None
    return group.child(name, cgroup.THREAD)


def place_threads(
    guest: Any, domain: Any, name: str, tids: list[int], pin: frozenset[int] | None, limits: tuple[Any, Any]
) -> None:
    """Put threads into the group of that name, and tune it: processors, host cells, (period, quota)."""
    group = thread_group(guest, name)
    if group is not None:
        group.make(threaded=True)
        if group.has("cpuset"):
            nodes = numa.strict_nodes(guest, domain)
            if nodes:
                cgroup_tune.set_nodes(group, nodes)
            if pin:
                cgroup_tune.set_cpus(group, pin)
        if group.has("cpu") and (limits[0] or limits[1]):
            cgroup_tune.set_bandwidth(group, *limits)
        for tid in tids:
            with contextlib.suppress(ProcessLookupError):
                group.add_thread(tid)
    for tid in tids:
        set_affinity(tid, pin)


def place_emulator(guest: Any, domain: Any, pid: int) -> None:
    """Before QEMU runs: its first thread, from which all others come."""
    tune = domain.cputune
    limits = (tune.emulator_period, tune.emulator_quota) if tune is not None else (None, None)
    place_threads(guest, domain, "emulator", [pid], emulator_pin(guest, domain), limits)
    if tune is not None:
        set_scheduler(pid, tune.emulator_scheduler, tune.emulator_priority)


def place_vcpu(guest: Any, domain: Any, number: int, tid: int) -> None:
    """A virtual CPU's thread (at the start, or plugged)."""
    tune = domain.cputune
    pin = next((row.cpuset for row in tune.vcpupins if row.vcpu == number), None) if tune is not None else None
    limits = (tune.period, tune.quota) if tune is not None else (None, None)
    place_threads(guest, domain, f"vcpu{number}", [tid], wanted_cpus(guest, domain, pin), limits)
    for row in tune.vcpuscheds if tune is not None else ():
        if number in (row.vcpus or ()):
            set_scheduler(tid, row.scheduler, row.priority)


def place_iothread(guest: Any, domain: Any, number: int, tid: int) -> None:
    """An I/O thread (at the start, or added)."""
    tune = domain.cputune
    pin = next((row.cpuset for row in tune.iothreadpins if row.iothread == number), None) if tune is not None else None
    limits = (tune.iothread_period, tune.iothread_quota) if tune is not None else (None, None)
    place_threads(guest, domain, f"iothread{number}", [tid], wanted_cpus(guest, domain, pin), limits)
    for row in tune.iothreadscheds if tune is not None else ():
        if number in (row.iothreads or ()):
            set_scheduler(tid, row.scheduler, row.priority)


async def iothreads(guest: Any) -> dict[int, int]:
    """Number and thread of each I/O thread, from QEMU."""
    if not guest.live.iothreads:
        return {}
    rows = await guest.monitor().command("query-iothreads")
    return {int(str(row["id"]).removeprefix("iothread")): int(row["thread-id"]) for row in rows}


async def place_all(guest: Any) -> None:
    """The virtual CPUs and I/O threads of a QEMU that just answered."""
    threads = await iothreads(guest)
    await asyncio.to_thread(_place_all, guest, guest.live, threads)


def _place_all(guest: Any, domain: Any, threads: dict[int, int]) -> None:
    for number, tid in sorted(guest.run.vcpus.items()):
        place_vcpu(guest, domain, number, tid)
    for number, tid in sorted(threads.items()):
        place_iothread(guest, domain, number, tid)


def drop_thread(guest: Any, name: str) -> None:
    """Remove the group of a thread that is gone (a CPU or I/O thread that was unplugged)."""
    group = thread_group(guest, name)
    if group is not None:
        group.remove()


# -- after a restart of the daemon


def adopt(guest: Any) -> None:
    """Find the groups of a guest that runs; none that are not a guest's of that name."""
    driver, run = guest.driver, guest.run
    found = trees(driver)
    group = cgroup.of_process(found, run.pid) if found else None
    if group is None:
        return
    name = machine_name(driver, guest.id, guest.name)
    parts = group.path.split("/")
    if cgroup.escape(f"{name}.libvirt-qemu") in parts or scope_name(name) in parts:
        run.cgroup = group
        run.machine = name if group.scope is not None else None
    else:
        log.info("guest %s is in no control group of its own", guest.name)
