"""``-rtc`` and the timers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ..args import Arg, Opt

TRACKS = {"guest": "vm", "wall": "host", "realtime": "rt", "boot": None, None: None}


def rtc(vm: Any) -> Iterator[Arg]:
    """The real time clock: what it starts at, what drives it, and whether lost ticks are made up for."""
    clock = vm.domain.clock
    words = [f"base={_base(clock)}"]
    for timer in clock.timers if clock is not None else ():
        if timer.name == "rtc":
            if TRACKS.get(timer.track):
                words.append(f"clock={TRACKS[timer.track]}")
            if timer.tickpolicy == "catchup":
                words.append("driftfix=slew")
    yield Opt("-rtc", ",".join(words))


def _base(clock: Any) -> str:
    offset = clock.offset if clock is not None else "utc"
    if offset in ("localtime", "timezone"):
        return "localtime"
    if offset == "absolute":
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(clock.start or 0))
    if offset == "variable":
        at = time.time() + int(clock.adjustment or 0)
        broken = time.localtime(at) if clock.basis == "localtime" else time.gmtime(at)
        return time.strftime("%Y-%m-%dT%H:%M:%S", broken)
    return "utc"


def timers(vm: Any) -> Iterator[Arg]:
    """PIT and HPET."""
    clock = vm.domain.clock
    for timer in clock.timers if clock is not None else ():
        if timer.name == "pit" and timer.tickpolicy in ("delay", "discard") and vm.caps.has("kvm-pit-lost-tick-policy"):
            yield Opt("-global", f"kvm-pit.lost_tick_policy={timer.tickpolicy}")
        elif timer.name == "hpet" and timer.present is False and vm.caps.has("no-hpet"):
            yield Opt("-no-hpet")
