"""The guest's clock and timers."""

from __future__ import annotations

from kvasir.xml import Element, attr, children
from kvasir.xml.types import ENUM, ULLONG, YESNO


class Timer(Element, tag="timer"):
    """One timer of the guest."""

    name: str | None = attr(
        "@name", ENUM("platform", "pit", "rtc", "hpet", "tsc", "kvmclock", "hypervclock", "armvtimer"), required=True
    )
    present: bool | None = attr("@present", YESNO)
    tickpolicy: str | None = attr("@tickpolicy", ENUM("delay", "catchup", "merge", "discard"))
    track: str | None = attr("@track", ENUM("boot", "guest", "wall", "realtime"))
    frequency: int | None = attr("@frequency", ULLONG)
    mode: str | None = attr("@mode", ENUM("auto", "native", "emulate", "paravirt", "smpsafe"))
    threshold: int | None = attr("catchup/@threshold", ULLONG)
    slew: int | None = attr("catchup/@slew", ULLONG)
    limit: int | None = attr("catchup/@limit", ULLONG)


class Clock(Element, tag="clock"):
    """How the guest's clock starts."""

    offset: str | None = attr("@offset", ENUM("utc", "localtime", "variable", "timezone", "absolute"))
    adjustment: str | None = attr("@adjustment")
    basis: str | None = attr("@basis", ENUM("utc", "localtime"))
    timezone: str | None = attr("@timezone")
    start: int | None = attr("@start", ULLONG)
    timers: list[Timer] = children(Timer)
