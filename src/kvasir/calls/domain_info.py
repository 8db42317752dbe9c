"""Looking at one guest: state, memory, CPUs, labels, disks and interfaces."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags
from kvasir.calls.guests import CONFIG, LIVE, guest, one
from kvasir.errors import InternalError, InvalidArg, OperationInvalid, Origin
from kvasir.host import proc
from kvasir.qemu import live, stats, stats_block, vcpus
from kvasir.qemu.jobs import Async, Kind
from kvasir.rpc.typed import LLong

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.qemu.guest import Guest

TYPED_STRINGS = 4


def domain_get_info(session: Session, dom: Any) -> tuple[int, int, int, int, int]:
    """State, maximal and current memory (KiB), number of CPUs, processor time (ns)."""
    found = guest(session, dom)
    if found.live is None and (said := stats.summary(found)) is not None:
        return int(found.state), said[1], said[0], said[2], 0
    domain, used = found.current, 0
    if found.run is not None and found.active and (times := proc.times(found.run.pid)):
        used = times.total
    total = stats.total_memory(domain)
    current = stats.current_memory(domain)
    return int(found.state), total, current, stats.online_cpus(domain), used


def domain_get_state(session: Session, dom: Any, flags: int) -> tuple[int, int]:
    """State and its reason."""
    check_flags(flags, 0, "qemuDomainGetState")
    found = guest(session, dom)
    return int(found.state), found.reason


def domain_get_control_info(session: Session, dom: Any, flags: int) -> tuple[int, int, int]:
    """Whether the guest can be talked to: ok, in a job, or in a monitor command, and for how long (ms)."""
    check_flags(flags, 0, "qemuDomainGetControlInfo")
    found = guest(session, dom)
    found.need_active()
    if not found.has_jobs:
        return 0, 0, 0
    jobs = found.jobs
    if jobs.async_job is not Async.NONE:
        return 1, 0, int((time.time() - jobs.async_since) * 1000)
    if jobs.job is not None:
        return 2, 0, int((time.time() - jobs.since) * 1000)
    return 0, 0, 0


def domain_get_max_memory(session: Session, dom: Any) -> int:
    """Maximal memory in KiB."""
    return stats.total_memory(guest(session, dom).current)


def domain_get_max_vcpus(session: Session, dom: Any) -> int:
    """The number of CPUs that the guest can have."""
    found = guest(session, dom)
    return stats.max_cpus(found.live if found.live is not None else found.config)


async def domain_get_vcpus_flags(session: Session, dom: Any, flags: int) -> int:
    """The number of CPUs: current or maximal, of the running guest or its definition."""
    check_flags(flags, LIVE | CONFIG | 4 | 8, "qemuDomainGetVcpusFlags")
    if flags & 8:
        found = guest(session, dom)
        if flags & CONFIG or not found.active:
            raise InvalidArg("vCPU count provided by the guest agent can only be requested for live domains")
        return len(await vcpus.guest_cpus(found)) if flags & 4 else await vcpus.guest_online(found)
    domain, _ = one(guest(session, dom), flags)
    return stats.max_cpus(domain) if flags & 4 else stats.online_cpus(domain)


def domain_get_vcpus(session: Session, dom: Any, maxinfo: int, maplen: int) -> tuple[list[tuple[int, ...]], bytes]:
    """Each CPU of a running guest: number, state, time, where it runs; and where it may run."""
    found = guest(session, dom)
    if found.run is None or not found.active:
        raise OperationInvalid("cannot list vcpu pinning for an inactive domain")
    rows: list[tuple[int, ...]] = []
    maps = b""
    for number, tid in sorted(found.run.vcpus.items())[:maxinfo]:
        times = proc.times(found.run.pid, tid)
        rows.append((number, 1, times.total if times else 0, times.cpu if times else -1))
        if maplen:
            maps += proc.bitmap(_affinity(tid), maplen)
    return rows, maps


def _affinity(tid: int) -> set[int]:
    try:
        return os.sched_getaffinity(tid)
    except OSError:
        return set()


async def domain_memory_stats(session: Session, dom: Any, maxStats: int, flags: int) -> list[tuple[int, int]]:
    """What balloon and host say about the guest's memory."""
    check_flags(flags, 0, "qemuDomainMemoryStats")
    found = guest(session, dom)
    found.need_active()
    async with found.jobs.normal(Kind.QUERY):
        return (await stats.memory(found))[:maxStats]


