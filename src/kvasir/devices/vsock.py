"""Sockets between guest and host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import XmlError
from kvasir.qemu.args import Arg, Dev
from kvasir.xml import attr
from kvasir.xml.types import ENUM, ONOFF, UINT, YESNO

from .base import Device
from .virtio import SUFFIX, options


class Vsock(Device, tag="vsock"):
    """A socket device; its context id is the guest's address (3 or more)."""

    ALIAS, ADDRESS = "vsock", "pci"

    model: str | None = attr("@model", ENUM("virtio", "virtio-transitional", "virtio-non-transitional"))
    auto: bool | None = attr("cid/@auto", YESNO)
    cid: int | None = attr("cid/@address", UINT)
    iommu: bool | None = attr("driver/@iommu", ONOFF, last=True)
    ats: bool | None = attr("driver/@ats", ONOFF, last=True)
    packed: bool | None = attr("driver/@packed", ONOFF, last=True)
    page_per_vq: bool | None = attr("driver/@page_per_vq", ONOFF, last=True)

    def defaults(self, vm: Any) -> None:
        self.model = self.model or "virtio"

    def needs_address(self, vm: Any) -> str | None:
        return "virtio-mmio" if vm.is_microvm else "pci"

    def check(self, vm: Any) -> None:
        if self.cid is not None and self.cid < 3:
            raise XmlError(f"guest CIDs must be >= 3, got {self.cid}")

    async def prepare(self, host: Any) -> None:
        """Open the host's vsock device and take a free context id."""
        from kvasir.host.vsock import open_vsock

        fd, cid = open_vsock(None if self.auto else self.cid)
        self.cid = cid
        host.pass_fd(f"vhost-{self.alias}", fd)

    def qemu(self, vm: Any) -> Iterator[Arg]:
        bus = "device" if vm.is_microvm else "pci"
        fd = vm.fds.get(f"vhost-{self.alias}", -1)
        props = {**options(self), "id": self.alias, "guest-cid": self.cid or 0, "vhostfd": str(fd)}
        yield Dev(f"vhost-vsock-{bus}{SUFFIX.get(self.model or '', '')}", props)
