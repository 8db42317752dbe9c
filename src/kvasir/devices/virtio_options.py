"""The ``<driver>`` options and model names that all virtio devices share."""

from __future__ import annotations

from typing import Any

from kvasir.errors import ConfigUnsupported, Origin
from kvasir.xml import Element, Form, attr
from kvasir.xml.types import ONOFF

MODELS = ("virtio", "virtio-transitional", "virtio-non-transitional")
SUFFIX = {"virtio-transitional": "-transitional", "virtio-non-transitional": "-non-transitional"}


class VirtioDriver(Element, tag="driver"):
    """How the device reaches the guest's memory."""

    iommu: bool | None = attr("@iommu", ONOFF)
    ats: bool | None = attr("@ats", ONOFF)
    packed: bool | None = attr("@packed", ONOFF)
    page_per_vq: bool | None = attr("@page_per_vq", ONOFF)

    def written(self, form: Form) -> Element | None:
        return self if self.named() else None

    def named(self) -> str | None:
        """The first option that the document sets."""
        return next((n for n in ("iommu", "ats", "packed", "page_per_vq") if getattr(self, n) is not None), None)


def props(driver: Any) -> dict[str, Any]:
    """QEMU's properties for the options."""
    if driver is None:
        return {}
    return {
        "iommu_platform": driver.iommu,
        "ats": driver.ats,
        "packed": driver.packed,
        "page-per-vq": driver.page_per_vq,
    }


def bus_of(vm: Any) -> str:
    """The kind of address that a virtio device gets on the machine."""
    return "virtio-mmio" if vm.is_microvm else "pci"


def transport(device: Any, default: str = "pci") -> str:
    """What QEMU's virtio devices end in for the kind of address that the device has: ``pci``, ``ccw`` or ``device``."""
    place = device.address.type if device.address is not None else default
    return "device" if place == "virtio-mmio" else "ccw" if place == "ccw" else "pci"


def device_name(vm: Any, device: Any, base: str, model: str | None = None) -> str:
    """QEMU's device for a virtio model on the bus that the address names."""
    return f"{base}-{transport(device, bus_of(vm))}{SUFFIX.get(model or '', '')}"


def refuse(driver: Any) -> None:
    """Raise what libvirt says of virtio options on another device."""
    name = driver.named() if driver is not None else None
    if name:
        raise not_virtio(name)


def not_virtio(name: str) -> ConfigUnsupported:
    """libvirt's error for a virtio option of another device; one of them has words of its own."""
    kind = "option" if name == "page_per_vq" else "driver option"
    return ConfigUnsupported(f"{name} {kind} is only supported for virtio devices", origin=Origin.DOMAIN)
