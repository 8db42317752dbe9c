"""QEMU's form of controllers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .virtio_options import SUFFIX, transport
from .virtio_options import props as virtio_props

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

USB = {
    "piix3-uhci": "piix3-usb-uhci",
    "piix4-uhci": "piix4-usb-uhci",
    "ehci": "usb-ehci",
    "ich9-ehci1": "ich9-usb-ehci1",
    "ich9-uhci1": "ich9-usb-uhci1",
    "ich9-uhci2": "ich9-usb-uhci2",
    "ich9-uhci3": "ich9-usb-uhci3",
    "vt82c686b-uhci": "vt82c686b-usb-uhci",
    "pci-ohci": "pci-ohci",
    "nec-xhci": "nec-usb-xhci",
    "qemu-xhci": "qemu-xhci",
}
SCSI = {
    "ibmvscsi": "spapr-vscsi",
    "lsilogic": "lsi",
    "lsisas1068": "mptsas1068",
    "lsisas1078": "megasas",
    "vmpvscsi": "pvscsi",
    "dc390": "dc390",
    "am53c974": "am53c974",
}
VIRTIO_SCSI = ("virtio-scsi", "virtio-transitional", "virtio-non-transitional")


def controller(device: Any, vm: Any) -> Iterator[Arg]:
    """The controller's arguments; nothing for what the machine has built in."""
    kinds = {
        "pci": _pci,
        "usb": _usb,
        "scsi": _scsi,
        "sata": _sata,
        "virtio-serial": _serial,
        "ccid": _ccid,
        "fdc": _fdc,
    }
    if device.type in kinds:
        yield from kinds[device.type](device, vm)


def _pci(device: Any, vm: Any) -> Iterator[Arg]:
    from kvasir.qemu.args import Dev, Opt

    if device.model == "pci-root" and vm.is_pseries:
        if device.index:  # the machine has the first
            yield Dev(device.model_name, {"index": device.target_index, "id": device.alias, "numa_node": device.node})
        return
    if device.model in ("pci-root", "pcie-root"):
        if device.pcihole64 is not None:
            bridge = "q35-pcihost" if vm.is_q35 else "i440FX-pcihost"
            yield Opt("-global", f"{bridge}.pci-hole64-size={device.pcihole64}K")
        if device.hotplug is not None and vm.is_i440fx:
            yield Opt("-global", f"PIIX4_PM.acpi-root-pci-hotplug={'on' if device.hotplug else 'off'}")
        return
    props: dict[str, Any] = {}
    if device.model == "pci-bridge":
        props["chassis_nr"] = device.chassis_nr
    elif device.model in ("pcie-root-port", "pcie-switch-downstream-port"):
        props = {"port": device.port, "chassis": device.chassis}
        if device.hotplug is not None:
            props["hotplug"] = device.hotplug
    elif device.model in ("pci-expander-bus", "pcie-expander-bus"):
        props = {"bus_nr": device.bus_nr, "numa_node": device.node}
    yield Dev(device.model_name, {**props, "id": device.alias})


def _usb(device: Any, vm: Any) -> Iterator[Arg]:
    from kvasir.qemu.args import Dev
    from kvasir.qemu.buses import address_props

    driver = USB.get(device.model or "")
    if driver is None:
        return
    if device.model.startswith("ich9-uhci"):
        props = {"masterbus": f"{device.alias}.0", "firstport": device.master, **address_props(vm, device)}
        yield Dev(driver, props)
        return
    ports = device.ports if device.model in ("nec-xhci", "qemu-xhci") else None
    yield Dev(driver, p2=ports, p3=ports, id=device.alias)


def _scsi(device: Any, vm: Any) -> Iterator[Arg]:
    from kvasir.qemu.args import Dev

    if device.model in SCSI:
        yield Dev(SCSI[device.model], id=device.alias)
    elif device.model in VIRTIO_SCSI:
        props = {
            "iothread": f"iothread{device.iothread}" if device.iothread else None,
            "id": device.alias,
            "num_queues": device.queues or None,
            "cmd_per_lun": device.cmd_per_lun or None,
            "max_sectors": device.max_sectors or None,
            "ioeventfd": device.ioeventfd,
            **virtio_props(device),
        }
        yield Dev(f"virtio-scsi-{transport(device)}{SUFFIX.get(device.model, '')}", props)


def _sata(device: Any, vm: Any) -> Iterator[Arg]:
    from kvasir.qemu.args import Dev

    if not (device.index == 0 and vm.is_q35):
        yield Dev("ahci", id=device.alias)


def _serial(device: Any, vm: Any) -> Iterator[Arg]:
    from kvasir.qemu.args import Dev

    props = {"id": device.alias, "max_ports": device.ports, "vectors": device.vectors, **virtio_props(device)}
    yield Dev(f"virtio-serial-{transport(device)}{SUFFIX.get(device.model or '', '')}", props)


def _ccid(device: Any, vm: Any) -> Iterator[Arg]:
    from kvasir.qemu.args import Dev

    yield Dev("usb-ccid", id=device.alias)


def _fdc(device: Any, vm: Any) -> Iterator[Arg]:
    """Which drive is booted from; a chipset that has no floppy controller gets one."""
    from kvasir.qemu.args import Dev, Opt
    from kvasir.qemu.buses import boot_index

    drives = [disk for disk in vm.domain.disks if disk.bus == "fdc"]
    boots = {f"bootindex{'AB'[disk.address.unit or 0]}": boot_index(vm, disk) for disk in drives}
    if vm.is_q35 and drives:
        yield Dev("isa-fdc", boots)
    elif not vm.is_q35:
        for name, index in boots.items():
            if index is not None:
                yield Opt("-global", f"isa-fdc.{name}={index}")
