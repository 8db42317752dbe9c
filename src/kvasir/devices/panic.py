"""Panic notifiers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, XmlError
from kvasir.qemu.args import Dev
from kvasir.xml import attr
from kvasir.xml.types import ENUM

from .address import IsaAddress
from .base import Device
from .words import unsupported

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg


class Panic(Device, tag="panic"):
    """Tells the host that the guest's kernel has panicked."""

    ALIAS, HOTPLUG = "panic", False

    model: str | None = attr(
        "@model", ENUM("isa", "pseries", "hyperv", "s390"), error=unsupported("unknown panic model '{value}'"), abi=True,
    )  # fmt: skip

    def defaults(self, vm: Any) -> None:
        if self.model is None:
            if vm.is_pseries:
                self.model = "pseries"
            elif vm.arch.startswith("s390"):
                self.model = "s390"
            else:
                self.model = "isa"

    def check(self, vm: Any) -> None:
        if any(p is not self and p.model == self.model for p in vm.domain.panics):
            raise XmlError(f"Multiple panic devices with model '{self.model}'")
        if self.model == "s390" and not vm.arch.startswith("s390"):
            raise ConfigUnsupported("only S390 guests support panic device of model 's390'")
        if self.model == "pseries" and not vm.arch.startswith("ppc64"):
            raise ConfigUnsupported("only pSeries guests support panic device of model 'pseries'")
        if self.model != "isa" and self.address is not None:
            raise ConfigUnsupported(f"setting the panic device address is not supported for model '{self.model}'")
        if self.model == "isa":
            if not vm.caps.has("pvpanic"):
                raise ConfigUnsupported("the QEMU binary does not support the ISA panic device")
            if self.address is not None and self.address.type != "isa":
                raise ConfigUnsupported("panic is supported only with ISA address type")

    def qemu(self, vm: Any) -> Iterator[Arg]:
        if self.model == "isa":
            place = self.address if isinstance(self.address, IsaAddress) else None
            yield Dev("pvpanic", ioport=place.iobase if place else None)
