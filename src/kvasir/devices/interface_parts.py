"""Parts of a network interface: its source by ``type=``, virtual port, bandwidth, VLAN, filter, addresses, routes."""

from __future__ import annotations

import ipaddress
import uuid
from typing import Any

from kvasir.errors import ConfigUnsupported, Origin, XmlDetail, XmlError
from kvasir.xml import Element, Form, attr, child, children, variant
from kvasir.xml.types import ANYBASE, ENUM, HEX, INT, UINT, ULLONG, UUID, YESNO, Type


def missing(name: str, element: str) -> XmlError:
    """libvirt's error for an attribute that must be there."""
    return XmlError(f"Missing required attribute '{name}' in element '{element}'", origin=Origin.XML)


def bad_value(name: str, element: str, value: str, expected: str = "") -> XmlError:
    """libvirt's error for an attribute with a wrong word."""
    tail = f" {expected}" if expected else ""
    return XmlError(f"Invalid value for attribute '{name}' in element '{element}': '{value}'.{tail}", origin=Origin.XML)


class Ip(Element, tag="ip"):
    """An IP address."""

    address: str | None = attr("@address")
    family: str | None = attr("@family")
    prefix: int | None = attr("@prefix", UINT)
    peer: str | None = attr("@peer")

    def parsed(self, node: Any) -> None:
        if not self.address:
            raise XmlError("Missing required address in <ip>")
        try:
            version = ipaddress.ip_address(self.address).version
        except ValueError:
            raise XmlError(f"Invalid address '{self.address}' in <ip>") from None
        if self.family is None:
            self.family = f"ipv{version}"
        if self.family != f"ipv{version}":
            raise XmlError(f"Failed to parse IP address: '{self.address}'")


class Route(Element, tag="route"):
    """A static route."""

    family: str | None = attr("@family")
    address: str | None = attr("@address")
    netmask: str | None = attr("@netmask")
    prefix: int | None = attr("@prefix", UINT)
    gateway: str | None = attr("@gateway")
    metric: int | None = attr("@metric", UINT)

    def parsed(self, node: Any) -> None:
        if not self.address:
            raise XmlError("Missing required address attribute in network route", origin=Origin.NETWORK)
        if not self.gateway:
            raise XmlError("Missing required gateway attribute in network route", origin=Origin.NETWORK)


class VirtualPort(Element, tag="virtualport"):
    """How a switch outside of the host's bridges knows the port."""

    type: str | None = attr("@type", ENUM("none", "802.1Qbg", "802.1Qbh", "openvswitch", "midonet"))
    managerid: int | None = attr("parameters/@managerid", HEX(1, 0xFF))
    typeid: int | None = attr("parameters/@typeid", HEX(1, 0xFFFFFF))
    typeidversion: int | None = attr("parameters/@typeidversion", HEX(1, 0xFF))
    instanceid: str | None = attr("parameters/@instanceid", UUID)
    interfaceid: str | None = attr("parameters/@interfaceid", UUID)
    profileid: str | None = attr("parameters/@profileid")

    def fill(self) -> None:
        """Make up the identities that a port of this type has."""
        if self.type in (None, "none", "802.1Qbg") and self.instanceid is None:
            self.instanceid = str(uuid.uuid4())
        if self.type in (None, "none", "openvswitch") and self.interfaceid is None:
            self.interfaceid = str(uuid.uuid4())


_DECIMAL = Type("uint", HEX(1).read, str, json={"type": "integer"})
for _name in ("managerid", "typeid", "typeidversion"):
    VirtualPort.FIELDS[_name].type = _DECIMAL


def _detail(text: str) -> XmlDetail:
    error = XmlDetail(text)
    error.origin = Origin.NONE
    return error


def _rate(name: str) -> Any:
    def fail(value: str) -> ConfigUnsupported:
        return ConfigUnsupported(f"could not convert bandwidth {name} value '{value}'", origin=Origin.NONE)

    return fail


