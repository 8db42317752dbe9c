"""Memory balloon: gives guest memory back to the host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported
from kvasir.qemu.args import Arg, Dev
from kvasir.xml import attr
from kvasir.xml.types import ENUM, ONOFF, UINT

from .base import Device
from .virtio import SUFFIX, options

MODELS = ("virtio", "xen", "none", "virtio-transitional", "virtio-non-transitional")


class Memballoon(Device, tag="memballoon"):
    """Lets the host take memory from the running guest and give it back."""

    ALIAS, ADDRESS, HOTPLUG = "balloon", "pci", False

    model: str = attr("@model", ENUM(*MODELS), required=True)
    autodeflate: bool | None = attr("@autodeflate", ONOFF, doc="Give memory to a guest that runs out of it.")
    free_page_reporting: bool | None = attr("@freePageReporting", ONOFF)
    period: int | None = attr("stats/@period", UINT, live=True, doc="Seconds between statistics of the guest.")
    iommu: bool | None = attr("driver/@iommu", ONOFF, last=True)
    ats: bool | None = attr("driver/@ats", ONOFF, last=True)
    packed: bool | None = attr("driver/@packed", ONOFF, last=True)
    page_per_vq: bool | None = attr("driver/@page_per_vq", ONOFF, last=True)

    def needs_address(self, vm: Any) -> str | None:
        if self.model in ("none", "xen"):
            return None
        return "virtio-mmio" if vm.is_microvm else "pci"

    def check(self, vm: Any) -> None:
        if self.model == "xen":
            raise ConfigUnsupported("Memory balloon device type 'xen' is not supported by this version of qemu")

    def qemu(self, vm: Any) -> Iterator[Arg]:
        if self.model == "none":
            return
        bus = "device" if vm.is_microvm else "pci"
        props = {
            **options(self),
            "id": self.alias,
            "deflate-on-oom": self.autodeflate,
            "free-page-reporting": self.free_page_reporting,
        }
        yield Dev(f"virtio-balloon-{bus}{SUFFIX.get(self.model, '')}", props)
