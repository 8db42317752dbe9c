"""USB redirection: devices of the viewer's machine, and the rules for which of them may come."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import InternalError, Origin, XmlError
from kvasir.qemu.args import Dev
from kvasir.xml import Element, Form, attr, children, variant
from kvasir.xml.types import ENUM, YESNO, Type

from .base import Device
from .chardev_source import BACKENDS, TYPES
from .chardev_source import check as check_source
from .words import internal, only_one, unsupported

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg


def _wild(width: int, high: int) -> Type:
    """A number that ``-1`` leaves open."""

    def read(value: str) -> int | None:
        number = int(value, 16 if re.fullmatch(r"0[xX][0-9a-fA-F]+", value) else 10)
        if number == -1:
            return None
        if not 0 <= number <= high:
            raise ValueError(value)
        return number

    return Type("usbnumber", read, lambda v: f"0x{v:0{width}X}", "Expected integer value")


def _read_version(value: str) -> int | None:
    """Binary coded decimal of ``2.56``; one digit after the point counts tens."""
    if value == "-1":
        return None
    match = re.fullmatch(r"(\d{1,2})\.(\d{1,2})", value)
    if not match:
        raise ValueError(value)
    major, minor = int(match[1]), int(match[2])
    if len(match[2]) == 1:
        minor *= 10
    return (major // 10 << 12) | (major % 10 << 8) | (minor // 10 << 4) | minor % 10


def _write_version(value: int) -> str:
    return f"{(value >> 12) * 10 + (value >> 8 & 15)}.{(value >> 4 & 15) * 10 + (value & 15):02d}"


VERSION = Type("usbversion", _read_version, _write_version)


class UsbRule(Element, tag="usbdev"):
    """One rule: what it fits, and whether that may come."""

    class_: int | None = attr("@class", _wild(2, 0xFF))
    vendor: int | None = attr("@vendor", _wild(4, 0xFFFF))
    product: int | None = attr("@product", _wild(4, 0xFFFF))
    version: int | None = attr(
        "@version", VERSION, error=lambda value: XmlError(f"Cannot parse USB device version {value}")
    )
    allow: bool = attr("@allow", YESNO, required=True)

    def word(self) -> str:
        """The rule in QEMU's form."""
        parts = [
            "-1" if value is None else f"0x{value:0{width}X}"
            for value, width in ((self.class_, 2), (self.vendor, 4), (self.product, 4), (self.version, 4))
        ]
        return ":".join([*parts, "1" if self.allow else "0"])


class Redirfilter(Device, tag="redirfilter"):
    """Which USB devices may be redirected; the first rule that fits decides."""

    FOREIGN = ("alias", "master", "acpi", "address")

    HOTPLUG = False

    rules: list[UsbRule] = children(UsbRule)

    def written(self, form: Form) -> Element | None:
        return self if self.rules else None

    def check(self, vm: Any) -> None:
        only_one(
            self, vm.domain.redirfilters,
            InternalError("only one set of redirection filter rule is supported", origin=Origin.DOMAIN),
        )  # fmt: skip


class Redirdev(Device, tag="redirdev"):
    """A USB device of the viewer's machine."""

    ALIAS, ADDRESS, BOOT = "redir", "usb", True

    bus: str | None = attr("@bus", ENUM("usb"), error=unsupported("unknown redirdev bus '{value}'"))
    type: str = attr(
        "@type", ENUM(*TYPES), required=True, error=unsupported("unknown redirdev character device type '{value}'"),
        missing=internal("missing type in redirdev"),
    )  # fmt: skip
    source: Any = variant("type", BACKENDS)

    def parsed(self, node: Any) -> None:
        self.bus = self.bus or "usb"

    def check(self, vm: Any) -> None:
        check_source(self, self.source)
        check_spice(vm, self.type)

    def qemu(self, vm: Any) -> Iterator[Arg]:
        from .chardev_qemu import backend

        name = f"char{self.alias}"
        if self.type == "spicevmc":
            yield spicevmc(name, "usbredir")
        else:
            yield backend(vm, self.type, self.source, name)
        filters = vm.domain.redirfilters
        rules = "|".join(rule.word() for rule in filters[0].rules) if filters else ""
        yield Dev("usb-redir", {"chardev": name, "id": self.alias, "filter": rules or None})


def spicevmc(id: str, name: str) -> Arg:
    """A backend that is a channel of the SPICE server."""
    from kvasir.qemu.args import Chardev

    return Chardev("spicevmc", id, {"name": name}, {"type": "spicevmc", "data": {"type": name}})


def check_spice(vm: Any, kind: str) -> None:
    """Refuse a SPICE channel without the server."""
    from kvasir.errors import ConfigUnsupported

    if kind in ("spicevmc", "spiceport") and not any(g.type == "spice" for g in vm.domain.graphics):
        raise ConfigUnsupported(f"chardev '{kind}' not supported without spice graphics")
