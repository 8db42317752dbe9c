"""Devices of the host as documents."""

from __future__ import annotations

from typing import Any

from kvasir.xml import Element, Form, attr, child, children, flag, text, variant
from kvasir.xml.types import ANYBASE, HEX, INT, UINT, ULLONG, UUID, Type

ID = HEX(4, 0xFFFF)


class Address(Element, tag="address"):
    """The PCI address of another function."""

    domain: int | None = attr("@domain", HEX(4))
    bus: int | None = attr("@bus", HEX(2))
    slot: int | None = attr("@slot", HEX(2))
    function: int | None = attr("@function", HEX(1))


class MdevType(Element, tag="type"):
    """A kind of mediated device that a parent can make."""

    id: str | None = attr("@id")
    name: str | None = text("name")
    api: str | None = text("deviceAPI")
    available: int | None = text("availableInstances", UINT)


class VpdItem(Element):
    """A vendor's or system's own field."""

    index: str | None = attr("@index")
    value: str | None = text(".")


class VpdFields(Element, tag="fields"):
    """Product data: those fixed, and those that may change."""

    access: str | None = attr("@access")
    change_level: str | None = text("change_level")
    manufacture_id: str | None = text("manufacture_id")
    part_number: str | None = text("part_number")
    serial_number: str | None = text("serial_number")
    asset_tag: str | None = text("asset_tag")
    vendor_fields: list[VpdItem] = children(VpdItem, "vendor_field")
    system_fields: list[VpdItem] = children(VpdItem, "system_field")


class SubCapability(Element, tag="capability"):
    """A capability within one: functions, bridges, mediated types, product data, Fibre Channel, media."""

    type: str | None = attr("@type")
    max_count: int | None = attr("@maxCount", UINT)
    addresses: list[Address] = children(Address)
    mdev_types: list[MdevType] = children(MdevType)
    name: str | None = text("name")
    fields: list[VpdFields] = children(VpdFields)
    max_vports: int | None = text("max_vports", UINT)
    vports: int | None = text("vports", UINT)
    wwnn: str | None = text("wwnn")
    rport: str | None = text("rport")
    wwpn: str | None = text("wwpn")
    fabric_wwn: str | None = text("fabric_wwn")
    media_available: int | None = text("media_available", UINT)
    media_size: int | None = text("media_size", ULLONG)
    media_label: str | None = text("media_label")
    logical_block_size: int | None = text("logical_block_size", ULLONG)
    num_blocks: int | None = text("num_blocks", ULLONG)


class Both(Element):
    """A part that is written with both tags also when it is empty."""

    def write(self, out: list[str], pad: str, form: Form, tag: str) -> None:
        mark = len(out)
        super().write(out, pad, form, tag)
        if out[mark].endswith("/>\n"):
            out[mark:] = [f"{pad}<{tag}>\n", f"{pad}</{tag}>\n"]


class Hardware(Both, tag="hardware"):
    """Who made the host."""

    vendor: str | None = text("vendor")
    version: str | None = text("version")
    serial: str | None = text("serial")
    uuid: str | None = text("uuid", UUID)


class Firmware(Both, tag="firmware"):
    """Its firmware."""

    vendor: str | None = text("vendor")
    version: str | None = text("version")
    date: str | None = text("release_date")


class Known(Element):
    """A number from the maker, with its name where a database knows it."""

    id: int | None = attr("@id", ID)
    name: str | None = text(".")


class IommuGroup(Element, tag="iommuGroup"):
    """The functions that can only be assigned together."""

    number: int | None = attr("@number", UINT)
    addresses: list[Address] = children(Address)


class Link(Element, tag="link"):
    """A PCI Express link: what it can do (cap), what it does (sta)."""

    validity: str | None = attr("@validity")
    port: int | None = attr("@port", UINT)
    speed: str | None = attr("@speed")
    width: int | None = attr("@width", UINT)


class System(Element):
    """The host itself."""

    product: str | None = text("product")
    hardware: Hardware | None = child(Hardware)
    firmware: Firmware | None = child(Firmware)


class Pci(Element):
    """A PCI function."""

    class_code: int | None = text("class", HEX(6))
    domain: int | None = text("domain", ANYBASE)
    bus: int | None = text("bus", ANYBASE)
    slot: int | None = text("slot", ANYBASE)
    function: int | None = text("function", ANYBASE)
    product: Known | None = child(Known, "product")
    vendor: Known | None = child(Known, "vendor")
    parts: list[SubCapability] = children(SubCapability)
    iommu_group: IommuGroup | None = child(IommuGroup)
    numa: int | None = attr("numa/@node", INT)
    express: bool = flag("pci-express")
    links: list[Link] = children(Link, "pci-express/link")


class UsbDevice(Element):
    """A USB device."""

    bus: int | None = text("bus", ANYBASE)
    device: int | None = text("device", ANYBASE)
    product: Known | None = child(Known, "product")
    vendor: Known | None = child(Known, "vendor")


class UsbInterface(Element):
    """One interface of a USB device."""

    number: int | None = text("number", ANYBASE)
    class_code: int | None = text("class", ANYBASE)
    subclass: int | None = text("subclass", ANYBASE)
    protocol: int | None = text("protocol", ANYBASE)
    description: str | None = text("description")


class Feature(Element, tag="feature"):
    """Something that the card does itself."""

    name: str | None = attr("@name")


