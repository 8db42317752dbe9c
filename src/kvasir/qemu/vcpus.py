"""Virtual CPUs that come and go: which are there, plugged by QMP or left for the next start, and as the guest's agent sees them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from kvasir.errors import ConfigUnsupported, InternalError, InvalidArg, OperationTimeout, OperationUnsupported
from kvasir.model.sysinfo import Vcpu

from . import agent, cgroups, learn, stats

log = logging.getLogger(__name__)

WAIT = 5.0
"""Seconds that the guest has to let go of a CPU."""


def listed(domain: Any, *, ordered: bool = False) -> list[Vcpu]:
    """The guest's CPUs one by one; made from the counts where the document does not list them."""
    if domain.vcpus:
        return list(domain.vcpus)
    now = stats.online_cpus(domain)
    return [
        Vcpu(id=n, enabled=n < now, hotpluggable=n >= now, order=n + 1 if ordered and n < now else None)
        for n in range(stats.max_cpus(domain))
    ]


def _count(domain: Any) -> None:
    """Bring the count in line with the list."""
    now = sum(1 for one in domain.vcpus if one.enabled)
    domain.vcpu_current = now if now < stats.max_cpus(domain) else None


# -- the definition


def set_config(domain: Any, count: int, hotpluggable: bool) -> None:
    """Start with so many CPUs the next time."""
    now = stats.online_cpus(domain)
    if not domain.vcpus and not hotpluggable:
        domain.vcpu_current = count if count < stats.max_cpus(domain) else None
        return
    domain.vcpus = listed(domain)
    for one in domain.vcpus:
        one.order = None
    if now < count:
        for one in [v for v in domain.vcpus if not v.enabled][: count - now]:
            one.enabled = True
            if hotpluggable:
                one.hotpluggable = True
            elif one.hotpluggable is None:
                one.hotpluggable = False
    else:
        for one in [v for v in reversed(domain.vcpus) if v.enabled][: now - count]:
            one.enabled, one.hotpluggable = False, True
    _count(domain)


def set_maximum(domain: Any, count: int) -> None:
    """Have at most so many CPUs from the next start on. Raises InvalidArg."""
    cpu = domain.cpu
    if cpu is not None and cpu.topology is not None:
        top = cpu.topology
        if (top.sockets or 1) * (top.dies or 1) * (top.cores or 1) * (top.threads or 1) != count:
            raise InvalidArg("CPU topology doesn't match the desired vcpu count")
    cells = domain.cpu_cells()
    placed = {number for cell in cells for number in cell.cpus or ()}
    if len(placed) > count:
        raise InvalidArg("Number of CPUs in <numa> exceeds the desired maximum vcpu count")
    if cells:  # CPUs in no cell are the first one's
        cells[0].cpus = frozenset(cells[0].cpus or ()) | (frozenset(range(count)) - placed)
    now = min(stats.online_cpus(domain), count)
    if domain.vcpus:
        known = [one for one in domain.vcpus if (one.id or 0) < count]
        domain.vcpus = known + [Vcpu(id=n, enabled=False) for n in range(len(known), count)]
    domain.vcpu = count
    domain.vcpu_current = now if now < count else None
    if domain.vcpus:
        _count(domain)


def check_there(domain: Any, wanted: set[int], word: str) -> None:
    """Raises InvalidArg where a definition (the ``live`` or ``persistent`` one) has no such CPU."""
    if max(wanted) >= stats.max_cpus(domain):
        raise InvalidArg(f"vcpu {max(wanted)} is not present in {word} config")


def choose_config(domain: Any, wanted: set[int], enable: bool) -> None:
    """Enable or disable some CPUs for the next start. Raises InvalidArg."""
    if 0 in wanted:
        raise InvalidArg("vCPU '0' can't be modified")
    domain.vcpus = listed(domain)
    for one in domain.vcpus:
        one.order = None
        if one.id in wanted:
            one.enabled, one.hotpluggable = enable, True
    _count(domain)


# -- the running guest


async def set_live(guest: Any, count: int) -> None:
    """Plug or unplug CPUs until the guest has so many. Raises ConfigUnsupported, OperationTimeout."""
    cpus = listed(guest.live, ordered=True)
    now = sum(1 for one in cpus if one.enabled)
    if count > now:
        chosen = [one for one in cpus if not one.enabled][: count - now]
    else:
        removable = [one for one in reversed(cpus) if one.enabled and one.hotpluggable and one.id]
        chosen = removable[: now - count]
    if len(chosen) != abs(count - now):
        raise ConfigUnsupported("failed to find appropriate hotpluggable vcpus to reach the desired target vcpu count")
    for one in chosen:
        await (plug if count > now else unplug)(guest, int(one.id or 0))


def check_live(domain: Any, wanted: set[int], enable: bool) -> None:
    """Whether these CPUs can be plugged or unplugged: one at a time. Raises InvalidArg, OperationUnsupported."""
    cpus = listed(domain)
    for number in sorted(wanted):
        if bool(cpus[number].enabled) == enable:
            raise InvalidArg(f"vcpu '{number}' is already in requested state")
        if not enable and cpus[number].hotpluggable is None:
            raise InvalidArg(f"vcpu '{number}' can't be hotunplugged")
    if len(wanted) > 1:
        raise OperationUnsupported("only one hotpluggable entity can be selected")


async def choose_live(guest: Any, wanted: set[int], enable: bool) -> None:
    """Plug or unplug these CPUs. Raises OperationUnsupported."""
    cpus = listed(guest.live)
    for number in sorted(wanted):
        if not enable and not cpus[number].hotpluggable:
            raise OperationUnsupported(f"vcpu '{number}' can't be unplugged")
        await (plug if enable else unplug)(guest, number)


