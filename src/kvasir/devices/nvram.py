"""NVRAM device of POWER guests."""

from __future__ import annotations

from typing import Any

from kvasir.errors import ConfigUnsupported

from .base import Device


class Nvram(Device, tag="nvram"):
    """The place of firmware variables on POWER."""

    ALIAS, HOTPLUG = "nvram", False

    def check(self, vm: Any) -> None:
        if not vm.arch.startswith("ppc64"):
            raise ConfigUnsupported("nvram device is only supported for PPC64")
