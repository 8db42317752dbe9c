"""Links, addresses and routes of the kernel, by rtnetlink. Blocking, but of microseconds; names are looked up each time.

A socket and a few structs do what is needed here; a library for it costs the daemon's first network a third of a second.
Numbers are those of the kernel's public headers (linux/rtnetlink.h, if_link.h, neighbour.h).
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

NEWLINK, DELLINK, GETLINK, SETLINK, NEWADDR, DELADDR, GETADDR, NEWROUTE, DELROUTE, GETROUTE = (
    *(16, 17, 18, 19, 20, 21, 22, 24, 25, 26),
)
NEWNEIGH, DELNEIGH, GETNEIGH = 28, 29, 30
REQUEST, ACK, DUMP, CREATE, EXCL, REPLACE, APPEND = 1, 4, 0x300, 0x400, 0x200, 0x100, 0x800
NESTED = 0x8000
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_PROTINFO, IFLA_LINKINFO = 1, 3, 4, 5, 10, 12, 18
INFO_KIND, INFO_DATA = 1, 2
UP, PROMISC, ALLMULTI = 1, 0x100, 0x200
MACVTAP_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthrough": 8}
BR_FORWARD_DELAY, BR_STP, BR_VLAN_FILTERING = 1, 5, 7
BRPORT_LEARNING, BRPORT_FLOOD, BRPORT_ISOLATED = 8, 9, 33
AF_BRIDGE = 7


class Address(NamedTuple):
    """An address of a link."""

    link: str
    address: str
    prefix: int


class Route(NamedTuple):
    """A route of the main table."""

    link: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    gateway: str | None


def attribute(kind: int, data: bytes) -> bytes:
    """One attribute, padded."""
    return struct.pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes of a message; the last of a kind counts."""
    found = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from("HH", data)
        if size < 4:
            break
        found[kind & 0x3FFF] = data[4:size]
        data = data[size + (-size % 4) :]
    return found


def request(kind: int, flags: int, body: bytes) -> list[tuple[int, bytes]]:
    """Send one message and return what comes back. Raises OSError with the kernel's number."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as sock:
        sock.bind((0, 0))
        sock.settimeout(10)
        sock.send(struct.pack("IHHII", 16 + len(body), kind, flags | REQUEST, 1, 0) + body)
        found: list[tuple[int, bytes]] = []
        while True:
            data = sock.recv(1 << 18)
            while len(data) >= 16:
                size, what, _, _, _ = struct.unpack_from("IHHII", data)
                payload, data = data[16:size], data[size + (-size % 4) :]
                if what == 2:
                    number = -struct.unpack_from("i", payload)[0]
                    if number:
                        raise OSError(number, os.strerror(number))
                    return found
                if what == 3:
                    return found
                found.append((what, payload))
            if not flags & (DUMP | ACK):
                return found


def index(name: str) -> int:
    """The number of a link. Raises OSError (ENODEV)."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        raise OSError(19, os.strerror(19), name) from None


def exists(name: str) -> bool:
    """Whether there is a link of that name."""
    with contextlib.suppress(OSError):
        socket.if_nametoindex(name)
        return True
    return False


def mac_bytes(mac: str) -> bytes:
    return bytes(int(part, 16) for part in mac.split(":"))


def _link(number: int = 0, flags: int = 0, change: int = 0, family: int = 0) -> bytes:
    return struct.pack("BxHiII", family, 0, number, flags, change)


def _info(kind: str, data: bytes = b"") -> bytes:
    body = attribute(INFO_KIND, kind.encode() + b"\0")
    return attribute(IFLA_LINKINFO | NESTED, body + (attribute(INFO_DATA | NESTED, data) if data else b""))


