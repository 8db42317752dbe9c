"""Leases of a lock manager."""

from __future__ import annotations

from kvasir.xml import attr, text
from kvasir.xml.types import ULLONG

from .base import Device


class Lease(Device, tag="lease"):
    """A lease that the guest must hold to run."""

    lockspace: str | None = text("lockspace")
    key: str | None = text("key", required=True)
    path: str | None = attr("target/@path", required=True)
    offset: int | None = attr("target/@offset", ULLONG)
