"""Addresses of a network's bridge, what DHCP gives out there, and static routes."""

from __future__ import annotations

import ipaddress
from typing import Any

from kvasir.errors import Code, ConfigUnsupported, Error, Origin, XmlError
from kvasir.xml import Element, Form, attr, child, children, runtime
from kvasir.xml.types import ENUM, UINT, ULLONG, YESNO

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600}


class Lease(Element, tag="lease"):
    """How long an address is given out; 0 is for ever."""

    expiry: int | None = attr("@expiry", ULLONG)
    unit: str | None = attr("@unit", ENUM(*UNITS))

    def parsed(self, node: Any) -> None:
        self.unit = self.unit or "minutes"
        if self.expiry and self.expiry * UNITS[self.unit] < 120:
            raise ConfigUnsupported("The minimum lease time should be greater than 2 minutes", origin=Origin.NETWORK)

    def written(self, form: Form) -> Lease:
        """For ever has no unit."""
        return Lease(expiry=0) if not self.expiry else self

    @property
    def word(self) -> str:
        """As dnsmasq writes it."""
        return f"{self.expiry}{(self.unit or 'm')[0]}" if self.expiry else "infinite"


class Range(Element, tag="range"):
    """Addresses that DHCP gives out."""

    start: str | None = attr("@start")
    end: str | None = attr("@end")
    lease: Lease | None = child(Lease)


class DhcpHost(Element, tag="host"):
    """A fixed address of one guest."""

    id: str | None = attr("@id")
    mac: str | None = attr("@mac")
    name: str | None = attr("@name")
    ip: str | None = attr("@ip")
    lease: Lease | None = child(Lease)


class NetworkIp(Element, tag="ip"):
    """An address of the host on the network."""

    family: str | None = attr("@family")
    address: str | None = attr("@address")
    netmask: str | None = attr("@netmask")
    prefix: int | None = attr("@prefix", UINT)
    local_ptr: bool | None = attr("@localPtr", YESNO)
    tftp: str | None = attr("tftp/@root")
    ranges: list[Range] = children(Range, "dhcp/range")
    hosts: list[DhcpHost] = children(DhcpHost, "dhcp/host")
    boot_file: str | None = attr("dhcp/bootp/@file")
    boot_server: str | None = attr("dhcp/bootp/@server")
    boots: bool = runtime(False)
    """Whether there is an element for files of guests that boot."""

    def parsed(self, node: Any) -> None:
        self.boots = node.find("tftp") is not None
        self.tftp = self.tftp or None

    def write(self, out: list[str], pad: str, form: Form, tag: str) -> None:
        """libvirt writes two lines even when nothing is in it."""
        mark = len(out)
        super().write(out, pad, form, tag)
        if out[mark].endswith("/>\n"):
            out[mark:] = [out[mark][:-3] + ">\n", f"{pad}</{tag}>\n"]

    @property
    def six(self) -> bool:
        """Whether it is an IPv6 address."""
        return ":" in (self.address or "")

    @property
    def length(self) -> int:
        """The prefix's length; without one that of the address's class (IPv4) or 64. -1 when the netmask is none."""
        if self.prefix:
            return self.prefix
        if self.netmask:
            return prefix_of(self.netmask)
        if self.six:
            return 64
        first = int(str(self.address).split(".")[0])
        return 8 if first < 128 else 16 if first < 192 else 24 if first < 224 else 0

    @property
    def net(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        """The network around it."""
        return ipaddress.ip_network(f"{self.address}/{self.length}", strict=False)


def prefix_of(netmask: str) -> int:
    """The length of a netmask, -1 where its bits have gaps."""
    try:
        bits = f"{int(ipaddress.ip_address(netmask)):0{32 if '.' in netmask else 128}b}"
    except ValueError:
        return -1
    ones = bits.rstrip("0")
    return len(ones) if "0" not in ones else -1


def _zero(value: str) -> XmlError:
    tail = (
        ": Zero is not permitted" if value.strip().strip("0") == "" else f": '{value}'. Expected non-negative integer"
    )
    return XmlError(f"Invalid value for attribute 'metric' in element 'route'{tail}", origin=Origin.XML)


class NetworkRoute(Element, tag="route"):
    """A static route over the network."""

    family: str | None = attr("@family")
    address: str | None = attr("@address")
    netmask: str | None = attr("@netmask")
    prefix: int | None = attr("@prefix", UINT)
    gateway: str | None = attr("@gateway")
    metric: int | None = attr("@metric", UINT)

    def parsed(self, node: Any) -> None:
        if self.metric == 0:
            raise _zero(node.get("metric"))

    @property
    def length(self) -> int:
        """The prefix's length."""
        if self.prefix is not None:
            return self.prefix
        if self.netmask:
            return prefix_of(self.netmask)
        return 0 if not self.family_six and int(parse_address(str(self.address))) == 0 else -1

    @property
    def family_six(self) -> bool:
        return ":" in (self.address or "")


class BadAddress(Error):
    """An address that the resolver does not read."""

    code = Code.SYSTEM_ERROR


def parse_address(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an address as getaddrinfo does (``10.77`` is 10.0.0.77). Raises BadAddress."""
    import socket

    try:
        return ipaddress.ip_address(value)
    except ValueError:
        pass
    try:
        return ipaddress.ip_address(socket.inet_aton(value))
    except OSError:
        words = f"Cannot parse socket address '{value}': Name or service not known"
        raise BadAddress(words, origin=Origin.NONE, message=words) from None