def create(name: str, kind: str, *, mac: str | None = None, data: bytes = b"", link: str | None = None, up: bool = False,
           mtu: int | None = None) -> None:  # fmt: skip
    """Make a link of a kind (``bridge``, ``macvtap`` ...). Raises OSError."""
    body = _link(0, UP if up else 0, UP if up else 0) + attribute(IFLA_IFNAME, name.encode() + b"\0")
    if mac is not None:
        body += attribute(IFLA_ADDRESS, mac_bytes(mac))
    if mtu is not None:
        body += attribute(IFLA_MTU, struct.pack("I", mtu))
    if link is not None:
        body += attribute(IFLA_LINK, struct.pack("I", index(link)))
    request(NEWLINK, ACK | CREATE | EXCL, body + _info(kind, data))


def create_bridge(name: str, mac: str | None, *, stp: bool = True, delay: int = 0) -> None:
    """A bridge. ``delay`` is in seconds; the kernel raises what is below its least. Raises OSError."""
    create(name, "bridge", mac=mac)
    for kind, value in ((BR_FORWARD_DELAY, struct.pack("I", delay * 100)), (BR_STP, struct.pack("I", int(stp)))):
        with contextlib.suppress(OSError):  # ERANGE for a delay below two seconds while STP is on
            request(NEWLINK, ACK, _link(index(name)) + _info("bridge", attribute(kind, value)))


def set_bridge(name: str, *, vlan_filtering: bool) -> None:
    """Change a bridge's options. Raises OSError."""
    data = attribute(BR_VLAN_FILTERING, struct.pack("B", int(vlan_filtering)))
    request(NEWLINK, ACK, _link(index(name)) + _info("bridge", data))


def create_macvtap(name: str, link: str, mode: str, mac: str, kind: str = "macvtap") -> None:
    """A macvtap above a card of the host. Raises OSError."""
    create(name, kind, mac=mac, link=link, data=attribute(1, struct.pack("I", MACVTAP_MODES[mode])))


def delete(name: str) -> None:
    """Take a link away; one that is not there is fine."""
    with contextlib.suppress(OSError):
        request(DELLINK, ACK, _link(index(name)))


def change(name: str, *, up: bool | None = None, mac: str | None = None, mtu: int | None = None,
           master: str | None = None, promisc: bool | None = None) -> None:  # fmt: skip
    """Set what is given; ``master`` '' takes the link off its bridge. Raises OSError."""
    flags = (UP if up else 0) | (PROMISC if promisc else 0)
    mask = (UP if up is not None else 0) | (PROMISC if promisc is not None else 0)
    body = _link(index(name), flags, mask)
    if mac is not None:
        body += attribute(IFLA_ADDRESS, mac_bytes(mac))
    if mtu is not None:
        body += attribute(IFLA_MTU, struct.pack("I", mtu))
    if master is not None:
        body += attribute(IFLA_MASTER, struct.pack("I", index(master) if master else 0))
    request(NEWLINK, ACK, body)


def set_port(
    name: str, *, isolated: bool | None = None, learning: bool | None = None, flood: bool | None = None
) -> None:
    """Options of a bridge's port. Raises OSError."""
    pairs = ((BRPORT_LEARNING, learning), (BRPORT_FLOOD, flood), (BRPORT_ISOLATED, isolated))
    data = b"".join(attribute(kind, bytes([value])) for kind, value in pairs if value is not None)
    request(SETLINK, ACK, _link(index(name), family=AF_BRIDGE) + attribute(IFLA_PROTINFO | NESTED, data))


def fdb(name: str, mac: str, add: bool = True) -> None:
    """Enter a MAC address into (or take it out of) the table of the bridge that has this port. Raises OSError."""
    body = struct.pack("BxxxiHBB", AF_BRIDGE, index(name), 0x02 | 0x80, 0x04, 0) + attribute(2, mac_bytes(mac))
    request(NEWNEIGH if add else DELNEIGH, ACK | (CREATE | EXCL if add else 0), body)


