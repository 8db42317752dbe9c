"""A guest's I/O threads: added, removed, and how eagerly they poll."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kvasir.calls.changes import Change
from kvasir.calls.flags import check_flags, check_params
from kvasir.calls.guests import CONFIG, LIVE, guest
from kvasir.calls.limits import drop_iothread, iothread_numbers, listed
from kvasir.errors import InvalidArg, OperationInvalid, OperationUnsupported
from kvasir.model.sysinfo import Iothread
from kvasir.qemu import cgroups
from kvasir.rpc.typed import Int, UInt, ULLong

if TYPE_CHECKING:
    from kvasir.daemon.session import Session

POLLING = ("poll_max_ns", "poll_grow", "poll_shrink")
POOL = ("thread_pool_min", "thread_pool_max")
KNOWN = (
    ("poll_max_ns", ULLong), ("poll_grow", UInt), ("poll_shrink", UInt), ("thread_pool_min", Int), ("thread_pool_max", Int),
)  # fmt: skip


async def domain_add_iothread(session: Session, dom: Any, iothread_id: int, flags: int) -> None:
    """Add an I/O thread of that number."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainAddIOThread")
    if not iothread_id:
        raise InvalidArg("invalid value of 0 for iothread_id")
    found = guest(session, dom)
    async with Change(found, flags) as change:
        for domain in change.domains:
            if iothread_id in iothread_numbers(domain):
                raise InvalidArg(f"an IOThread is already using iothread_id '{iothread_id}'")
        if change.live is not None:
            await found.monitor().command("object-add", {"qom-type": "iothread", "id": f"iothread{iothread_id}"})
        for domain in change.domains:
            listed(domain).append(Iothread(id=iothread_id))
            domain.iothreads = len(domain.iothreadids)
        if change.live is not None:
            tid = (await cgroups.iothreads(found)).get(iothread_id)
            if tid is not None:
                await asyncio.to_thread(cgroups.place_iothread, found, change.live, iothread_id, tid)


async def domain_del_iothread(session: Session, dom: Any, iothread_id: int, flags: int) -> None:
    """Remove an I/O thread that nothing uses."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainDelIOThread")
    if not iothread_id:
        raise InvalidArg("invalid value of 0 for iothread_id")
    found = guest(session, dom)
    async with Change(found, flags) as change:
        for domain in change.domains:
            _unused(domain, iothread_id)
        if change.live is not None:
            await found.monitor().command("object-del", {"id": f"iothread{iothread_id}"})
            await asyncio.to_thread(cgroups.drop_thread, found, f"iothread{iothread_id}")
        for domain in change.domains:
            drop_iothread(domain, iothread_id)


def _find(domain: Any, number: int) -> Any:
    return next((one for one in listed(domain) if one.id == number), None)


def _unused(domain: Any, number: int) -> None:
    if number not in iothread_numbers(domain):
        raise InvalidArg(f"cannot find IOThread '{number}' in iothreadids list")
    for disk in domain.disks:
        if disk.iothread == number:
            raise InvalidArg(f"cannot remove IOThread {number} since it is being used by disk '{disk.target}'")
    for controller in domain.controllers:
        if getattr(controller, "iothread", None) == number:
            raise InvalidArg(
                f"cannot remove IOThread '{number}' since it is being used by controller '{controller.index}'"
            )


async def domain_set_iothread_params(session: Session, dom: Any, iothread_id: int, params: Any, flags: int) -> None:
    """Polling times and sizes of the pool of workers."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainSetIOThreadParams")
    if not iothread_id:
        raise InvalidArg("invalid value of 0 for iothread_id")
    check_params(params, KNOWN)
    wanted = {str(name): int(value) for name, value in params}
    found = guest(session, dom)
    async with Change(found, flags) as change:
        live = config = None
        if change.live is not None:
            live = _known(change.live, iothread_id)
            _pool_fits(live, wanted, live=True)
        if change.config is not None:
            config = _known(change.config, iothread_id)
            if any(name in wanted for name in POLLING):
                raise OperationUnsupported("configuring persistent polling values is not supported")
            _pool_fits(config, wanted, live=False)
        if live is not None:
            await _apply(found, iothread_id, live, wanted)
        for one in (live, config):
            for name in POOL:
                if one is not None and name in wanted:
                    setattr(one, name, wanted[name] if wanted[name] >= 0 else None)


def _known(domain: Any, number: int) -> Any:
    one = _find(domain, number)
    if one is None:
        raise InvalidArg(f"cannot find IOThread '{number}' in iothreadids")
    return one


def _pool_fits(one: Any, wanted: dict[str, int], *, live: bool) -> None:
    for name in POOL:
        if name in wanted and wanted[name] < 0 and live:
            raise OperationInvalid(f"{name} ({wanted[name]}) must be equal to or greater than 0 for live change")
    least = wanted.get("thread_pool_min", one.thread_pool_min if one.thread_pool_min is not None else -1)
    most = wanted.get("thread_pool_max", one.thread_pool_max if one.thread_pool_max is not None else -1)
    if least >= 0 and 0 <= most < least:
        raise OperationInvalid(f"thread_pool_min ({least}) can't be greater than thread_pool_max ({most})")


async def _apply(found: Any, number: int, one: Any, wanted: dict[str, int]) -> None:
    """Tell QEMU, in an order in which the least is never above the most."""
    path = f"/objects/iothread{number}"
    names = [name for name in POLLING if name in wanted]
    pool = [name for name in POOL if name in wanted]
    if len(pool) == 2:
        now = await found.monitor().command("qom-get", {"path": path, "property": "thread-pool-max"})
        if wanted["thread_pool_min"] > int(now):
            pool.reverse()
    for name in names + pool:
        await found.monitor().command(
            "qom-set", {"path": path, "property": name.replace("_", "-"), "value": wanted[name]}
        )
