"""Changing the test driver's guests: memory, processors, description, metadata, tuning."""

from __future__ import annotations

from typing import Any

from kvasir.calls.flags import check_flags
from kvasir.errors import Code, Error, InternalError, InvalidArg, OperationInvalid, Origin
from kvasir.events import MetadataChange
from kvasir.qemu import metadata as elements
from kvasir.testdriver.reach import CONFIG, LIVE, definitions, guest, one_definition

MAXIMUM = 4
MOST_CPUS = 32


def domain_get_max_memory(session: Any, dom: Any) -> int:
    return int(guest(session, dom).now.memory or 0)


def domain_set_max_memory(session: Any, dom: Any, memory: int) -> None:
    domain_set_memory_flags(session, dom, memory, MAXIMUM)


def domain_set_memory(session: Any, dom: Any, memory: int) -> None:
    domain_set_memory_flags(session, dom, memory, LIVE)


def domain_set_memory_flags(session: Any, dom: Any, memory: int, flags: int) -> None:
    """Memory in KiB, or (flag 4) its maximum."""
    check_flags(flags, LIVE | CONFIG | MAXIMUM, "testDomainSetMemoryFlags", Origin.TEST)
    one = guest(session, dom)
    domain = one_definition(one, flags)
    if flags & MAXIMUM:
        if domain is one.live:
            raise OperationInvalid("cannot resize the maximum memory on an active domain", origin=Origin.TEST)
        domain.memory = memory
        domain.current_memory = min(domain.current_memory or memory, memory)
        return
    if memory > (domain.memory or 0):
        raise InvalidArg("cannot set memory higher than max memory", origin=Origin.TEST)
    domain.current_memory = memory


def domain_set_memory_stats_period(session: Any, dom: Any, period: int, flags: int) -> None:
    """How often the balloon reports."""
    domain = one_definition(guest(session, dom), flags)
    if not any(balloon.model == "virtio" for balloon in domain.memballoons):
        text = "No memory balloon device configured, can not set the collection period"
        raise InternalError(text, origin=Origin.TEST)
    domain.memballoons[0].period = period


def domain_get_vcpus_flags(session: Any, dom: Any, flags: int) -> int:
    check_flags(flags, LIVE | CONFIG | MAXIMUM | 8, "testDomainGetVcpusFlags", Origin.TEST)
    domain = one_definition(guest(session, dom), flags)
    return int(domain.vcpu if flags & MAXIMUM else domain.vcpu_current or domain.vcpu)


def domain_get_max_vcpus(session: Any, dom: Any) -> int:
    return domain_get_vcpus_flags(session, dom, LIVE | MAXIMUM)


def domain_set_vcpus(session: Any, dom: Any, nvcpus: int) -> None:
    domain_set_vcpus_flags(session, dom, nvcpus, LIVE)


def _signed(number: int) -> int:
    return number - (1 << 32) if number >> 31 else number


def domain_set_vcpus_flags(session: Any, dom: Any, nvcpus: int, flags: int) -> None:
    """How many processors it has, or (flag 4) may have."""
    check_flags(flags, LIVE | CONFIG | MAXIMUM, "testDomainSetVcpusFlags", Origin.TEST)
    if nvcpus > MOST_CPUS:
        text = f"requested cpu amount exceeds maximum supported amount ({_signed(nvcpus)} > {MOST_CPUS})"
        raise InvalidArg(text, origin=Origin.TEST)
    one = guest(session, dom)
    wanted = definitions(one, flags)
    if flags & MAXIMUM:
        for domain in wanted:
            domain.vcpu_current = min(domain.vcpu_current or domain.vcpu, nvcpus)
            domain.vcpu = nvcpus
            domain.vcpu_current = None if domain.vcpu_current == nvcpus else domain.vcpu_current
        return
    limit = min(domain.vcpu for domain in wanted)
    if nvcpus > limit:
        raise InvalidArg(f"requested cpu amount exceeds maximum ({nvcpus} > {limit})", origin=Origin.TEST)
    for domain in wanted:
        domain.vcpu_current = None if nvcpus == domain.vcpu else nvcpus


def domain_get_metadata(session: Any, dom: Any, type: int, uri: str | None, flags: int) -> str:
    """Description, title, or the element of a namespace."""
    check_flags(flags, LIVE | CONFIG, "testDomainGetMetadata", Origin.TEST)
    domain = one_definition(guest(session, dom), flags)
    if type > 2:
        raise _no_kind(type)
    value = domain.description if type == 0 else domain.title if type == 1 else None
    if type == 2:
        value = elements.get(domain, uri or "")
    if value is None:
        text = "Requested metadata element is not present"
        raise Error(text, code=Code.NO_DOMAIN_METADATA, origin=Origin.DOMAIN, message=f"metadata not found: {text}")
    return str(value)


def _no_kind(type: int) -> Error:
    return InvalidArg(f"unknown metadata type '{type}'", origin=Origin.DOMAIN)


def domain_set_metadata(
    session: Any, dom: Any, type: int, metadata: str | None, key: str | None, uri: str | None, flags: int
) -> None:
    """Change or remove it."""
    check_flags(flags, LIVE | CONFIG, "testDomainSetMetadata", Origin.TEST)
    one = guest(session, dom)
    wanted = definitions(one, flags)
    if type > 2:
        raise _no_kind(type)
    for domain in wanted:
        if type == 0:
            domain.description = metadata or None
        elif type == 1:
            domain.title = metadata or None
        elif type == 2:
            elements.put(domain, metadata, key or "", uri or "")
    session.driver.bus.publish(MetadataChange(one, type, uri))


def domain_pin_vcpu(session: Any, dom: Any, vcpu: int, cpumap: bytes) -> None:
    domain_pin_vcpu_flags(session, dom, vcpu, cpumap, 0)


def domain_pin_vcpu_flags(session: Any, dom: Any, vcpu: int, cpumap: bytes, flags: int) -> None:
    """Where a processor of a running guest may run."""
    from kvasir.model.tune import Cputune, VcpuPin

    check_flags(flags, 0, "testDomainPinVcpuFlags", Origin.TEST)
    one = guest(session, dom)
    if one.live is None:
        raise OperationInvalid("cannot pin vcpus on an inactive domain", origin=Origin.TEST)
    domain = one.live
    if vcpu >= (domain.vcpu_current or domain.vcpu or 1):
        raise InvalidArg(f"requested vcpu '{vcpu}' is not present in the domain", origin=Origin.TEST)
    cpus = frozenset(n for n in range(len(cpumap) * 8) if cpumap[n // 8] >> (n % 8) & 1)
    domain.cputune = domain.cputune or Cputune()
    pins = [pin for pin in domain.cputune.vcpupins if pin.vcpu != vcpu]
    domain.cputune.vcpupins = sorted((*pins, VcpuPin(vcpu=vcpu, cpuset=cpus)), key=lambda pin: pin.vcpu or 0)
