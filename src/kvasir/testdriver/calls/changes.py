"""Changing the test driver's guests: memory, processors, description, metadata, tuning."""

from __future__ import annotations

from typing import Any

from kvasir.calls.flags import check_flags
from kvasir.errors import Code, Error, InternalError, InvalidArg, OperationInvalid, Origin
from kvasir.events import MetadataChange
from kvasir.qemu import metadata as elements
from kvasir.rpc.typed import ULLong
from kvasir.testdriver.guest import Guest

LIVE, CONFIG, MAXIMUM = 1, 2, 4
UNLIMITED = 9007199254740991
MEMORY = ("hard_limit", "soft_limit", "swap_hard_limit")


def _guest(session: Any, dom: Any) -> Guest:
    found: Guest = session.driver.lookup_uuid(dom.uuid, dom.name)
    return found


def _impact(one: Guest, flags: int) -> list[Any]:
    """The definitions that a change is for, the live one first. Raises OperationInvalid."""
    live, config = bool(flags & LIVE), bool(flags & CONFIG)
    if not live and not config:
        live, config = one.active, not one.active
    if live and not one.active:
        raise OperationInvalid("domain is not running", origin=Origin.DOMAIN)
    if config and not one.persistent:
        raise OperationInvalid("transient domains do not have any persistent config", origin=Origin.DOMAIN)
    return ([one.live] if live else []) + ([one.config] if config else [])


def _one(one: Guest, flags: int) -> Any:
    if flags & (LIVE | CONFIG) == LIVE | CONFIG:
        text = "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually exclusive"
        raise InvalidArg(text, message=text, origin=Origin.DOMAIN)
    return _impact(one, flags & (LIVE | CONFIG))[0]


def domain_get_max_memory(session: Any, dom: Any) -> int:
    return int(_guest(session, dom).now.memory or 0)


def domain_set_max_memory(session: Any, dom: Any, memory: int) -> None:
    domain_set_memory_flags(session, dom, memory, LIVE | MAXIMUM)


def domain_set_memory(session: Any, dom: Any, memory: int) -> None:
    domain_set_memory_flags(session, dom, memory, LIVE)


def domain_set_memory_flags(session: Any, dom: Any, memory: int, flags: int) -> None:
    """Memory in KiB, or (flag 4) its maximum."""
    check_flags(flags, LIVE | CONFIG | MAXIMUM, "testDomainSetMemoryFlags", Origin.TEST)
    one = _guest(session, dom)
    for domain in _impact(one, flags):
        if flags & MAXIMUM:
            if domain is one.live:
                raise OperationInvalid("cannot resize the maximum memory on an active domain", origin=Origin.TEST)
            domain.memory = memory
            domain.current_memory = min(domain.current_memory or memory, memory)
            continue
        if memory > (domain.memory or 0):
            raise InvalidArg("cannot set memory higher than max memory", origin=Origin.TEST)
        domain.current_memory = memory


def domain_set_memory_stats_period(session: Any, dom: Any, period: int, flags: int) -> None:
    """How often the balloon reports."""
    one = _guest(session, dom)
    for domain in _impact(one, flags):
        if not any(balloon.model == "virtio" for balloon in domain.memballoons):
            text = "No memory balloon device configured, can not set the collection period"
            raise InternalError(text, origin=Origin.TEST)
        domain.memballoons[0].period = period


def domain_get_vcpus_flags(session: Any, dom: Any, flags: int) -> int:
    check_flags(flags, LIVE | CONFIG | MAXIMUM | 8, "testDomainGetVcpusFlags", Origin.TEST)
    domain = _one(_guest(session, dom), flags)
    return int(domain.vcpu if flags & MAXIMUM else domain.vcpu_current or domain.vcpu)


def domain_get_max_vcpus(session: Any, dom: Any) -> int:
    return domain_get_vcpus_flags(session, dom, LIVE | MAXIMUM)


def domain_set_vcpus(session: Any, dom: Any, nvcpus: int) -> None:
    domain_set_vcpus_flags(session, dom, nvcpus, LIVE)


def domain_set_vcpus_flags(session: Any, dom: Any, nvcpus: int, flags: int) -> None:
    """How many processors it has, or (flag 4) may have."""
    check_flags(flags, LIVE | CONFIG | MAXIMUM, "testDomainSetVcpusFlags", Origin.TEST)
    one = _guest(session, dom)
    if flags & MAXIMUM and flags & LIVE:
        raise InvalidArg(
            "flag 'VIR_DOMAIN_AFFECT_CONFIG' is required by flag 'VIR_DOMAIN_VCPU_MAXIMUM'", origin=Origin.TEST
        )
    wanted = _impact(one, flags)
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
    domain = _one(_guest(session, dom), flags)
    value = domain.description if type == 0 else domain.title if type == 1 else elements.get(domain, uri or "")
    if value is None:
        text = "Requested metadata element is not present"
        raise Error(text, code=Code.NO_DOMAIN_METADATA, origin=Origin.DOMAIN, message=f"metadata not found: {text}")
    return str(value)