def set_function(card: str, number: int, *, mac: str | None = None, vlan: int | None = None) -> None:
    """Give a virtual function of a card its MAC address and VLAN. Raises OSError."""
    data = b""
    if mac is not None:
        data += attribute(1, struct.pack("I32s", number, mac_bytes(mac)))
    if vlan is not None:
        data += attribute(2, struct.pack("III", number, vlan, 0))
    request(SETLINK, ACK, _link(index(card)) + attribute(22 | NESTED, attribute(1 | NESTED, data)))


def info(name: str) -> dict[str, Any]:
    """Kind, MAC, MTU, master (name) and whether it is up. Raises OSError."""
    _, payload = request(GETLINK, 0, _link(index(name)))[0]
    if len(payload) < 16:
        raise OSError(19, os.strerror(19), name)
    flags = struct.unpack_from("I", payload, 8)[0]
    found = attributes(payload[16:])
    kind = attributes(found.get(IFLA_LINKINFO, b"")).get(INFO_KIND, b"").rstrip(b"\0").decode()
    master = found.get(IFLA_MASTER)
    return {
        "kind": kind,
        "up": bool(flags & UP),
        "mac": found.get(IFLA_ADDRESS, b"").hex(":"),
        "mtu": struct.unpack("I", found[IFLA_MTU])[0] if IFLA_MTU in found else 0,
        "master": socket.if_indextoname(struct.unpack("I", master)[0]) if master else None,
        "index": index(name),
    }


def add_address(name: str, address: str, prefix: int) -> None:
    """Give a link an address, with the broadcast address of its network (IPv4). Raises OSError."""
    ip = ipaddress.ip_interface(f"{address}/{prefix}")
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    body = (
        struct.pack("BBBBi", family, prefix, 0, 0, index(name))
        + attribute(2, ip.ip.packed)
        + attribute(1, ip.ip.packed)
    )
    if ip.version == 4 and prefix < 31:
        body += attribute(4, ip.network.broadcast_address.packed)
    request(NEWADDR, ACK | CREATE | EXCL, body)


def addresses() -> list[Address]:
    """All addresses of the host."""
    found = []
    for _, payload in request(GETADDR, DUMP, struct.pack("BBBBi", 0, 0, 0, 0, 0)):
        _, prefix, _, _, number = struct.unpack_from("BBBBi", payload)
        data = attributes(payload[8:])
        raw = data.get(2) or data.get(1)
        if raw:
            with contextlib.suppress(OSError):
                found.append(Address(socket.if_indextoname(number), str(ipaddress.ip_address(raw)), prefix))
    return found


def add_route(network: str, gateway: str, name: str, metric: int) -> None:
    """A static route over a link. Raises OSError."""
    net, via = ipaddress.ip_network(network), ipaddress.ip_address(gateway)
    family = socket.AF_INET if net.version == 4 else socket.AF_INET6
    body = struct.pack("BBBBBBBBI", family, net.prefixlen, 0, 0, 254, 4, 0, 1, 0)
    body += attribute(1, net.network_address.packed) + attribute(5, via.packed)
    body += attribute(4, struct.pack("I", index(name))) + attribute(6, struct.pack("I", metric))
    request(NEWROUTE, ACK | CREATE | EXCL, body)


def routes(family: int = socket.AF_INET) -> Iterator[Route]:
    """The routes of the main table (254)."""
    for _, payload in request(GETROUTE, DUMP, struct.pack("BBBBBBBBI", family, 0, 0, 0, 0, 0, 0, 0, 0)):
        _, prefix, _, _, table, _, _, kind, _ = struct.unpack_from("BBBBBBBBI", payload)
        data = attributes(payload[12:])
        if table != 254 or kind != 1 or 4 not in data:
            continue
        width = 4 if family == socket.AF_INET else 16
        raw = data.get(1, b"\0" * width)
        with contextlib.suppress(OSError):
            via = data.get(5)
            yield Route(socket.if_indextoname(struct.unpack("I", data[4])[0]), ipaddress.ip_network((raw, prefix)),
                        str(ipaddress.ip_address(via)) if via else None)  # fmt: skip
