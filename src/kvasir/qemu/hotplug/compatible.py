"""Whether a device goes with the rest of its guest, in libvirt's words."""

from __future__ import annotations

from typing import Any

from kvasir.errors import ConfigUnsupported, Origin

from .rules import fits


def check(domain: Any, device: Any, old: Any, *, live: bool) -> None:
    """Raise what libvirt raises for boot orders, USB without a bus, and memory beyond the maximum.

    ``old`` is the device that this one replaces.
    """
    if device.boot is not None and not (live and old is not None):
        boot(domain, device, old)
    if old is None and _is_usb(device) and not any(c.type == "usb" and c.model != "none" for c in domain.controllers):
        raise ConfigUnsupported(
            "Device configuration is not compatible: Domain has no USB bus support", origin=Origin.DOMAIN
        )
    if old is None and device.TAG == "memory":
        fits(domain, device)


def boot(domain: Any, device: Any, old: Any) -> None:
    """Raise when the device's place in the boot order cannot be."""
    if device.boot is None:
        return
    if domain.os.boots:
        raise ConfigUnsupported(
            "per-device boot elements cannot be used together with os/boot elements", origin=Origin.DOMAIN
        )
    for other in domain.all_devices():
        if other is not old and other.boot == device.boot:
            raise ConfigUnsupported(f"boot order {device.boot} is already used by another device", origin=Origin.DOMAIN)


def _is_usb(device: Any) -> bool:
    if device.TAG in ("disk", "input", "redirdev"):
        return bool(device.bus == "usb")
    if device.TAG == "hostdev":
        return bool(device.type == "usb")
    return bool(device.TAG == "sound" and device.model == "usb") or device.TAG == "hub"


def check_alias(domain: Any, device: Any) -> None:
    """An alias that the user chose must be free."""
    if device.alias and any(other.alias == device.alias for other in domain.all_devices()):
        raise ConfigUnsupported(f"non unique alias detected: {device.alias}", origin=Origin.DOMAIN)
