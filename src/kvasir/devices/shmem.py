"""Memory that guests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, Origin, XmlError
from kvasir.qemu.args import Chardev, Dev, Obj
from kvasir.xml import attr, flag, scaled
from kvasir.xml.types import ENUM, ONOFF, UINT

from .base import Device
from .words import wrong

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

MODELS = ("ivshmem", "ivshmem-plain", "ivshmem-doorbell")


class Shmem(Device, tag="shmem"):
    """A piece of memory shared with other guests. The size is in MiB."""

    ALIAS, ADDRESS = "shmem", "pci"

    name: str = attr(
        "@name", required=True, missing=wrong("shmem element must contain 'name' attribute"), key=True, abi=True
    )
    role: str | None = attr("@role", ENUM("master", "peer"), abi=True)
    model: str | None = attr("model/@type", ENUM(*MODELS), abi=True)
    size: int | None = scaled("size", unit="M", assume="MiB", abi=True)
    server: bool = flag("server")
    server_path: str | None = attr("server/@path", label=True)
    msi: bool = flag("msi")
    vectors: int | None = attr("msi/@vectors", UINT)
    ioeventfd: bool | None = attr("msi/@ioeventfd", ONOFF)

    def parsed(self, node: Any) -> None:
        self.model = self.model or "ivshmem"

    def defaults(self, vm: Any) -> None:
        if self.model in ("ivshmem-plain", "ivshmem") and not self.size:
            self.size = 4
        elif self.model == "ivshmem-doorbell":
            self.msi = True
            if self.ioeventfd is None:
                self.ioeventfd = True

    def check(self, vm: Any) -> None:
        if "/" in self.name:
            raise ConfigUnsupported("shmem name cannot include '/' character", origin=Origin.DOMAIN)
        if self.name in (".", ".."):
            raise ConfigUnsupported(f"shmem name cannot be equal to '{self.name}'", origin=Origin.DOMAIN)
        if not self.server and self.msi and self.model != "ivshmem-doorbell":
            raise XmlError("msi option is only supported with a server")
        if self.model == "ivshmem":
            raise ConfigUnsupported("ivshmem device is not supported with this QEMU binary")
        if self.model == "ivshmem-plain":
            if self.server:
                raise ConfigUnsupported("shmem model 'ivshmem-plain' is supported only with server option disabled")
        else:
            if self.size:
                raise ConfigUnsupported("shmem model 'ivshmem-doorbell' does not support size setting")
            if not self.server:
                raise ConfigUnsupported("shmem model 'ivshmem-doorbell' is supported only with server option enabled")

    def qemu(self, vm: Any) -> Iterator[Arg]:
        master = None if self.role is None else "on" if self.role == "master" else "off"
        if self.model == "ivshmem-plain":
            size = (self.size or 4) << 20
            if size & (size - 1):
                raise XmlError("shmem size must be a power of two", origin=Origin.QEMU)
            memory = f"shmmem-{self.alias}"
            yield Obj(
                "memory-backend-file", {"id": memory, "mem-path": f"/dev/shm/{self.name}", "size": size, "share": True}
            )
            yield Dev("ivshmem-plain", {"id": self.alias, "memdev": memory, "master": master})
            return
        name = f"char{self.alias}"
        yield Dev(
            "ivshmem-doorbell",
            {"id": self.alias, "chardev": name, "vectors": self.vectors or None, "ioeventfd": self.ioeventfd},
        )
        path = self.server_path or f"/var/lib/libvirt/shmem-{self.name}-sock"
        data = {"addr": {"type": "unix", "data": {"path": path}}, "server": False}
        yield Chardev("socket", name, {"path": path}, {"type": "socket", "data": data})
