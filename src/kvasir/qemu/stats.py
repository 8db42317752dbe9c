"""Statistics of guests, with libvirt's field names, types and order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from kvasir.errors import Error
from kvasir.host import proc
from kvasir.rpc.typed import Int, LLong, Params, UInt, ULLong

from . import learn, live, perfevents, stats_block
from .guest import Guest
from .jobs import Kind

log = logging.getLogger(__name__)

STATE, CPU, BALLOON, VCPU, INTERFACE, BLOCK, PERF, IOTHREAD, MEMORY, DIRTYRATE, VM = (1 << bit for bit in range(11))
ALL = (1 << 11) - 1
BACKING, NOWAIT, ENFORCE = 1 << 30, 1 << 29, 1 << 31
AT_ONCE = 64
"""Guests that are asked at the same time."""

TAINTS = {
    "custom-argv": "custom configuration parameters specified",
    "custom-monitor": "custom monitor control commands issued",
    "high-privileges": "running with undesirable elevated privileges",
    "host-cpu": "use of host cpu passthrough",
    "custom-ga-command": "custom guest agent control commands issued",
}


# -- what the document says


def total_memory(domain: Any) -> int:
    """KiB that the guest has at most (without slots that are empty)."""
    return int(domain.memory or 0)


def current_memory(domain: Any) -> int:
    """KiB that the guest has now."""
    if not live.has_balloon(domain) and live.list_of(domain, "memballoons"):
        return total_memory(domain)
    return int(domain.current_memory if domain.current_memory is not None else total_memory(domain))


def max_cpus(domain: Any) -> int:
    return int(domain.vcpu or 1)


def online_cpus(domain: Any) -> int:
    if domain.vcpu_current is not None:
        return int(domain.vcpu_current)
    return max_cpus(domain)


def tune_rows(domain: Any, name: str) -> list[Any]:
    """A list under ``<cputune>``."""
    return live.list_of(domain.cputune, name) if domain.cputune is not None else []


# -- memory

TAGS = {"swap_in": 0, "swap_out": 1, "major_fault": 2, "minor_fault": 3, "unused": 4, "available": 5, "actual": 6,
        "rss": 7, "usable": 8, "last-update": 9, "disk_caches": 10, "hugetlb_pgalloc": 11, "hugetlb_pgfail": 12}  # fmt: skip
FROM_BALLOON = (
    ("stat-swap-in", "swap_in", 1024), ("stat-swap-out", "swap_out", 1024), ("stat-major-faults", "major_fault", 1),
    ("stat-minor-faults", "minor_fault", 1), ("stat-free-memory", "unused", 1024),
    ("stat-total-memory", "available", 1024), ("stat-available-memory", "usable", 1024),
    ("last-update", "last-update", 1), ("stat-disk-caches", "disk_caches", 1024),
    ("stat-htlb-pgalloc", "hugetlb_pgalloc", 1), ("stat-htlb-pgfail", "hugetlb_pgfail", 1),
)  # fmt: skip


async def memory_rows(guest: Guest) -> list[tuple[str, int]]:
    """(name, value) of what balloon and host know, in libvirt's order."""
    run = guest.need_active()
    rows: list[tuple[str, int]] = []
    path = await learn.balloon_path(guest)
    if live.has_balloon(guest.live) and path is not None:
        monitor = guest.monitor()
        answer = await monitor.command("query-balloon")
        rows.append(("actual", int(answer["actual"]) // 1024))
        try:
            said = await monitor.command("qom-get", {"path": path, "property": "guest-stats"})
        except Error as error:
            log.debug("guest %s: no balloon statistics: %s", guest.name, error)
            said = {}
        values = dict(said.get("stats") or {})
        values["last-update"] = said.get("last-update", 0)
        for key, name, unit in FROM_BALLOON:
            value = values.get(key)
            if isinstance(value, int) and 0 <= value < (1 << 64) - 1:
                rows.append((name, value // unit))
    else:
        rows.append(("actual", current_memory(guest.live)))
    times = proc.times(run.pid)
    if times is not None:
        rows.append(("rss", times.rss))
    return rows


async def memory(guest: Guest) -> list[tuple[int, int]]:
    """(tag, value) as dommemstat shows them."""
    return [(TAGS[name], value) for name, value in await memory_rows(guest)]


# -- interfaces


def interface(card: Any) -> tuple[int, ...] | None:
    """The counters of a network card from the guest's side; None where the host has no interface for it."""
    name = getattr(card, "target_dev", None)
    if not name:
        return None
    counted = proc.interface(str(name))
    if counted is None:
        return None
    return counted if getattr(card, "type", "") == "direct" else (*counted[4:], *counted[:4])


# -- records


async def records(driver: Any, guests: Iterable[Guest], wanted: int, flags: int) -> list[tuple[Guest, Params]]:
    """A record for each guest; one that goes away meanwhile is left out."""
    wanted = wanted or ALL
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(guest: Guest) -> tuple[Guest, Params]:
        async with gate:
            return guest, await record(guest, wanted, flags)

    chosen = list(guests)
    if not any(guest.active for guest in chosen):
        return [(guest, inactive(guest, wanted, flags)) for guest in chosen]
    return list(await asyncio.gather(*(one(guest) for guest in chosen)))


def inactive(guest: Guest, wanted: int, flags: int) -> Params:
    """The record of a guest that does not run."""
    out: Params = []
    if wanted & STATE:
        out += [("state.state", Int(guest.state)), ("state.reason", Int(guest.reason))]
    said = summary(guest)
    if said is None:
        return out
    current, total, online, most, disks = said
    if wanted & BALLOON:
        out += [("balloon.current", ULLong(current)), ("balloon.maximum", ULLong(total))]
    if wanted & VCPU:
        out += [("vcpu.current", UInt(online)), ("vcpu.maximum", UInt(most))]
    if wanted & BLOCK:
        out += stats_block.record_inactive(disks)
    return out


def summary(guest: Guest) -> tuple[int, int, int, int, list[tuple[str, str]]] | None:
    """Current and maximal memory, CPUs and their maximum, and disks of the persistent definition, which is read for it once."""
    if guest.summary is None and guest.config is not None:
        domain = guest.config
        disks = [(live.disk_target(disk), live.source_path(disk) or "") for disk in live.list_of(domain, "disks")]
        guest.summary = current_memory(domain), total_memory(domain), online_cpus(domain), max_cpus(domain), disks
    found: tuple[int, int, int, int, list[tuple[str, str]]] | None = guest.summary
    return found


async def record(guest: Guest, wanted: int, flags: int) -> Params:
    """The record of one guest. With NOWAIT, or when its job does not end, only what needs no monitor."""
    if not guest.active:
        return inactive(guest, wanted, flags)
    needs_monitor = wanted & (BALLOON | VCPU | BLOCK | IOTHREAD | DIRTYRATE)
    if not needs_monitor:
        return await _active(guest, wanted, flags, False)
    try:
        async with guest.jobs.normal(Kind.QUERY, wait=0.0 if flags & NOWAIT else 30.0):
            if guest.active:
                return await _active(guest, wanted, flags, True)
    except Error as error:
        log.debug("guest %s: statistics without its monitor: %s", guest.name, error)
    if not guest.active:
        return inactive(guest, wanted, flags)
    return await _active(guest, wanted, flags, False)


async def _active(guest: Guest, wanted: int, flags: int, monitor: bool) -> Params:
    out: Params = []
    if wanted & STATE:
        out += [("state.state", Int(guest.state)), ("state.reason", Int(guest.reason))]
    if wanted & CPU:
        out += _cpu(guest)
    if wanted & BALLOON:
        out += await _balloon(guest, monitor)
    if wanted & VCPU:
        out += _vcpu(guest)
    if wanted & INTERFACE:
        out += _interfaces(guest)
    if wanted & BLOCK:
        out += await stats_block.record(guest, monitor, bool(flags & BACKING))
    if wanted & PERF and guest.run is not None:
        out += [(f"perf.{name}", ULLong(count)) for name, count in perfevents.counts(guest.run)]
    if wanted & IOTHREAD and monitor:
        out += await _iothreads(guest)
    if wanted & DIRTYRATE and monitor:
        out += await _dirtyrate(guest)
    return out


def _cpu(guest: Guest) -> Params:
    times = proc.times(guest.run.pid) if guest.run is not None else None
    if times is None:
        return []
    return [
        ("cpu.time", ULLong(times.total)), ("cpu.user", ULLong(times.user)), ("cpu.system", ULLong(times.system)),
        ("cpu.cache.monitor.count", UInt(0)), ("cpu.haltpoll.success.time", ULLong(0)),
        ("cpu.haltpoll.fail.time", ULLong(0)),
    ]  # fmt: skip


async def _balloon(guest: Guest, monitor: bool) -> Params:
    domain = guest.live
    out: Params = [
        ("balloon.current", ULLong(current_memory(domain))), ("balloon.maximum", ULLong(total_memory(domain))),
    ]  # fmt: skip
    if monitor:
        out += [(f"balloon.{name}", ULLong(value)) for name, value in await memory_rows(guest) if name != "actual"]
    return out


def _vcpu(guest: Guest) -> Params:
    assert guest.run is not None
    out: Params = [("vcpu.current", UInt(online_cpus(guest.live))), ("vcpu.maximum", UInt(max_cpus(guest.live)))]
    for number, tid in sorted(guest.run.vcpus.items()):
        times = proc.times(guest.run.pid, tid)
        _, wait, delay = proc.schedule(guest.run.pid, tid)
        out += [
            (f"vcpu.{number}.state", Int(1)), (f"vcpu.{number}.time", ULLong(times.total if times else 0)),
            (f"vcpu.{number}.wait", ULLong(wait)), (f"vcpu.{number}.delay", ULLong(delay)),
        ]  # fmt: skip
    return out


NET = ("rx.bytes", "rx.pkts", "rx.errs", "rx.drop", "tx.bytes", "tx.pkts", "tx.errs", "tx.drop")


def _interfaces(guest: Guest) -> Params:
    cards = live.list_of(guest.live, "interfaces")
    out: Params = [("net.count", UInt(len(cards)))]
    for number, card in enumerate(cards):
        if not getattr(card, "target_dev", None):
            continue
        out.append((f"net.{number}.name", str(card.target_dev)))
        counted = interface(card)
        if counted is not None:
            out += [(f"net.{number}.{name}", ULLong(value)) for name, value in zip(NET, counted, strict=True)]
    return out


async def _iothreads(guest: Guest) -> Params:
    if not guest.live.iothreads:
        return []
    rows = await guest.monitor().command("query-iothreads")
    out: Params = [("iothread.count", UInt(len(rows)))]
    for row in rows:
        number = str(row.get("id", "")).removeprefix("iothread")
        for key in ("poll-max-ns", "poll-grow", "poll-shrink"):
            if key in row:
                value = int(row[key])
                out.append((f"iothread.{number}.{key}", ULLong(value) if key == "poll-max-ns" else UInt(value)))
    return out


async def _dirtyrate(guest: Guest) -> Params:
    try:
        said = await guest.monitor().command("query-dirty-rate")
    except Error:
        return []
    status = {"unstarted": 0, "measuring": 1, "measured": 2}.get(str(said.get("status")), 0)
    out: Params = [
        ("dirtyrate.calc_status", Int(status)), ("dirtyrate.calc_start_time", LLong(said.get("start-time", 0))),
        ("dirtyrate.calc_period", Int(said.get("calc-time", 0))),
    ]  # fmt: skip
    out.append(("dirtyrate.calc_mode", str(said.get("mode", "page-sampling"))))
    if status == 2:
        out.append(("dirtyrate.megabytes_per_second", LLong(said.get("dirty-rate", 0))))
        for cpu in said.get("vcpu-dirty-rate", ()):
            out.append((f"dirtyrate.vcpu.{cpu['id']}.megabytes_per_second", ULLong(cpu["dirty-rate"])))
    return out
