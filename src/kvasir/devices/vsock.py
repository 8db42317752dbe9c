"""Sockets between guest and host."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, Error, Origin, SystemFailure, XmlError
from kvasir.qemu.args import Dev
from kvasir.xml import attr, child
from kvasir.xml.types import ENUM, UINT, YESNO

from .base import Device
from .virtio_options import MODELS, VirtioDriver, device_name, props
from .words import only_one

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

SET_GUEST_CID = 0x4008AF60  # VHOST_VSOCK_SET_GUEST_CID of <linux/vhost.h>
FIRST_CID, LAST_CID = 3, 2**32 - 1


class Vsock(Device, tag="vsock"):
    """A socket family between guest and host."""

    ALIAS, ADDRESS = "vsock", "pci"

    model: str | None = attr("@model", ENUM(*MODELS), abi=True)
    auto: bool | None = attr("cid/@auto", YESNO)
    cid: int | None = attr("cid/@address", UINT, key=True)
    driver: VirtioDriver | None = child(VirtioDriver)

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

    async def prepare(self, host: Any) -> None:
        """Open the host's side and give it the guest's number; an automatic one is the first free."""
        try:
            fd = os.open("/dev/vhost-vsock", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise SystemFailure("unable to open vhost-vsock device", error) from None
        try:
            if self.auto:
                self._first_free(fd)
            elif not _set_cid(fd, self.cid or 0):
                raise Error(f"failed to set guest cid {self.cid}", origin=Origin.QEMU)
        except BaseException:
            os.close(fd)
            raise
        host.pass_fd(f"vsock-{self.alias}", fd)

    def _first_free(self, fd: int) -> None:
        for cid in range(FIRST_CID, FIRST_CID + 65536):
            if _set_cid(fd, cid):
                self.cid = cid
                return
        raise Error("failed to acquire guest cid", origin=Origin.QEMU)

    def qemu(self, vm: Any) -> Iterator[Arg]:
        yield Dev(
            device_name(self, "vhost-vsock", self.model),
            {
                **props(self.driver), "id": self.alias, "guest-cid": self.cid or 0,
                "vhostfd": str(vm.fds.get(f"vsock-{self.alias}", -1)),
            },
        )  # fmt: skip


def _set_cid(fd: int, cid: int) -> bool:
    """True when the number was free."""
    import errno

    try:
        fcntl.ioctl(fd, SET_GUEST_CID, struct.pack("=Q", cid))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise SystemFailure("failed to set guest cid", error) from None
    return True
