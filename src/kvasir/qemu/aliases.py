"""QEMU's ids of devices, by libvirt's rules: stable names that the live document, events and hotplug use."""

from __future__ import annotations

import re
from typing import Any

from kvasir.devices.address import DimmAddress, DriveAddress

from .addresses.ports import disk_index

SIMPLE = {
    "filesystem": "fs",
    "sound": "sound",
    "redirdev": "redir",
    "video": "video",
    "input": "input",
    "parallel": "parallel",
    "serial": "serial",
    "channel": "channel",
    "console": "console",
    "hub": "hub",
    "shmem": "shmem",
    "smartcard": "smartcard",
    "memballoon": "balloon",
    "rng": "rng",
    "tpm": "tpm",
    "watchdog": "watchdog",
    "vsock": "vsock",
    "iommu": "iommu",
    "crypto": "crypto",
}
ORDER = (
    "disks", "interfaces", "filesystems", "sounds", "hostdevs", "redirdevs", "videos", "controllers", "inputs",
    "parallels", "serials", "channels", "consoles", "hubs", "shmems", "smartcards", "memballoons", "rngs", "tpms",
    "memories", "vsocks", "watchdogs", "iommus", "cryptos",
)  # fmt: skip
MEMORY = {"dimm": "dimm", "nvdimm": "nvdimm", "virtio-pmem": "virtiopmem", "virtio-mem": "virtiomem", "sgx-epc": "epc"}


def assign(vm: Any) -> None:
    """Give every device without an alias its own."""
    domain = vm.domain
    for name in ORDER:
        for number, device in enumerate(getattr(domain, name, None) or []):
            if not device.alias and not (name == "memballoons" and device.model == "none"):
                device.alias = alias_of(vm, device, number)


def alias_of(vm: Any, device: Any, number: int | None = None) -> str:
    """The alias of a device; without ``number`` (hotplug) the first free one of its kind."""
    if device.TAG == "disk":
        return disk_alias(vm, device)
    if device.TAG == "controller":
        return controller_alias(vm, device)
    if device.TAG == "memory":
        prefix = MEMORY.get(device.model, "mem")
        if isinstance(device.address, DimmAddress) and device.address.slot is not None:
            return f"{prefix}{device.address.slot}"
        return f"{prefix}{_next(vm, prefix)}"
    if device.TAG in ("hostdev", "interface"):
        prefix = "hostdev" if device.TAG == "hostdev" or device.type == "hostdev" else "net"
        return f"{prefix}{_next(vm, prefix)}"
    prefix = SIMPLE.get(device.TAG) or device.ALIAS or device.TAG
    if device.TAG in ("memballoon", "vsock", "iommu"):
        return f"{prefix}0"
    if number is None and device.TAG == "console":
        return f"{prefix}{max(_next(vm, prefix), _next(vm, 'serial', vm.domain.consoles))}"
    return f"{prefix}{_next(vm, prefix) if number is None else number}"


def _next(vm: Any, prefix: str, devices: Any = None) -> int:
    """One more than the highest number in use."""
    pattern = re.compile(rf"{re.escape(prefix)}(\d+)\Z")
    found = [int(m[1]) for d in devices or vm.domain.all_devices() if (m := pattern.match(d.alias or ""))]
    return max(found, default=-1) + 1


def disk_alias(vm: Any, disk: Any) -> str:
    """A disk is named by its place, or by its target where the place says nothing."""
    place = disk.address
    if isinstance(place, DriveAddress) and disk.bus in ("ide", "fdc", "sata", "scsi"):
        controller, bus, target, unit = place.controller or 0, place.bus or 0, place.target or 0, place.unit or 0
        if disk.bus == "scsi":
            from .buses import controller as find

            model = getattr(find(vm, "scsi", controller), "model", None)
            if model != "lsilogic":
                return f"scsi{controller}-{bus}-{target}-{unit}"
        return f"{disk.bus}{controller}-{bus}-{unit}"
    name = disk.target
    return f"{disk.bus}-disk{disk_index(name)}"


def controller_alias(vm: Any, controller: Any) -> str:
    """A controller is named by type and number; what the chipset has keeps QEMU's own names."""
    kind, index = controller.type, controller.index
    if kind == "pci":
        if controller.model == "pcie-root":
            return f"pcie.{index}"
        return f"pci.{index}"
    if index == 0 and (
        kind == "usb" or (kind == "ide" and (vm.is_i440fx or vm.machine == "isapc")) or (kind == "sata" and vm.is_q35)
    ):
        return "ide" if kind in ("ide", "sata") else "usb"
    return f"{kind}{index}"
