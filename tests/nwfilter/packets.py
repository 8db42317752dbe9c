"""Frames of every kind that filters look at, made of bytes. Each has the marker in its last part that is found again at the far end."""

from __future__ import annotations

import socket
import struct
from typing import Any

MARK = b"kvasir-filter-%06d"
NUMBERS = {
    "icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "esp": 50, "ah": 51, "icmpv6": 58, "sctp": 132, "udplite": 136, "all": 253,
}  # fmt: skip
ME, PEER = "02:00:00:00:00:01", "02:00:00:00:00:99"


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(kind: int, payload: bytes, **what: Any) -> bytes:
    tag = struct.pack(">HH", 0x8100, what["vlan"]) if "vlan" in what else b""
    return mac(what.get("d", PEER)) + mac(what.get("s", ME)) + tag + struct.pack(">H", kind) + payload


def layer4(name: str, data: bytes, pseudo: bytes, **what: Any) -> bytes:
    """The part behind the IP header, with a right checksum where connection tracking looks at it."""
    sport, dport = what.get("sport", 1000), what.get("dport", 2000)
    if name == "tcp":
        options = what.get("options", b"")
        options += b"\0" * (-len(options) % 4)
        offset = (20 + len(options)) // 4
        head = struct.pack(
            ">HHIIBBHHH", sport, dport, 1, what.get("ack", 0), offset << 4, what.get("flags", 2), 8192, 0, 0
        )
        return _sum(head + options + data, 16, pseudo, 6, what.get("broken", False))
    if name in ("udp", "udplite"):
        head = struct.pack(">HHHH", sport, dport, 8 + len(data), 0)
        return _sum(
            head + data, 6, pseudo, 17, what.get("broken", False)
        )  # the kernel tracks UDP-Lite with the checksum of UDP
    if name == "sctp":  # INIT or INIT ACK, which stand alone; the marker is a parameter of theirs
        more = struct.pack(">HH", 0xC001, 4 + len(data)) + data
        kind = what.get("chunk", 1)
        chunk = struct.pack(">BBHIIHHI", kind, 0, 20 + len(more), 7, 8192, 1, 1, 9) + more
        body = struct.pack(">HHII", sport, dport, 0 if kind == 1 else 7, 0) + chunk + b"\0" * (-len(chunk) % 4)
        return body[:8] + struct.pack("<I", _crc32c(body)) + body[12:]
    if name in ("icmp", "icmpv6"):
        kind = what.get("type", 8 if name == "icmp" else 128)
        head = struct.pack(">BBHHH", kind, what.get("code", 0), 0, what.get("id", 5), 1)
        return _sum(head + data, 2, pseudo if name == "icmpv6" else b"", 58)
    if name == "igmp":
        return _sum(struct.pack(">BBH4s", 0x16, 0, 0, bytes(4)) + data, 2, b"", 2)
    if name == "esp":
        return struct.pack(">II", what.get("spi", 100), 1) + data
    if name == "ah":
        return struct.pack(">BBHII", 59, 4, 0, what.get("spi", 100), 1) + bytes(12) + data
    return data


def _sum(packet: bytes, at: int, pseudo: bytes, number: int, broken: bool = False) -> bytes:
    if pseudo:
        pseudo += (
            struct.pack(">HH", number, len(packet)) if len(pseudo) == 8 else struct.pack(">II", len(packet), number)
        )
    found = checksum(pseudo + packet) or 0xFFFF
    return packet[:at] + struct.pack(">H", found ^ (0x5555 if broken else 0)) + packet[at + 2 :]


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def ipv4(name: str, data: bytes, **what: Any) -> bytes:
    src, dst = socket.inet_aton(what.get("src", "10.0.0.5")), socket.inet_aton(what.get("dst", "10.0.0.9"))
    body = layer4(name, data, src + dst, **what)
    head = struct.pack(">BBHHHBBH", 0x45, what.get("tos", 0), 20 + len(body), 7, 0, 64, NUMBERS[name], 0) + src + dst
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    return ethernet(0x800, head + body, **what)


def ipv6(name: str, data: bytes, **what: Any) -> bytes:
    src = socket.inet_pton(socket.AF_INET6, what.get("src", "fd00::5"))
    dst = socket.inet_pton(socket.AF_INET6, what.get("dst", "fd00::9"))
    body = layer4(name, data, src + dst, **what)
    first = 6 << 28 | what.get("tos", 0) << 20
    return ethernet(0x86DD, struct.pack(">IHBB", first, len(body), NUMBERS[name], 64) + src + dst + body, **what)


def arp(data: bytes, kind: int = 0x806, **what: Any) -> bytes:
    head = struct.pack(">HHBBH", what.get("hwtype", 1), what.get("ptype", 0x800), 6, 4, what.get("op", 1))
    head += mac(what.get("sha", ME)) + socket.inet_aton(what.get("spa", "10.0.0.5"))
    head += mac(what.get("tha", PEER)) + socket.inet_aton(what.get("tpa", "10.0.0.9"))
    return ethernet(kind, head + data, **what)


def stp(data: bytes, **what: Any) -> bytes:
    body = struct.pack(">HBBB", 0, 0, what.get("type", 0), what.get("flags", 0))
    body += struct.pack(">H", what.get("rprio", 100)) + mac(what.get("raddr", "06:05:04:03:02:01"))
    body += struct.pack(">I", what.get("rcost", 1000))
    body += struct.pack(">H", what.get("sprio", 100)) + mac(what.get("saddr", "06:05:04:03:02:02"))
    names = ("port", "age", "maxage", "hello", "delay")
    body += struct.pack(">5H", *(what.get(name, 100) for name in names))
    llc = b"\x42\x42\x03" + body
    what.setdefault("d", "01:80:c2:00:00:00")
    return ethernet(len(llc), llc + data, **what)


def build(protocol: str, number: int, **what: Any) -> bytes:
    """A frame of a rule's protocol."""
    data = MARK % number
    if protocol == "stp":
        return stp(data, **what)
    if protocol in ("arp", "rarp"):
        return arp(data, 0x8035 if protocol == "rarp" else 0x806, **what)
    if protocol == "vlan":
        kind = what.pop("inner", 0x9999)
        return ethernet(kind, data, **{"vlan": 291, **what})
    if protocol == "mac":
        return ethernet(what.pop("type", 0x9999), data, **what)
    if protocol in ("ip", "ipv6"):
        name = what.pop("proto", "icmpv6" if protocol == "ipv6" and ("type" in what or "code" in what) else "udp")
        return (ipv6 if protocol == "ipv6" else ipv4)(name, data, **what)
    name = protocol.removesuffix("-ipv6")
    return (ipv6 if protocol.endswith("-ipv6") or protocol == "icmpv6" else ipv4)(name, data, **what)
