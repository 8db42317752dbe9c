"""Parts of a network interface: virtual port, bandwidth, VLAN, filter, addresses, routes, forwarded ports."""

from __future__ import annotations

import ipaddress
import uuid
from typing import Any, ClassVar

from kvasir.errors import ConfigUnsupported, Origin, XmlDetail, XmlError
from kvasir.xml import Element, attr, children
from kvasir.xml.types import ENUM, HEX, POSITIVE, UINT, ULLONG, UUID, YESNO, Type, lenient


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
    prefix: int | None = attr("@prefix", UINT, error="Invalid prefix value '{value}' in <ip>")
    peer: str | None = attr("@peer")

    def parsed(self, node: Any) -> None:
        if not self.address:
            raise XmlError("Missing required address in <ip>")
        try:
            version = ipaddress.ip_address(self.address).version
        except ValueError:
            raise XmlError(f"Invalid address '{self.address}' in <ip>") from None
        if self.family not in ("ipv4", "ipv6"):
            self.family = f"ipv{version}"
        if self.family != f"ipv{version}":
            raise XmlError(f"Failed to parse IP address: '{self.address}'")


def _no_metric(value: int) -> str | None:
    return None if value else "xml:Invalid value for attribute 'metric' in element 'route': Zero is not permitted"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return text.isdigit() and int(text) < 2**32
    return True


class Route(Element, tag="route"):
    """A static route of the guest's side."""

    WHERE: ClassVar[str] = "guest interface"
    family: str | None = attr("@family")
    address: str | None = attr("@address")
    netmask: str | None = attr("@netmask")
    prefix: int | None = attr("@prefix", UINT)
    gateway: str | None = attr("@gateway")
    metric: int | None = attr("@metric", UINT, check=_no_metric)

    def parsed(self, node: Any) -> None:
        for name, what in (("address", "network"), ("gateway", "gateway")):
            if not getattr(self, name):
                self._refuse(f"Missing required {name} attribute in route definition")
            if not _is_address(getattr(self, name)):
                self._refuse(f"Bad {what} address '{getattr(self, name)}' in route definition")
        if self.family not in (None, "ipv4", "ipv6"):
            self._refuse(f"Unrecognized family '{self.family}' in route definition")

    def _refuse(self, text: str) -> None:
        raise XmlError(f"{self.WHERE}: {text}", origin=Origin.NETWORK)


class HostRoute(Route, tag="route"):
    """A static route of the host's side."""

    WHERE = "interface host IP"


def _decimal(high: int) -> Type:
    """A number in any base, written in decimal."""
    return Type("uint", HEX(1, high).read, str, json={"type": "integer", "maximum": high})


def _parameter(name: str) -> Any:
    """libvirt's error for a number of a virtual port."""
    return lambda value: XmlError(f"cannot parse value of {name} parameter", origin=Origin.NONE)


def _identity(name: str) -> Any:
    """libvirt's error for a uuid of a virtual port."""
    return lambda value: XmlError(f"cannot parse {name} parameter as a uuid", origin=Origin.NONE)


def _unknown_port(value: str) -> ConfigUnsupported:
    return ConfigUnsupported(f"unknown virtualport type {value}", origin=Origin.NONE)


class VirtualPort(Element, tag="virtualport"):
    """How a switch outside of the host's bridges knows the port."""

    type: str | None = attr("@type", ENUM("802.1Qbg", "802.1Qbh", "openvswitch", "midonet"), error=_unknown_port)
    managerid: int | None = attr("parameters/@managerid", _decimal(0xFF), error=_parameter("managerid"))
    typeid: int | None = attr("parameters/@typeid", _decimal(0xFFFFFF), error=_parameter("typeid"))
    typeidversion: int | None = attr("parameters/@typeidversion", _decimal(0xFF), error=_parameter("typeidversion"))
    instanceid: str | None = attr("parameters/@instanceid", UUID, error=_identity("instanceid"))
    interfaceid: str | None = attr("parameters/@interfaceid", UUID, error=_identity("interfaceid"))
    profileid: str | None = attr("parameters/@profileid")

    def parsed(self, node: Any) -> None:
        self.profileid = self.profileid or None

    def fill(self) -> None:
        """Make up the identities that a port of this type has."""
        if self.type in (None, "none", "802.1Qbg") and self.instanceid is None:
            self.instanceid = str(uuid.uuid4())
        if self.type in (None, "none", "openvswitch") and self.interfaceid is None:
            self.interfaceid = str(uuid.uuid4())


