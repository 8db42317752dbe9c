"""Watchdogs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, InternalError, Origin
from kvasir.qemu.args import Dev, Opt
from kvasir.xml import attr
from kvasir.xml.types import ENUM

from .base import Device
from .words import internal, only_one, unsupported

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

ACTIONS = ("reset", "shutdown", "poweroff", "pause", "dump", "none", "inject-nmi")


class Watchdog(Device, tag="watchdog"):
    """Resets, stops or dumps a guest that hangs."""

    ALIAS = "watchdog"

    model: str = attr(
        "@model", ENUM("i6300esb", "ib700", "diag288"), required=True, abi=True,
        error=unsupported("unknown watchdog model '{value}'"), missing=internal("watchdog must contain model name"),
    )  # fmt: skip
    action: str | None = attr(
        "@action", ENUM(*ACTIONS), error=unsupported("unknown watchdog action '{value}'"), live=True
    )

    def defaults(self, vm: Any) -> None:
        self.action = self.action or "reset"

    def check(self, vm: Any) -> None:
        only_one(
            self, vm.domain.watchdogs,
            InternalError("only a single watchdog device is supported", origin=Origin.DOMAIN),
        )  # fmt: skip
        if self.model == "diag288":
            if not vm.arch.startswith("s390"):
                raise ConfigUnsupported("diag288 model of watchdog is allowed for s390 and s390x only")
            if self.address is not None:
                raise ConfigUnsupported("diag288 model of watchdog is virtual and cannot go on any bus.")
        elif self.model == "i6300esb":
            if self.address is not None and self.address.type != "pci":
                raise ConfigUnsupported("i6300esb model of watchdog can go only on PCI bus")
        elif self.address is not None:
            raise ConfigUnsupported("ib700 model of watchdog does not support configuring the address")

    def needs_address(self, vm: Any) -> str | None:
        return "pci" if self.model == "i6300esb" else None

    def qemu(self, vm: Any) -> Iterator[Arg]:
        yield Dev(self.model, id=self.alias)
        action = "pause" if self.action == "dump" else self.action or "reset"
        yield Opt("-watchdog-action", action)
