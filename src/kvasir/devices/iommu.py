"""IOMMUs of the guest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported, Origin, XmlError
from kvasir.qemu.args import Arg, Dev
from kvasir.xml import attr
from kvasir.xml.types import ENUM, ONOFF, UINT

from .base import Device
from .words import only_one


class Iommu(Device, tag="iommu"):
    """Translates and restricts the memory accesses of the guest's devices."""

    ALIAS, HOTPLUG = "iommu", False

    model: str = attr("@model", ENUM("intel", "smmuv3", "virtio"), required=True)
    intremap: bool | None = attr("driver/@intremap", ONOFF)
    caching_mode: bool | None = attr("driver/@caching_mode", ONOFF)
    eim: bool | None = attr("driver/@eim", ONOFF)
    iotlb: bool | None = attr("driver/@iotlb", ONOFF)
    aw_bits: int | None = attr("driver/@aw_bits", UINT)

    def needs_address(self, vm: Any) -> str | None:
        return "pci" if self.model == "virtio" else None

    def check(self, vm: Any) -> None:
        only_one(self, vm.domain.iommus, XmlError("only a single IOMMU device is supported"))
        features = vm.domain.features
        if self.model == "virtio" and (features is None or not features.acpi):
            raise ConfigUnsupported("IOMMU device: 'virtio' requires ACPI")
        split = features is not None and features.ioapic == "qemu"
        if self.intremap and not split:
            raise ConfigUnsupported(
                "IOMMU interrupt remapping requires split I/O APIC (ioapic driver='qemu')", origin=Origin.DOMAIN
            )
        if self.eim and not self.intremap:
            raise ConfigUnsupported("IOMMU eim requires interrupt remapping to be enabled", origin=Origin.DOMAIN)
        if self.model == "smmuv3" and not vm.is_virt:
            raise ConfigUnsupported("IOMMU device: 'smmuv3' is only supported with ARM Virt machines")
        if self.model == "intel" and not vm.is_q35:
            raise ConfigUnsupported("IOMMU device: 'intel' is only supported with Q35 machines")

    def machine_words(self, vm: Any) -> list[str]:
        """That of ARM is a part of the board."""
        return ["iommu=smmuv3"] if self.model == "smmuv3" else []

    def qemu(self, vm: Any) -> Iterator[Arg]:
        if self.model == "intel":
            yield Dev(
                "intel-iommu",
                {"id": self.alias, "intremap": None if self.intremap is None else ("on" if self.intremap else "off"),
                 "caching-mode": self.caching_mode, "eim": None if self.eim is None else ("on" if self.eim else "off"),
                 "device-iotlb": self.iotlb, "aw-bits": self.aw_bits},
            )  # fmt: skip
        elif self.model == "virtio":
            yield Dev("virtio-iommu", {"id": self.alias})