class Bandwidth(Element, tag="bandwidth"):
    """Limits of the traffic, in KiB a second and KiB."""

    class_id: int | None = attr("@classID", UINT)
    inbound_average: int | None = attr("inbound/@average", ULLONG, error=_rate("average"))
    inbound_peak: int | None = attr("inbound/@peak", ULLONG, error=_rate("peak"))
    inbound_floor: int | None = attr("inbound/@floor", ULLONG, error=_rate("floor"))
    inbound_burst: int | None = attr("inbound/@burst", ULLONG, error=_rate("burst"))
    outbound_average: int | None = attr("outbound/@average", ULLONG, error=_rate("average"))
    outbound_peak: int | None = attr("outbound/@peak", ULLONG, error=_rate("peak"))
    outbound_burst: int | None = attr("outbound/@burst", ULLONG, error=_rate("burst"))

    def parsed(self, node: Any) -> None:
        if self.class_id is not None:
            raise _detail("classID attribute not supported on <bandwidth> in this usage context")
        outbound = node.find("outbound")
        if outbound is not None and outbound.get("floor") is not None:
            raise ConfigUnsupported("'floor' attribute allowed only in <inbound> element", origin=Origin.NONE)
        for name in ("inbound", "outbound"):
            part = node.find(name)
            if part is not None and part.get("average") is None and part.get("floor") is None:
                raise _detail("Missing mandatory average or floor attributes")


class VlanTag(Element, tag="tag"):
    """A VLAN of the port."""

    id: int = attr("@id", UINT, required=True)
    native: str | None = attr("@nativeMode", ENUM("tagged", "untagged"))


class Vlan(Element, tag="vlan"):
    """The VLANs of the port; more than one make it a trunk."""

    trunk: bool | None = attr("@trunk", YESNO)
    tags: list[VlanTag] = children(VlanTag)

    def parsed(self, node: Any) -> None:
        if not self.tags:
            raise XmlError(
                "missing tag id - each <vlan> must have at least one <tag id='n'/> subelement", origin=Origin.NONE
            )
        for tag in self.tags:
            if tag.id > 4095:
                raise XmlError(f"vlan tag id {tag.id} too large (maximum 4095)", origin=Origin.NONE)
        if len(self.tags) > 1:
            self.trunk = True


class FilterParameter(Element, tag="parameter"):
    """A variable of the network filter."""

    name: str | None = attr("@name")
    value: str | None = attr("@value")


class FilterRef(Element, tag="filterref"):
    """The network filter that guards the port."""

    filter: str | None = attr("@filter")
    parameters: list[FilterParameter] = children(FilterParameter)

    def parsed(self, node: Any) -> None:
        self.parameters.sort(key=lambda p: p.name or "")


class PortRange(Element, tag="range"):
    """Ports that are forwarded, or left out of those around them."""

    start: int | None = attr("@start", UINT)
    end: int | None = attr("@end", UINT)
    to: int | None = attr("@to", UINT)
    exclude: bool | None = attr("@exclude", YESNO)


class PortForward(Element, tag="portForward"):
    """Ports of the host that lead into the guest (passt only)."""

    proto: str | None = attr("@proto", ENUM("tcp", "udp"))
    address: str | None = attr("@address")
    dev: str | None = attr("@dev")
    ranges: list[PortRange] = children(PortRange)


class Source(Element):
    """What sources of all interface types share: addresses and routes on the host's side."""

    ips: list[Ip] = children(Ip, "source/ip", last=True)
    routes: list[Route] = children(Route, "source/route", last=True)


class NetworkSource(Source):
    """A virtual network of the daemon."""

    network: str | None = attr("source/@network")
    portgroup: str | None = attr("source/@portgroup")
    portid: str | None = attr("source/@portid", UUID, only="live")
    bridge: str | None = attr("source/@bridge", only="live")
    mac_table: str | None = attr("source/@macTableManager", ENUM("kernel", "libvirt"), only="live")

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            raise XmlError("interface type='network' requires a 'source' element")
        if not self.network:
            raise missing("network", "source")


class BridgeSource(Source):
    """A bridge of the host."""

    network: str | None = attr("source/@network", only="live")
    portid: str | None = attr("source/@portid", UUID, only="live")
    bridge: str | None = attr("source/@bridge")
    mac_table: str | None = attr("source/@macTableManager", ENUM("kernel", "libvirt"), only="live")

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            raise XmlError("interface type='bridge' requires a 'source' element")
        if not self.bridge:
            raise missing("bridge", "source")


MACVTAP_MODES = ("vepa", "private", "bridge", "passthrough")


class DirectSource(Source):
    """A network card of the host, through macvtap."""

    dev: str | None = attr("source/@dev")
    mode: str | None = attr("source/@mode")

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            raise XmlError("interface type='direct' requires a 'source' element")
        if not self.dev:
            raise missing("dev", "source")
        self.mode = self.mode or "vepa"
        if self.mode not in MACVTAP_MODES:
            raise bad_value("mode", "source", self.mode)


class UserSource(Source):
    """QEMU's own network stack, or passt."""

    dev: str | None = attr("source/@dev")


class EthernetSource(Source):
    """A tap device of the guest's own."""


