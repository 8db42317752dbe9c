"""What must hold between the devices of a guest: one boot order, and no alias twice."""

from __future__ import annotations

from typing import Any

from kvasir.errors import ConfigUnsupported, Origin


def check(domain: Any) -> None:
    """Raise what libvirt raises before it fills anything in."""
    orders: set[int] = set()
    aliases: set[str] = set()
    for device in domain.all_devices():
        if device.boot is not None:
            if device.boot in orders:
                raise _refused(f"boot order '{device.boot}' used for more than one device")
            orders.add(device.boot)
        if device.alias:
            if device.alias in aliases and device.TAG != "console":
                raise _refused(f"non unique alias detected: {device.alias}")
            aliases.add(device.alias)
    if orders and domain.os.boots:
        raise _refused("per-device boot elements cannot be used together with os/boot elements")


def _refused(text: str) -> ConfigUnsupported:
    return ConfigUnsupported(text, origin=Origin.DOMAIN)
