"""Serial and parallel ports, consoles and channels: the guest's side. Backends are in ``chardev_source``."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, InternalError, Origin, SystemFailure, XmlError
from kvasir.xml import attr, variant
from kvasir.xml.types import ENUM, INT, UINT

from . import chardev_source
from .address import IsaAddress, SpaprVioAddress, UsbAddress
from .base import Device
from .chardev_check import check_address
from .chardev_source import BACKENDS, TYPES

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

SERIAL_TARGETS = (
    "isa-serial", "usb-serial", "pci-serial", "spapr-vio-serial", "system-serial", "sclp-serial", "isa-debug",
)  # fmt: skip
SERIAL_MODELS = {
    "isa-serial": "isa-serial", "usb-serial": "usb-serial", "pci-serial": "pci-serial", "spapr-vty": "spapr-vio-serial",
    "pl011": "system-serial", "16550a": "system-serial", "sclpconsole": "sclp-serial", "sclplmconsole": "sclp-serial",
    "isa-debugcon": "isa-debug",
}  # fmt: skip
"""Models and the target type that each belongs to; the first of a type is its default."""
CONSOLE_TARGETS = ("serial", "xen", "uml", "virtio", "lxc", "openvz", "sclp", "sclplm")
TARGET = "unsupported:unknown target type '{value}' specified for character device"
MODEL = "unsupported:unknown target model '{value}' specified for character device"


STANDARD_FOLDER = "/var/lib/libvirt/qemu/channel/target"


class CharDevice(Device):
    """A character device: a backend of the host joined to a port of the guest."""

    type: str = attr(
        "@type", ENUM(*TYPES), error="unsupported:unknown type presented to host for character device: {value}"
    )
    source: Any = variant("type", BACKENDS)

    def parsed(self, node: Any) -> None:
        if self.type is None:
            self.type = "pty"
            self.source = BACKENDS["pty"]()

    @property
    def path(self) -> str | None:
        """The host path of the backend, where it has one."""
        value = getattr(self.source, "path", None)
        return str(value) if value is not None else None

    def check(self, vm: Any) -> None:
        """libvirt's rules for character devices."""
        from .chardev_check import check

        chardev_source.check(self, self.source)
        check(self, vm)

    async def prepare(self, host: Any) -> None:
        """Log and output files, folders of sockets."""
        from .chardev_host import prepare

        await prepare(self, host)

    async def release(self, host: Any) -> None:
        """The socket goes."""
        from .chardev_host import release

        await release(self, host)

    def qemu(self, vm: Any) -> Iterator[Arg]:
        """The backend, then the port."""
        from .chardev_qemu import chardev

        yield from chardev(self, vm)


class Serial(CharDevice, tag="serial"):
    """A serial port."""

    ALIAS = "serial"

    target_type: str | None = attr("target/@type", ENUM(*SERIAL_TARGETS), error=TARGET)
    port: int | None = attr("target/@port", INT, error="Invalid port number: {value}")
    model: str | None = attr("target/model/@name", ENUM(*SERIAL_MODELS), error=MODEL)

    def needs_address(self, vm: Any) -> str | None:
        return {"pci-serial": "pci", "usb-serial": "usb"}.get(self.target_type or "")

    def defaults(self, vm: Any) -> None:
        """Kind of port and its model by the machine, number by the place among the ports."""
        if self.target_type is None or (self.target_type == "isa-serial" and not vm.is_x86):
            self.target_type = self._by_address() or default_target(vm)
        if self.model is None:
            self.model = next((m for m, kind in SERIAL_MODELS.items() if kind == self.target_type), None)
            if self.target_type == "system-serial":
                self.model = "pl011" if vm.is_arm_virt else "16550a" if vm.is_riscv_virt else None
        check_address(self)
        if self.port is None or self.port < 0:
            self.port = free_port(vm.domain.serials)

    def _by_address(self) -> str | None:
        if isinstance(self.address, IsaAddress):
            return "isa-serial"
        if isinstance(self.address, UsbAddress):
            return "usb-serial"
        if isinstance(self.address, SpaprVioAddress):
            return "spapr-vio-serial"
        return "pci-serial" if self.address is not None and self.address.type == "pci" else None


class Parallel(CharDevice, tag="parallel"):
    """A parallel port."""

    ALIAS = "parallel"

    port: int | None = attr("target/@port", INT, error="Invalid port number: {value}")

    def defaults(self, vm: Any) -> None:
        """Number by the place among the ports."""
        if self.port is None:
            self.port = free_port(vm.domain.parallels)


