"""What every device has: alias, boot order, ROM, address, and the hooks that a device file fills."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from kvasir.xml import Element, Form, attr, child
from kvasir.xml.types import ENUM, UINT, YESNO

from .address import Address

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg


def _not_zero(name: str, element: str) -> Callable[[int], str | None]:
    said = f"xml:Invalid value for attribute '{name}' in element '{element}': Zero is not permitted"
    return lambda value: None if value else said


def pass_over(node: Any, path: str) -> None:
    """Take out of the node what a field at the path would read: its owner does not read it here."""
    steps = path.split("/")
    last = steps.pop()
    for step in steps:
        node = node.find(step)
        if node is None:
            return
    if last.startswith("@"):
        if last[1:] in node.attrib:
            del node.attrib[last[1:]]
    else:
        for kid in node.findall(last):
            node.remove(kid)


def _alias_shown(device: Any, form: Form) -> bool:
    """Aliases that the user chose stay in the inactive document; those of the driver do not."""
    return form.named or device.alias.startswith("ua-")


class Device(Element):
    """A device of a guest."""

    ALIAS: ClassVar[str] = ""
    ADDRESS: ClassVar[str | None] = None
    BOOT: ClassVar[bool] = False
    ROM: ClassVar[bool] = False
    HOTPLUG: ClassVar[bool] = True
    FOREIGN: ClassVar[tuple[str, ...]] = ()
    """Elements that libvirt does not read in a device of this kind, besides ROM and boot order."""

    boot: int | None = attr(
        "boot/@order",
        UINT,
        last=True,
        there=True,
        check=_not_zero("order", "boot"),
        doc="Place in the boot order, from 1.",
    )
    loadparm: str | None = attr("boot/@loadparm", last=True)
    alias: str | None = attr("alias/@name", last=True, when=_alias_shown, doc="QEMU's id of the device.")
    master: int | None = attr("master/@startport", UINT, last=True, doc="First port of a USB companion controller.")
    rom_enabled: bool | None = attr("rom/@enabled", YESNO, last=True)
    rom_bar: str | None = attr("rom/@bar", ENUM("on", "off"), last=True)
    rom_file: str | None = attr("rom/@file", last=True, label=True)
    acpi_index: int | None = attr("acpi/@index", UINT, last=True, check=_not_zero("index", "acpi"))
    address: Any = child(Address, last=True)

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Any:
        """Read a device; what libvirt does not read of its kind is passed over, be it wrong. Raises XmlError."""
        if not keep and len(node):
            for kid in list(node.iterchildren("rom", "boot", "master", *cls.FOREIGN)):
                read = {"rom": cls.ROM, "boot": cls.BOOT}.get(kid.tag, kid.tag not in cls.FOREIGN)
                if not read:
                    node.remove(kid)
                elif kid.tag == "master":
                    kid.set("startport", kid.get("startport", "0"))
        return super().parse(node, keep)

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
