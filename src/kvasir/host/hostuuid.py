"""The host's uuid: the firmware's (SMBIOS), or a made one where the firmware has none."""

from __future__ import annotations

import functools
import uuid
from typing import Any


@functools.lru_cache(maxsize=1)
def _found() -> str:
    for path in ("/sys/class/dmi/id/product_uuid", "/sys/devices/virtual/dmi/id/product_uuid"):
        try:
            with open(path, encoding="ascii") as stream:
                found = uuid.UUID(stream.read().strip())
        except (OSError, ValueError):
            continue
        if len(set(found.bytes)) > 1:
            return str(found)
    return str(uuid.uuid4())


def host_uuid(paths: Any = None) -> str:
    """The uuid; the same for the life of the daemon."""
    return _found()
