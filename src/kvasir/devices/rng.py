"""Random number generators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported
from kvasir.qemu.args import Arg, Dev, Obj
from kvasir.xml import Element, attr, child, text, variant
from kvasir.xml.types import ENUM, ONOFF, UINT

from .base import Device
from .chardev_source import BACKENDS
from .virtio import SUFFIX, options

MODELS = ("virtio", "virtio-transitional", "virtio-non-transitional")


class RngBackend(Element, tag="backend"):
    """Where the host takes random numbers from."""

    model: str = attr("@model", ENUM("random", "egd", "builtin"), required=True)
    type: str | None = attr("@type", ENUM(*BACKENDS))
    path: str | None = text(".", when=lambda backend, form: backend.model == "random")
    source: Any = variant("type", BACKENDS)

    def parsed(self, node: Any) -> None:
        if self.model != "egd":
            self.type = self.source = None
        if self.model == "random":
            self.path = self.path or "/dev/random"
        else:
            self.path = None


class Rng(Device, tag="rng"):
    """Gives the guest random numbers of the host."""

    ALIAS, ADDRESS = "rng", "pci"

    model: str = attr("@model", ENUM(*MODELS), required=True)
    rate_bytes: int | None = attr("rate/@bytes", UINT, doc="Bytes in each period that the guest may take.")
    rate_period: int | None = attr("rate/@period", UINT, doc="Length of the period in milliseconds.")
    backend: RngBackend | None = child(RngBackend, required=True)
    iommu: bool | None = attr("driver/@iommu", ONOFF)
    ats: bool | None = attr("driver/@ats", ONOFF)
    packed: bool | None = attr("driver/@packed", ONOFF)
    page_per_vq: bool | None = attr("driver/@page_per_vq", ONOFF)

    def needs_address(self, vm: Any) -> str | None:
        return "virtio-mmio" if vm.is_microvm else "pci"

    def check(self, vm: Any) -> None:
        backend = self.backend
        if backend is not None and backend.model == "egd" and backend.type is None:
            raise ConfigUnsupported("missing EGD backend type")

    def qemu(self, vm: Any) -> Iterator[Arg]:
        backend = self.backend
        assert backend is not None
        number = (self.alias or "").removeprefix("rng")
        name = f"obj{self.alias}"
        if backend.model == "random":
            yield Obj("rng-random", {"id": name, "filename": backend.path})
        elif backend.model == "builtin":
            yield Obj("rng-builtin", {"id": name})
        else:
            from .chardev_qemu import backend_arg

            yield backend_arg(vm, f"charrng{number}", backend.type, backend.source)
            yield Obj("rng-egd", {"id": name, "chardev": f"charrng{number}"})
        bus = "device" if vm.is_microvm else "pci"
        limit = {"max-bytes": self.rate_bytes, "period": (self.rate_period or 1000) if self.rate_bytes else None}
        yield Dev(
            f"virtio-rng-{bus}{SUFFIX.get(self.model, '')}", {**options(self), "rng": name, "id": self.alias, **limit}
        )
