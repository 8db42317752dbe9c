"""Sockets between guest and host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, Origin, XmlError
from kvasir.qemu.args import Dev
from kvasir.xml import attr, child
from kvasir.xml.types import ENUM, UINT, YESNO

from .base import Device
from .virtio_options import MODELS, VirtioDriver, bus_of, device_name, props
from .words import only_one

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

FIRST_CID = 3


class Vsock(Device, tag="vsock"):
    """A socket family between guest and host."""

    ALIAS, ADDRESS = "vsock", "pci"

    model: str | None = attr("@model", ENUM(*MODELS), abi=True)
    auto: bool | None = attr("cid/@auto", YESNO)
    cid: int | None = attr("cid/@address", UINT, key=True)
    driver: VirtioDriver | None = child(VirtioDriver, last=True)

    def parsed(self, node: Any) -> None:
        if self.cid is not None and self.cid < FIRST_CID and self.cid:
            raise ConfigUnsupported(f"guest CIDs must be >= {FIRST_CID}", origin=Origin.DOMAIN)
        if self.cid == 0:
            self.cid = None

    def defaults(self, vm: Any) -> None:
        self.model = self.model or "virtio"
        if self.auto is None:
            self.auto = self.cid is None

    def check(self, vm: Any) -> None:
        only_one(self, vm.domain.vsocks, XmlError("only a single vsock device is supported"))

    def needs_address(self, vm: Any) -> str | None:
        return bus_of(vm)

    async def prepare(self, host: Any) -> None:
        """Open the host's side and give it the guest's number; an automatic one is the first free."""
        from kvasir.host.vsock import open_vsock

        fd, self.cid = open_vsock(None if self.auto else self.cid)
        host.pass_fd(f"vhost-{self.alias}", fd)

    def qemu(self, vm: Any) -> Iterator[Arg]:
        yield Dev(
            device_name(vm, self, "vhost-vsock", self.model),
            {
                **props(self.driver), "id": self.alias, "guest-cid": self.cid or 0,
                "vhostfd": str(vm.fds.get(f"vhost-{self.alias}", -1)),
            },
        )  # fmt: skip
