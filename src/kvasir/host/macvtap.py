"""Macvtaps: a port over a card of the host that QEMU opens as a tap."""

from __future__ import annotations

import os
import stat

from kvasir.errors import Origin, SystemFailure

from . import netlink
from .tap import open_queues

MODES = ("private", "vepa", "bridge", "passthrough")


def create(name: str, card: str, mode: str, mac: str, *, up: bool = True) -> None:
    """Make one. In passthrough mode the card itself takes the guest's MAC. Raises SystemFailure."""
    if not netlink.exists(card):
        raise SystemFailure(
            f"Unable to get index for interface {card}", OSError(19, os.strerror(19)), origin=Origin.NONE
        )
    try:
        if mode == "passthrough":
            netlink.change(card, mac=mac)
        netlink.create_macvtap(name, card, mode, mac)
        if up:
            netlink.change(card, up=True)
            netlink.change(name, up=True)
    except OSError as error:
        netlink.delete(name)
        raise SystemFailure(
            f"error creating macvtap interface {name}@{card} ({mac})", error, origin=Origin.NONE
        ) from None


def remove(name: str) -> None:
    """Take it away; one that is gone is fine."""
    netlink.delete(name)


def _device(name: str) -> str:
    """The character device of a macvtap; made in /run where udev does not see this network namespace."""
    number = netlink.index(name)
    path = f"/dev/tap{number}"
    with open(f"/sys/class/net/{name}/macvtap/tap{number}/dev", encoding="ascii") as stream:
        major, minor = (int(part) for part in stream.read().split(":"))
    wanted = os.makedev(major, minor)
    try:
        found = os.stat(path)
        if stat.S_ISCHR(found.st_mode) and found.st_rdev == wanted:
            return path
    except FileNotFoundError:
        pass
    own = f"/run/kvasir-{name}-{number}"
    os.mknod(own, 0o600 | stat.S_IFCHR, wanted)
    return own


def open_device(name: str, queues: int = 1, *, vnet: bool = False) -> list[int]:
    """One descriptor for each queue. Raises SystemFailure."""
    path = ""
    try:
        path = _device(name)
        return open_queues(path, name, queues, vnet=vnet)
    except OSError as error:
        raise SystemFailure(f"cannot open macvtap tap device {path or name}", error, origin=Origin.NONE) from None
    finally:
        if path.startswith("/run/"):
            os.unlink(path)
