"""Devices of the host given to the guest. Their sources are in ``hostdev_source``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, InternalError, OperationFailed, Origin, SystemFailure, XmlError
from kvasir.qemu.args import Blockdev, Dev
from kvasir.xml import attr, flag, runtime, variant
from kvasir.xml.types import ENUM, Type

from . import hostdev_host
from .base import Device
from .disk_check import scsi_place
from .hostdev_source import CAPABILITIES, SUBSYSTEM, MdevSource, PciSource, ScsiHostSource, ScsiSource, UsbSource
from .virtio_options import device_name
from .words import unsupported

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

SOURCES = {**SUBSYSTEM, **CAPABILITIES}
# any other word than yes means no
_MANAGED = Type("yesno", lambda value: value == "yes", lambda value: "yes" if value else "no", words=("yes", "no"))


class Hostdev(Device, tag="hostdev"):
    """A device of the host given to the guest."""

    ALIAS, BOOT, ROM = "hostdev", True, True

    mode: str | None = attr(
        "@mode", ENUM("subsystem", "capabilities"), error=unsupported("unknown hostdev mode '{value}'")
    )
    type: str = attr(
        "@type", ENUM(*SOURCES), error=unsupported("unknown host device source address type '{value}'"), key=True
    )
    managed: bool | None = attr("@managed", _MANAGED, when=lambda device, form: device.mode == "subsystem")
    source: Any = variant("type", SOURCES)
    readonly: bool = flag("readonly")
    shareable: bool = flag("shareable")
    backend: str | None = runtime()

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Any:
        """Read it. A document without a source is refused before anything else of it is looked at."""
        mode = node.get("mode") or "subsystem"
        if mode in ("subsystem", "capabilities"):
            if node.get("type") is None:
                raise XmlError("missing source address type")
            if node.get("type") in SOURCES and node.find("source") is None:
                raise XmlError("Missing <source> element in hostdev device")
            if mode == "subsystem" and node.get("type") in CAPABILITIES:
                raise _unknown(node.get("type"))
            source = node.find("source")
            if node.get("type") != "usb" and source is not None and source.get("startupPolicy") is not None:
                raise ConfigUnsupported("Setting startupPolicy is only allowed for USB devices", origin=Origin.DOMAIN)
        return super().parse(node, keep)

    def parsed(self, node: Any) -> None:
        self.mode = self.mode or "subsystem"
        self.managed = bool(self.managed) if self.mode == "subsystem" else None
        table = SUBSYSTEM if self.mode == "subsystem" else CAPABILITIES
        if self.type not in table:
            raise _unknown(self.type)
        if self.type not in ("pci", "mdev") and (self.rom_bar or self.rom_file or self.rom_enabled is not None):
            raise ConfigUnsupported("ROM tuning is only supported for PCI devices")

    def defaults(self, vm: Any) -> None:
        source = self.source
        if isinstance(source, MdevSource) and source.model == "vfio-pci" and source.display is None:
            source.display = False
        if isinstance(source, ScsiSource) and self.address is None:
            from kvasir.qemu.addresses.ports import free_scsi_unit

            self.address = free_scsi_unit(vm)

    def check(self, vm: Any) -> None:
        source = self.source
        if self.mode != "subsystem":
            raise ConfigUnsupported(f"hostdev mode '{self.mode}' is not supported in qemu")
        if isinstance(source, PciSource) and source.write_filtering is not None:
            raise ConfigUnsupported("Write filtering of PCI device configuration space is not supported by qemu")
        place = self.address.type if self.address is not None else None
        if self.type == "usb" and place not in (None, "usb"):
            raise ConfigUnsupported("USB host device must use 'usb' address type", origin=Origin.DOMAIN)
        if self.type == "pci" and place not in (None, "pci", "unassigned"):
            raise InternalError("PCI host devices must use 'pci' or 'unassigned' address type", origin=Origin.DOMAIN)
        if isinstance(source, MdevSource):
            self._check_mdev(vm, source)
        if isinstance(source, ScsiSource):
            scsi_place(self.address, vm)

    def _check_mdev(self, vm: Any, source: MdevSource) -> None:
        if source.model == "vfio-ccw":
            raise ConfigUnsupported("VFIO CCW device assignment is not supported by this version of QEMU")
        if source.model == "vfio-ap":
            raise ConfigUnsupported("VFIO AP device assignment is not supported by this version of QEMU")
        if self.boot is not None:
            raise ConfigUnsupported(
                f"booting from assigned devices is not supported by mediated devices of model {source.model}"
            )
        if source.display and not vm.domain.graphics:
            raise ConfigUnsupported("graphics device is needed for attribute value 'display=on' in <hostdev>")

    def needs_address(self, vm: Any) -> str | None:
        if self.mode != "subsystem":
            return None
        return {"usb": "usb", "scsi": "drive"}.get(self.type, "pci")

    async def prepare(self, host: Any) -> None:
        """Look the device up on the host. Raises what libvirt raises where it is not there."""
        source = self.source
        if isinstance(source, UsbSource):
            _find_usb(source, f"{hostdev_host.tree_of(host).top}/bus/usb/devices")
            hostdev_host.free_usb(host, self)
        elif isinstance(source, PciSource):
            self.backend = source.driver or "vfio"
            await hostdev_host.take(self, host, source.host, bool(self.managed), source.driver)
        elif isinstance(source, ScsiHostSource):
            try:
                host.pass_fd(f"vhost-{self.alias}", os.open("/dev/vhost-scsi", os.O_RDWR | os.O_CLOEXEC))
            except OSError:
                raise ConfigUnsupported("vhost-scsi device file '/dev/vhost-scsi' cannot be found") from None
        elif isinstance(source, MdevSource) and not os.path.exists("/dev/vfio/vfio"):
            raise ConfigUnsupported("Mediated host device assignment requires VFIO support")
        elif isinstance(source, MdevSource) and not os.path.isdir(f"/sys/bus/mdev/devices/{source.uuid}"):
            raise OperationFailed(f"mediated device '{source.uuid}' not found")

    async def release(self, host: Any) -> None:
        """Give a managed PCI function back to the host."""
        if isinstance(self.source, PciSource) and self.mode == "subsystem":
            await hostdev_host.give_back(host, self.source.host, bool(self.managed))

    def qemu(self, vm: Any) -> Iterator[Arg]:
        source = self.source
        if self.address is not None and self.address.type == "unassigned":
            return
        if isinstance(source, UsbSource):
            yield Dev("usb-host", {**_usb_props(source), "id": self.alias})
        elif isinstance(source, PciSource):
            backend = self.backend or source.driver or "default"
            if backend != "vfio":
                raise InternalError(f"invalid PCI passthrough type '{backend}'", origin=Origin.QEMU)
            pair = source.teaming.persistent if source.teaming is not None else None
            yield Dev("vfio-pci", {"host": source.host, "id": self.alias, "failover_pair_id": pair})
        elif isinstance(source, MdevSource):
            display = None if source.display is None else "on" if source.display else "off"
            yield Dev(
                "vfio-pci-nohotplug" if source.ramfb else "vfio-pci",
                {"id": self.alias, "sysfsdev": f"/sys/bus/mdev/devices/{source.uuid}", "display": display,
                 "ramfb": True if source.ramfb else None},
            )  # fmt: skip
        elif isinstance(source, ScsiHostSource):
            if f"vhost-{self.alias}" not in vm.fds and not os.path.exists("/dev/vhost-scsi"):
                raise ConfigUnsupported("vhost-scsi device file '/dev/vhost-scsi' cannot be found")
            fd = str(vm.fds.get(f"vhost-{self.alias}", -1))
            name = device_name(vm, self, "vhost-scsi", source.model)
            yield Dev(name, {"wwpn": source.wwpn, "vhostfd": fd, "id": self.alias})
        elif isinstance(source, ScsiSource):
            yield from self._scsi(vm, source)

    def _scsi(self, vm: Any, source: ScsiSource) -> Iterator[Arg]:
        from kvasir.qemu.secrets import secret

        from .hostdev_scsi import blockdev, drive_props

        node = f"libvirt-{_node_number(vm, self)}-backend"
        driver, props = blockdev(source, node, self.readonly)
        if source.secret is not None:
            yield secret(vm, f"{node}-secret0", source.secret.uuid, source.secret.usage, "iscsi")
            props["password-secret"] = f"{node}-secret0"
        yield Blockdev(driver, props)
        yield Dev("scsi-generic", {"drive": node, "id": self.alias, **drive_props(vm, self)})


def _unknown(kind: str) -> ConfigUnsupported:
    return ConfigUnsupported(f"unknown host device source address type '{kind}'", origin=Origin.DOMAIN)


def _node_number(vm: Any, device: Hostdev) -> int:
    """Block nodes of SCSI units are numbered behind those of the disks."""
    from .disk_qemu import layers

    disks = max((source.index or 0 for disk in vm.domain.disks for source in layers(disk)), default=0)
    units = [d for d in vm.domain.hostdevs if d.type == "scsi"]
    return disks + next((n for n, d in enumerate(units, 1) if d is device), len(units) + 1)


def _usb_props(source: UsbSource) -> dict[str, Any]:
    if not source.bus and not source.device:
        if source.missing:
            return {}
        raise InternalError("USB host device is missing bus/device information", origin=Origin.QEMU)
    props: dict[str, Any] = {"hostdevice": f"/dev/bus/usb/{source.bus:03d}/{source.device:03d}"}
    if source.guest_reset == "off":
        props["guest-reset"] = False
    elif source.guest_reset == "uninitialized":
        props |= {"guest-reset": True, "guest-resets-all": False}
    elif source.guest_reset == "on":
        props |= {"guest-reset": True, "guest-resets-all": True}
    return props


def _find_usb(source: UsbSource, root: str) -> None:
    """Fill in the place of the device, or mark it as missing where the document allows that."""
    from kvasir.host import usb

    place = (source.bus, source.device) if source.bus and not source.found else (None, None)
    if not os.path.isdir(root):
        raise SystemFailure(
            f"cannot open directory '{usb.ROOT}'", FileNotFoundError(2, os.strerror(2)), origin=Origin.NONE
        )
    found = usb.find(source.vendor, source.product, place[0], place[1], Path(root))
    ids = f"{source.vendor or 0:x}:{source.product or 0:x}"
    if not found:
        if source.startup_policy == "optional":
            source.missing, source.bus, source.device = True, None, None
            return
        where = f" bus:{source.bus} device:{source.device}" if place[0] else ""
        what = f"Did not find USB device {ids}{where}" if source.vendor else f"Did not find USB device{where}"
        raise InternalError(what, origin=Origin.QEMU)
    if len(found) > 1:
        raise OperationFailed(
            f"Multiple USB devices for {ids} were found, please use <address> to specify one", origin=Origin.QEMU
        )
    if place[0] is None:
        source.bus, source.device, source.found = found[0].bus, found[0].device, True
