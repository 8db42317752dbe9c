"""Keyboards, mice, tablets, and input devices of the host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, InternalError, Origin, XmlError
from kvasir.qemu.args import Dev, Obj
from kvasir.xml import attr, child
from kvasir.xml.types import ENUM, ONOFF

from .base import Device, pass_over
from .virtio_options import MODELS, SUFFIX, VirtioDriver, bus_of, props, transport
from .words import internal, unsupported

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

TYPES = ("mouse", "tablet", "keyboard", "passthrough", "evdev")
BUSES = ("default", "ps2", "usb", "xen", "parallels", "virtio", "none")
TOGGLES = ("ctrl-ctrl", "alt-alt", "shift-shift", "meta-meta", "scrolllock", "ctrl-scrolllock")
USB = {"mouse": "usb-mouse", "tablet": "usb-tablet", "keyboard": "usb-kbd"}
VIRTIO = {
    "mouse": "virtio-mouse", "tablet": "virtio-tablet", "keyboard": "virtio-keyboard",
    "passthrough": "virtio-input-host",
}  # fmt: skip


class Input(Device, tag="input"):
    """A keyboard, mouse or tablet, or one of the host's."""

    ALIAS = "input"

    type: str = attr(
        "@type", ENUM(*TYPES), required=True, error=unsupported("unknown input device type '{value}'"),
        missing=internal("missing input device type"), key=True,
    )  # fmt: skip
    bus: str | None = attr(
        "@bus", ENUM(*BUSES), error=unsupported("unknown input bus type '{value}'"), key=True,
        when=lambda device, form: device.bus != "none",
    )  # fmt: skip
    model: str | None = attr("@model", ENUM(*MODELS), error=unsupported("unknown input model '{value}'"))
    driver: VirtioDriver | None = child(VirtioDriver)
    evdev: str | None = attr("source/@evdev", label=True)
    dev: str | None = attr("source/@dev", label=True)
    grab: str | None = attr("source/@grab", ENUM("all"))
    grab_toggle: str | None = attr("source/@grabToggle", ENUM(*TOGGLES))
    repeat: bool | None = attr("source/@repeat", ONOFF)

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Any:
        """Read an input; settings of another type's source are passed over."""
        if not keep and node.get("type") != "evdev":
            for name in ("dev", "grab", "grabToggle", "repeat"):
                pass_over(node, f"source/@{name}")
        return super().parse(node, keep)

    def parsed(self, node: Any) -> None:
        if self.bus == "default":
            raise ConfigUnsupported("unknown input bus type 'default'", origin=Origin.DOMAIN)
        if self.type == "passthrough" and self.bus not in (None, "virtio"):
            text = "only bus 'virtio' is supported for 'passthrough' input devices"
            raise ConfigUnsupported(text, origin=Origin.DOMAIN)
        if self.type == "passthrough" and node.find("source") is not None and not self.evdev:
            raise XmlError("Missing evdev path for input device")
        if self.bus == "ps2" and self.type not in ("mouse", "keyboard"):
            raise InternalError(f"ps2 bus does not support {self.type} input device", origin=Origin.DOMAIN)
        if self.bus == "xen":
            raise InternalError("unsupported input bus xen", origin=Origin.DOMAIN)
        if self.type != "passthrough":
            self.evdev = None
        if self.type != "evdev":
            self.dev = self.grab = self.grab_toggle = self.repeat = None
        if self.type == "evdev":
            if self.bus is not None:
                raise ConfigUnsupported("input evdev doesn't support bus element", origin=Origin.DOMAIN)
            self.bus = "none"
        if self.bus is None:
            self.bus = self._default_bus()
        address = self.address
        if address is not None and self.bus == "usb" and address.type != "usb":
            raise XmlError("Invalid address for a USB device")

    def _default_bus(self) -> str:
        if self.type == "passthrough":
            return "virtio"
        if self.type == "tablet":
            return "usb"
        return "ps2"

    def check(self, vm: Any) -> None:
        if self.model is not None and self.bus != "virtio":
            raise ConfigUnsupported(
                f"only bus 'virtio' is supported for input model '{self.model}'", origin=Origin.DOMAIN
            )
        if self.model in SUFFIX:
            raise ConfigUnsupported(f"virtio (non-)transitional models are not supported for input type={self.type}")

    def needs_address(self, vm: Any) -> str | None:
        return {"usb": "usb", "virtio": bus_of(vm)}.get(self.bus or "")

    def qemu(self, vm: Any) -> Iterator[Arg]:
        if self.type == "evdev":
            yield Obj(
                "input-linux",
                {"id": self.alias, "evdev": self.dev, "repeat": self.repeat, "grab_all": True if self.grab else None,
                 "grab-toggle": self.grab_toggle},
            )  # fmt: skip
        elif self.bus == "usb":
            yield Dev(USB[self.type], id=self.alias)
        elif self.bus == "virtio":
            name = f"{VIRTIO[self.type]}-{transport(self)}{SUFFIX.get(self.model or '', '')}"
            yield Dev(name, {**props(self.driver), "id": self.alias, "evdev": self.evdev})
