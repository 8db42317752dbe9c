"""Virtuozzo storage pools: document only, as in a libvirt that was built without them."""

from __future__ import annotations

from .files import FilePool


class VStoragePool(FilePool):
    """A Virtuozzo cluster, mounted on the target."""

    TYPE, NUMBER = "vstorage", 13
    SHOWS = ("name",)
    BUILT = False
