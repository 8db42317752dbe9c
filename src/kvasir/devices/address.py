"""Addresses of devices on the guest's buses: one class for each ``<address type=...>``."""

from __future__ import annotations

from typing import Any, Self

from kvasir.errors import XmlError
from kvasir.xml import Element, attr
from kvasir.xml.types import HEX, ONOFF, UINT


class Address(Element, tag="address"):
    """Where a device sits; the subclass is chosen by the type."""

    type: str = attr("@type")

    @classmethod
    def kinds(cls) -> dict[str, Any]:
        """The classes by type word."""
        return KINDS

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Any:
        if cls is not Address:
            return super().parse(node, keep)
        word = node.get("type")
        if word is None:
            raise XmlError("Missing required attribute 'type' in element 'address'")
        kind = KINDS.get(word)
        if kind is None:
            raise XmlError(f"Invalid value for attribute 'type' in element 'address': '{word}'.")
        return kind.parse(node, keep)


class PciAddress(Address):
    """A PCI slot: domain, bus, slot and function."""

    domain: int | None = attr("@domain", HEX(4, 0xFFFF))
    bus: int | None = attr("@bus", HEX(2, 0xFF))
    slot: int | None = attr("@slot", HEX(2, 0x1F))
    function: int | None = attr("@function", HEX(1, 7))
    multifunction: bool | None = attr("@multifunction", ONOFF)

    @classmethod
    def at(cls, bus: int, slot: int, function: int = 0, *, multifunction: bool | None = None) -> Self:
        """An address in PCI domain 0."""
        return cls(type="pci", domain=0, bus=bus, slot=slot, function=function, multifunction=multifunction)


class DriveAddress(Address):
    """A place on a disk controller."""

    controller: int | None = attr("@controller", UINT)
    bus: int | None = attr("@bus", UINT)
    target: int | None = attr("@target", UINT)
    unit: int | None = attr("@unit", UINT)


class VirtioSerialAddress(Address):
    """A port of a virtio-serial controller."""

    controller: int | None = attr("@controller", UINT)
    bus: int | None = attr("@bus", UINT)
    port: int | None = attr("@port", UINT)


class CcidAddress(Address):
    """A slot of a smartcard reader."""

    controller: int | None = attr("@controller", UINT)
    slot: int | None = attr("@slot", UINT)


class UsbAddress(Address):
    """A USB bus and port (``1.2`` is port 2 of the hub at port 1)."""

    bus: int | None = attr("@bus", UINT)
    port: str | None = attr("@port")


class IsaAddress(Address):
    """An ISA I/O port and interrupt."""

    iobase: int | None = attr("@iobase", HEX(1))
    irq: int | None = attr("@irq", HEX(1))


class VirtioMmioAddress(Address):
    """The virtio-mmio transport."""


class VirtioS390Address(Address):
    """The old virtio transport of s390."""


class SpaprVioAddress(Address):
    """A register of the POWER virtual bus."""

    reg: int | None = attr("@reg", HEX(8))


class CcwAddress(Address):
    """A channel subsystem address of s390."""

    cssid: int | None = attr("@cssid", HEX(1, 0xFE))
    ssid: int | None = attr("@ssid", HEX(1, 3))
    devno: int | None = attr("@devno", HEX(4, 0xFFFF))


class DimmAddress(Address):
    """A memory slot."""

    slot: int | None = attr("@slot", UINT)
    base: int | None = attr("@base", HEX(1))


class UnassignedAddress(Address):
    """A host device that is defined but not given to the guest."""


KINDS: dict[str, type[Address]] = {
    "pci": PciAddress,
    "drive": DriveAddress,
    "virtio-serial": VirtioSerialAddress,
    "ccid": CcidAddress,
    "usb": UsbAddress,
    "isa": IsaAddress,
    "virtio-mmio": VirtioMmioAddress,
    "virtio-s390": VirtioS390Address,
    "spapr-vio": SpaprVioAddress,
    "ccw": CcwAddress,
    "dimm": DimmAddress,
    "unassigned": UnassignedAddress,
}
