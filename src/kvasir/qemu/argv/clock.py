"""``-rtc``, timers and power management."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ..args import Arg, Opt


def clock(vm: Any) -> Iterator[Arg]:
    """``-rtc`` with its drift policy, and the globals of the other timers."""
    clock = vm.domain.clock
    words = [f"base={_base(clock)}"]
    rtc = next((t for t in clock.timers if t.name == "rtc"), None)
    if rtc is not None:
        if rtc.track in ("guest", "realtime"):
            words.append({"guest": "clock=vm", "realtime": "clock=rt"}[rtc.track])
        elif rtc.track == "wall":
            words.append("clock=host")
        if rtc.tickpolicy == "catchup":
            words.append("driftfix=slew")
    yield Opt("-rtc", ",".join(words))
    for timer in clock.timers:
        if timer.name == "pit" and timer.tickpolicy in (None, "delay", "discard") and _has_pit(vm):
            yield Opt("-global", f"kvm-pit.lost_tick_policy={timer.tickpolicy or 'delay'}")
        elif timer.name == "hpet" and timer.present is False and vm.caps.has("no-hpet"):
            yield Opt("-no-hpet")


def _has_pit(vm: Any) -> bool:
    return bool(vm.caps.has("kvm-pit-lost-tick-policy"))


def _base(clock: Any) -> str:
    if clock.offset == "utc":
        return "utc"
    if clock.offset in ("localtime", "timezone"):
        return "localtime"
    if clock.offset == "absolute":
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(clock.start or 0))
    now = time.time() + int(clock.adjustment or 0)
    if clock.basis == "localtime":
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now))
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))


def power(vm: Any) -> Iterator[Arg]:
    """What QEMU does on shutdown, ACPI, and the sleep states of the chipset."""
    domain = vm.domain
    yield Opt("-no-shutdown")
    acpi = domain.features is not None and domain.features.acpi
    if not acpi and vm.caps.has("no-acpi") and not vm.is_microvm:
        yield Opt("-no-acpi")
    chip = "ICH9-LPC" if vm.is_q35 else "PIIX4_PM"
    for state, enabled in (("s3", domain.suspend_to_mem), ("s4", domain.suspend_to_disk)):
        if enabled is not None:
            yield Opt("-global", f"{chip}.disable_{state}={int(not enabled)}")