class VhostUserSource(Source):
    """A switch in another process, over a vhost-user socket."""

    type: str | None = attr("source/@type", ENUM("unix"),
                            error="unsupported:Type='{value}' unsupported for <interface type='vhostuser'>")  # fmt: skip
    path: str | None = attr("source/@path")
    mode: str | None = attr("source/@mode", ENUM("server", "client"))
    reconnect: bool | None = attr("source/reconnect/@enabled", YESNO)
    reconnect_timeout: int | None = attr("source/reconnect/@timeout", UINT)

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            raise XmlError("interface type='vhostuser' requires a 'source' element")
        for name in ("type", "path", "mode"):
            if not getattr(self, name):
                raise missing(name, "source")


class SocketSource(Source):
    """A QEMU socket to another guest."""

    address: str | None = attr("source/@address")
    port: int | None = attr("source/@port", INT)
    local_address: str | None = attr("source/local/@address")
    local_port: int | None = attr("source/local/@port", INT)

    def parsed(self, node: Any) -> None:
        kind, source = node.get("type"), node.find("source")
        if source is None:
            raise XmlError(f"interface type='{kind}' requires a 'source' element")
        if kind != "server" and not self.address:
            raise missing("address", "source")
        if self.port is None:
            raise missing("port", "source")
        if kind == "udp":
            local = source.find("local")
            if local is None:
                raise XmlError("'<local>' element missing for 'udp' socket interface")
            if self.local_port is None:
                raise missing("port", "local")
            if not self.local_address:
                raise missing("address", "local")


class InternalSource(Source):
    """A named network inside the hypervisor (not QEMU)."""

    name: str | None = attr("source/@name")

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            raise XmlError("interface type='internal' requires a 'source' element")
        if not self.name:
            raise missing("name", "source")


class SourceAddress(Element, tag="address"):
    """The host's device."""

    type: str | None = attr("@type", ENUM("pci", "usb"))
    domain: int | None = attr("@domain", HEX(4, 0xFFFFFFFF))
    usb_bus: int | None = attr("@bus", ANYBASE, parse=False)
    bus: int | None = attr("@bus", HEX(2), when=lambda address, form: address.type != "usb")
    slot: int | None = attr("@slot", HEX(2, 0x1F))
    function: int | None = attr("@function", HEX(1, 7))
    device: int | None = attr("@device", ANYBASE)

    def parsed(self, node: Any) -> None:
        if self.type == "pci":
            self.domain, self.slot, self.function = self.domain or 0, self.slot or 0, self.function or 0
        elif self.type == "usb":
            self.usb_bus = self.bus


class HostdevSource(Source):
    """A function of an SR-IOV card, given to the guest."""

    driver: str | None = attr("driver/@name", ENUM("kvm", "vfio", "xen"))
    missing: bool | None = attr("source/@missing", YESNO, only="live")
    address: SourceAddress | None = child(SourceAddress, "source/address")

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            raise XmlError("interface type='hostdev' requires a 'source' element")
        if self.address is None:
            raise XmlError("missing source address type")


class VdpaSource(Source):
    """A vDPA device of the host."""

    dev: str | None = attr("source/@dev")

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            raise XmlError("interface type='vdpa' requires a 'source' element")
        if not self.dev:
            raise missing("dev", "source")


class VdsSource(Source):
    """A port of a VMware distributed switch (not QEMU)."""

    switchid: str | None = attr("source/@switchid", UUID)
    portid: int | None = attr("source/@portid", ULLONG)
    portgroupid: str | None = attr("source/@portgroupid")
    connectionid: int | None = attr("source/@connectionid", ULLONG)


class NullSource(Source):
    """No network at all."""


SOURCES: dict[str, Any] = {
    "network": NetworkSource, "bridge": BridgeSource, "direct": DirectSource, "user": UserSource,
    "ethernet": EthernetSource, "vhostuser": VhostUserSource, "server": SocketSource, "client": SocketSource,
    "mcast": SocketSource, "udp": SocketSource, "internal": InternalSource, "hostdev": HostdevSource,
    "vdpa": VdpaSource, "null": NullSource, "vds": VdsSource,
}  # fmt: skip


class ActualSource(Element, tag="actual"):
    """What a virtual network gave the port; only in the daemon's own status documents."""

    type: str | None = attr("@type")
    source: Any = variant("type", SOURCES)
    virtualport: VirtualPort | None = child(VirtualPort)
    bandwidth: Bandwidth | None = child(Bandwidth)
    vlan: Vlan | None = child(Vlan)
    isolated: bool | None = attr("port/@isolated", YESNO)

    def written(self, form: Form) -> Element | None:
        return self if form.status else None
