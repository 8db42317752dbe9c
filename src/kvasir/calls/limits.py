"""Limits as clients give them, for every driver: of disks by path, of network cards by side, and the list of I/O threads."""

from __future__ import annotations

from typing import Any

from kvasir.devices.interface_parts import Bandwidth
from kvasir.errors import InvalidArg, Origin
from kvasir.model.sysinfo import Iothread
from kvasir.rpc.typed import UInt

DEVICE = ("weight", "read_iops_sec", "write_iops_sec", "read_bytes_sec", "write_bytes_sec")
"""What a device of ``blkiotune`` may have; parameters are named ``device_`` and this."""
SMALL = 1 << 32
SIDES = {"inbound": ("average", "peak", "burst", "floor"), "outbound": ("average", "peak", "burst")}
NAMES = [f"{side}.{what}" for side, words in SIDES.items() for what in words]
"""Limits of a network card."""


def device_rows(parameter: str, field: str, text: str, origin: Origin = Origin.QEMU) -> list[tuple[str, int]]:
    """(path, number) from ``/dev/a,1,/dev/b,2``. Raises InvalidArg."""
    words = text.split(",")
    if len(words) % 2 or not text:
        raise InvalidArg(f"unable to parse blkio device '{parameter}' '{text}'", origin=origin)
    rows = []
    for path, number in zip(words[::2], words[1::2], strict=True):
        most = 1 << 64 if field.endswith("bytes_sec") else SMALL
        if not number.isascii() or not number.isdigit() or int(number) >= most:
            text = f"invalid value '{number}' for parameter '{parameter}' of device '{path}'"
            raise InvalidArg(text, origin=origin)
        rows.append((path, int(number)))
    return rows


def listed(domain: Any) -> list[Any]:
    """The I/O threads one by one, also where the document gives their number alone."""
    if not domain.iothreadids and domain.iothreads:
        domain.iothreadids = [Iothread(id=n) for n in range(1, domain.iothreads + 1)]
    found: list[Any] = domain.iothreadids
    return found


def iothread_numbers(domain: Any) -> list[int]:
    """The I/O threads' numbers, the document left as it is."""
    return [one.id for one in domain.iothreadids] or list(range(1, (domain.iothreads or 0) + 1))


def drop_iothread(domain: Any, number: int) -> None:
    """Take one away; the last of threads that have no list leaves none behind."""
    if domain.iothreadids or number != domain.iothreads:
        domain.iothreadids = [one for one in listed(domain) if one.id != number]
        domain.iothreads = len(domain.iothreadids) or None
    else:
        domain.iothreads = number - 1 or None


def limits(bandwidth: Any) -> list[tuple[str, Any]]:
    """All parameters; what is not said is 0."""
    return [(name, UInt(getattr(bandwidth, name.replace(".", "_"), None) or 0)) for name in NAMES]


def limits_merged(old: Any, wanted: dict[str, int]) -> Any:
    """The limits after a change: a side that is named is new, and gone where its average (and floor) is 0."""
    new = old.copy() if old is not None else Bandwidth()
    for side, words in SIDES.items():
        if not any(name.startswith(side) for name in wanted):
            continue
        for what in words:
            setattr(new, f"{side}_{what}", wanted.get(f"{side}.{what}") or None)
        if not getattr(new, f"{side}_average") and not (side == "inbound" and new.inbound_floor):
            for what in words:
                setattr(new, f"{side}_{what}", None)
    return None if new == Bandwidth() else new