async def slots(guest: Any) -> list[dict[str, Any]]:
    """QEMU's places for CPUs, in the order of their numbers."""
    rows = await guest.monitor().command("query-hotpluggable-cpus")
    keys = ("socket-id", "die-id", "cluster-id", "core-id", "thread-id")
    return sorted(rows, key=lambda row: tuple(int(row["props"].get(key, 0)) for key in keys))


async def plug(guest: Any, number: int) -> None:
    """Add one CPU to the running guest."""
    places = await slots(guest)
    if number >= len(places):
        raise InternalError(f"QEMU has no place for vcpu {number}")
    place = places[number]
    await guest.monitor().command("device_add", {"driver": place["type"], "id": f"vcpu{number}", **place["props"]})
    await _learn(guest)
    cpus = listed(guest.live, ordered=True)
    last = max((one.order or 0 for one in cpus), default=0)
    for one in cpus:
        if one.id == number:
            one.enabled, one.order = True, last + 1
    guest.live.vcpus = cpus
    _count(guest.live)
    tid = guest.run.vcpus.get(number)
    if tid is not None:
        await asyncio.to_thread(cgroups.place_vcpu, guest, guest.live, number, tid)
    await learn.peripherals(guest)


async def _learn(guest: Any) -> None:
    """The threads of the CPUs by their numbers, which are those of their places."""
    places = await slots(guest)
    by_path = {str(row.get("qom-path")): number for number, row in enumerate(places) if row.get("qom-path")}
    rows = await guest.monitor().command("query-cpus-fast")
    guest.run.vcpus = {
        by_path.get(str(row.get("qom-path")), int(row["cpu-index"])): int(row["thread-id"])
        for row in rows
        if "thread-id" in row
    }


async def unplug(guest: Any, number: int) -> None:
    """Ask the guest to give a CPU back and wait. Raises OperationTimeout."""
    run, alias = guest.run, f"vcpu{number}"
    waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    run.unplugs[alias] = waiter
    gone = False
    try:
        await guest.monitor().command("device_del", {"id": alias})
        with contextlib.suppress(TimeoutError):
            gone = await asyncio.wait_for(waiter, WAIT)
    finally:
        run.unplugs.pop(alias, None)
    if not gone:
        raise OperationTimeout("vcpu unplug request timed out. Unplug result must be manually inspected in the domain")
    await removed(guest, number)


async def removed(guest: Any, number: int) -> None:
    """A CPU is gone."""
    await _learn(guest)
    cpus = listed(guest.live, ordered=True)
    order = next((one.order for one in cpus if one.id == number), None)
    for one in cpus:
        if one.id == number:
            one.enabled, one.order = False, None
        elif order is not None and one.order is not None and one.order > order:
            one.order -= 1
    guest.live.vcpus = cpus
    _count(guest.live)
    await asyncio.to_thread(cgroups.drop_thread, guest, f"vcpu{number}")
    await learn.peripherals(guest)


async def start_hotpluggable(guest: Any) -> None:
    """Before the guest runs: plug the CPUs that the document says are hot-pluggable, in its order."""
    cpus = [one for one in guest.live.vcpus if one.enabled and one.hotpluggable]
    if not any(one.enabled and not one.hotpluggable for one in guest.live.vcpus):
        return
    places = await slots(guest)
    for one in sorted(cpus, key=lambda one: (one.order or 1 << 30, one.id or 0)):
        place = places[int(one.id or 0)]
        values = {"driver": place["type"], "id": f"vcpu{one.id}", **place["props"]}
        await guest.monitor().command("device_add", values)
    if cpus:
        await _learn(guest)
    for number, one in enumerate((one for one in guest.live.vcpus if one.enabled), 1):
        one.order = one.order or number


# -- the agent's view


async def guest_cpus(guest: Any) -> list[dict[str, Any]]:
    """What the agent says: logical-id, online, can-offline of each CPU."""
    rows = await agent.call(guest, "guest-get-vcpus")
    if not isinstance(rows, list):
        raise InternalError("malformed return value")
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("logical-id"), int)]


async def guest_online(guest: Any) -> int:
    """How many CPUs the guest uses."""
    return sum(1 for row in await guest_cpus(guest) if row.get("online"))


async def set_guest(guest: Any, count: int) -> None:
    """Have the agent bring CPUs on or off until the guest uses so many."""
    agent.need(guest)
    most = stats.online_cpus(guest.live)
    if count > most:
        raise InvalidArg(
            f"requested vcpu count is greater than the count of enabled vcpus in the domain: {count} > {most}"
        )
    rows = await guest_cpus(guest)
    online = sum(1 for row in rows if row.get("online"))
    if count > len(rows):
        raise InternalError("guest agent reports less cpu than requested")
    if count < online - sum(1 for row in rows if row.get("online") and row.get("can-offline")):
        raise InternalError("Cannot offline enough CPUs")
    change: list[dict[str, Any]] = []
    for row in rows:
        if count < online and row.get("online") and row.get("can-offline"):
            online -= 1
            change.append({"logical-id": row["logical-id"], "online": False})
        elif count > online and not row.get("online"):
            online += 1
            change.append({"logical-id": row["logical-id"], "online": True})
    await apply_guest(guest, change)


async def apply_guest(guest: Any, change: list[dict[str, Any]]) -> None:
    """``guest-set-vcpus`` until all of the change is done."""
    while change:
        done = await agent.call(guest, "guest-set-vcpus", {"vcpus": change})
        if not isinstance(done, int) or not 0 < done <= len(change):
            raise InternalError("command failed with unexpected return value" if done else "failed to set vcpus")
        change = change[done:]
