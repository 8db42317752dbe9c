"""What libvirt refuses of a controller, in its words."""

from __future__ import annotations

from typing import Any

from kvasir.errors import ConfigUnsupported, InternalError, Origin, XmlDetail, XmlError

from .virtio_options import not_virtio

PCI_OPTIONS = {
    "pci-root": ("index", "pcihole64", "node", "hotplug"), "pcie-root": ("pcihole64",), "pci-bridge": ("model_name", "chassis_nr"),
    "dmi-to-pci-bridge": ("model_name",), "pcie-to-pci-bridge": ("model_name",),
    "pcie-root-port": ("model_name", "chassis", "port", "hotplug"), "pcie-switch-upstream-port": ("model_name",),
    "pcie-switch-downstream-port": ("model_name", "chassis", "port", "hotplug"),
    "pci-expander-bus": ("model_name", "bus_nr", "node"), "pcie-expander-bus": ("model_name", "bus_nr", "node"),
}  # fmt: skip
"""The settings that each PCI model may have; every other one is refused."""
NAMES: dict[str, tuple[str, ...]] = {
    "pci-root": ("none", "spapr-pci-host-bridge"), "pcie-root": ("none",), "pci-bridge": ("pci-bridge",), "dmi-to-pci-bridge": ("i82801b11-bridge",),
    "pcie-to-pci-bridge": ("pcie-pci-bridge",), "pcie-root-port": ("ioh3420", "pcie-root-port"),
    "pcie-switch-upstream-port": ("x3130-upstream",), "pcie-switch-downstream-port": ("xio3130-downstream",),
    "pci-expander-bus": ("pxb",), "pcie-expander-bus": ("pxb-pcie",),
}  # fmt: skip
"""QEMU's devices for each PCI model."""
OPTION_NAMES = {
    "pcihole64": "pcihole64", "node": "node", "chassis_nr": "chassisNr", "chassis": "chassis", "port": "port",
    "bus_nr": "busNr", "hotplug": "hotplug", "target_index": "targetIndex",
}  # fmt: skip
VIRTIO_OPTIONS = ("iommu", "ats", "packed", "page_per_vq")
VIRTIO_SCSI = ("virtio-scsi", "virtio-transitional", "virtio-non-transitional")


def unsupported(text: str, origin: Origin = Origin.QEMU) -> ConfigUnsupported:
    """Error 67 of that subsystem."""
    return ConfigUnsupported(text, origin=origin)


def check(controller: Any, vm: Any) -> None:
    """Raise what libvirt raises for the controller."""
    _any(controller, vm)
    if controller.type == "pci":
        _pci(controller, vm)
    elif controller.type == "scsi":
        _scsi(controller, vm)
    elif controller.type == "usb":
        _usb(controller, vm)
    elif controller.type == "ide":
        _ide(controller, vm)


def _any(controller: Any, vm: Any) -> None:
    if controller.iothread is not None and controller.type != "scsi":
        raise XmlError("'iothread' attribute only supported for virtio scsi controllers")
    if controller.type == "scsi" and controller.model not in VIRTIO_SCSI:
        for name in VIRTIO_OPTIONS:
            if getattr(controller, name) is not None:
                raise not_virtio(name)
    same = [c for c in vm.domain.controllers if c.type == controller.type and c.index == controller.index]
    if len(same) > 1 and controller.type != "usb":
        raise XmlError(f"Multiple '{controller.type}' controllers with index '{controller.index}'")
    if controller.type != "scsi" or controller.model not in VIRTIO_SCSI:
        for name in ("queues", "cmd_per_lun", "max_sectors", "ioeventfd"):
            if getattr(controller, name) is not None:
                raise unsupported(f"'{name}' is only supported by virtio-scsi controller")
    if controller.type in ("xenbus", "isa") and vm.arch in ("x86_64", "i686"):
        raise InternalError(
            "Cannot automatically add a new PCI bus for a device with connect flags 00", origin=Origin.DOMAIN
        )


