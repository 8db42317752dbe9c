"""I/O threads, pins, life cycle actions and messages of the test driver's guests."""

from __future__ import annotations

from typing import Any

from kvasir.calls.flags import check_flags
from kvasir.errors import InvalidArg, Origin
from kvasir.testdriver.calls.changes import CONFIG, LIVE, _guest, _impact

ACTIONS = ("destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart")
TYPES = ("on_poweroff", "on_reboot", "on_crash")


def domain_add_iothread(session: Any, dom: Any, iothread_id: int, flags: int) -> None:
    """One more I/O thread."""
    from kvasir.model.sysinfo import Iothread

    check_flags(flags, LIVE | CONFIG, "testDomainAddIOThread", Origin.TEST)
    for domain in _impact(_guest(session, dom), flags):
        if any(one.id == iothread_id for one in domain.iothreadids):
            raise InvalidArg(f"an IOThread is already using iothread_id '{iothread_id}'", origin=Origin.TEST)
        domain.iothreadids.append(Iothread(id=iothread_id))
        domain.iothreads = len(domain.iothreadids)


def domain_del_iothread(session: Any, dom: Any, iothread_id: int, flags: int) -> None:
    """One I/O thread less."""
    check_flags(flags, LIVE | CONFIG, "testDomainDelIOThread", Origin.TEST)
    for domain in _impact(_guest(session, dom), flags):
        _need(domain, iothread_id, f"cannot find IOThread '{iothread_id}' in iothreadids list")
        domain.iothreadids = [one for one in domain.iothreadids if one.id != iothread_id]
        domain.iothreads = len(domain.iothreadids) or None


def domain_pin_iothread(session: Any, dom: Any, iothreads_id: int, cpumap: bytes, flags: int) -> None:
    """Where an I/O thread may run."""
    from kvasir.model.tune import Cputune, IothreadPin

    check_flags(flags, LIVE | CONFIG, "testDomainPinIOThread", Origin.TEST)
    for domain in _impact(_guest(session, dom), flags):
        _need(domain, iothreads_id, f"iothreadid {iothreads_id} not found")
        domain.cputune = domain.cputune or Cputune()
        domain.cputune.iothreadpins = [pin for pin in domain.cputune.iothreadpins if pin.iothread != iothreads_id]
        domain.cputune.iothreadpins.append(IothreadPin(iothread=iothreads_id, cpuset=_cpus(cpumap)))


def domain_pin_emulator(session: Any, dom: Any, cpumap: bytes, flags: int) -> None:
    """Where the emulator may run."""
    from kvasir.model.tune import Cputune

    check_flags(flags, LIVE | CONFIG, "testDomainPinEmulator", Origin.TEST)
    for domain in _impact(_guest(session, dom), flags):
        domain.cputune = domain.cputune or Cputune()
        domain.cputune.emulatorpin = _cpus(cpumap)


def domain_set_lifecycle_action(session: Any, dom: Any, type: int, action: int, flags: int) -> None:
    """What happens at poweroff, reboot or crash."""
    check_flags(flags, LIVE | CONFIG, "testDomainSetLifecycleAction", Origin.TEST)
    if not 0 <= type < len(TYPES) or not 0 <= action < len(ACTIONS):
        raise InvalidArg(f"lifecycle type '{type}' or action '{action}' is not known", origin=Origin.TEST)
    for domain in _impact(_guest(session, dom), flags):
        setattr(domain, TYPES[type], ACTIONS[action])


def domain_get_messages(session: Any, dom: Any, flags: int) -> list[str]:
    """Nothing is wrong with these guests."""
    check_flags(flags, 3, "testDomainGetMessages", Origin.TEST)
    _guest(session, dom)
    return []


def _need(domain: Any, number: int, text: str) -> None:
    if not any(one.id == number for one in domain.iothreadids):
        raise InvalidArg(text, origin=Origin.TEST)


def _cpus(cpumap: bytes) -> frozenset[int]:
    return frozenset(n for n in range(len(cpumap) * 8) if cpumap[n // 8] >> (n % 8) & 1)
