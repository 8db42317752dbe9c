"""What every device has: alias, boot order, ROM, address, and the hooks that a device file fills."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from kvasir.xml import Element, Form, attr, child
from kvasir.xml.types import ENUM, UINT, YESNO

from .address import Address

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg


def _not_zero(value: int) -> str | None:
    return None if value else "xml:Invalid value for attribute 'order' in element 'boot': Zero is not permitted"


def _alias_shown(device: Any, form: Form) -> bool:
    """Aliases that the user chose stay in the inactive document; those of the driver do not."""
    return form.live or device.alias.startswith("ua-")


class Device(Element):
    """A device of a guest."""

    ALIAS: ClassVar[str] = ""
    ADDRESS: ClassVar[str | None] = None
    BOOT: ClassVar[bool] = False
    ROM: ClassVar[bool] = False
    HOTPLUG: ClassVar[bool] = True

    boot: int | None = attr("boot/@order", UINT, last=True, check=_not_zero, doc="Place in the boot order, from 1.")
    loadparm: str | None = attr("boot/@loadparm", last=True)
    alias: str | None = attr("alias/@name", last=True, when=_alias_shown, doc="QEMU's id of the device.")
    master: int | None = attr("master/@startport", UINT, last=True, doc="First port of a USB companion controller.")
    rom_enabled: bool | None = attr("rom/@enabled", YESNO, last=True)
    rom_bar: str | None = attr("rom/@bar", ENUM("on", "off"), last=True)
    rom_file: str | None = attr("rom/@file", last=True, label=True)
    acpi_index: int | None = attr("acpi/@index", UINT, last=True)
    address: Any = child(Address, last=True)

    def drop_foreign(self) -> None:
        """Forget a ROM, boot order or alias that cannot be the user's, as libvirt's reader does."""
        if self.alias is not None and not self.alias.startswith("ua-"):
            self.alias = None
        if not self.ROM:
            self.rom_enabled = self.rom_bar = self.rom_file = None
        if not self.BOOT:
            self.boot = self.loadparm = None

    def defaults(self, vm: Any) -> None:
        """Fill what libvirt fills when the document is defined."""

    def check(self, vm: Any) -> None:
        """Refuse what cannot work. Raises XmlError or ConfigUnsupported."""

    def needs_address(self, vm: Any) -> str | None:
        """The bus on which the automatic assigner places the device, or None."""
        return self.ADDRESS

    async def prepare(self, host: Any) -> None:
        """Make ready what the device needs of the host; push the undo on ``host.stack``."""

    def qemu(self, vm: Any) -> Iterator[Arg]:
        """Yield the QEMU form; never acts."""
        yield from ()

    async def started(self, monitor: Any) -> None:
        """Say to a QEMU that waits, its CPUs not yet running, what may not stand on its command line."""

    async def release(self, host: Any) -> None:
        """Give back what ``prepare`` took, when the guest ends or the device is unplugged."""
