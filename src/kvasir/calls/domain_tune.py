"""Changing a guest's memory and number of CPUs; what a host without control groups cannot tune."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import bad, check_flags
from kvasir.calls.guests import CONFIG, LIVE, guest, impact
from kvasir.errors import (
    InvalidArg,
    OperationInvalid,
)
from kvasir.qemu import live, stats, statusdoc
from kvasir.qemu.jobs import Kind

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.qemu.guest import Guest

MAXIMUM, GUEST, HOTPLUGGABLE = 4, 8, 16
MEM_MAXIMUM = 4


def _some(memory: int, function: str) -> None:
    if memory == 0:
        raise bad(function, "memory", "must not be zero")


async def domain_set_memory(session: Session, dom: Any, memory: int) -> None:
    """Change the running guest's memory (KiB) through its balloon."""
    _some(memory, "virDomainSetMemory")
    await domain_set_memory_flags(session, dom, memory, LIVE)


async def domain_set_max_memory(session: Session, dom: Any, memory: int) -> None:
    """Change the maximal memory (KiB)."""
    _some(memory, "virDomainSetMaxMemory")
    await domain_set_memory_flags(session, dom, memory, MEM_MAXIMUM)


async def domain_set_memory_flags(session: Session, dom: Any, memory: int, flags: int) -> None:
    """Change current or (flag 4) maximal memory in KiB."""
    _some(memory, "virDomainSetMemoryFlags")
    check_flags(flags, LIVE | CONFIG | MEM_MAXIMUM, "qemuDomainSetMemoryFlags")
    found = guest(session, dom)
    async with found.jobs.normal(Kind.MODIFY):
        in_live, in_config = impact(found, flags)
        if flags & MEM_MAXIMUM:
            if in_live:
                raise OperationInvalid("cannot resize the maximum memory on an active domain")
            await _change(found, max_memory=memory)
            return
        if in_live and memory > stats.total_memory(found.live):
            raise InvalidArg("cannot set memory higher than max memory")
        if in_config and memory > stats.total_memory(found.config):
            raise InvalidArg("cannot set memory higher than max memory")
        if in_live:
            if not live.has_balloon(found.live):
                raise OperationInvalid(
                    "Unable to change memory of active domain without the balloon device and guest OS balloon driver"
                )
            await found.monitor().command("balloon", {"value": memory * 1024})
            statusdoc.save(found)
        if in_config:
            await _change(found, memory=memory)


async def _change(found: Guest, memory: int | None = None, max_memory: int | None = None) -> None:
    domain = found.config.copy()
    if max_memory is not None:
        if domain.cpu_cells():
            raise OperationInvalid("initial memory size of a domain with NUMA nodes cannot be modified with this API")
        domain.memory = max_memory
        if domain.current_memory is not None and domain.current_memory > max_memory:
            domain.current_memory = max_memory
    if memory is not None:
        domain.current_memory = memory
    await found.driver.rewrite(found, domain)
