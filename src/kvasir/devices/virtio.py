"""The options that every virtio device has on its ``<driver>``."""

from __future__ import annotations

from typing import Any

from kvasir.xml.types import ONOFF

SUFFIX = {"virtio-transitional": "-transitional", "virtio-non-transitional": "-non-transitional"}
"""What a model adds to the name of QEMU's PCI device."""


def options(driver: Any) -> dict[str, Any]:
    """QEMU's properties for the fields iommu, ats, packed and page_per_vq of a device."""
    return {
        "iommu_platform": driver.iommu,
        "ats": driver.ats,
        "packed": driver.packed,
        "page-per-vq": driver.page_per_vq,
    }


def on_off(value: bool | None) -> str | None:
    """QEMU's word for a switch that it takes as a string."""
    return None if value is None else ONOFF.write(value)
