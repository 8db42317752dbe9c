"""Leases of a lock manager."""

from __future__ import annotations

from kvasir.xml import attr, text
from kvasir.xml.types import ULLONG

from .base import Device
from .words import wrong


class Lease(Device, tag="lease"):
    """A lease that the guest must hold to run."""

    FOREIGN = ("alias", "master", "acpi", "address")

    lockspace: str | None = text("lockspace", required=True, missing=wrong("Missing 'lockspace' element for lease"))
    key: str | None = text("key", required=True, missing=wrong("Missing 'key' element for lease"))
    path: str | None = attr(
        "target/@path", required=True, missing=wrong("Missing 'path' attribute to 'target' element for lease")
    )
    offset: int | None = attr("target/@offset", ULLONG)
