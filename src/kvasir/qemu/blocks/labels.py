"""The ownership of single images of a running guest: given when a job needs them, taken back when they leave the chain."""

from __future__ import annotations

import logging
import os
from typing import Any

from kvasir.qemu import device_nodes, locks
from kvasir.qemu.labels import Labels, move

from .graph import Image

log = logging.getLogger(__name__)


def allow(guest: Any, image: Image, *, readonly: bool = False, new: bool = False) -> None:
    """Let the guest's QEMU open an image; the owner before of a ``new`` one is remembered. Raises SystemFailure."""
    path = image.path
    if not image.local or not os.path.exists(path):
        return
    if readonly:
        locks.detach(guest, path)
    labels = Labels(guest.driver, guest)
    owner = labels._owner(guest.live) if labels.works else None
    if owner is not None and not readonly:
        labels.give(path, owner, remember_owner=new)
    device_nodes.allow_image(guest, path, readonly=readonly)


async def own(guest: Any, image: Image, *, new: bool = False) -> None:
    """Let QEMU write an image, which nobody else may write then. Raises SystemFailure, ResourceBusy."""
    allow(guest, image, new=new)
    if image.local and os.path.exists(image.path):
        await locks.attach(guest, image.path)


def inherit(guest: Any, old: Image, new: Image) -> None:
    """The owner that is remembered of a disk's image goes over to the one that is the disk from now on."""
    if old.local and new.local and old.path != new.path and guest.driver.config.remember_owner:
        move(old.path, new.path)


def close(guest: Any, image: Image) -> None:
    """QEMU opens an image no more. Its owner stays: layers below a disk may be other guests' as well (libvirt's rule)."""
    if image.local:
        locks.detach(guest, image.path)
        device_nodes.deny_image(guest, image.path)


def revoke(guest: Any, image: Image) -> None:
    """Give an image back that was a disk, or was to be one, and that the guest no longer uses."""
    labels = Labels(guest.driver, guest)
    close(guest, image)
    if not image.local or not labels.works or not os.path.exists(image.path) or labels._owner(guest.live) is None:
        return
    labels.give_back(image.path)