async def domain_set_memory_stats_period(session: Session, dom: Any, period: int, flags: int) -> None:
    """How often the guest reports its memory."""
    from kvasir.calls.guests import impact
    from kvasir.qemu import learn, statusdoc

    check_flags(flags, LIVE | CONFIG, "qemuDomainSetMemoryStatsPeriod")
    found = guest(session, dom)
    in_live, in_config = impact(found, flags)
    async with found.jobs.normal(Kind.MODIFY):
        if in_live:
            if not live.has_balloon(found.live):
                raise OperationInvalid(
                    "Memory balloon model must be virtio/virtio-non-transitional/virtio-transitional to set the "
                    "collection period"
                )
            await learn.stats_period(found, period)
            for balloon in live.list_of(found.live, "memballoons"):
                balloon.period = period or None
            statusdoc.save(found)
        if in_config:
            domain = found.config.copy()
            for balloon in live.list_of(domain, "memballoons"):
                balloon.period = period or None
            await session.driver.rewrite(found, domain)


async def domain_block_stats(session: Session, dom: Any, path: str) -> tuple[int, int, int, int, int]:
    """Requests and bytes of a disk ('' for all)."""
    found = guest(session, dom)
    row = await stats_block.of_path(found, path)
    return row.rd_reqs, row.rd_bytes, row.wr_reqs, row.wr_bytes, -1


async def domain_block_stats_flags(
    session: Session, dom: Any, path: str, nparams: int, flags: int
) -> tuple[list[tuple[str, Any]], int]:
    """All that QEMU counts for a disk."""
    check_flags(flags, TYPED_STRINGS, "qemuDomainBlockStatsFlags")
    found = guest(session, dom)
    row = await stats_block.of_path(found, path)
    params = [
        ("wr_bytes", LLong(row.wr_bytes)), ("wr_operations", LLong(row.wr_reqs)), ("rd_bytes", LLong(row.rd_bytes)),
        ("rd_operations", LLong(row.rd_reqs)), ("flush_operations", LLong(row.fl_reqs)),
        ("wr_total_times", LLong(row.wr_times)), ("rd_total_times", LLong(row.rd_times)),
        ("flush_total_times", LLong(row.fl_times)),
    ]  # fmt: skip
    return (params[:nparams] if nparams else []), len(params)


async def domain_get_block_info(session: Session, dom: Any, path: str, flags: int) -> tuple[int, int, int]:
    """Allocation, capacity and physical size of a disk in bytes."""
    check_flags(flags, 0, "qemuDomainGetBlockInfo")
    return await stats_block.sizes(guest(session, dom), path)


async def domain_get_disk_errors(
    session: Session, dom: Any, maxerrors: int, flags: int
) -> tuple[list[tuple[str, int]], int]:
    """Disks that stopped the guest: 1 unspecified, 2 no space."""
    check_flags(flags, 0, "qemuDomainGetDiskErrors")
    found = guest(session, dom)
    found.need_active()
    if not maxerrors:
        return [], len(live.list_of(found.live, "disks"))
    async with found.jobs.normal(Kind.QUERY):
        rows = await stats_block.errors(found)
    return rows[:maxerrors], len(rows[:maxerrors])


async def domain_interface_stats(session: Session, dom: Any, device: str) -> tuple[int, ...]:
    """What passed through an interface, as the guest sees it."""
    found = guest(session, dom)
    found.need_active()
    for card in live.list_of(found.live, "interfaces"):
        if device and device in (card.target_dev, card.mac):
            counted = stats.interface(card)
            if not card.target_dev:
                raise InternalError("Interface name not provided")
            if counted is None:
                raise InternalError("Interface not found")
            return counted
    raise InvalidArg(f"'{device}' is not a known interface", origin=Origin.DOMAIN)


def domain_get_security_label(session: Session, dom: Any) -> tuple[bytes, int]:
    """The label of the guest's process under the first security model, which is ``none`` (DAC comes second)."""
    guest(session, dom)
    return b"\0", 0


def _label(found: Guest) -> bytes:
    label = live.dac_label(found.live)
    text = (label.text if label is not None and label.text else None) or found.driver.identity.label
    return str(text).encode()


def domain_get_security_label_list(session: Session, dom: Any) -> tuple[list[tuple[bytes, int]], int]:
    """The labels of the guest's process, one for each security model."""
    found = guest(session, dom)
    if not found.active or not found.driver.privileged:
        return [], 0
    return [(b"\0", 0), (_label(found) + b"\0", 0)], 2  # of the drivers "none" and "dac"


def domain_get_messages(session: Session, dom: Any, flags: int) -> list[str]:
    """Warnings about the guest: deprecated parts (1), things that void support (2)."""
    check_flags(flags, 3, "qemuDomainGetMessages")
    found = guest(session, dom)
    taints = found.run.taints if found.run is not None and flags != 1 else []
    return [f"tainted: {stats.TAINTS.get(taint, taint)}" for taint in taints]
