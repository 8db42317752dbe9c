"""The driver of host devices: what sysfs shows now, what mdevctl has defined, and what can be made of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from typing import Any

from kvasir.devices import hostdev_host
from kvasir.errors import ArgumentUnsupported, Error, InvalidArg, OperationInvalid, Origin
from kvasir.events import Bus, NodeDeviceLifecycle, NodeDeviceUpdate
from kvasir.host.uevents import Uevents
from kvasir.model.nodedev import NodeDevice

from . import binding, kinds, mdevctl
from .device import Device, NoDevice, address
from .making import Making
from .sysfs import Tree

log = logging.getLogger(__name__)

CREATED, DELETED, DEFINED, UNDEFINED = range(4)
SETTLE = 0.2
"""Seconds of quiet after a notice of the kernel, before sysfs is read anew."""


class NodeDeviceDriver(Making):
    """Devices of the host."""

    def __init__(self, paths: Any, config: Any = None) -> None:
        self.bus = Bus()
        self.drivers: dict[str, Any] = {}
        self.tree = Tree(paths.root)
        self.devices: dict[str, Device] = {}
        self._uevents = Uevents(self._noticed)
        self._timer: asyncio.TimerHandle | None = None
        self._reading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._first = True

    # --- life

    async def start(self) -> None:
        """Nothing is read before somebody asks: most clients never do."""

    async def stop(self) -> None:
        """Listen no more."""
        self._uevents.stop(asyncio.get_running_loop())
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def reload(self) -> None:
        """SIGHUP: look anew."""
        self._noticed()

    def _noticed(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(SETTLE, self._later)

    def _later(self) -> None:
        self._task = asyncio.ensure_future(self.scan())

    async def watch(self) -> None:
        """Read the devices once and follow the kernel's notices from then on."""
        if self._first:
            self._first = False
            if self.tree.is_host:
                self._uevents.start(asyncio.get_running_loop())
            await self.scan(quiet=True)

    async def ready(self) -> None:
        """The devices are as the host has them now; a tree that is not the kernel's gives no notices and is read anew."""
        if self._first:
            await self.watch()
        elif not self.tree.is_host:
            await self.scan()

    async def scan(self, quiet: bool = False) -> None:
        """Compare with what there is now, and say what came, went or changed."""
        async with self._reading:
            found = await asyncio.to_thread(kinds.scan, self.tree)
            parents = {place: name for name, document in found.items() if (place := address(document)) is not None}
            definitions: dict[str, mdevctl.Defined] = {}
            with contextlib.suppress(Error):
                definitions = await mdevctl.defined(parents)
            self._merge(found, definitions, quiet)

    def _merge(self, found: dict[str, NodeDevice], definitions: dict[str, mdevctl.Defined], quiet: bool) -> None:
        for name in [name for name in self.devices if name not in found and name not in definitions]:
            gone = self.devices.pop(name)
            if gone.active:
                self._say(NodeDeviceLifecycle(gone, DELETED, 0), quiet)
            if gone.persistent:
                self._say(NodeDeviceLifecycle(gone, UNDEFINED, 0), quiet)
        for name in [*found, *(name for name in definitions if name not in found)]:
            document, definition = found.get(name), definitions.get(name)
            device = self.devices.get(name)
            fresh = device is None
            if device is None:
                device = self.devices[name] = Device(document or definition.document, active=False)  # type: ignore[union-attr]
            was_active, was_persistent = device.active, device.persistent
            device.active = document is not None
            if name != "computer":
                device.persistent = definition is not None
                device.autostart = definition is not None and definition.autostart
            new = document or definition.document  # type: ignore[union-attr]
            changed = not fresh and device.document.xml() != new.xml()
            device.document = new
            if device.persistent and not was_persistent:
                self._say(NodeDeviceLifecycle(device, DEFINED, 0), quiet)
            elif was_persistent and not device.persistent:
                self._say(NodeDeviceLifecycle(device, UNDEFINED, 0), quiet)
            if device.active != was_active:
                self._say(NodeDeviceLifecycle(device, CREATED if device.active else DELETED, 0), quiet)
            elif changed:
                self._say(NodeDeviceUpdate(device), quiet)

    def _say(self, event: Any, quiet: bool) -> None:
        if not quiet:
            self.bus.publish(event)

    # --- look-up

    def find(self, name: str) -> Device:
        """By name. Raises NoDevice (53)."""
        if name not in self.devices:
            raise NoDevice(f"no node device with matching name '{name}'", origin=Origin.NODEDEV)
        return self.devices[name]

    def by_wwn(self, wwnn: str, wwpn: str) -> Device | None:
        """The Fibre Channel adapter of these names."""
        for device in self.devices.values():
            for part in getattr(device.document.data("scsi_host"), "parts", ()):
                if part.type == "fc_host" and (part.wwnn, part.wwpn) == (wwnn, wwpn):
                    return device
        return None

    # --- PCI functions

    def _free(self, place: str) -> None:
        """Raise where a guest has the function."""
        qemu = self.drivers.get("qemu")
        for guest in qemu.guests.by_id.values() if qemu is not None else ():
            for _, taken in hostdev_host.places(guest.live) if guest.live is not None else ():
                if taken == place:
                    text = f"PCI device {place} is in use by driver QEMU, domain {guest.name}"
                    raise OperationInvalid(text, origin=Origin.NONE)

    async def detach(self, device: Device, driver: str | None) -> None:
        """Take a function from the host for guests. Raises ArgumentUnsupported where the host has no VFIO."""
        if driver not in (None, "vfio"):
            if driver in ("kvm", "xen"):
                raise ArgumentUnsupported(
                    f"{driver.upper()} device assignment is no longer supported on this system", origin=Origin.QEMU
                )
            raise InvalidArg(f"unknown driver name '{driver}'", origin=Origin.QEMU)
        if not binding.vfio_works(self.tree):
            text = "VFIO device assignment is currently not supported on this system"
            raise ArgumentUnsupported(
                text, hint="load vfio-pci, and switch the IOMMU on (intel_iommu=on, amd_iommu=on)"
            )
        place = device.pci_address()
        self._free(place)
        if self.tree.is_host and not self.tree.exists(f"/bus/pci/drivers/{binding.VFIO}") and shutil.which("modprobe"):
            child = await asyncio.create_subprocess_exec("modprobe", "vfio-pci", stderr=asyncio.subprocess.DEVNULL)
            await child.wait()
        await asyncio.to_thread(binding.bind, self.tree, place, binding.VFIO)
        await self.scan()

    async def reattach(self, device: Device) -> None:
        """Give a function back to the host."""
        place = device.pci_address()
        self._free(place)
        await asyncio.to_thread(binding.bind, self.tree, place, None)
        await self.scan()

    async def reset(self, device: Device) -> None:
        """Reset a function."""
        place = device.pci_address()
        self._free(place)
        await asyncio.to_thread(binding.reset, self.tree, place)
