"""Addresses that a device or a machine cannot have, in libvirt's words."""

from __future__ import annotations

from typing import Any

from kvasir.errors import ConfigUnsupported, Origin

from .address import CcwAddress, PciAddress, UnassignedAddress


def check(device: Any, vm: Any) -> None:
    """Raise what libvirt raises for the kind of the device's address."""
    address = device.address
    if device.acpi_index is not None and not isinstance(address, PciAddress):
        raise ConfigUnsupported("ACPI index is only supported for PCI devices", origin=Origin.QEMU)
    if isinstance(address, UnassignedAddress) and device.TAG != "hostdev":
        raise ConfigUnsupported("address of type 'unassigned' is supported only for hostdevs", origin=Origin.DOMAIN)
    if isinstance(address, CcwAddress) and not vm.arch.startswith("s390"):
        raise ConfigUnsupported(
            f"cannot use CCW address type for device '{device.alias or '<null>'}' using machine type '{vm.machine}'",
            origin=Origin.QEMU,
        )
    zpci = isinstance(address, PciAddress) and (address.zpci_uid is not None or address.zpci_fid is not None)
    if zpci and not vm.caps.has("zpci"):
        raise ConfigUnsupported("This QEMU binary doesn't support zPCI", origin=Origin.QEMU)
