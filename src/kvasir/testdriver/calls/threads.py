"""I/O threads, pins, life cycle actions and messages of the test driver's guests."""

from __future__ import annotations

from typing import Any, NamedTuple

from kvasir.calls.flags import check_flags
from kvasir.calls.limits import drop_iothread, iothread_numbers, listed
from kvasir.errors import Code, ConfigUnsupported, Error, InvalidArg, Origin
from kvasir.testdriver.reach import CONFIG, LIVE, definitions, guest, one_definition

ACTIONS = ("destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart")
TYPES = ("on_poweroff", "on_reboot", "on_crash")


class IothreadInfo(NamedTuple):
    """An I/O thread as the wire has it."""

    iothread_id: int
    cpumap: bytes


def domain_add_iothread(session: Any, dom: Any, iothread_id: int, flags: int) -> None:
    """One more I/O thread."""
    from kvasir.model.sysinfo import Iothread

    check_flags(flags, LIVE | CONFIG, "testDomainAddIOThread", Origin.TEST)
    if not iothread_id:
        raise InvalidArg("invalid value of 0 for iothread_id", origin=Origin.TEST)
    domain = one_definition(guest(session, dom), flags)
    if iothread_id in iothread_numbers(domain):
        raise InvalidArg(f"an IOThread is already using iothread_id '{iothread_id}'", origin=Origin.DOMAIN)
    listed(domain).append(Iothread(id=iothread_id))
    domain.iothreads = len(domain.iothreadids)


def domain_del_iothread(session: Any, dom: Any, iothread_id: int, flags: int) -> None:
    """One I/O thread less."""
    check_flags(flags, LIVE | CONFIG, "testDomainDelIOThread", Origin.TEST)
    domain = one_definition(guest(session, dom), flags)
    _need(domain, iothread_id, f"cannot find IOThread '{iothread_id}' in iothreadids list", Origin.DOMAIN)
    drop_iothread(domain, iothread_id)


def domain_pin_iothread(session: Any, dom: Any, iothreads_id: int, cpumap: bytes, flags: int) -> None:
    """Where an I/O thread may run."""
    from kvasir.model.tune import Cputune, IothreadPin

    check_flags(flags, LIVE | CONFIG, "testDomainPinIOThread", Origin.TEST)
    domain = one_definition(guest(session, dom), flags)
    cpus = _cpus(cpumap)
    if not cpus:
        raise InvalidArg("Empty iothread cpumap list for pinning", origin=Origin.TEST)
    _need(domain, iothreads_id, f"iothreadid {iothreads_id} not found", Origin.TEST)
    listed(domain)
    domain.cputune = domain.cputune or Cputune()
    domain.cputune.iothreadpins = [pin for pin in domain.cputune.iothreadpins if pin.iothread != iothreads_id]
    domain.cputune.iothreadpins.append(IothreadPin(iothread=iothreads_id, cpuset=cpus))


def domain_set_iothread_params(session: Any, dom: Any, iothread_id: int, params: list[Any], flags: int) -> None:
    """Never: libvirt's own driver fails here, and does not say why."""
    check_flags(flags, LIVE, "testDomainSetIOThreadParams", Origin.TEST)
    if not iothread_id:
        raise InvalidArg("invalid value of 0 for iothread_id", origin=Origin.TEST)
    domain = one_definition(guest(session, dom), flags)
    _need(domain, iothread_id, f"cannot find IOThread '{iothread_id}' in iothreadids", Origin.TEST)
    text = "An error occurred, but the cause is unknown"
    raise Error(text, code=Code.INTERNAL_ERROR, origin=Origin.NONE, message=text)


def domain_get_iothread_info(session: Any, dom: Any, flags: int) -> tuple[list[IothreadInfo], int]:
    """Each I/O thread, and where it may run."""
    check_flags(flags, LIVE | CONFIG, "testDomainGetIOThreadInfo", Origin.TEST)
    domain = one_definition(guest(session, dom), flags)
    pins = {pin.iothread: pin.cpuset for pin in domain.cputune.iothreadpins} if domain.cputune is not None else {}
    found = []
    for number in iothread_numbers(domain):
        cpus = pins.get(number) or domain.vcpu_cpuset or frozenset({0})
        bits = sum(1 << cpu for cpu in cpus)
        found.append(IothreadInfo(number, bits.to_bytes((bits.bit_length() + 7) // 8, "little")))
    return found, len(found)


def domain_pin_emulator(session: Any, dom: Any, cpumap: bytes, flags: int) -> None:
    """Where the emulator may run."""
    from kvasir.model.tune import Cputune

    check_flags(flags, LIVE | CONFIG, "testDomainPinEmulator", Origin.TEST)
    domain = one_definition(guest(session, dom), flags)
    cpus = _cpus(cpumap)
    if not cpus:
        raise InvalidArg("Empty cpu list for pinning", origin=Origin.TEST)
    domain.cputune = domain.cputune or Cputune()
    domain.cputune.emulatorpin = cpus


def domain_set_lifecycle_action(session: Any, dom: Any, type: int, action: int, flags: int) -> None:
    """What happens at poweroff, reboot or crash."""
    check_flags(flags, LIVE | CONFIG, "testDomainSetLifecycleAction", Origin.TEST)
    word, kind = ACTIONS[action], TYPES[type]
    if word.startswith("coredump") and kind != "on_crash":
        text = f"Lifecycle event '{kind.removeprefix('on_')}' doesn't support '{word}' action"
        raise ConfigUnsupported(text, origin=Origin.DOMAIN)
    for domain in definitions(guest(session, dom), flags):
        setattr(domain, TYPES[type], ACTIONS[action])


def domain_get_messages(session: Any, dom: Any, flags: int) -> list[str]:
    """Nothing is wrong with these guests."""
    check_flags(flags, 3, "testDomainGetMessages", Origin.TEST)
    guest(session, dom)
    return []


def _need(domain: Any, number: int, text: str, origin: Origin) -> None:
    if number not in iothread_numbers(domain):
        raise InvalidArg(text, origin=origin)


def _cpus(cpumap: bytes) -> frozenset[int]:
    return frozenset(n for n in range(len(cpumap) * 8) if cpumap[n // 8] >> (n % 8) & 1)
