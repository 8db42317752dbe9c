"""Sheepdog pools: document only, as in a libvirt that was built without them."""

from __future__ import annotations

from .base import PoolKind


class SheepdogPool(PoolKind):
    """A Sheepdog cluster."""

    TYPE, NUMBER = "sheepdog", 10
    NEEDS = ("host",)
    SHOWS = ("hosts", "name")
    TARGET = "none"
    VOLUME_TYPE = "network"
    BUILT = False
