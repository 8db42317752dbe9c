"""What lock managers share: their files' keys, and the images of a guest that need a lock."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported, Origin

from . import live

KEYS = re.compile(r"^\s*(\w+)\s*=\s*(?:\"([^\"]*)\"|(\d+))", re.M)


def read(driver: Any, name: str) -> dict[str, str]:
    """The keys of a manager's file beside qemu.conf; none where there is no such file."""
    path = f"{os.path.dirname(driver.paths.qemu.etc)}/{name}"
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return {m[1]: m[2] if m[2] is not None else m[3] for m in KEYS.finditer(stream.read())}
    except OSError:
        return {}


def images(domain: Any) -> Iterator[tuple[str, bool]]:
    """(path, shared) of each image that the guest writes."""
    for disk in live.list_of(domain, "disks"):
        path = disk.location() if disk.type in ("file", "block") else None
        if path and not disk.readonly and not disk.transient:
            yield path, bool(disk.shareable)


def none_given() -> ConfigUnsupported:
    text = "Read/write, exclusive access, disks were present, but no leases specified"
    return ConfigUnsupported(text, origin=Origin.LOCKING)
