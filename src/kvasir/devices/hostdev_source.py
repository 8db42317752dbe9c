"""Sources of host devices: one class for each ``type=`` of either mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kvasir.errors import ConfigUnsupported, Error, InternalError, Origin, XmlError
from kvasir.xml import Element, Form, attr, child, children, text
from kvasir.xml.types import ANYBASE, ENUM, HEX, ONOFF, UINT, UUID, YESNO, Type

from .words import bad_value, internal, missing, unsupported, zero

_USBID = Type(
    "usbid", HEX(4, 0xFFFFFFFF).read, HEX(4).write, "Expected non-negative integer value", json={"type": "integer"}
)
MODELS = ("virtio", "virtio-transitional", "virtio-non-transitional")


def _address_shown(source: Any, form: Form) -> bool:
    return form.live or not source.found


class UsbSource(Element):
    """A USB device, by its ids, its place, or both. The place that a start finds is not kept."""

    startup_policy: str | None = attr("source/@startupPolicy", ENUM("mandatory", "requisite", "optional"))
    guest_reset: str | None = attr("source/@guestReset", ENUM("off", "uninitialized", "on"))
    missing: bool | None = attr("source/@missing", YESNO, only="live")
    vendor: int | None = attr("source/vendor/@id", _USBID)
    product: int | None = attr("source/product/@id", _USBID)
    bus: int | None = attr("source/address/@bus", ANYBASE, when=_address_shown)
    device: int | None = attr("source/address/@device", ANYBASE, when=_address_shown)
    found: bool | None = attr("source/address/@found", YESNO, only="status")

    def parsed(self, node: Any) -> None:
        source = node.find("source")
        if source is None:
            return
        vendor, product = source.find("vendor"), source.find("product")
        for part, value, name in ((vendor, self.vendor, "vendor"), (product, self.product, "product")):
            if part is not None and value is None:
                raise missing("id", name)
        if vendor is not None and self.vendor == 0:
            raise zero("id", "vendor")
        if vendor is not None and product is None:
            raise InternalError("missing product", origin=Origin.DOMAIN)
        if product is not None and not self.vendor:
            raise InternalError("missing vendor", origin=Origin.DOMAIN)
        if source.find("address") is not None:
            for name in ("bus", "device"):
                if getattr(self, name) is None:
                    raise missing(name, "address")


class Teaming(Element, tag="teaming"):
    """Joins a host's network card with a virtio one that takes over while it is away."""

    type: str | None = attr("@type", ENUM("persistent", "transient"))
    persistent: str | None = attr("@persistent")


def _function_words(value: str) -> str:
    """What libvirt says of a PCI function out of range: the number without its prefix."""
    return f"Invalid PCI address function=0x{value.removeprefix('0x')}, must be <= 7"


def _place(name: str) -> Callable[[str], Error]:
    """A number that is too large, or none."""

    def failure(value: str) -> Error:
        try:
            HEX(1, 2**32 - 1).read(value)
        except ValueError:
            return bad_value(name, "address", value, ". Expected non-negative integer value")
        text_ = _function_words(value) if name == "function" else f"Invalid PCI address slot='{value}', must be <= 0x1F"
        return XmlError(text_, origin=Origin.NONE)

    return failure


class PciSource(Element):
    """A PCI device."""

    driver: str | None = attr("driver/@name", ENUM("kvm", "vfio", "xen"))
    write_filtering: bool | None = attr("source/@writeFiltering", YESNO)
    startup_policy: str | None = attr("source/@startupPolicy", ENUM("mandatory", "requisite", "optional"))
    domain: int | None = attr("source/address/@domain", HEX(4, 0xFFFFFFFF))
    bus: int | None = attr("source/address/@bus", HEX(2, 0xFF))
    slot: int | None = attr("source/address/@slot", HEX(2, 0x1F), error=_place("slot"))
    function: int | None = attr("source/address/@function", HEX(1, 7), error=_place("function"))
    teaming: Teaming | None = child(Teaming)

    def parsed(self, node: Any) -> None:
        if self.startup_policy:
            raise ConfigUnsupported("Setting startupPolicy is only allowed for USB devices")
        for name in ("domain", "bus", "slot", "function"):
            if getattr(self, name) is None:
                setattr(self, name, 0)

    @property
    def host(self) -> str:
        """The address in the kernel's form."""
        return f"{self.domain or 0:04x}:{self.bus or 0:02x}:{self.slot or 0:02x}.{self.function or 0:x}"


class IscsiHost(Element, tag="host"):
    """The portal of an iSCSI target."""

    name: str | None = attr("@name")
    port: str | None = attr("@port")


class Secret(Element, tag="secret"):
    """A secret by its usage or UUID."""

    type: str | None = attr("@type", ENUM("none", "volume", "ceph", "iscsi", "tls", "vtpm"),
                            error=unsupported("invalid secret type {value}"))  # fmt: skip
    uuid: str | None = attr("@uuid", UUID)
    usage: str | None = attr("@usage")


