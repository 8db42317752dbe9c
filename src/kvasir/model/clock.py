"""The guest's clock and timers."""

from __future__ import annotations

from typing import Any

from kvasir.errors import InternalError, Origin
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

    offset: str | None = attr("@offset", ENUM("utc", "localtime", "variable", "timezone", "absolute"),
                              error="unsupported:unknown clock offset '{value}'")  # fmt: skip
    adjustment: str | None = attr("@adjustment")
    basis: str | None = attr("@basis", ENUM("utc", "localtime"), error="unsupported:unknown clock basis '{value}'")
    timezone: str | None = attr("@timezone")
    start: int | None = attr("@start", ULLONG)
    timers: list[Timer] = children(Timer)

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Any:
        """Read a clock; what another offset has is passed over. Raises ConfigUnsupported, InternalError."""
        offset = node.get("offset", "utc")
        for name, wanted in (("basis", "variable"), ("timezone", "timezone"), ("start", "absolute")):
            if not keep and offset != wanted and name in node.attrib:
                del node.attrib[name]
        if offset == "absolute" and "start" not in node.attrib:
            raise InternalError("missing 'start' attribute for clock with offset='absolute'", origin=Origin.DOMAIN)
        return super().parse(node, keep)