def _detail(text: str) -> XmlDetail:
    error = XmlDetail(text)
    error.origin = Origin.NONE
    return error


def _rate(name: str) -> Any:
    def fail(value: str) -> ConfigUnsupported:
        return ConfigUnsupported(f"could not convert bandwidth {name} value '{value}'", origin=Origin.NONE)

    return fail


_NO_CLASS = "classID attribute not supported on <bandwidth> in this usage context"


class Bandwidth(Element, tag="bandwidth"):
    """Limits of the traffic, in KiB a second and KiB."""

    class_id: int | None = attr("@classID", UINT, error=lambda value: _detail(_NO_CLASS))
    inbound_average: int | None = attr("inbound/@average", ULLONG, error=_rate("average"))
    inbound_peak: int | None = attr("inbound/@peak", ULLONG, error=_rate("peak"))
    inbound_floor: int | None = attr("inbound/@floor", ULLONG, error=_rate("floor"))
    inbound_burst: int | None = attr("inbound/@burst", ULLONG, error=_rate("burst"))
    outbound_average: int | None = attr("outbound/@average", ULLONG, error=_rate("average"))
    outbound_peak: int | None = attr("outbound/@peak", ULLONG, error=_rate("peak"))
    outbound_burst: int | None = attr("outbound/@burst", ULLONG, error=_rate("burst"))

    def parsed(self, node: Any) -> None:
        if self.class_id is not None:
            raise _detail(_NO_CLASS)
        outbound = node.find("outbound")
        if outbound is not None and outbound.get("floor") is not None:
            raise ConfigUnsupported("'floor' attribute allowed only in <inbound> element", origin=Origin.NONE)
        for name in ("inbound", "outbound"):
            part = node.find(name)
            if len(node.findall(name)) > 1:
                raise _detail(f"Only one child <{name}> element allowed")
            if part is not None and part.get("average") is None and part.get("floor") is None:
                raise _detail("Missing mandatory average or floor attributes")


class VlanTag(Element, tag="tag"):
    """A VLAN of the port."""

    id: int = attr("@id", UINT, required=True)
    native: str | None = attr("@nativeMode", ENUM("tagged", "untagged"))


class Vlan(Element, tag="vlan"):
    """The VLANs of the port; more than one make it a trunk."""

    trunk: bool | None = attr("@trunk", lenient(YESNO))
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
            word = node.get("trunk")
            if word not in (None, "yes"):
                text_ = f"invalid \"trunk='{word}'\" in <vlan> - trunk='yes' is required for more than one vlan tag"
                raise XmlError(text_, origin=Origin.NONE)
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

    start: int | None = attr("@start", POSITIVE)
    end: int | None = attr("@end", POSITIVE)
    to: int | None = attr("@to", POSITIVE)
    exclude: bool | None = attr("@exclude", YESNO)


class PortForward(Element, tag="portForward"):
    """Ports of the host that lead into the guest (passt only)."""

    proto: str | None = attr("@proto", ENUM("tcp", "udp"), required=True)
    address: str | None = attr("@address")
    dev: str | None = attr("@dev")
    ranges: list[PortRange] = children(PortRange)

    def parsed(self, node: Any) -> None:
        self.ranges = [one for one in self.ranges if one.start]  # libvirt forgets those without a start
