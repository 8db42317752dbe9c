"""Virtual networks as documents: the root element, the bridge, where packets go, port groups."""

from __future__ import annotations

from typing import Any

from kvasir.devices.interface_parts import Bandwidth, VirtualPort, Vlan
from kvasir.devices.interface_source import SourceAddress
from kvasir.errors import Code, ConfigUnsupported, Error, InternalError, Origin, XmlError
from kvasir.xml import Element, Form, attr, child, children, raw, text
from kvasir.xml.fields import NAMESPACES
from kvasir.xml.types import ENUM, UINT, UUID, YESNO

from .network_dns import Dns
from .network_ip import NetworkIp, NetworkRoute

MODES = ("none", "nat", "route", "open", "bridge", "private", "vepa", "passthrough", "hostdev")
BRIDGED = (None, "nat", "route", "open")
"""Modes whose bridge is the daemon's own (None: isolated)."""
MACVTAP = ("private", "vepa", "passthrough")


class NoName(Error):
    """missing name information"""

    code, prefix = Code.NO_NAME, "missing name information"

    def __init__(self) -> None:
        super().__init__(origin=Origin.NETWORK)


def xml_error(text: str) -> XmlError:
    """Error 27 of the network's document."""
    return XmlError(text, origin=Origin.NETWORK)


def unsupported(text: str) -> ConfigUnsupported:
    """Error 67 of the network's document."""
    return ConfigUnsupported(text, origin=Origin.NETWORK)


class NetworkPortProfile(VirtualPort, tag="virtualport"):
    """A virtual port of a network, a port group or a port."""

    type: str | None = attr("@type", ENUM("none", "802.1Qbg", "802.1Qbh", "openvswitch", "midonet"),
                            error=lambda v: ConfigUnsupported(f"unknown virtualport type {v}", origin=Origin.NONE))  # fmt: skip


class Open(Element):
    """An element that libvirt writes with a closing tag of its own, even when nothing is in it."""

    def write(self, out: list[str], pad: str, form: Form, tag: str) -> None:
        mark = len(out)
        super().write(out, pad, form, tag)
        if out[mark].endswith("/>\n"):
            out[mark:] = [out[mark][:-3] + ">\n", f"{pad}</{tag}>\n"]


class NatAddress(Element, tag="address"):
    """The host's addresses that packets leave with."""

    start: str | None = attr("@start")
    end: str | None = attr("@end")


class NatPort(Element, tag="port"):
    """The ports that packets leave with."""

    start: str | None = attr("@start")
    end: str | None = attr("@end")


class Nat(Element, tag="nat"):
    """How addresses are translated."""

    ipv6: bool | None = attr(
        "@ipv6", YESNO, error="xml:Invalid value for attribute 'ipv6' in element 'nat': '{value}'."
    )
    addresses: list[NatAddress] = children(NatAddress)
    ports: list[NatPort] = children(NatPort)


class ForwardInterface(Element, tag="interface"):
    """A card of the host, of the pool or the way out."""

    dev: str | None = attr("@dev")
    connections: int | None = attr("@connections", UINT, only="live", parse=False)


class Pf(Element, tag="pf"):
    """A card whose virtual functions make the pool."""

    dev: str | None = attr("@dev")
    connections: int | None = attr("@connections", UINT, only="live", parse=False)


class ForwardAddress(SourceAddress, tag="address"):
    """A virtual function of the pool."""

    connections: int | None = attr("@connections", UINT, only="live", parse=False)


class Forward(Element, tag="forward"):
    """Where the packets go."""

    dev: str | None = attr("@dev")
    mode: str | None = attr("@mode", ENUM(*MODES), error=lambda v: unsupported(f"unknown forwarding type '{v}'"))
    managed: bool | None = attr("@managed", YESNO)
    driver: str | None = attr("driver/@name")
    nats: list[Nat] = children(Nat)
    pfs: list[Pf] = children(Pf)
    interfaces: list[ForwardInterface] = children(ForwardInterface)
    addresses: list[ForwardAddress] = children(ForwardAddress)


class PortGroup(Open, tag="portgroup"):
    """Settings for a class of guests' interfaces."""

    name: str | None = attr("@name")
    default: bool | None = attr("@default", YESNO)
    trust: bool | None = attr("@trustGuestRxFilters", YESNO)
    virtualport: VirtualPort | None = child(NetworkPortProfile)
    vlan: Vlan | None = child(Vlan)
    bandwidth: Bandwidth | None = child(Bandwidth)


class DnsmasqOption(Element, tag="dnsmasq:option"):
    """A line for dnsmasq's configuration."""

    value: str | None = attr("@value")

    def parsed(self, node: Any) -> None:
        if self.value is None:
            raise InternalError("No dnsmasq options value specified", origin=Origin.NETWORK)


def _namespace(network: Any) -> str | None:
    return NAMESPACES["dnsmasq"] if network.options else None


class Network(Element, tag="network"):
    """A virtual network."""

    namespace: str | None = attr("@xmlns:dnsmasq", value=_namespace)
    connections: int | None = attr("@connections", UINT, only="live", parse=False)
    ipv6: str | None = attr("@ipv6")
    trust: bool | None = attr("@trustGuestRxFilters", YESNO)
    name: str = text("name")
    uuid: str = text("uuid", UUID, error=lambda v: InternalError("malformed uuid element", origin=Origin.NETWORK))
    metadata: Any = raw("metadata")
    forward: Forward | None = child(Forward)
    bridge: str | None = attr("bridge/@name")
    zone: str | None = attr("bridge/@zone")
    stp: str | None = attr("bridge/@stp")
    delay: str | None = attr("bridge/@delay")
    mac_table: str | None = attr("bridge/@macTableManager")
    mtu: str | None = attr("mtu/@size")
    mac: str | None = attr("mac/@address")
    domain: str | None = attr("domain/@name")
    domain_local: bool | None = attr("domain/@localOnly", YESNO)
    dns: Dns | None = child(Dns)
    vlan: Vlan | None = child(Vlan)
    bandwidth: Bandwidth | None = child(Bandwidth)
    isolated: bool | None = attr("port/@isolated", YESNO)
    ips: list[NetworkIp] = children(NetworkIp)
    routes: list[NetworkRoute] = children(NetworkRoute)
    virtualport: VirtualPort | None = child(NetworkPortProfile)
    portgroups: list[PortGroup] = children(PortGroup)
    options: list[DnsmasqOption] = children(DnsmasqOption, "dnsmasq:options/dnsmasq:option")

    @property
    def mode(self) -> str | None:
        """The forward mode; None is an isolated network."""
        return self.forward.mode if self.forward is not None else None

    @property
    def own_bridge(self) -> bool:
        """Whether the bridge is the daemon's."""
        return self.mode in BRIDGED

    @property
    def pool(self) -> bool:
        """Whether guests get a card of a pool instead of a port of a bridge."""
        return not self.own_bridge and (self.mode != "bridge" or not self.bridge)

    def parsed(self, node: Any) -> None:
        """What libvirt checks while it reads."""
        from .network_check import read

        read(self, node)
