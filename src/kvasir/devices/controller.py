"""Controllers of buses: PCI bridges and ports, disk, USB, virtio-serial and smartcard controllers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, InternalError, Origin, XmlError
from kvasir.xml import attr, scaled, text
from kvasir.xml.types import ENUM, HEX, INT, ONOFF, UINT

from .base import Device, pass_over

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

TYPES = ("ide", "fdc", "scsi", "sata", "virtio-serial", "ccid", "usb", "pci", "xenbus", "isa")
PCI_MODELS = (
    "pci-root", "pcie-root", "pci-bridge", "dmi-to-pci-bridge", "pcie-to-pci-bridge", "pcie-root-port",
    "pcie-switch-upstream-port", "pcie-switch-downstream-port", "pci-expander-bus", "pcie-expander-bus",
)  # fmt: skip
SCSI_MODELS = (
    "auto", "buslogic", "lsilogic", "lsisas1068", "vmpvscsi", "ibmvscsi", "virtio-scsi", "lsisas1078",
    "virtio-transitional", "virtio-non-transitional", "ncr53c90", "dc390", "am53c974",
)  # fmt: skip
USB_MODELS = (
    "piix3-uhci", "piix4-uhci", "ehci", "ich9-ehci1", "ich9-uhci1", "ich9-uhci2", "ich9-uhci3", "vt82c686b-uhci",
    "pci-ohci", "nec-xhci", "qusb1", "qusb2", "qemu-xhci", "none",
)  # fmt: skip
MODELS: dict[str, tuple[str, ...]] = {
    "pci": PCI_MODELS,
    "scsi": SCSI_MODELS,
    "usb": USB_MODELS,
    "ide": ("piix3", "piix4", "ich6"),
    "virtio-serial": ("virtio", "virtio-transitional", "virtio-non-transitional"),
}
PCI_NAMES = (
    "none", "pci-bridge", "i82801b11-bridge", "pcie-pci-bridge", "ioh3420", "x3130-upstream", "xio3130-downstream", "pxb",
    "pxb-pcie", "pcie-root-port", "spapr-pci-host-bridge",
)  # fmt: skip
_NUMBER = replace(HEX(1, 2**31 - 1), write=str, expected="Expected integer value")
_PORT = replace(HEX(1, 2**31 - 1), expected="Expected integer value")
READ = {
    "ports": ("virtio-serial", "usb"), "vectors": ("virtio-serial",), "maxGrantFrames": ("xenbus",),
    "maxEventChannels": ("xenbus",),
}  # fmt: skip
"""Attributes that only controllers of these types have; others pass them over."""


class Controller(Device, tag="controller"):
    """A controller: a bus that other devices are plugged into."""

    type: str | None = attr("@type", ENUM(*TYPES))
    index: int | None = attr("@index", INT)
    model: str | None = attr("@model", abi=True)
    ports: int | None = attr("@ports", INT)
    vectors: int | None = attr("@vectors", INT)
    max_grant_frames: int | None = attr("@maxGrantFrames", INT)
    max_event_channels: int | None = attr("@maxEventChannels", INT)
    model_name: str | None = attr("model/@name", ENUM(*PCI_NAMES))
    chassis_nr: int | None = attr("target/@chassisNr", _NUMBER)
    chassis: int | None = attr("target/@chassis", _NUMBER)
    port: int | None = attr("target/@port", _PORT)
    bus_nr: int | None = attr("target/@busNr", _NUMBER)
    target_index: int | None = attr("target/@index", INT)
    hotplug: bool | None = attr("target/@hotplug", ONOFF)
    node: int | None = text("target/node", UINT, error="invalid NUMA node in target")
    queues: int | None = attr("driver/@queues", UINT)
    cmd_per_lun: int | None = attr("driver/@cmd_per_lun", UINT)
    max_sectors: int | None = attr("driver/@max_sectors", UINT)
    ioeventfd: bool | None = attr("driver/@ioeventfd", ONOFF)
    iothread: int | None = attr("driver/@iothread", UINT)
    iommu: bool | None = attr("driver/@iommu", ONOFF)
    ats: bool | None = attr("driver/@ats", ONOFF)
    packed: bool | None = attr("driver/@packed", ONOFF)
    page_per_vq: bool | None = attr("driver/@page_per_vq", ONOFF)
    pcihole64: int | None = scaled(
        "pcihole64", error="xml:Invalid value '{value}' for element or attribute './pcihole64'"
    )

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Any:
        """Read a controller; what its type does not have is passed over. Raises XmlError."""
        kind = node.get("type", "ide")
        if not keep:
            for name, kinds in READ.items():
                if kind not in kinds:
                    pass_over(node, f"@{name}")
            if kind != "pci":
                for name in ("target", "model", "pcihole64"):
                    pass_over(node, name)
            elif node.get("model") not in (None, "pci-root", "pcie-root"):
                pass_over(node, "pcihole64")
        return super().parse(node, keep)

    def parsed(self, node: Any) -> None:
        self.type = self.type or "ide"
        for name in ("index", "ports", "vectors", "max_grant_frames", "max_event_channels"):
            value = getattr(self, name)
            if value is not None and value < 0:
                word = self.FIELDS[name].path[1:]
                raise XmlError(f"Invalid value for attribute '{word}' in element 'controller': '{value}'. "
                               "Expected non-negative value", origin=Origin.XML)  # fmt: skip
        if self.model is not None and self.model not in MODELS.get(self.type, ()):
            raise ConfigUnsupported(f"Unknown model type '{self.model}'", origin=Origin.DOMAIN)
        if self.type != "pci":
            self.model_name = None
        if self.model not in ("pci-root", "pcie-root"):
            self.pcihole64 = None

    def needs_address(self, vm: Any) -> str | None:
        """ccid sits on USB; fdc, isa, the root buses and the none model have no address; the rest is PCI."""
        if self.type == "ccid":
            return "usb"
        if self.type in ("fdc", "isa", "xenbus") or self.model in ("pci-root", "pcie-root", "none"):
            return None
        return "pci"

    def alias_for(self, vm: Any) -> str:
        """libvirt's name of the controller."""
        builtin = self.index == 0 and not vm.is_q35
        if self.type == "pci":
            return (
                "pcie.0" if self.model == "pcie-root" else "pci.0" if self.model == "pci-root" else f"pci.{self.index}"
            )
        if self.type == "ide" and builtin and vm.is_i440fx:
            return "ide"
        if self.type == "sata" and self.index == 0 and vm.is_q35:
            return "ide"
        if self.type == "usb" and self.index == 0 and self.master is None:
            return "usb"
        return f"{self.type}{self.index}"

    def defaults(self, vm: Any) -> None:
        """The next free index of the type, and the model that libvirt picks."""
        if self.index is None:
            taken = [c.index for c in vm.domain.controllers if c.type == self.type and c.index is not None]
            self.index = max(taken, default=-1) + 1
        if self.type == "pci" and self.model is None and self.index:
            raise InternalError("PCI controller model was not set correctly", origin=Origin.DOMAIN)
        if self.type == "pci" and self.model in ("pci-root", "pcie-root") and self.index and not vm.is_pseries:
            raise XmlError("pci-root and pcie-root controllers should have index 0", origin=Origin.QEMU)
        if self.type == "usb" and self.model is None:
            self.model = default_usb(vm, self)
        if self.type == "scsi" and self.model in (None, "auto"):
            self.model = default_scsi(vm)
        if self.type == "usb" and self.model == "none" and self.address is not None:
            self.address = None

    def check(self, vm: Any) -> None:
        """libvirt's rules for controllers."""
        from .controller_check import check

        check(self, vm)

    def qemu(self, vm: Any) -> Iterator[Arg]:
        """The device, unless the machine brings it."""
        from .controller_qemu import controller

        yield from controller(self, vm)


def default_usb(vm: Any, controller: Any) -> str | None:
    """The USB controller that libvirt gives this machine."""
    if not vm.is_x86:
        from kvasir.qemu.boards import usb_model

        return usb_model(vm, controller)
    if vm.is_q35 and vm.caps.has("qemu-xhci") and controller.index == 0:
        return "qemu-xhci"
    if vm.caps.has("piix3-usb-uhci"):
        return "piix3-uhci"
    return None


def default_scsi(vm: Any) -> str | None:
    """The SCSI controller that libvirt gives a guest."""
    if not vm.is_x86:
        from kvasir.qemu.boards import scsi_model

        if model := scsi_model(vm):
            return model
    if vm.caps.has("lsi"):
        return "lsilogic"
    return "virtio-scsi" if vm.caps.has("virtio-scsi-pci") else None
