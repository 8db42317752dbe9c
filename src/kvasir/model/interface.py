"""Network interfaces of the host as documents."""

from __future__ import annotations

from kvasir.xml import Element, attr, child, children, flag
from kvasir.xml.types import ENUM, ONOFF, UINT


class InterfaceIp(Element, tag="ip"):
    """An address."""

    address: str | None = attr("@address")
    prefix: int | None = attr("@prefix", UINT)


class Protocol(Element, tag="protocol"):
    """How the interface gets its addresses."""

    family: str | None = attr("@family", ENUM("ipv4", "ipv6"))
    autoconf: bool = flag("autoconf")
    dhcp: bool = flag("dhcp")
    peerdns: str | None = attr("dhcp/@peerdns", ENUM("yes", "no"))
    ips: list[InterfaceIp] = children(InterfaceIp)
    gateway: str | None = attr("route/@gateway")


class Bond(Element, tag="bond"):
    """Interfaces that work as one."""

    mode: str | None = attr("@mode")


class Bridge(Element, tag="bridge"):
    """A bridge and what is plugged into it."""

    stp: bool | None = attr("@stp", ONOFF)
    delay: str | None = attr("@delay")


class Vlan(Element, tag="vlan"):
    """A VLAN above another interface."""

    tag: int | None = attr("@tag", UINT)


class Interface(Element, tag="interface"):
    """An interface of the host."""

    type: str | None = attr("@type", ENUM("ethernet", "bridge", "bond", "vlan"))
    name: str | None = attr("@name")
    start: str | None = attr("start/@mode", ENUM("none", "onboot", "hotplug"))
    mtu: int | None = attr("mtu/@size", UINT)
    protocols: list[Protocol] = children(Protocol)
    mac: str | None = attr("mac/@address")
    link_speed: int | None = attr("link/@speed", UINT)
    link_state: str | None = attr("link/@state")
    bond: Bond | None = child(Bond)
    bridge: Bridge | None = child(Bridge)
    vlan: Vlan | None = child(Vlan)
