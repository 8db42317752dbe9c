"""Taking a PCI function from its driver of the host for vfio-pci, giving it back, resetting it."""

from __future__ import annotations

import os

from kvasir.errors import Error, InternalError, Origin, SystemFailure

from .sysfs import Tree

VFIO = "vfio-pci"


def _problem(text: str, error: OSError) -> Error:
    return SystemFailure(text, error, origin=Origin.NONE)


def driver_of(tree: Tree, address: str) -> str | None:
    """The driver that a function (``0000:03:00.0``) is bound to."""
    return tree.link(f"/bus/pci/devices/{address}/driver")


def vfio_works(tree: Tree) -> bool:
    """Whether the host can give functions to guests: groups of the IOMMU, and the vfio driver."""
    return bool(tree.names("/kernel/iommu_groups")) and (
        os.path.exists(f"{tree.root}/dev/vfio/vfio") or tree.exists(f"/bus/pci/drivers/{VFIO}")
    )


def bind(tree: Tree, address: str, driver: str | None) -> None:
    """Bind a function to a driver, or (None) to the one that the host's kernel chooses. Raises SystemFailure."""
    if driver is not None and driver_of(tree, address) == driver:
        return
    device = f"/bus/pci/devices/{address}"
    try:
        tree.write(f"{device}/driver_override", (driver or "") + "\n")
    except OSError as error:
        text = f"Failed to add driver '{driver}' to driver_override interface of PCI device '{address}'"
        raise _problem(text, error) from None
    try:
        if driver_of(tree, address) is not None:
            tree.write(f"{device}/driver/unbind", address)
    except OSError as error:
        raise _problem(f"Failed to unbind PCI device '{address}' from {driver_of(tree, address)}", error) from None
    try:
        tree.write("/bus/pci/drivers_probe", address)
    except OSError as error:
        raise _problem(f"Failed to trigger a probe for PCI device '{address}'", error) from None


def reset(tree: Tree, address: str) -> None:
    """Reset a function by the kernel's way for it. Raises InternalError where it has none."""
    if driver_of(tree, address) == VFIO:
        return  # vfio resets it when it is taken and given back
    try:
        tree.write(f"/bus/pci/devices/{address}/reset", "1")
    except OSError as error:
        why = (
            "no FLR, PM reset or bus reset available"
            if not tree.exists(f"/bus/pci/devices/{address}/reset")
            else error.strerror
        )
        raise InternalError(f"Unable to reset PCI device {address}: {why}", origin=Origin.NONE) from None