class Net(Element):
    """A network card."""

    interface: str | None = text("interface")
    address: str | None = text("address")
    link_speed: int | None = attr("link/@speed", UINT)
    link_state: str | None = attr("link/@state")
    features: list[Feature] = children(Feature)
    parts: list[SubCapability] = children(SubCapability)


class ScsiHost(Element):
    """A SCSI adapter."""

    host: int | None = text("host", UINT)
    unique_id: int | None = text("unique_id", INT)
    parts: list[SubCapability] = children(SubCapability)


class ScsiTarget(Element):
    """A SCSI target."""

    target: str | None = text("target")
    parts: list[SubCapability] = children(SubCapability)


class Scsi(Element):
    """A SCSI unit."""

    host: int | None = text("host", UINT)
    bus: int | None = text("bus", UINT)
    target: int | None = text("target", UINT)
    lun: int | None = text("lun", UINT)
    type: str | None = text("type")


class Storage(Element):
    """A disk or drive."""

    block: str | None = text("block")
    bus: str | None = text("bus")
    drive_type: str | None = text("drive_type")
    model: str | None = text("model")
    vendor: str | None = text("vendor")
    serial: str | None = text("serial")
    size: int | None = text("size", ULLONG)
    parts: list[SubCapability] = children(SubCapability)
    logical_block_size: int | None = text("logical_block_size", ULLONG)
    num_blocks: int | None = text("num_blocks", ULLONG)


class ScsiGeneric(Element):
    """The generic node of a SCSI unit."""

    char: str | None = text("char")


class Drm(Element):
    """A node of a graphics card."""

    type: str | None = text("type")


class MdevAttr(Element, tag="attr"):
    """An attribute that is set when a mediated device is made."""

    name: str | None = attr("@name")
    value: str | None = attr("@value")


class Mdev(Element):
    """A mediated device."""

    type: str | None = attr("type/@id")
    uuid: str | None = text("uuid", UUID)
    parent_addr: str | None = text("parent_addr")
    iommu_group: int | None = attr("iommuGroup/@number", UINT)
    settings: list[MdevAttr] = children(MdevAttr)


class Ccw(Element):
    """A channel device of IBM Z."""

    cssid: int | None = text("cssid", HEX(1))
    ssid: int | None = text("ssid", HEX(1))
    devno: int | None = text("devno", HEX(4))
    channel_cssid: int | None = text("channel_dev_addr/cssid", HEX(1))
    channel_ssid: int | None = text("channel_dev_addr/ssid", HEX(1))
    channel_devno: int | None = text("channel_dev_addr/devno", HEX(4))
    parts: list[SubCapability] = children(SubCapability)


class Vdpa(Element):
    """A vDPA device."""

    chardev: str | None = text("chardev")


class Ap(Element):
    """A crypto card or queue of IBM Z."""

    adapter: int | None = text("ap-adapter", HEX(2))
    domain: int | None = text("ap-domain", HEX(4))
    parts: list[SubCapability] = children(SubCapability)


KINDS: dict[str, Any] = {
    "system": System, "pci": Pci, "usb_device": UsbDevice, "usb": UsbInterface, "net": Net, "scsi_host": ScsiHost,
    "scsi_target": ScsiTarget, "scsi": Scsi, "storage": Storage, "fc_host": ScsiHost, "vports": ScsiHost,
    "scsi_generic": ScsiGeneric, "drm": Drm, "mdev_types": SubCapability, "mdev": Mdev, "ccw": Ccw, "css": Ccw,
    "vdpa": Vdpa, "ap_card": Ap, "ap_queue": Ap, "ap_matrix": Ap, "vpd": SubCapability,
}  # fmt: skip
"""Kinds of capability in the order of libvirt's list flags."""
WORDS = tuple(KINDS)


def _kind(value: str) -> str:
    if value not in KINDS:
        raise ValueError(value)
    return value


class Capability(Element, tag="capability"):
    """What a device is."""

    type: str | None = attr(
        "@type",
        Type("capability", _kind, str, words=WORDS, json={"enum": list(WORDS)}),
        error="Invalid value for attribute 'type' in element 'capability': '{value}'.",
    )
    data: Any = variant("type", {word: kind for word, kind in KINDS.items() if word not in ("mdev_types", "vpd")})


class DevNode(Element, tag="devnode"):
    """A node or a link under /dev."""

    type: str | None = attr("@type")
    path: str | None = text(".")


class NodeDevice(Element, tag="device"):
    """A device of the host."""

    name: str | None = text("name")
    path: str | None = text("path")
    devnodes: list[DevNode] = children(DevNode)
    parent: str | None = text("parent")
    parent_wwnn: str | None = attr("parent/@wwnn", when=lambda device, form: False)
    parent_wwpn: str | None = attr("parent/@wwpn", when=lambda device, form: False)
    parent_fabric: str | None = attr("parent/@fabric_wwn", when=lambda device, form: False)
    driver: str | None = text("driver/name")
    capabilities: list[Capability] = children(Capability)

    def data(self, kind: str) -> Any:
        """The part of the capability of that kind, None where the device has none."""
        return next((one.data for one in self.capabilities if one.type == kind), None)

    def words(self) -> set[str]:
        """All that the device can, as ``nodedev-list --cap`` counts it."""
        found = {str(one.type) for one in self.capabilities}
        for one in self.capabilities:
            for part in getattr(one.data, "parts", ()):
                if part.type in ("fc_host", "mdev_types", "vpd"):
                    found.add(part.type)
                elif part.type == "vport_ops":
                    found.add("vports")
        return found
