"""Places of devices that are on no bus of PCs: registers of POWER's virtual bus, channels of s390, memory-mapped virtio.

Imported for guests of other architectures than x86 only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kvasir.devices.address import CcwAddress, PciAddress, SpaprVioAddress, VirtioMmioAddress
from kvasir.errors import InternalError, Origin, XmlError

from .tools import is_pci

NET, SCSI, NVRAM, TPM, SERIAL = 0x1000, 0x2000, 0x3000, 0x4000, 0x30000000
"""The first register of each kind of device on POWER's virtual bus."""
STEP = 0x1000


def registers(vm: Any) -> None:
    """Give devices of POWER's virtual bus their registers. Raises XmlError for one that is taken twice."""
    domain = vm.domain
    wanted = [(net, NET) for net in domain.interfaces if net.model == "spapr-vlan"]
    wanted += [(c, SCSI) for c in domain.controllers if c.type == "scsi" and c.model == "ibmvscsi"]
    wanted += [(port, SERIAL) for port in domain.serials if port.target_type == "spapr-vio-serial" and vm.is_pseries]
    wanted += [(nvram, NVRAM) for nvram in domain.nvrams if vm.is_pseries]
    wanted += [(tpm, TPM) for tpm in domain.tpms if tpm.model == "tpm-spapr"]
    for device, first in wanted:
        _register(vm, device, first)


def _register(vm: Any, device: Any, first: int) -> None:
    place = device.address
    if place is None:
        place = device.address = SpaprVioAddress(type="spapr-vio")
    if not isinstance(place, SpaprVioAddress):
        return
    others = (d.address for d in vm.domain.all_devices() if d is not device and d.TAG != "console")
    taken = {other.reg for other in others if isinstance(other, SpaprVioAddress) and other.reg is not None}
    if place.reg is None:
        place.reg = next(reg for reg in range(first, 1 << 40, STEP) if reg not in taken)
    elif place.reg in taken:
        raise XmlError(f"spapr-vio address 0x{place.reg:x} already in use")


ORDER = (
    "disks",
    "interfaces",
    "hostdevs",
    "videos",
    "controllers",
    "inputs",
    "filesystems",
    "memballoons",
    "rngs",
    "vsocks",
)
VIRTIO: dict[str, Callable[[Any], bool]] = {
    "disk": lambda disk: disk.bus == "virtio",
    "interface": lambda net: net.type != "hostdev" and net.is_virtio,
    "hostdev": lambda hostdev: hostdev.type == "scsi_host",
    "video": lambda video: video.type == "virtio",
    "controller": lambda controller: controller.type in ("scsi", "virtio-serial"),
    "input": lambda device: device.bus == "virtio",
    "filesystem": lambda filesystem: True,
    "memballoon": lambda balloon: balloon.model == "virtio",
    "rng": lambda rng: rng.model == "virtio",
    "vsock": lambda vsock: vsock.model == "virtio",
}
"""Which devices of each kind go wherever the machine has its virtio devices."""


def virtio(vm: Any) -> Iterator[Any]:
    """The virtio devices, in the order in which they get their places."""
    for name in ORDER:
        yield from (device for device in getattr(vm.domain, name) if VIRTIO[device.TAG](device))


def memory_mapped(vm: Any) -> None:
    """Virtio devices of ARM boards that have no PCI bus."""
    if vm.is_arm and (vm.is_arm_virt or vm.machine.startswith("vexpress-")) and vm.caps.has("virtio-mmio"):
        for device in virtio(vm):
            if device.address is None:
                device.address = VirtioMmioAddress(type="virtio-mmio")


CSSID, LAST = 0xFE, 0xFFFF


def _taken(vm: Any) -> set[tuple[int, int, int]]:
    taken: set[tuple[int, int, int]] = set()
    for device in vm.domain.all_devices():
        if isinstance(device.address, CcwAddress) and device.address.devno is not None:
            _reserve(device.address, taken)
    return taken


def channels(vm: Any) -> None:
    """Give virtio devices of s390 their device numbers. Raises XmlError for one that is taken twice."""
    if vm.is_ccw:
        taken = _taken(vm)
        for device in virtio(vm):
            _channel(device, taken)


def place(vm: Any, device: Any) -> bool:
    """Give one device its number for plugging it into a running guest of s390; False for one that has none. Raises XmlError."""
    if device.TAG not in VIRTIO or not VIRTIO[device.TAG](device):
        return False
    taken = _taken(vm)
    if isinstance(device.address, CcwAddress) and device.address.devno is not None:
        _reserve(device.address, taken)
    else:
        _channel(device, taken)
    return isinstance(device.address, CcwAddress)


def _channel(device: Any, taken: set[tuple[int, int, int]]) -> None:
    if device.address is None:
        device.address = CcwAddress(type="ccw")
    found = device.address
    if isinstance(found, CcwAddress) and found.devno is None:
        found.cssid, found.ssid = CSSID, 0
        found.devno = next(number for number in range(LAST + 1) if (CSSID, 0, number) not in taken)
        _reserve(found, taken)


def _reserve(place: CcwAddress, taken: set[tuple[int, int, int]]) -> None:
    place.cssid, place.ssid = CSSID if place.cssid is None else place.cssid, place.ssid or 0
    key = (place.cssid, place.ssid, place.devno or 0)
    if key in taken:
        raise XmlError(f"The CCW devno '{key[0]:x}.{key[1]:x}.{key[2]:04x}' is in use already")
    taken.add(key)


def numbers(vm: Any) -> None:
    """Give PCI devices of s390 the numbers by which its firmware knows them. Raises XmlError for one that is taken twice."""
    if not (vm.is_s390 and vm.caps.has("zpci")):
        return
    places = [d.address for d in vm.domain.all_devices() if isinstance(d.address, PciAddress) and is_pci(d)]
    for name, first, word in (("zpci_uid", 1, "uid"), ("zpci_fid", 0, "fid")):
        taken: set[int] = set()
        for place in places:
            value = getattr(place, name)
            if value in taken:
                raise InternalError(f"zPCI {word} {value:o} is already reserved", origin=Origin.NONE)
            if value is not None:
                taken.add(value)
        for place in places:
            if getattr(place, name) is None:
                value = next(number for number in range(first, 1 << 32) if number not in taken)
                taken.add(value)
                setattr(place, name, value)
