"""All links of the host at once, bonds and VLANs, by rtnetlink (see ``netlink``, which does the rest)."""

from __future__ import annotations

import array
import contextlib
import fcntl
import ipaddress
import socket
import struct
from typing import Any, NamedTuple

from . import netlink
from .netlink import ACK, CREATE, DUMP, attribute, attributes, index

IFLA_OPERSTATE, BR_FORWARD_DELAY, BR_STP_STATE = 16, 1, 5
BOND_KINDS = {
    1: "mode",
    3: "miimon",
    4: "updelay",
    5: "downdelay",
    6: "use_carrier",
    7: "arp_interval",
    9: "arp_validate",
}
"""Attributes of a bond that hold a number."""
BYTES = ("mode", "use_carrier")
ARP_TARGETS, VLAN_ID = 8, 1
UP = 1
SIOCETHTOOL, GET_SETTINGS = 0x8946, 1


class Link(NamedTuple):
    """A link as it is now."""

    name: str
    kind: str
    """``bridge``, ``veth`` ...; '' for hardware."""
    up: bool
    """Switched on, with a cable or not."""
    state: int
    """The kernel's operational state: 6 is up."""
    mac: str
    mtu: int
    master: int
    number: int
    lower: int
    """The number of the link below a VLAN, 0 where there is none."""
    data: dict[int, bytes]
    """The attributes of its kind."""

    def numbers(self, name: str) -> int:
        """A bridge's or bond's own number."""
        raw = self.data.get(name_of(name), b"")
        return int.from_bytes(raw, "little")


def name_of(word: str) -> int:
    """The attribute's number of a word of bonds or bridges."""
    named = {word: number for number, word in BOND_KINDS.items()}
    return {**named, "forward_delay": BR_FORWARD_DELAY, "stp": BR_STP_STATE, "vlan_id": VLAN_ID}[word]


def _number(found: dict[int, bytes], kind: int) -> int:
    return int(struct.unpack("I", found[kind][:4])[0]) if len(found.get(kind, b"")) >= 4 else 0


def links() -> dict[str, Link]:
    """Every link of this network namespace by name. Raises OSError."""
    result = {}
    for _, payload in netlink.request(netlink.GETLINK, DUMP, struct.pack("BxHiII", 0, 0, 0, 0, 0)):
        _, _, number, flags, _ = struct.unpack_from("BxHiII", payload)
        found = attributes(payload[16:])
        info = attributes(found.get(netlink.IFLA_LINKINFO, b""))
        name = found.get(netlink.IFLA_IFNAME, b"").rstrip(b"\0").decode("utf-8", "surrogateescape")
        result[name] = Link(
            name,
            info.get(netlink.INFO_KIND, b"").rstrip(b"\0").decode(),
            bool(flags & UP),
            (found.get(IFLA_OPERSTATE) or b"\0")[0],
            found.get(netlink.IFLA_ADDRESS, b"").hex(":"),
            _number(found, netlink.IFLA_MTU),
            _number(found, netlink.IFLA_MASTER),
            number,
            _number(found, netlink.IFLA_LINK),
            attributes(info.get(netlink.INFO_DATA, b"")),
        )
    return result


def speed(name: str) -> int:
    """A card's speed in Mbit/s; 0 where it does not say."""
    settings = array.array("B", struct.pack("I", GET_SETTINGS) + bytes(40))
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            packed = struct.pack("16sP", name.encode("utf-8", "surrogateescape")[:15], settings.buffer_info()[0])
            fcntl.ioctl(sock, SIOCETHTOOL, packed + bytes(16))
    except OSError:
        return 0
    low, high = struct.unpack_from("H", settings, 12)[0], struct.unpack_from("H", settings, 28)[0]
    found = low | high << 16
    return 0 if found in (0xFFFF, 0xFFFFFFFF) else int(found)


def create_bond(name: str, options: dict[str, Any]) -> None:
    """A bond; ``options`` by the words of ``BOND_KINDS``, and ``targets`` (IPv4 addresses). Raises OSError."""
    data = b""
    for word, value in options.items():
        if word == "targets":
            nested = b"".join(attribute(at, socket.inet_aton(one)) for at, one in enumerate(value))
            data += attribute(ARP_TARGETS | netlink.NESTED, nested)
        else:
            data += attribute(name_of(word), struct.pack("B" if word in BYTES else "I", value))
    netlink.create(name, "bond", data=data)


def create_vlan(name: str, lower: str, number: int) -> None:
    """A VLAN above a card. Raises OSError."""
    netlink.create(name, "vlan", link=lower, data=attribute(VLAN_ID, struct.pack("H", number)))


def del_address(name: str, address: str, prefix: int) -> None:
    """Take an address from a link. Raises OSError."""
    ip = ipaddress.ip_address(address)
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    body = struct.pack("BBBBi", family, prefix, 0, 0, index(name)) + attribute(2, ip.packed) + attribute(1, ip.packed)
    netlink.request(netlink.DELADDR, ACK, body)


def set_bridge(name: str, stp: bool, delay: float) -> None:
    """A bridge's spanning tree and forward delay in seconds; the kernel keeps its own least. Raises OSError."""
    from .netlink import INFO_DATA, INFO_KIND, NESTED, NEWLINK

    def put(kind: int, value: int) -> None:
        data = attribute(INFO_KIND, b"bridge\0") + attribute(
            INFO_DATA | NESTED, attribute(kind, struct.pack("I", value))
        )
        body = struct.pack("BxHiII", 0, 0, index(name), 0, 0) + attribute(netlink.IFLA_LINKINFO | NESTED, data)
        netlink.request(NEWLINK, ACK, body)

    put(BR_STP_STATE, int(stp))
    with contextlib.suppress(OSError):  # ERANGE for a delay below two seconds while the spanning tree is on
        put(BR_FORWARD_DELAY, int(delay * 100))


def add_route(network: str, gateway: str, name: str) -> None:
    """A route over a gateway. Raises OSError."""
    net, via = ipaddress.ip_network(network), ipaddress.ip_address(gateway)
    family = socket.AF_INET if net.version == 4 else socket.AF_INET6
    body = struct.pack("BBBBBBBBI", family, net.prefixlen, 0, 0, 254, 3, 0, 1, 0)
    if net.prefixlen:
        body += attribute(1, net.network_address.packed)
    body += attribute(5, via.packed) + attribute(4, struct.pack("I", index(name)))
    netlink.request(netlink.NEWROUTE, ACK | CREATE, body)
