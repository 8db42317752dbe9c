"""Watchdogs: what happens when the guest hangs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported, Origin
from kvasir.qemu.args import Arg, Dev, Opt
from kvasir.xml import attr
from kvasir.xml.types import ENUM, STR

from .base import Device

MODELS = ("i6300esb", "ib700", "diag288")
ACTIONS = ("reset", "shutdown", "poweroff", "pause", "dump", "none", "inject-nmi")


class Watchdog(Device, tag="watchdog"):
    """A timer that acts when the guest does not reset it."""

    ALIAS = "watchdog"

    model: str = attr("@model", STR, required=True)
    action: str | None = attr("@action", ENUM(*ACTIONS))

    def parsed(self, node: Any) -> None:
        if self.model not in MODELS:
            raise ConfigUnsupported(f"unknown watchdog model '{self.model}'", origin=Origin.DOMAIN)

    def defaults(self, vm: Any) -> None:
        self.action = self.action or "reset"

    def needs_address(self, vm: Any) -> str | None:
        return "pci" if self.model == "i6300esb" else None

    def check(self, vm: Any) -> None:
        if self.model == "diag288" and vm.arch not in ("s390", "s390x"):
            raise ConfigUnsupported("diag288 model of watchdog is allowed for s390 and s390x only")

    def qemu(self, vm: Any) -> Iterator[Arg]:
        yield Dev(self.model, {"id": self.alias})
        # a dump is taken by the daemon while the guest is paused
        yield Opt("-watchdog-action", "pause" if self.action == "dump" else self.action)
