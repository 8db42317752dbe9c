"""Multipath pools: every multipath device of the host is a volume. Nothing is made or deleted."""

from __future__ import annotations

import os
import re

from kvasir.host import tools
from kvasir.model.storage import Pool, Volume

from .blocks import BlockPool, is_block


class MpathPool(BlockPool):
    """The host's multipath devices."""

    TYPE, NUMBER = "mpath", 7

    def same(self, other: Pool) -> bool:
        """There is one such pool on a host."""
        return True

    def active(self) -> bool:
        return os.path.isdir("/dev/mapper") or os.path.isdir("/dev/mpath")

    def scan(self) -> list[Volume]:
        found = []
        for name, number in _devices():
            path = os.path.join(self.path, name)
            if not is_block(path):
                path = f"/dev/{number}"
            volume = Volume(type="block", name=number, key=path, path=path)
            try:
                self.update(volume)
            except OSError:
                continue
            found.append(volume)
        self.sum_up(found)
        return found


def _devices() -> list[tuple[str, str]]:
    """(name, dm-N) of the multipath maps. None where the kernel has no device mapper."""
    if not os.path.exists("/dev/mapper/control") or tools.find("dmsetup") is None:
        return []
    status, out, _ = tools.attempt("dmsetup", "ls", "--target", "multipath")
    found = []
    for line in out.splitlines() if not status else ():
        match = re.match(r"(\S+)\s+\((\d+)[:,] ?(\d+)\)", line)
        if match:
            found.append((match[1], f"dm-{match[3]}"))
    return found
