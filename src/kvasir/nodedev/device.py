"""One device that the driver knows."""

from __future__ import annotations

from typing import Any

from kvasir.errors import Code, ConfigUnsupported, Error, InvalidArg, Origin
from kvasir.model.nodedev import Mdev, NodeDevice


class NoDevice(Error):
    """Node device not found"""

    code, prefix = Code.NO_NODE_DEVICE, "Node device not found"


def unsupported_kind() -> ConfigUnsupported:
    return ConfigUnsupported("Unsupported device type", origin=Origin.NODEDEV)


class Device:
    """A device that the driver knows; ``name`` is what the wire carries."""

    def __init__(self, document: NodeDevice, active: bool = True) -> None:
        self.document, self.active = document, active
        self.persistent = self.autostart = document.name == "computer"

    @property
    def name(self) -> str:
        return str(self.document.name)

    def mdev(self) -> Mdev | None:
        found: Mdev | None = self.document.data("mdev")
        return found

    def pci_address(self) -> str:
        """``0000:03:00.0``. Raises InvalidArg for what is no PCI function."""
        data = self.document.data("pci")
        if data is None:
            raise InvalidArg(f"device {self.name} is not a PCI device", origin=Origin.DOMAIN)
        return f"{data.domain:04x}:{data.bus:02x}:{data.slot:02x}.{data.function:x}"


def fibre(device: Device) -> Any:
    """What Fibre Channel says of an adapter, None for another."""
    parts = getattr(device.document.data("scsi_host"), "parts", ())
    return next((part for part in parts if part.type == "fc_host"), None)


def address(document: NodeDevice) -> str | None:
    """What mdevctl calls a parent of mediated devices: the last part of its path."""
    able = any(one.type in ("pci", "css", "ap_matrix") for one in document.capabilities)
    return (document.path or "").rpartition("/")[2] if able else None
