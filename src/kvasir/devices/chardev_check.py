"""What libvirt refuses of a character device on QEMU, in its words."""

from __future__ import annotations

from typing import Any

from kvasir.errors import ConfigUnsupported, Origin

from .address import IsaAddress, PciAddress, UsbAddress

ADDRESSES = {"isa-serial": IsaAddress, "usb-serial": UsbAddress, "pci-serial": PciAddress, "isa-debug": IsaAddress}


def unsupported(text: str) -> ConfigUnsupported:
    """Error 67 of the QEMU driver."""
    return ConfigUnsupported(text, origin=Origin.QEMU)


def check(device: Any, vm: Any) -> None:
    """Raise what libvirt raises for the device."""
    if device.type == "spicevmc" and not (device.TAG == "channel" and device.target_type == "virtio"):
        raise ConfigUnsupported("spicevmc device type only supports virtio", origin=Origin.DOMAIN)
    if device.type in ("spicevmc", "spiceport") and not any(
        g.type == "spice" for g in getattr(vm.domain, "graphics", [])
    ):
        raise unsupported(f"chardev '{device.type}' not supported without spice graphics")
    if device.TAG == "serial":
        _serial(device, vm)
    elif device.TAG == "console":
        _console(device, vm)


def check_address(device: Any) -> None:
    """An address that the kind of serial port cannot have; refused before any address is given out."""
    if device.target_type == "usb-serial" and device.address is not None and not isinstance(device.address, UsbAddress):
        raise ConfigUnsupported("usb-serial requires address of usb type", origin=Origin.DOMAIN)
    kind = ADDRESSES.get(device.target_type or "")
    if kind is not None and device.address is not None and not isinstance(device.address, kind):
        word = {IsaAddress: "isa", UsbAddress: "usb", PciAddress: "pci"}[kind]
        raise unsupported(f"Target type '{device.target_type}' requires address type '{word}'")


def _serial(device: Any, vm: Any) -> None:
    from .chardev import SERIAL_MODELS

    wants = SERIAL_MODELS.get(device.model or "")
    if wants is not None and wants != device.target_type:
        raise unsupported(f"Target model '{device.model}' requires target type '{wants}'")
    others = ("spapr-vio-serial", "sclp-serial", *(["system-serial"] if device.model is not None else []))
    if vm.is_x86 and device.target_type in others:
        raise unsupported(
            f"Serial device with target type '{device.target_type}' and target model '{device.model}' not compatible with "
            "guest architecture or machine type"
        )


def _console(device: Any, vm: Any) -> None:
    if device.target_type in ("serial", "virtio"):
        return
    if device.target_type in ("sclp", "sclplm"):
        if vm.caps.has(f"{device.target_type}console"):
            return
        raise unsupported(f"{device.target_type}console is not supported in this QEMU binary")
    raise unsupported(f"unsupported console target type {device.target_type or '(null)'}")