def domain_set_metadata(
    session: Any, dom: Any, type: int, metadata: str | None, key: str | None, uri: str | None, flags: int
) -> None:
    """Change or remove it."""
    check_flags(flags, LIVE | CONFIG, "testDomainSetMetadata", Origin.TEST)
    one = _guest(session, dom)
    for domain in _impact(one, flags):
        if type == 0:
            domain.description = metadata or None
        elif type == 1:
            domain.title = metadata or None
        else:
            elements.put(domain, metadata, key or "", uri or "")
    session.driver.bus.publish(MetadataChange(one, type, uri))


# --- tuning


def domain_get_scheduler_type(session: Any, dom: Any) -> tuple[str, int]:
    return "fair", 1


def domain_get_scheduler_parameters(session: Any, dom: Any, nparams: int) -> list[Any]:
    return domain_get_scheduler_parameters_flags(session, dom, nparams, 0)


def domain_get_scheduler_parameters_flags(session: Any, dom: Any, nparams: int, flags: int) -> list[Any]:
    from kvasir.rpc.typed import UInt

    _guest(session, dom)
    return [("weight", UInt(50))][:nparams]


def domain_set_scheduler_parameters(session: Any, dom: Any, params: list[Any]) -> None:
    _guest(session, dom)


def domain_set_scheduler_parameters_flags(session: Any, dom: Any, params: list[Any], flags: int) -> None:
    _guest(session, dom)


def _counted(found: list[Any], nparams: int) -> tuple[list[Any], int]:
    return ([], len(found)) if nparams == 0 else (found[:nparams], 0)


def domain_get_memory_parameters(session: Any, dom: Any, nparams: int, flags: int) -> tuple[list[Any], int]:
    """Limits in KiB."""
    guest = _guest(session, dom)
    if nparams == 0:
        return [], len(MEMORY)
    tune = _one(guest, flags).memtune
    values = [getattr(tune, name, None) if tune is not None else None for name in MEMORY]
    return _counted([(n, ULLong(UNLIMITED if v is None else v)) for n, v in zip(MEMORY, values, strict=True)], nparams)


def domain_set_memory_parameters(session: Any, dom: Any, params: list[Any], flags: int) -> None:
    """Change the limits."""
    from kvasir.model.tune import Memtune

    for domain in _impact(_guest(session, dom), flags):
        domain.memtune = domain.memtune or Memtune()
        for name, value in params:
            setattr(domain.memtune, name, int(value))


def domain_get_blkio_parameters(session: Any, dom: Any, nparams: int, flags: int) -> tuple[list[Any], int]:
    from kvasir.rpc.typed import UInt

    _one(_guest(session, dom), flags)
    names = (
        "device_weight",
        "device_read_iops_sec",
        "device_write_iops_sec",
        "device_read_bytes_sec",
        "device_write_bytes_sec",
    )
    return _counted([("weight", UInt(0)), *((name, "") for name in names)], nparams)


def domain_get_numa_parameters(session: Any, dom: Any, nparams: int, flags: int) -> tuple[list[Any], int]:
    from kvasir.rpc.typed import Int

    guest = _guest(session, dom)
    if nparams == 0:
        return [], 2
    _one(guest, flags)
    return _counted([("numa_mode", Int(0)), ("numa_nodeset", "")], nparams)


def domain_get_block_io_tune(
    session: Any, dom: Any, disk: str | None, nparams: int, flags: int
) -> tuple[list[Any], int]:
    """Limits of a disk: none."""
    domain = _one(_guest(session, dom), flags)
    if disk is not None and not any(one.target == disk or one.location() == disk for one in domain.disks):
        raise InvalidArg(f"disk '{disk}' was not found in the domain config", origin=Origin.TEST)
    words = [f"{way}_{what}_sec" for what in ("bytes", "iops") for way in ("total", "read", "write")]
    found: list[Any] = [(word, ULLong(0)) for word in words]
    found += [(f"{word}_max", ULLong(0)) for word in words]
    found += [("size_iops_sec", ULLong(0)), ("group_name", "")]
    found += [(f"{word}_max_length", ULLong(0)) for word in words]
    return _counted(found, nparams)


def domain_pin_vcpu(session: Any, dom: Any, vcpu: int, cpumap: bytes) -> None:
    domain_pin_vcpu_flags(session, dom, vcpu, cpumap, LIVE)


def domain_pin_vcpu_flags(session: Any, dom: Any, vcpu: int, cpumap: bytes, flags: int) -> None:
    """Where a processor may run."""
    from kvasir.model.tune import Cputune, VcpuPin

    one = _guest(session, dom)
    cpus = frozenset(n for n in range(len(cpumap) * 8) if cpumap[n // 8] >> (n % 8) & 1)
    for domain in _impact(one, flags):
        if vcpu >= (domain.vcpu or 1):
            raise InvalidArg(f"requested vcpu '{vcpu}' is not present in the domain", origin=Origin.TEST)
        domain.cputune = domain.cputune or Cputune()
        domain.cputune.vcpupins = [pin for pin in domain.cputune.vcpupins if pin.vcpu != vcpu]
        domain.cputune.vcpupins.append(VcpuPin(vcpu=vcpu, cpuset=cpus))
