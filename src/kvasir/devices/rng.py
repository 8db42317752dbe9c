"""Random number generators."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, Origin, XmlError
from kvasir.qemu.args import Dev, Obj
from kvasir.xml import Element, Form, attr, child, text, variant
from kvasir.xml.types import ENUM, UINT

from .base import Device
from .chardev_source import BACKENDS as CHARDEVS
from .chardev_source import TYPES
from .chardev_source import check as check_source
from .virtio_options import MODELS, VirtioDriver, bus_of, device_name, props
from .words import unsupported, wrong

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg


class RandomBackend(Element):
    """A file of the host."""

    path: str | None = text(".", label=True)

    def parsed(self, node: Any) -> None:
        self.path = self.path or "/dev/random"


class BuiltinBackend(Element):
    """QEMU's own source."""


class EgdBackend(Element):
    """An entropy daemon behind a character device."""

    type: str = attr(
        "@type", ENUM(*TYPES), required=True, error=unsupported("unknown backend type '{value}' for egd"),
        missing=wrong("missing EGD backend type"),
    )  # fmt: skip
    source: Any = variant("type", CHARDEVS)


BACKENDS: dict[str, Any] = {"random": RandomBackend, "egd": EgdBackend, "builtin": BuiltinBackend}


class Backend(Element, tag="backend"):
    """Where the randomness comes from."""

    model: str = attr(
        "@model", ENUM(*BACKENDS), required=True, error=unsupported("unknown RNG backend model '{value}'"),
        missing=wrong("missing RNG device backend model"),
    )  # fmt: skip
    source: Any = variant("model", BACKENDS)

    def write(self, out: list[str], pad: str, form: Form, tag: str) -> None:
        """The daemon's element keeps its end tag even where nothing stands in it, as libvirt writes it."""
        mark = len(out)
        super().write(out, pad, form, tag)
        if self.model == "egd" and len(out) == mark + 1:
            out[mark] = out[mark].replace("/>\n", f">\n{pad}</{tag}>\n")


class Rng(Device, tag="rng"):
    """A random number generator. The period of the rate is in milliseconds."""

    ALIAS, ADDRESS = "rng", "pci"

    model: str = attr(
        "@model", ENUM(*MODELS), required=True, error=unsupported("unknown RNG model '{value}'"),
        missing=wrong("missing RNG device model"), abi=True,
    )  # fmt: skip
    rate_bytes: int | None = attr("rate/@bytes", UINT, error=wrong("invalid RNG rate bytes value"))
    rate_period: int | None = attr("rate/@period", UINT, error=wrong("invalid RNG rate period value"))
    backend: Backend = child(Backend)
    driver: VirtioDriver | None = child(VirtioDriver)

    def parsed(self, node: Any) -> None:
        if len(node.findall("backend")) != 1:
            raise XmlError("only one RNG backend is supported")
        if not self.rate_bytes:
            self.rate_bytes = self.rate_period = None
        if not self.rate_period:
            self.rate_period = None

    @property
    def path(self) -> str | None:
        """The file of the host that is read."""
        found: str | None = getattr(self.backend.source, "path", None)
        return found

    def needs_address(self, vm: Any) -> str | None:
        return bus_of(vm)

    def check(self, vm: Any) -> None:
        source = self.backend.source
        if isinstance(source, EgdBackend):
            check_source(source, source.source)

    async def prepare(self, host: Any) -> None:
        """Refuse a source that is no file or device of the host."""
        if self.backend.model != "random" or self.path is None:
            return
        try:
            mode = os.stat(self.path).st_mode
        except OSError:
            raise ConfigUnsupported(
                f"file '{self.path}' used as rng source does not exist", origin=Origin.QEMU
            ) from None
        if stat.S_ISDIR(mode):
            raise ConfigUnsupported(f"rng source '{self.path}' is a directory", origin=Origin.QEMU)

    def qemu(self, vm: Any) -> Iterator[Arg]:
        name = f"obj{self.alias}"
        model, source = self.backend.model, self.backend.source
        if model == "random":
            yield Obj("rng-random", id=name, filename=source.path)
        elif model == "builtin":
            yield Obj("rng-builtin", id=name)
        else:
            from .chardev_qemu import backend

            yield backend(vm, source.type, source.source, f"char{self.alias}")
            yield Obj("rng-egd", id=name, chardev=f"char{self.alias}")
        rate: dict[str, Any] = {}
        if self.rate_bytes:
            rate = {"max-bytes": self.rate_bytes, "period": self.rate_period or 1000}
        yield Dev(
            device_name(vm, self, "virtio-rng", self.model),
            {**props(self.driver), "rng": name, "id": self.alias, **rate},
        )
