"""Partition tables by ``parted``: labels, partitions, free extents. Sizes in bytes. Blocks."""

from __future__ import annotations

import re
from typing import NamedTuple

from . import tools

LABELS = {"dos": "msdos", "unknown": "msdos"}
"""Our name of a label -> parted's, where they differ."""


class Part(NamedTuple):
    """A partition or free extent; ``end`` is the byte behind it, ``number`` 0 for free space."""

    number: int
    start: int
    end: int
    kind: str
    """primary, extended, logical, or free."""


class Geometry(NamedTuple):
    """What the firmware of old thought a disk to be; zeroes where parted does not say."""

    heads: int
    sectors: int

    @property
    def cylinder(self) -> int:
        """Bytes of a cylinder."""
        return self.heads * self.sectors * 512


ROW = re.compile(r"\s*(?P<number>\d+)?\s+(?P<start>\d+)B\s+(?P<end>\d+)B\s+(?P<size>\d+)B(?P<rest>.*)")


def label_of(device: str) -> str | None:
    """parted's name of the device's label; None for none."""
    status, out, _ = tools.attempt("parted", device, "print", "--script")
    for line in out.splitlines() if not status else ():
        if line.startswith("Partition Table: "):
            name = line.partition(": ")[2].strip()
            return None if name in ("loop", "unknown") else name
    return None


def parts(device: str) -> list[Part]:
    """Partitions and free extents in the order of the disk."""
    out = tools.run("parted", "--script", device, "unit", "B", "print", "free")
    found = []
    for line in out.splitlines():
        match = ROW.match(line)
        if match is None:
            continue
        words = match["rest"].split()
        number = int(match["number"] or 0)
        kind = "free" if not number else words[0] if words[:1] in (["extended"], ["logical"]) else "primary"
        found.append(Part(number, int(match["start"]), int(match["end"]) + 1, kind))
    return found


def geometry(device: str) -> Geometry:
    """The device's geometry, to whose cylinders DOS partitions are aligned."""
    out = tools.run("parted", "--machine", "--script", device, "unit", "cyl", "print")
    for line in out.splitlines():
        match = re.match(r"(\d+):(\d+):(\d+):\S+;", line)
        if match:
            return Geometry(int(match[2]), int(match[3]))
    return Geometry(0, 0)


def make_label(device: str, kind: str) -> None:
    """Write an empty partition table: what was there is lost."""
    tools.run("parted", device, "mklabel", "--script", LABELS.get(kind, kind))


def make_part(device: str, what: str, start: int, end: int) -> None:
    """Make a partition from ``start`` to the byte before ``end``."""
    tools.run("parted", device, "mkpart", "--script", what, f"{start}B", f"{end - 1}B")


def remove_part(device: str, number: int) -> None:
    tools.run("parted", device, "rm", "--script", str(number))
