"""Value types of attributes and texts: how libvirt reads a word and how it writes it back."""

from __future__ import annotations

import re
import uuid as _uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Type:
    """One kind of value. ``read`` raises ValueError or KeyError for a wrong word; ``expected`` ends the error message."""

    name: str
    read: Callable[[str], Any]
    write: Callable[[Any], str]
    expected: str = ""
    words: tuple[str, ...] = ()
    pattern: str = ""
    json: dict[str, Any] = field(default_factory=dict)


_INTEGER = re.compile(r"[ \t\r\n]*[+-]?[0-9]+\Z")


def _integer(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not _INTEGER.match(value):
            raise ValueError(value)
        number = int(value)
        if not low <= number <= high:
            raise ValueError(value)
        return number

    return read


def _any_base(low: int, high: int) -> Callable[[str], int]:
    """Decimal, 0x hexadecimal or 0 octal, as C's strtoul with base 0."""

    def read(value: str) -> int:
        text = value.strip()
        if re.fullmatch(r"[+-]?0[0-7]+", text):
            number = int(text, 8)
        elif "_" in text:
            raise ValueError(value)
        else:
            number = int(text, 0)
        if not low <= number <= high:
            raise ValueError(value)
        return number

    return read


def number(name: str, low: int, high: int, expected: str) -> Type:
    """A decimal integer within its bounds."""
    return Type(name, _integer(low, high), str, expected, json={"type": "integer", "minimum": low, "maximum": high})


def _str(value: str) -> str:
    return value


STR = Type("string", _str, _str, json={"type": "string"})
INT = number("int", -(2**31), 2**31 - 1, "Expected integer value")
UINT = number("unsignedInt", 0, 2**32 - 1, "Expected non-negative integer value")
POSITIVE = number("positiveInteger", 1, 2**32 - 1, "Expected non-negative integer value")
NATURAL = number("naturalInteger", 0, 2**31 - 1, "Expected integer value")
"""A number that libvirt reads as a signed one and then refuses below 0."""
LLONG = number("long", -(2**63), 2**63 - 1, "Expected integer value")
ULLONG = number("unsignedLong", 0, 2**64 - 1, "Expected non-negative integer value")
ANYBASE = Type(
    "unsignedInt", _any_base(0, 2**64 - 1), str, "Expected non-negative integer value", json={"type": "integer"}
)


def HEX(width: int, high: int = 2**64 - 1) -> Type:
    """A number in any base, written as 0x and at least ``width`` digits."""
    return Type(
        f"hex{width}",
        _any_base(0, high),
        lambda v: f"0x{v:0{width}x}",
        "Expected non-negative integer value",
        pattern="0x[0-9a-fA-F]+|[0-9]+",
        json={"type": "integer"},
    )


def ENUM(*words: str) -> Type:
    """One of the words, kept as the word."""
    table = {w: w for w in words}
    return Type("enum", table.__getitem__, _str, words=words, json={"enum": list(words)})


def blank(type: Type) -> Type:
    """The same type where an empty word counts as absent."""
    return replace(type, read=lambda value: type.read(value) if value else None)


def lenient(type: Type) -> Type:
    """The same type where any wrong word counts as absent."""

    def read(value: str) -> Any:
        try:
            return type.read(value)
        except (KeyError, ValueError):
            return None

    return replace(type, read=read)


def _switch(true: str, false: str) -> Type:
    table = {true: True, false: False}
    return Type(
        true + false,
        table.__getitem__,
        lambda v: true if v else false,
        words=(true, false),
        json={"enum": [true, false]},
    )


YESNO = _switch("yes", "no")
ONOFF = _switch("on", "off")
BOOL01 = _switch("1", "0")


def _read_uuid(value: str) -> str:
    text = value.strip()
    if not re.fullmatch(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}", text):
        raise ValueError(value)
    return text.lower() if len(text) == 36 else str(_uuid.UUID(text))


UUID = Type("uuid", _read_uuid, _str, pattern="[0-9a-fA-F-]{32,36}", json={"type": "string", "format": "uuid"})


def _read_mac(value: str) -> str:
    parts = value.split(":")
    if len(parts) != 6 or any(not re.fullmatch(r"[0-9a-fA-F]{1,2}", p) for p in parts):
        raise ValueError(value)
    return ":".join(f"{int(p, 16):02x}" for p in parts)


MAC = Type("mac", _read_mac, _str, pattern="([0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}", json={"type": "string"})

CPU_LIMIT = 16384


_CPUS = re.compile(r"(\^?)([0-9]+)\s*(?:-\s*([0-9]+)\s*)?(?:,\s*|$)")


def read_cpuset(value: str) -> frozenset[int]:
    """Read ``0-3,^2,8``, with spaces around the marks and a comma behind, as libvirt does. Raises ValueError when it is not one."""
    cpus: set[int] = set()
    at, end = len(value) - len(value.lstrip()), len(value)
    if at == end:
        raise ValueError(value)
    while at < end:
        match = _CPUS.match(value, at)
        if not match or (match[1] and match[3]):
            raise ValueError(value)
        at = match.end()
        first = int(match[2])
        last = int(match[3]) if match[3] else first
        if last < first or last >= CPU_LIMIT:
            raise ValueError(value)
        if match[1]:
            cpus.discard(first)
        else:
            cpus.update(range(first, last + 1))
    return frozenset(cpus)


def write_cpuset(cpus: Iterable[int]) -> str:
    """Write the shortest list of ranges, as libvirt does."""
    out: list[str] = []
    start = last = -2
    for cpu in [*sorted(cpus), -1]:
        if cpu == last + 1:
            last = cpu
            continue
        if start >= 0:
            out.append(str(start) if start == last else f"{start}-{last}")
        start = last = cpu
    return ",".join(out)


CPUSET = Type(
    "cpuset", read_cpuset, write_cpuset, pattern=r"\^?[0-9]+(-[0-9]+)?(,\^?[0-9]+(-[0-9]+)?)*", json={"type": "string"}
)

_PREFIXES = "kmgtpe"
UNITS: dict[str, int] = {"b": 1, "byte": 1, "bytes": 1}
for _i, _p in enumerate(_PREFIXES, 1):
    UNITS[_p] = UNITS[_p + "ib"] = 1024**_i
    UNITS[_p + "b"] = 1000**_i


def scale(value: int, unit: str) -> int:
    """Give a size in bytes. Units are libvirt's (b, KB = 1000, K and KiB = 1024, ... in any case). Raises KeyError."""
    return value * UNITS[unit.lower()]
