"""NVRAM device of POWER guests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported
from kvasir.qemu.args import Arg, Opt

from .address import SpaprVioAddress
from .base import Device


class Nvram(Device, tag="nvram"):
    """The place of firmware variables on POWER."""

    ALIAS, HOTPLUG = "nvram", False

    def check(self, vm: Any) -> None:
        if not vm.arch.startswith("ppc64"):
            raise ConfigUnsupported("nvram device is only supported for PPC64")

    def qemu(self, vm: Any) -> Iterator[Arg]:
        if isinstance(self.address, SpaprVioAddress):
            yield Opt("-global", f"spapr-nvram.reg=0x{self.address.reg:x}")
