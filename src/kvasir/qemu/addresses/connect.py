"""Which kind of PCI slot each device needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .pci_set import CONTROLLERS, PCI, PCIE, Connect

NOTHING = 0
PCIE_USB = ("nec-xhci", "qemu-xhci")
PCI_SOUND = ("es1370", "ac97", "ich6", "ich9")
PCI_NETWORK = (
    "virtio-transitional", "netfront", "rtl8139", "e1000", "spapr-vlan", "lan9118", "scm91c111", "vlance", "vmxnet", "vmxnet2",
    "vmxnet3", "Am79C970A", "82540EM", "82545EM", "82543GC",
)  # fmt: skip
"""Network cards that libvirt knows as conventional PCI; names it does not know go where the root bus has room."""


class Needs:
    """The rules for one guest: what PCI Express and virtio devices are plugged into depends on its root bus."""

    def __init__(self, vm: Any) -> None:
        root = next((c for c in vm.domain.controllers if c.type == "pci" and c.index == 0), None)
        self.pcie = PCIE if root is not None and root.model == "pcie-root" else PCI
        self.caps = vm.caps

    def of(self, device: Any) -> int:
        """What the device needs of a bus; nothing where it is no PCI device."""
        rule = _RULES.get(device.TAG)
        return rule(self, device) if rule else NOTHING

    def _virtio(self, device: Any) -> int:
        """Transitional devices are conventional PCI; the others follow the root bus."""
        return PCI if getattr(device, "model", None) == "virtio-transitional" else self.pcie

    def _controller(self, device: Any) -> int:
        model = device.model
        if device.type == "pci":
            return CONTROLLERS.get(model, NOTHING)
        if device.type in ("sata", "ide"):
            return PCI
        if device.type == "usb":
            return NOTHING if model in ("none", "qusb1", "qusb2") else self.pcie if model in PCIE_USB else PCI
        if device.type == "scsi":
            if model in ("virtio-scsi", "virtio-non-transitional"):
                return self.pcie
            return NOTHING if model in (None, "ncr53c90") else PCI
        if device.type == "virtio-serial":
            return self._virtio(device)
        return NOTHING

    def _filesystem(self, device: Any) -> int:
        if device.driver_type in ("loop", "nbd", "ploop"):
            return NOTHING
        return self._virtio(device)

    def _interface(self, device: Any) -> int:
        model = getattr(device, "model", None)
        if device.type == "hostdev" or model == "usb-net":
            return NOTHING
        return PCI if model in PCI_NETWORK else self.pcie

    def _sound(self, device: Any) -> int:
        return PCI if device.model in PCI_SOUND else NOTHING

    def _disk(self, device: Any) -> int:
        return self._virtio(device) if device.bus == "virtio" else NOTHING

    def _hostdev(self, device: Any) -> int:
        if device.mode not in (None, "subsystem") or device.type not in ("pci", "scsi_host", "mdev"):
            return NOTHING
        if self.pcie == PCI or device.type == "mdev":
            return self.pcie
        if device.type == "scsi_host":
            return self._virtio(device)
        return PCI if is_conventional(device) else PCIE

    def _memballoon(self, device: Any) -> int:
        return NOTHING if device.model in ("none", "xen") else self._virtio(device)

    def _rng(self, device: Any) -> int:
        return self._virtio(device)

    def _watchdog(self, device: Any) -> int:
        return PCI if device.model == "i6300esb" else NOTHING

    def _video(self, device: Any) -> int:
        kind = video_type(device)
        if kind == "virtio":
            return self.pcie
        if kind in ("vga", "cirrus", "vmvga", "xen", "vbox", "qxl", "parallels"):
            return PCI
        return self.pcie if kind == "bochs" else NOTHING

    def _shmem(self, device: Any) -> int:
        return PCI

    def _input(self, device: Any) -> int:
        return self._virtio(device) if device.bus == "virtio" else NOTHING

    def _serial(self, device: Any) -> int:
        return PCI if device.target_type == "pci-serial" else NOTHING

    def _iommu(self, device: Any) -> int:
        return self.pcie | Connect.INTEGRATED if device.model == "virtio" else NOTHING

    def _vsock(self, device: Any) -> int:
        return self._virtio(device)

    def _memory(self, device: Any) -> int:
        return self.pcie if device.model in ("virtio-pmem", "virtio-mem") else NOTHING

    def _crypto(self, device: Any) -> int:
        return PCI


_RULES: dict[str, Any] = {
    name[1:]: rule for name, rule in vars(Needs).items() if name[0] == "_" and name[1] != "_" and name != "_virtio"
}
"""What is asked for a device of each tag."""


def video_type(device: Any) -> str | None:
    """The kind of a video card."""
    kind: str | None = getattr(device, "type", None) or getattr(device, "model_type", None)
    return kind


def is_conventional(device: Any, root: Path = Path("/sys/bus/pci/devices")) -> bool:
    """True when the host's device is there and is no PCI Express device."""
    source = getattr(device, "source", None) or device
    where = [getattr(source, word, None) for word in ("domain", "bus", "slot", "function")]
    if None in where:
        return False
    domain, bus, slot, function = map(int, map(str, where))
    name = f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"
    try:
        config = (root / name / "config").read_bytes()
    except OSError:
        return False
    if len(config) < 256:
        return False
    place = config[0x34]
    for _ in range(48):
        if place < 0x40 or place > 0xFE:
            return True
        if config[place] == 0x10:
            return False
        place = config[place + 1]
    return True
