"""What guests of other architectures than x86 have by themselves, and what libvirt picks for them.

Imported for such guests only: a daemon with x86 guests never loads it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kvasir.errors import XmlError

from .addresses.tools import add_controller
from .args import Arg, Opt


@dataclass(frozen=True)
class Board:
    """What a guest of the machine type has without asking."""

    root: str | None = None
    usb: bool = True
    balloon: bool = True
    panic: str | None = None
    usb_inputs: bool = False


def board(vm: Any) -> Board:
    """The machine type's devices."""
    if vm.is_arm:
        root = "pcie-root" if vm.is_arm_virt else "pci-root" if vm.machine == "versatilepb" else None
        return Board(root, usb=False, balloon=False)
    if vm.is_power:
        return Board("pci-root", panic="pseries" if vm.is_pseries else None, usb_inputs=True)
    if vm.is_s390:
        return Board("pci-root" if vm.caps.has("zpci") else None, usb=False, panic="s390")
    if vm.arch.startswith("riscv"):
        return Board("pcie-root" if vm.is_riscv_virt else None, usb=False)
    return Board("pci-root" if vm.arch in ("alpha", "ppc", "sh4", "sh4eb", "sparc", "sparc64") else None)


def add_default_devices(vm: Any) -> None:
    """The board's devices, those that the document does not have. Raises XmlError for a root bus of another kind."""
    from kvasir.devices.memballoon import Memballoon
    from kvasir.devices.panic import Panic

    from .implicit import add_root_bus

    here, domain = board(vm), vm.domain
    if here.usb:
        add_controller(vm, "usb", 0)
    if here.root:
        add_root_bus(vm, here.root)
    if here.balloon and not domain.memballoons:
        domain.memballoons.append(Memballoon(model="virtio"))
    if here.usb_inputs and domain.graphics:
        _inputs(domain)
    if here.panic and not any(panic.model in (None, here.panic) for panic in domain.panics):
        domain.panics.append(Panic(model=here.panic))


def _inputs(domain: Any) -> None:
    from kvasir.devices.input import Input

    for kind, same in (("keyboard", ("keyboard",)), ("mouse", ("mouse", "tablet"))):
        if not any(i.type in same and i.bus == "usb" for i in domain.inputs):
            domain.inputs.append(Input(type=kind, bus="usb"))


def usb_model(vm: Any, controller: Any) -> str | None:
    """The USB controller that libvirt picks where the document says none."""
    legacy = "piix3-uhci" if vm.caps.has("piix3-usb-uhci") else "pci-ohci" if vm.caps.has("pci-ohci") else None
    modern = "qemu-xhci" if vm.caps.has("qemu-xhci") else "nec-xhci" if vm.caps.has("nec-usb-xhci") else None
    if vm.is_s390:
        return "none" if controller.address is None else legacy
    if vm.is_power:
        return modern or ("pci-ohci" if vm.caps.has("pci-ohci") else None)
    if vm.arch == "aarch64":
        return modern or legacy
    return legacy


def legacy_usb(vm: Any) -> Iterator[Arg]:
    """The board's own USB, where the document has no controller and the board is a real machine's."""
    if not (vm.is_virt or vm.is_s390 or any(c.type == "usb" for c in vm.domain.controllers)):
        yield Opt("-usb")


def legacy_nic(vm: Any, net: Any) -> Arg | None:
    """A network card that is soldered to an ARM board: QEMU takes it as ``-net nic`` only."""
    if not vm.is_arm or (net.address is not None and net.address.type in ("pci", "virtio-mmio")):
        return None
    netdev = "" if net.type == "null" else f",netdev=host{net.alias}"
    return Opt("-net", f"nic,macaddr={net.mac}{netdev},model={net.model},id={net.alias}")


def scsi_model(vm: Any) -> str | None:
    """The SCSI controller of the board, None where it is that of other machines."""
    return "ibmvscsi" if vm.is_pseries else "virtio-scsi" if vm.is_s390 else None


def net_model(vm: Any) -> str | None:
    """The network card of the board, None where it is that of other machines."""
    if vm.is_arm and not vm.is_arm_virt:
        return "scm91c111" if vm.machine == "versatilepb" else "lan9118"
    return "virtio" if vm.is_s390 or vm.is_virt else None