class ScsiSource(Element):
    """A SCSI unit: of a host adapter, or of an iSCSI target."""

    sgio: str | None = attr("@sgio", ENUM("filtered", "unfiltered"))
    rawio: bool | None = attr("@rawio", YESNO)
    protocol: str | None = attr(
        "source/@protocol", ENUM("adapter", "iscsi"), error=unsupported("Unknown SCSI subsystem protocol '{value}'"),
        when=lambda source, form: source.protocol == "iscsi",
    )  # fmt: skip
    name: str | None = attr("source/@name")
    adapter: str | None = attr("source/adapter/@name")
    bus: int | None = attr("source/address/@bus", UINT)
    target: int | None = attr("source/address/@target", UINT)
    unit: int | None = attr("source/address/@unit", Type("unit", lambda v: int(v), str))
    hosts: list[IscsiHost] = children(IscsiHost, "source/host")
    user: str | None = attr("source/auth/@username")
    secret: Secret | None = child(Secret, "source/auth/secret")
    initiator: str | None = attr("source/initiator/iqn/@name")

    def parsed(self, node: Any) -> None:
        if self.protocol == "iscsi":
            if not self.name:
                raise XmlError("missing iSCSI hostdev source path name")
            if not self.hosts:
                raise XmlError("missing the host address for the iSCSI hostdev")
            if self.secret is not None and self.secret.type is None:
                raise ConfigUnsupported("invalid secret type (null)", origin=Origin.DOMAIN)
            if self.secret is not None and self.secret.type != "iscsi":
                raise InternalError(f"hostdev invalid secret type '{self.secret.type}'", origin=Origin.DOMAIN)
            if "/" not in self.name:
                self.name += "/0"
            return
        source = node.find("source")
        place = source.find("address") if source is not None else None
        if place is not None:
            for name in ("bus", "target", "unit"):
                if getattr(self, name) is None:
                    raise missing(name, "address")
        adapter = source.find("adapter") if source is not None else None
        if source is not None and place is None:
            raise XmlError("'address' must be specified for scsi hostdev source")
        if source is not None and (adapter is None or self.adapter is None):
            raise XmlError("'adapter' name must be specified for scsi hostdev source")


class ScsiHostSource(Element):
    """A SCSI host served by the kernel (vhost-scsi)."""

    model: str | None = attr("@model", ENUM(*MODELS))
    protocol: str | None = attr(
        "source/@protocol", ENUM("vhost"), error=unsupported("Unknown scsi_host subsystem protocol '{value}'")
    )
    wwpn: str | None = attr("source/@wwpn")

    def parsed(self, node: Any) -> None:
        if self.protocol is None:
            raise XmlError("Missing scsi_host subsystem protocol")
        if self.wwpn is None:
            raise XmlError("missing vhost-scsi hostdev source wwpn")
        digits = self.wwpn.removeprefix("naa.")
        if digits == self.wwpn or len(digits) != 16 or digits.strip("0123456789abcdefABCDEF"):
            raise XmlError("malformed 'wwpn' value")


class MdevSource(Element):
    """A mediated device."""

    model: str = attr("@model", ENUM("vfio-pci", "vfio-ccw", "vfio-ap"), required=True)
    display: bool | None = attr("@display", ONOFF)
    ramfb: bool | None = attr("@ramfb", ONOFF)
    uuid: str | None = attr(
        "source/address/@uuid", UUID, error=internal("Cannot parse uuid attribute of element <address>")
    )

    def parsed(self, node: Any) -> None:
        if self.uuid is None:
            raise ConfigUnsupported("Missing 'uuid' attribute for element <address>", origin=Origin.DOMAIN)


class StorageCaps(Element):
    """A block device of the host."""

    block: str | None = text("source/block", label=True)

    def parsed(self, node: Any) -> None:
        if not self.block:
            raise XmlError("Missing <block> element in hostdev storage device")


class MiscCaps(Element):
    """A character device of the host."""

    char: str | None = text("source/char", label=True)

    def parsed(self, node: Any) -> None:
        if not self.char:
            raise XmlError("Missing <char> element in hostdev character device")


class NetCaps(Element):
    """A network card of the host."""

    interface: str | None = text("source/interface")

    def parsed(self, node: Any) -> None:
        if not self.interface:
            raise XmlError("Missing <interface> element in hostdev net device")


SUBSYSTEM: dict[str, Any] = {
    "usb": UsbSource, "pci": PciSource, "scsi": ScsiSource, "scsi_host": ScsiHostSource, "mdev": MdevSource,
}  # fmt: skip
CAPABILITIES: dict[str, Any] = {"storage": StorageCaps, "misc": MiscCaps, "net": NetCaps}
