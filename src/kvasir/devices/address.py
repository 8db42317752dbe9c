"""Addresses of devices on the guest's buses: one class for each ``<address type=...>``."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Self

from kvasir.errors import ConfigUnsupported, InternalError, Origin, XmlError
from kvasir.xml import Element, attr
from kvasir.xml.types import HEX, ONOFF, UINT, Type

NUMBER = "Expected non-negative integer value"


def _hex(width: int) -> Type:
    """A number in any base, written in hexadecimal; what is too large is refused by the address as a whole."""
    return dataclasses.replace(HEX(width, 0xFFFFFFFF), expected=NUMBER)


def _read16(word: str) -> int:
    if not re.fullmatch(r"(0[xX])?[0-9a-fA-F]+", word):
        raise ValueError(word)
    return int(word, 16)


HEX16 = Type("hex", _read16, lambda v: f"0x{v:x}", NUMBER, pattern="(0x)?[0-9a-fA-F]+", json={"type": "integer"})


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
            raise InternalError("No type specified for device address", origin=Origin.DOMAIN)
        kind = KINDS.get(word)
        if kind is None:
            raise ConfigUnsupported(f"unknown address type '{word}'", origin=Origin.DOMAIN)
        if word == "usb" and not re.fullmatch(r"(\d+(\.\d+){0,3})?", node.get("port", "")):
            raise InternalError("Cannot parse <address> 'port' attribute", origin=49)
        return kind.parse(node, keep)


class PciAddress(Address):
    """A PCI slot: domain, bus, slot and function."""

    domain: int | None = attr("@domain", _hex(4))
    bus: int | None = attr("@bus", _hex(2))
    slot: int | None = attr("@slot", _hex(2))
    function: int | None = attr("@function", _hex(1))
    multifunction: bool | None = attr("@multifunction", ONOFF)
    zpci_uid: int | None = attr("zpci/@uid", HEX(4, 0xFFFF))
    zpci_fid: int | None = attr("zpci/@fid", HEX(8, 0xFFFFFFFF))

    def parsed(self, node: Any) -> None:
        if (self.bus or 0) > 0xFF:
            raise XmlError(f"Invalid PCI address bus='0x{self.bus:X}', must be <= 0xFF", origin=Origin.NONE)
        if (self.slot or 0) > 0x1F:
            raise XmlError(f"Invalid PCI address slot='0x{self.slot:X}', must be <= 0x1F", origin=Origin.NONE)
        if (self.function or 0) > 7:
            raise XmlError(f"Invalid PCI address function=0x{self.function:X}, must be <= 7", origin=Origin.NONE)

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

    iobase: int | None = attr("@iobase", HEX16)
    irq: int | None = attr("@irq", HEX16)


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