def video_model(vm: Any) -> str | None:
    """The video card of the board, None where it is that of other machines."""
    return "vga" if vm.is_power else "virtio" if vm.is_virt or vm.is_s390 else None


def serial_target(vm: Any) -> str | None:
    """The kind of serial port of the board, None where libvirt has no word for it."""
    if vm.is_pseries:
        return "spapr-vio-serial"
    return "sclp-serial" if vm.is_s390 else "system-serial" if vm.is_virt else None


def is_platform_port(vm: Any, device: Any) -> bool:
    """True for a serial port that is soldered to the board: QEMU is told of its backend alone."""
    if device.TAG != "serial":
        return False
    if device.target_type is None:
        return True
    if device.target_type != "system-serial":
        return False
    return bool((vm.is_arm and device.model == "pl011") or (vm.arch.startswith("riscv") and device.model == "16550a"))


POWER = ("POWER6", "POWER7", "POWER8", "POWER9", "POWER10")


def cpu_name(vm: Any, kind: str) -> str | None:
    """The model whose QOM type the machine has by default; libvirt has names of its own for those of POWER."""
    name = next((cpu.name for cpu in vm.caps.accel(vm.virt_type).cpus if cpu.typename == kind), None)
    if vm.arch == "ppc":
        return None
    return name.upper() if name is not None and vm.is_power and name.upper() in POWER else name


def features(vm: Any) -> None:
    """The version of the interrupt controller that an ARM guest of the kind ``virt`` always has: 2, unless it says."""
    from kvasir.model.features import Features

    domain = vm.domain
    said = domain.features
    if vm.is_arm_virt and (said is None or not (said.gic or said.gic_version)):
        said = domain.features = said or Features()
        said.gic = True
    if said is not None and said.gic and said.gic_version is None:
        said.gic_version = "2"


def pseries_words(features: Any) -> Iterator[str]:
    """Capabilities of pseries machines as options of ``-machine``."""
    if features.hpt_resizing is not None:
        yield f"resize-hpt={features.hpt_resizing}"
    if features.hpt_maxpagesize is not None:
        yield f"cap-hpt-max-page-size={features.hpt_maxpagesize}k"
    for field in ("htm", "nested_hv", "ccf_assist"):
        value = getattr(features, field)
        if value is not None:
            yield f"cap-{field.replace('_', '-')}={'on' if value else 'off'}"
    for field in ("cfpc", "sbbc", "ibs"):
        if getattr(features, field) is not None:
            yield f"cap-{field}={getattr(features, field)}"


def boot_parameter(domain: Any) -> list[str]:
    """What the first boot device of an s390 guest tells the loader."""
    devices = [device for device in domain.all_devices() if device.boot is not None]
    first = min(devices, key=lambda device: int(device.boot), default=None)
    return [f"loadparm={first.loadparm}"] if first is not None and first.loadparm else []


ALIGNMENT = 256 * 1024
"""KiB to which memory of a POWER guest is rounded up."""


def aligned(vm: Any, kib: int) -> int:
    """The size that QEMU gets for so much memory."""
    return -(-kib // ALIGNMENT) * ALIGNMENT if vm.is_power else kib


def initial(vm: Any, kib: int) -> int:
    """The size of the main memory: that of all cells, each rounded up."""
    cells = vm.domain.cpu_cells()
    return sum(aligned(vm, cell.memory or 0) for cell in cells) if cells else aligned(vm, kib)


def align_memory(vm: Any) -> None:
    """Memory modules of a POWER guest get their sizes when it is defined, and its memory is their sum."""
    domain = vm.domain
    if not vm.is_power or not domain.memories:
        return
    before = sum(memory.size or 0 for memory in domain.memories)
    for memory in domain.memories:
        if memory.model == "nvdimm":
            label = memory.label_size or 0
            memory.size = ((memory.size or 0) - label) // ALIGNMENT * ALIGNMENT + label
            memory.uuid = memory.uuid or str(uuid.uuid4())
            if memory.size == label:
                raise XmlError("minimum target size for the NVDIMM must be 256MB plus the label size")
        else:
            memory.size = aligned(vm, memory.size or 0)
    more = sum(memory.size or 0 for memory in domain.memories) - before
    full = domain.current_memory == domain.memory
    domain.memory += more
    if full:
        domain.current_memory = domain.memory
