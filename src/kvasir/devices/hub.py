"""USB hubs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.qemu.args import Arg, Dev
from kvasir.xml import attr
from kvasir.xml.types import ENUM

from .base import Device
from .words import internal, unsupported


class Hub(Device, tag="hub"):
    """A USB hub: eight more ports."""

    ALIAS, ADDRESS = "hub", "usb"

    type: str = attr(
        "@type", ENUM("usb"), required=True, error=unsupported("unknown hub device type '{value}'"),
        missing=internal("missing hub device type"),
    )  # fmt: skip

    def qemu(self, vm: Any) -> Iterator[Arg]:
        yield Dev("usb-hub", {"id": self.alias})
