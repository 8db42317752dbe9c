"""The memory balloon."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import InternalError, Origin
from kvasir.qemu.args import Dev
from kvasir.xml import attr, child
from kvasir.xml.types import ENUM, INT, ONOFF

from .base import Device
from .virtio_options import VirtioDriver, bus_of, device_name, props
from .words import no_bus, only_one

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg


class Memballoon(Device, tag="memballoon"):
    """Lets the host take memory back from the guest. The statistics' period is in seconds."""

    ALIAS = "balloon"

    model: str = attr(
        "@model",
        ENUM("virtio", "xen", "none", "virtio-transitional", "virtio-non-transitional"),
        required=True,
        abi=True,
    )
    autodeflate: bool | None = attr("@autodeflate", ONOFF, abi=True)
    free_page_reporting: bool | None = attr("@freePageReporting", ONOFF, abi=True)
    period: int | None = attr("stats/@period", INT, live=True, when=lambda balloon, form: bool(balloon.period))
    driver: VirtioDriver | None = child(VirtioDriver, last=True)

    def defaults(self, vm: Any) -> None:
        if self.model == "none":
            self.address = None

    def check(self, vm: Any) -> None:
        if self.model == "xen":
            raise no_bus()
        only_one(
            self, vm.domain.memballoons,
            InternalError("only a single memory balloon device is supported", origin=Origin.DOMAIN),
        )  # fmt: skip

    def needs_address(self, vm: Any) -> str | None:
        return None if self.model in ("none", "xen") else bus_of(vm)

    def qemu(self, vm: Any) -> Iterator[Arg]:
        if self.model == "none":
            return
        yield Dev(
            device_name(vm, self, "virtio-balloon", self.model),
            {
                **props(self.driver), "id": self.alias, "deflate-on-oom": self.autodeflate,
                "free-page-reporting": self.free_page_reporting,
            },
        )  # fmt: skip
