"""Making and removing devices: virtual Fibre Channel adapters through sysfs, mediated devices through mdevctl."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from kvasir.errors import (
    ConfigUnsupported,
    InternalError,
    OperationInvalid,
    OperationUnsupported,
    Origin,
    SystemFailure,
)
from kvasir.model.nodedev import NodeDevice
from kvasir.xml.reader import check_root, read

from . import mdevctl
from .device import Device, NoDevice, address, fibre, unsupported_kind
from .sysfs import Tree

VPORT_WAIT = 60.0
"""Seconds that the kernel has to show a new virtual adapter."""


class Making:
    """The part of the driver that changes what is there."""

    tree: Tree
    devices: dict[str, Device]

    async def ready(self) -> None:
        raise NotImplementedError

    async def scan(self, quiet: bool = False) -> None:
        raise NotImplementedError

    def find(self, name: str) -> Device:
        raise NotImplementedError

    def by_wwn(self, wwnn: str, wwpn: str) -> Device | None:
        raise NotImplementedError

    def read(self, xml: str, validate: bool = False) -> NodeDevice:
        """A user's document of a new device. Raises XmlError and its kin."""
        root = read(xml, "(node_device_definition)")
        check_root(root, "device")
        if validate:
            from kvasir.xml.validate import validate as check

            check(NodeDevice, root)
        document = NodeDevice.parse(root)
        if not document.capabilities:
            raise InternalError("no device capabilities for 'new device'", origin=Origin.NODEDEV)
        return document

    def _parent(self, document: NodeDevice) -> Device:
        """The adapter under which a virtual one is made: named, by its world wide names, or the first that can."""
        able = [one for one in self.devices.values() if "vports" in one.document.words()]
        if document.parent:
            found = self.devices.get(document.parent)
            if found is None:
                raise InternalError("Could not find parent device for 'new device'", origin=Origin.NODEDEV)
            if found not in able:
                raise InternalError(
                    f"Parent device {found.name} is not capable of vport operations", origin=Origin.NODEDEV
                )
            return found
        for one in able:
            port = fibre(one)
            if document.parent_wwnn and (port.wwnn, port.wwpn) != (document.parent_wwnn, document.parent_wwpn):
                continue
            if document.parent_fabric and port.fabric_wwn != document.parent_fabric:
                continue
            return one
        raise InternalError("Could not find parent device for 'new device'", origin=Origin.NODEDEV)

    async def create(self, xml: str, validate: bool = False) -> Device:
        """Make a virtual Fibre Channel adapter or start a mediated device that is not kept."""
        await self.ready()
        document = self.read(xml, validate)
        mdev = document.data("mdev")
        if mdev is not None:
            return await self._mdevctl("start", document, mdev)
        host = document.data("scsi_host")
        port = next((part for part in getattr(host, "parts", ()) if part.type == "fc_host"), None)
        if port is None:
            raise unsupported_kind()
        parent_host = self._parent(document)
        wwnn, wwpn = port.wwnn or _random_wwn(), port.wwpn or _random_wwn()
        number = parent_host.document.data("scsi_host").host
        await self._vport(number, "create", wwnn, wwpn)
        return await self._wait(wwnn, wwpn)

    async def _vport(self, number: int, what: str, wwnn: str, wwpn: str) -> None:
        path = f"/class/fc_host/host{number}/vport_{what}"
        try:
            await asyncio.to_thread(self.tree.write, path, f"{wwpn}:{wwnn}")
        except OSError as error:
            text = f"Write of '{wwpn}:{wwnn}' to '/sys{path}' during vport create/delete failed"
            raise SystemFailure(text, error, origin=Origin.NODEDEV) from None

    async def _wait(self, wwnn: str, wwpn: str) -> Device:
        end = asyncio.get_running_loop().time() + VPORT_WAIT
        while True:
            await self.scan()
            found = self.by_wwn(wwnn, wwpn)
            if found is not None:
                return found
            if asyncio.get_running_loop().time() > end:
                raise NoDevice(f"no node device for '{wwnn},{wwpn}' with matching wwnn/wwpn", origin=Origin.NODEDEV)
            await asyncio.sleep(0.2)

    def _mdev_parent(self, document: NodeDevice) -> str:
        """The address of a mediated device's parent, as mdevctl names it."""
        if not document.parent:
            raise ConfigUnsupported("missing parent device", origin=Origin.NODEDEV)
        parent = self.find(document.parent)
        found = address(parent.document)
        if found is None:
            raise ConfigUnsupported(f"Unable to find parent device '{document.parent}'", origin=Origin.NODEDEV)
        return found

    async def _mdev(self, uuid: str) -> Device:
        await self.scan()
        for device in self.devices.values():
            data = device.mdev()
            if data is not None and data.uuid == uuid:
                return device
        raise NoDevice(f"no node device with matching uuid '{uuid}'", origin=Origin.NODEDEV)

    async def destroy(self, device: Device) -> None:
        """Remove a virtual adapter, stop a mediated device."""
        if not device.active:
            raise OperationInvalid("Device is not active", origin=Origin.NODEDEV)
        mdev = device.mdev()
        if mdev is not None:
            await mdevctl.run("stop", f"--uuid={mdev.uuid}")
            await self.scan()
            return
        port = fibre(device)
        if port is None:
            raise unsupported_kind()
        parent = self.devices.get(device.document.parent or "")
        host = parent.document.data("scsi_host") if parent is not None else None
        if host is None:
            raise InternalError(f"Could not find parent device for '{device.name}'", origin=Origin.NODEDEV)
        await self._vport(host.host, "delete", port.wwnn, port.wwpn)
        await self.scan()

    async def define(self, xml: str, validate: bool = False) -> Device:
        """Keep the definition of a mediated device."""
        await self.ready()
        document = self.read(xml, validate)
        mdev = document.data("mdev")
        if mdev is None:
            raise unsupported_kind()
        return await self._mdevctl("define", document, mdev)

    async def _mdevctl(self, verb: str, document: NodeDevice, mdev: Any) -> Device:
        """Let mdevctl start or define a mediated device."""
        words = [verb, f"--parent={self._mdev_parent(document)}", "--jsonfile=/dev/stdin"]
        words += [f"--uuid={mdev.uuid}"] if mdev.uuid else []
        uuid = (await mdevctl.run(*words, given=mdevctl.description(mdev))).strip() or str(mdev.uuid)
        return await self._mdev(uuid)

    async def undefine(self, device: Device) -> None:
        """Forget a definition."""
        mdev = device.mdev()
        if mdev is None:
            raise unsupported_kind()
        if not device.persistent:
            raise OperationInvalid("Node device is not defined", origin=Origin.NODEDEV)
        await mdevctl.run("undefine", f"--uuid={mdev.uuid}")
        await self.scan()

    async def begin(self, device: Device) -> None:
        """Start a mediated device that is defined."""
        if device.active:
            raise OperationInvalid("Device is already active", origin=Origin.NODEDEV)
        mdev = device.mdev()
        if mdev is None:
            raise unsupported_kind()
        await mdevctl.run("start", f"--uuid={mdev.uuid}")
        await self.scan()

    async def set_autostart(self, device: Device, on: bool) -> None:
        """Whether a mediated device starts with its parent."""
        mdev = device.mdev()
        if mdev is None:
            raise OperationUnsupported("Unsupported device type", origin=Origin.NODEDEV)
        if not device.persistent:
            raise OperationInvalid("cannot set autostart for transient device", origin=Origin.NODEDEV)
        await mdevctl.run("modify", f"--uuid={mdev.uuid}", "--auto" if on else "--manual")
        await self.scan()


def _random_wwn() -> str:
    """A name of QEMU's range."""
    return f"5001a4a{random.getrandbits(36):09x}"
