"""Datatypes of filter attributes: how a value is read, and how it is written back. ``read`` raises ValueError for an illegal one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

VARIABLE: Final = re.compile(r"\$([A-Za-z0-9_]+)(?:\[(@?)(\d+)\])?")
PARAMETER_NAME: Final = re.compile(r"[A-Za-z0-9_]+")
_VALUE_CHARS: Final = re.compile(r"[A-Za-z0-9_.:,/\-\[\]@$ +]*")


@dataclass(frozen=True, slots=True)
class Variable:
    """``$NAME``, ``$NAME[2]`` (that entry), ``$NAME[@1]`` (iterated together with others of the same number)."""

    name: str
    index: int | None = None
    iterator: int = 0

    def __str__(self) -> str:
        if self.index is not None:
            return f"${self.name}[{self.index}]"
        return f"${self.name}[@{self.iterator}]" if self.iterator else f"${self.name}"


def read_variable(text: str) -> Variable:
    found = VARIABLE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    name, at, number = found.groups()
    if number is None:
        return Variable(name)
    return Variable(name, None, int(number)) if at else Variable(name, int(number))


class Number(int):
    """A number that remembers whether it was said in hexadecimal."""

    hexadecimal = False

    def __str__(self) -> str:
        return f"{int(self):#x}" if self.hexadecimal else f"{int(self)}"


def _number(most: int, least: int = 0) -> Callable[[str], Number]:
    def read(text: str) -> Number:
        if not re.fullmatch(r"0x[0-9a-fA-F]+|\d+", text):
            raise ValueError(text)
        made = Number(int(text, 16 if text.startswith("0x") else 10))
        made.hexadecimal = text.startswith("0x")
        if not least <= made <= most:
            raise ValueError(text)
        return made

    return read


def _named(numbers: dict[int, str], read_number: Callable[[str], Number]) -> Callable[[str], Any]:
    """A word of the table (any case), or a number; a number that has a word becomes it."""
    words = {word.lower(): word for word in numbers.values()}

    def read(text: str) -> Any:
        if text.lower() in words:
            return words[text.lower()]
        number = read_number(text)
        return numbers.get(int(number), number)

    return read


def _mac(text: str) -> str:
    parts = text.split(":")
    if len(parts) != 6 or not all(re.fullmatch(r"[0-9a-fA-F]{1,2}", part) for part in parts):
        raise ValueError(text)
    return ":".join(f"{int(part, 16):02x}" for part in parts)


def _mac_mask(text: str) -> str:
    made = _mac(text)
    number = int(made.replace(":", ""), 16)
    length = bin(number).count("1")
    if number != (1 << 48) - (1 << (48 - length)):
        raise ValueError(text)
    return made


def _ipv4(text: str) -> str:
    return str(ipaddress.IPv4Address(text))


def _ipv6(text: str) -> str:
    return str(ipaddress.IPv6Address(text))


def _mask(bits: int, kind: Any) -> Callable[[str], int]:
    def read(text: str) -> int:
        if text.isdigit():
            if int(text) > bits:
                raise ValueError(text)
            return int(text)
        number = int(kind(text))
        length = bin(number).count("1")
        if number != (1 << bits) - (1 << (bits - length)):
            raise ValueError(text)
        return length

    return read


def _boolean(text: str) -> str:
    if text.lower() in ("true", "1", "yes"):
        return "true"
    if text.lower() in ("false", "0", "no"):
        return "false"
    raise ValueError(text)


STATES: Final = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "NONE")


def _state(text: str) -> str:
    words = [word.strip().upper() for word in text.split(",")]
    if not words or any(word not in STATES for word in words) or ("NONE" in words and len(words) > 1):
        raise ValueError(text)
    return ",".join(word for word in STATES if word in words)


FLAGS: Final = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")


def _flags(text: str) -> str:
    parts = text.split("/")
    if len(parts) != 2:
        raise ValueError(text)
    for part in parts:
        if part not in ("ALL", "NONE") and any(word not in FLAGS for word in part.split(",")):
            raise ValueError(text)
    return text


def _ipset(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:\-+ ]{1,31}", text):
        raise ValueError(text)
    return text


def _ipset_flags(text: str) -> str:
    words = text.split(",")
    if not 1 <= len(words) <= 6 or any(word.lower() not in ("src", "dst") for word in words):
        raise ValueError(text)
    return ",".join(word.lower() for word in words)


def _comment(text: str) -> str:
    return text[:256]


ETHER_TYPES: Final = {0x800: "ipv4", 0x806: "arp", 0x8035: "rarp", 0x86DD: "ipv6", 0x8100: "vlan"}
OPCODES: Final = dict(
    enumerate(
        ("Request", "Reply", "Request_Reverse", "Reply_Reverse", "DRARP_Request", "DRARP_Reply", "DRARP_Error",
         "InARP_Request", "ARP_NAK"), 1,
    )
)  # fmt: skip
IP_PROTOCOLS: Final = {
    1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 50: "esp", 51: "ah", 58: "icmpv6", 132: "sctp", 136: "udplite",
}  # fmt: skip

READERS: Final[dict[str, Callable[[str], Any]]] = {
    "mac": _mac,
    "macmask": _mac_mask,
    "ip": _ipv4,
    "ipmask": _mask(32, ipaddress.IPv4Address),
    "ip6": _ipv6,
    "ip6mask": _mask(128, ipaddress.IPv6Address),
    "u8": _number(0xFF),
    "u16": _number(0xFFFF),
    "u32": _number(0xFFFFFFFF),
    "vlanid": _number(4095),
    "dscp": _number(63),
    "ethertype": _named({key: word for key, word in ETHER_TYPES.items()}, _number(0xFFFF, 0x600)),
    "encap": _named({key: word for key, word in ETHER_TYPES.items() if word != "vlan"}, _number(0xFFFF, 0x3C)),
    "opcode": _named(OPCODES, _number(0xFFFF)),
    "protocol": _named(IP_PROTOCOLS, _number(0xFF)),
    "bool": _boolean,
    "state": _state,
    "flags": _flags,
    "ipset": _ipset,
    "ipsetflags": _ipset_flags,
    "comment": _comment,
}


def read(kind: str, text: str) -> Any:
    """A value of that datatype, or a Variable. Raises ValueError."""
    if text.startswith("$") and kind != "comment":
        return read_variable(text)
    return READERS[kind](text)