def _ide(controller: Any, vm: Any) -> None:
    if not (vm.is_i440fx or vm.machine == "isapc"):
        raise unsupported("IDE controllers are unsupported for this QEMU binary or machine type")
    if (controller.index or 0) > 0 and vm.is_i440fx:
        raise unsupported("Only a single IDE controller is supported for this machine type")


def _pci(controller: Any, vm: Any) -> None:
    for name, most in (("chassis_nr", 255), ("chassis", 255), ("port", 255), ("bus_nr", 254)):
        value = getattr(controller, name)
        low = 0 if name in ("chassis", "port") else 1
        if value is not None and not low <= value <= most:
            raise unsupported(
                f"PCI controller {OPTION_NAMES[name]} '{value}' out of range - must be {low}-{most}", Origin.DOMAIN
            )
    if controller.model is None:
        raise InternalError("PCI controller model was not set correctly", origin=Origin.DOMAIN)
    root = "pcie-root" if vm.uses_pci_express else "pci-root"
    if controller.index == 0 and controller.model != root:
        raise XmlError(
            f"The PCI controller with index='0' must be model='{root}' for this machine type, but "
            f"model='{controller.model}' was found instead",
            origin=Origin.QEMU,
        )
    if controller.model_name is not None and controller.model_name not in NAMES[controller.model]:
        raise unsupported(
            f"Option 'modelName' has invalid value for PCI controller with index '{controller.index}', "
            f"model '{controller.model}' and modelName '{controller.model_name}'"
        )
    for name, word in OPTION_NAMES.items():
        own = name == "target_index" and controller.model == "pci-root" and vm.is_pseries
        if getattr(controller, name) is not None and name not in PCI_OPTIONS[controller.model] and not own:
            raise unsupported(
                f"Option '{word}' is not valid for PCI controller with index '{controller.index}', "
                f"model '{controller.model}' and modelName '{controller.model_name or 'none'}'"
            )
    if controller.node is not None:
        cells = _cells(vm.domain)
        if controller.node >= cells:
            raise XmlError(
                f"{controller.model} with index {controller.index} is configured for a NUMA node ({controller.node}) not "
                f"present in the domain's <cpu><numa> array ({cells})",
                origin=Origin.QEMU,
            )


def _cells(domain: Any) -> int:
    cpu = domain.cpu
    numa = getattr(cpu, "numa", None) if cpu is not None else None
    cells = getattr(numa, "cells", numa) if numa is not None else getattr(cpu, "cells", None)
    return len(cells or [])


def _scsi(controller: Any, vm: Any) -> None:
    if controller.model not in VIRTIO_SCSI:
        if controller.iothread is not None:
            raise unsupported("'iothread' is only supported for virtio-scsi controller")
        if controller.model in ("buslogic", "ncr53c90") or (controller.model == "ibmvscsi" and vm.is_x86):
            raise unsupported(f"Unsupported controller model: {controller.model}")
        return
    if controller.iothread is not None:
        listed = [thread.id for thread in vm.domain.iothreadids] or range(1, (vm.domain.iothreads or 0) + 1)
        if controller.iothread not in listed:
            raise unsupported(f"controller iothread '{controller.iothread}' not defined in iothreadid")


def _detail(text: str) -> XmlDetail:
    error = XmlDetail(text)
    error.origin = Origin.DOMAIN
    return error


def _usb(controller: Any, vm: Any) -> None:
    others = [c for c in vm.domain.controllers if c.type == "usb" and c is not controller]
    if controller.model == "none" and others:
        raise _detail("Can't add another USB controller: USB is disabled for this domain")
    if controller.model in ("qusb1", "qusb2"):
        raise unsupported("USB controller model type 'qusb1' or 'qusb2' is not supported in qemu")
    companion = controller.master is not None or (controller.model or "").startswith("ich9-uhci")
    if companion and not any(c.index == controller.index and c.master is None for c in others):
        raise _detail("No master USB controller specified")
    if controller.model in ("qemu-xhci", "nec-xhci") and (controller.ports or 0) > 15:
        raise unsupported(f"'{controller.model}' controller only supports up to '15' ports")
