"""Mice, keyboards and tablets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported, InternalError, Origin
from kvasir.qemu.args import Arg, Dev, Obj
from kvasir.xml import attr
from kvasir.xml.types import ENUM, ONOFF

from .base import Device
from .virtio import options

TYPES = ("mouse", "tablet", "keyboard", "passthrough", "evdev")
BUSES = ("ps2", "usb", "xen", "parallels", "virtio", "none")
MODELS = ("virtio", "virtio-transitional", "virtio-non-transitional")
TOGGLES = ("ctrl-ctrl", "alt-alt", "shift-shift", "meta-meta", "scrolllock", "ctrl-scrolllock")
VIRTIO = {
    "mouse": "virtio-mouse",
    "tablet": "virtio-tablet",
    "keyboard": "virtio-keyboard",
    "passthrough": "virtio-input-host",
}
USB = {"mouse": "usb-mouse", "tablet": "usb-tablet", "keyboard": "usb-kbd"}


class Input(Device, tag="input"):
    """An input device of the guest."""

    ALIAS = "input"

    type: str = attr("@type", ENUM(*TYPES), required=True)
    bus: str | None = attr("@bus", ENUM(*BUSES), when=lambda device, form: device.bus != "none")
    model: str | None = attr("@model", ENUM(*MODELS))
    iommu: bool | None = attr("driver/@iommu", ONOFF, last=True)
    ats: bool | None = attr("driver/@ats", ONOFF, last=True)
    packed: bool | None = attr("driver/@packed", ONOFF, last=True)
    page_per_vq: bool | None = attr("driver/@page_per_vq", ONOFF, last=True)
    evdev: str | None = attr("source/@evdev", label=True, doc="Host device of a passthrough input.")
    dev: str | None = attr("source/@dev", label=True, doc="Host device that evdev reads.")
    grab: str | None = attr("source/@grab", ENUM("all"))
    grab_toggle: str | None = attr("source/@grabToggle", ENUM(*TOGGLES))
    repeat: bool | None = attr("source/@repeat", ONOFF)

    def defaults(self, vm: Any) -> None:
        if self.bus is None:
            if self.type == "evdev":
                self.bus = "none"
            elif self.type == "passthrough":
                self.bus = "virtio"
            else:
                self.bus = "usb" if self.type == "tablet" or not vm.arch.endswith(("86", "86_64")) else "ps2"
        if self.type == "evdev":
            self.bus = "none"

    def needs_address(self, vm: Any) -> str | None:
        if self.bus == "virtio":
            return "virtio-mmio" if vm.is_microvm else "pci"
        return "usb" if self.bus == "usb" else None

    def check(self, vm: Any) -> None:
        if self.bus == "ps2" and self.type not in ("mouse", "keyboard"):
            raise InternalError(f"ps2 bus does not support {self.type} input device", origin=Origin.DOMAIN)
        if self.bus in ("xen", "parallels"):
            raise ConfigUnsupported(f"unsupported input bus {self.bus}", origin=Origin.DOMAIN)
        if self.model in ("virtio-transitional", "virtio-non-transitional") and self.type != "passthrough":
            raise ConfigUnsupported(f"virtio (non-)transitional models are not supported for input type={self.type}")

    def qemu(self, vm: Any) -> Iterator[Arg]:
        if self.type == "evdev":
            grab = True if self.grab == "all" else None
            yield Obj(
                "input-linux",
                {
                    "id": self.alias,
                    "evdev": self.dev,
                    "repeat": self.repeat,
                    "grab_all": grab,
                    "grab-toggle": self.grab_toggle,
                },
            )
        elif self.bus == "usb":
            yield Dev(USB[self.type], {"id": self.alias})
        elif self.bus == "virtio":
            bus = "device" if vm.is_microvm else "pci"
            tail = {"virtio-transitional": "-transitional", "virtio-non-transitional": "-non-transitional"}.get(
                self.model or "", ""
            )
            yield Dev(f"{VIRTIO[self.type]}-{bus}{tail}", {**options(self), "id": self.alias, "evdev": self.evdev})
