"""Panic notifiers: tell the host that the guest's kernel crashed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported
from kvasir.qemu.args import Arg, Dev
from kvasir.xml import attr
from kvasir.xml.types import ENUM

from .address import IsaAddress
from .base import Device

MODELS = ("default", "isa", "pseries", "hyperv", "s390", "pvpanic")


class Panic(Device, tag="panic"):
    """Reports a crash of the guest's kernel."""

    ALIAS, HOTPLUG = "panic", False

    model: str | None = attr("@model", ENUM(*MODELS), when=lambda device, form: device.model != "default")

    def defaults(self, vm: Any) -> None:
        if self.model in (None, "default"):
            self.model = {"ppc64": "pseries", "ppc64le": "pseries", "s390x": "s390"}.get(vm.arch, "isa")

    def needs_address(self, vm: Any) -> str | None:
        return "pci" if self.model == "pvpanic" else None

    def check(self, vm: Any) -> None:
        if self.model == "pseries" and not vm.arch.startswith("ppc64"):
            raise ConfigUnsupported("only pSeries guests support panic device of model 'pseries'")
        if self.model == "s390" and vm.arch != "s390x":
            raise ConfigUnsupported("only S390 guests support panic device of model 's390'")
        if self.model == "hyperv" and vm.arch not in ("x86_64", "i686"):
            raise ConfigUnsupported("only i686 and x86_64 guests support panic device of model 'hyperv'")

    def qemu(self, vm: Any) -> Iterator[Arg]:
        if self.model == "isa":
            port = self.address.iobase if isinstance(self.address, IsaAddress) else None
            yield Dev("pvpanic", {"ioport": port})
        elif self.model == "pvpanic":
            yield Dev("pvpanic-pci", {"id": self.alias})