class Console(CharDevice, tag="console"):
    """A console: the first one is the first serial port under another name, the others are virtio ports."""

    ALIAS = "console"

    tty: str | None = attr("@tty", when=lambda c, form: form.live and c.type == "pty" and not c.port, parse=False)
    target_type: str | None = attr("target/@type", ENUM(*CONSOLE_TARGETS), error=TARGET)
    port: int | None = attr("target/@port", UINT, error="Invalid port number: {value}")

    def needs_address(self, vm: Any) -> str | None:
        return "virtio-serial" if self.target_type == "virtio" else None

    def parsed(self, node: Any) -> None:
        super().parsed(node)
        tty = node.get("tty")
        if self.type == "pty" and tty and self.source.path is None:
            self.source.path = tty

    def defaults(self, vm: Any) -> None:
        """A serial console unless said otherwise; number by the place among the consoles."""
        consoles = vm.domain.consoles
        if self.target_type in (None, "serial"):
            self.target_type = "serial"
            if any(console is self for console in consoles[1:]):
                raise ConfigUnsupported("Only the first console can be a serial port", origin=Origin.DOMAIN)
        self.port = next((i for i, console in enumerate(consoles) if console is self), len(consoles))

    def written(self, form: Any) -> Any:
        if form.live and self.type == "pty":
            self.tty = self.source.path
        return self

    def qemu(self, vm: Any) -> Iterator[Arg]:
        """Nothing for the name of a serial port; else as any port."""
        if self.target_type != "serial":
            yield from super().qemu(vm)


class Channel(CharDevice, tag="channel"):
    """A channel between host and guest that is no terminal."""

    ALIAS = "channel"

    target_type: str | None = attr("target/@type", ENUM("guestfwd", "virtio", "xen"), error=TARGET)
    target_address: str | None = attr("target/@address")
    target_port: str | None = attr("target/@port")
    name: str | None = attr("target/@name")
    target_state: str | None = attr("target/@state", ENUM("connected", "disconnected"), only="live")

    def needs_address(self, vm: Any) -> str | None:
        return "virtio-serial" if self.target_type == "virtio" else None

    def parsed(self, node: Any) -> None:
        super().parsed(node)
        if self.target_type is None:
            if node.find("target") is None:
                raise XmlError("target type must be specified for channel device")
            raise ConfigUnsupported("unknown target type '(null)' specified for character device", origin=Origin.DOMAIN)
        if self.target_type == "guestfwd":
            if not self.target_address:
                raise XmlError("guestfwd channel does not define a target address")
            if not self.target_port:
                raise XmlError("guestfwd channel does not define a target port")
            _check_ip(self.target_address)

    def defaults(self, vm: Any) -> None:
        """A socket path that the daemon made up is dropped; the next start makes a new one."""
        if self.type == "unix" and self.target_type == "virtio" and self.source.path:
            ours = getattr(getattr(vm.paths, "qemu", None), "channel", None) or STANDARD_FOLDER
            folder = f"({re.escape(STANDARD_FOLDER)}|{re.escape(ours)})"
            name = re.escape(self.name or "")
            if re.fullmatch(rf"{folder}/([^/]+\.|domain-[^/]+/){name}", self.source.path):
                self.source.path = self.source.mode = None


def _check_ip(word: str) -> None:
    try:
        if ipaddress.ip_address(word).version != 4:
            raise ConfigUnsupported("guestfwd channel only supports IPv4 addresses", origin=Origin.DOMAIN)
    except ValueError:
        unknown = OSError(0, "Name or service not known")
        raise SystemFailure(f"Cannot parse socket address '{word}'", unknown, origin=Origin.NONE) from None


def default_target(vm: Any) -> str | None:
    """The kind of serial port that the machine has."""
    if vm.is_x86:
        return "isa-serial"
    from kvasir.qemu.boards import serial_target

    return serial_target(vm)


def free_port(devices: list[Any]) -> int:
    """The number after the highest one taken."""
    return max((d.port for d in devices if d.port is not None), default=-1) + 1


ISA_PORTS = 4


def number_isa_ports(serials: list[Any]) -> None:
    """Ports that say they are ISA ports get the lowest free numbers, before all others. Raises InternalError."""
    named = [port for port in serials if port.target_type == "isa-serial"]
    taken = set()
    for number, port in enumerate(named):
        if number >= ISA_PORTS or (port.port or 0) >= ISA_PORTS:
            text = f"Maximum supported number of ISA serial ports is '{ISA_PORTS}'"
            raise InternalError(text, origin=Origin.DOMAIN)
        if port.port is not None and port.port >= 0:
            if port.port in taken:
                raise InternalError(f"target port '{port.port}' already allocated", origin=Origin.DOMAIN)
            taken.add(port.port)
    for port in named:
        if port.port is None or port.port < 0:
            port.port = min(set(range(ISA_PORTS)) - taken)
            taken.add(port.port)
