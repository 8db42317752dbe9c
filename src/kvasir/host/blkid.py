"""What lies on a block device or file: a file system, a partition table, another signature. By the ``blkid`` tool."""

from __future__ import annotations

from typing import NamedTuple

from kvasir.errors import Error, Origin

from . import tools


class Found(NamedTuple):
    """``kind``: the file system's or signature's name; ``table``: that of the partition table; '' where there is none."""

    kind: str
    table: str

    @property
    def empty(self) -> bool:
        return not (self.kind or self.table)


AMBIVALENT = 8


def look(path: str) -> Found:
    """Probe the device at a low level, past every cache. Raises Error (75) for what cannot be told."""
    status, out, _ = tools.attempt("blkid", "-p", "-o", "export", path)
    if status == AMBIVALENT:
        raise Error(
            f"Device '{path}' holds several signatures",
            code=75,
            origin=Origin.STORAGE,
            message=f"Storage pool probe failed: Not capable of probing for format of device '{path}'",
            hint=f"wipefs {path} lists them",
        )
    said = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    return Found(said.get("TYPE", ""), said.get("PTTYPE", ""))
