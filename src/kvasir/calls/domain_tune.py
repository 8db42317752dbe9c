"""Changing a guest's memory and number of CPUs; what a host without control groups cannot tune."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags
from kvasir.calls.guests import CONFIG, LIVE, guest, impact
from kvasir.errors import (
    ConfigUnsupported,
    InvalidArg,
    OperationInvalid,
    OperationUnsupported,
)
from kvasir.qemu import live, stats, statusdoc
from kvasir.qemu.jobs import Kind

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.qemu.guest import Guest

MAXIMUM, GUEST, HOTPLUGGABLE = 4, 8, 16
MEM_MAXIMUM = 4


async def domain_set_memory(session: Session, dom: Any, memory: int) -> None:
    """Change the running guest's memory (KiB) through its balloon."""
    await domain_set_memory_flags(session, dom, memory, LIVE)


async def domain_set_max_memory(session: Session, dom: Any, memory: int) -> None:
    """Change the maximal memory (KiB)."""
    await domain_set_memory_flags(session, dom, memory, MEM_MAXIMUM)


async def domain_set_memory_flags(session: Session, dom: Any, memory: int, flags: int) -> None:
    """Change current or (flag 4) maximal memory in KiB."""
    check_flags(flags, LIVE | CONFIG | MEM_MAXIMUM, "qemuDomainSetMemoryFlags")
    found = guest(session, dom)
    async with found.jobs.normal(Kind.MODIFY):
        in_live, in_config = impact(found, flags)
        if flags & MEM_MAXIMUM:
            if in_live:
                raise OperationInvalid("cannot resize the maximum memory on an active domain")
            _change(found, max_memory=memory)
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
            _change(found, memory=memory)


def _change(found: Guest, memory: int | None = None, max_memory: int | None = None) -> None:
    domain = found.config.copy()
    if max_memory is not None:
        if domain.cpu is not None and getattr(domain.cpu, "numa", None):
            raise OperationInvalid("initial memory size of a domain with NUMA nodes cannot be modified with this API")
        domain.memory = max_memory
        if domain.current_memory is not None and domain.current_memory > max_memory:
            domain.current_memory = max_memory
    if memory is not None:
        domain.current_memory = memory
    found.driver.rewrite(found, domain)


async def domain_set_vcpus(session: Session, dom: Any, nvcpus: int) -> None:
    """Change the running guest's number of CPUs."""
    await domain_set_vcpus_flags(session, dom, nvcpus, LIVE)


async def domain_set_vcpus_flags(session: Session, dom: Any, nvcpus: int, flags: int) -> None:
    """Change the number of CPUs: current or (flag 4) maximal, of the next start. Hotplug is a later part."""
    check_flags(flags, LIVE | CONFIG | MAXIMUM | GUEST | HOTPLUGGABLE, "qemuDomainSetVcpusFlags")
    if nvcpus < 1:
        raise InvalidArg("argument out of range: nvcpus must be greater than zero")
    found = guest(session, dom)
    async with found.jobs.normal(Kind.MODIFY):
        in_live, in_config = impact(found, flags)
        if flags & GUEST:
            raise OperationUnsupported("changing CPUs through the guest agent is not built yet")
        if in_live:
            if nvcpus > stats.max_cpus(found.live):
                most = stats.max_cpus(found.live)
                raise InvalidArg(
                    f"requested vcpus is greater than max allowable vcpus for the live domain: {nvcpus} > {most}"
                )
            if nvcpus != stats.online_cpus(found.live):
                raise ConfigUnsupported(
                    "failed to find appropriate hotpluggable vcpus to reach the desired target vcpu count"
                )
        if in_config:
            _set_vcpus(found, nvcpus, bool(flags & MAXIMUM))


def _set_vcpus(found: Guest, count: int, maximum: bool) -> None:
    domain = found.config.copy()
    if maximum:
        topology = getattr(domain.cpu, "topology", None) if domain.cpu is not None else None
        if topology is not None:
            raise InvalidArg("CPU topology doesn't match the desired vcpu count")
        domain.vcpu = count
        if domain.vcpu_current is not None and domain.vcpu_current >= count:
            domain.vcpu_current = None
    else:
        if count > stats.max_cpus(domain):
            raise InvalidArg(
                "requested vcpus is greater than max allowable vcpus for the persistent domain: "
                f"{count} > {stats.max_cpus(domain)}"
            )
        domain.vcpu_current = count if count < stats.max_cpus(domain) else None
    found.driver.rewrite(found, domain)
