"""What libvirt refuses of guests of other architectures than x86, in its words. Imported for such guests only."""

from __future__ import annotations

import re
from typing import Any

from kvasir.errors import ConfigUnsupported, InternalError, NoSupport, Origin

PSERIES = {
    "hpt": ("hpt_resizing", "hpt_maxpagesize"), "htm": ("htm",), "nested-hv": ("nested_hv",), "ccf-assist": ("ccf_assist",),
    "cfpc": ("cfpc",), "sbbc": ("sbbc",), "ibs": ("ibs",),
}  # fmt: skip
"""Features of pseries machines alone, with their fields."""


SVE = r"sve(128|256|384|512|640|768|896|1024|1152|1280|1408|1536|1664|1792|1920|2048)?"
"""The features of ARM processors that can be switched: the lengths of vectors."""


def check_early(domain: Any, vm: Any) -> None:
    """What is refused before devices get their defaults. Raises ConfigUnsupported."""
    if domain.type == "kvm" and not vm.caps.kvm:
        raise ConfigUnsupported(f"Emulator '{domain.emulator}' does not support virt type 'kvm'")
    if vm.caps.machine(vm.machine) is None:
        raise ConfigUnsupported(f"Emulator '{domain.emulator}' does not support machine type '{vm.machine}'")


def check(domain: Any, vm: Any) -> None:
    """What is refused of a completed document. Raises ConfigUnsupported."""
    _features(domain, vm)
    os, features = domain.os, domain.features
    pflash = os.firmware == "efi" or (os.loader is not None and os.loader.type == "pflash")
    if vm.arch == "aarch64" and features is not None and features.acpi and not pflash:
        raise ConfigUnsupported("ACPI requires UEFI on this architecture")
    for word, said in (("S3", domain.suspend_to_mem), ("S4", domain.suspend_to_disk)):
        if said is not None:
            raise ConfigUnsupported(f"setting ACPI {word} not supported")
    for timer in domain.clock.timers if domain.clock is not None else ():
        if timer.name == "armvtimer" and (domain.type != "kvm" or not vm.is_arm_virt):
            where = f"virtType={domain.type} arch={vm.arch} machine={vm.machine}"
            raise ConfigUnsupported(f"Configuring the 'armvtimer' timer is not supported for {where} guests")
    if domain.cpu is not None and domain.cpu.mode == "maximum" and not vm.caps.has("cpu-max"):
        raise ConfigUnsupported("maximum CPU is not supported by QEMU binary")
    topology = domain.cpu.topology if domain.cpu is not None else None
    if vm.is_pseries and topology is not None:
        for count in (domain.vcpu, domain.vcpu_current or domain.vcpu):
            if count % topology.threads:
                text = f"vCPUs count must be a multiple of the vCPU hotplug granularity ({topology.threads})"
                raise ConfigUnsupported(text)
    if domain.genid and not vm.caps.has("vmgenid"):
        raise ConfigUnsupported("this QEMU does not support the 'genid' capability")
    _devices(domain, vm)


def _features(domain: Any, vm: Any) -> None:
    features = domain.features
    if features is None:
        return
    if features.pvspinlock or features.pvspinlock_state is not None:
        raise _foreign(vm, "pvspinlock")
    if features.vmport_state:
        raise ConfigUnsupported("vmport is not available with this QEMU binary")
    if not vm.is_arm_virt and (features.gic or features.gic_version is not None):
        raise _foreign(vm, "gic")
    if features.ioapic is not None:
        raise _foreign(vm, "ioapic")
    for name, fields in PSERIES.items():
        if not vm.is_pseries and any(getattr(features, field) is not None for field in fields):
            raise _foreign(vm, name)


def _foreign(vm: Any, feature: str) -> ConfigUnsupported:
    return ConfigUnsupported(
        f"The '{feature}' feature is not supported for architecture '{vm.arch}' or machine type '{vm.machine}'"
    )


def _devices(domain: Any, vm: Any) -> None:
    if not vm.caps.has("i8042") and any(i.bus == "ps2" for i in domain.inputs):
        raise ConfigUnsupported("ps2 is not supported by this QEMU binary")
    if domain.parallels and (vm.is_power or vm.is_s390):
        raise ConfigUnsupported("parallel ports are not supported")
    root = next((c for c in domain.controllers if c.type == "pci" and c.index == 0), None)
    if root is not None and root.pcihole64 is not None:
        raise ConfigUnsupported(f"Setting the 64-bit PCI hole size is not supported for machine '{vm.machine}'")
    for port in domain.serials:
        _port(port, vm)


def _port(port: Any, vm: Any) -> None:
    """A serial port of another architecture."""
    wrong = (port.target_type == "spapr-vio-serial" and not vm.is_pseries) or (
        port.target_type == "sclp-serial" and not vm.is_s390
    )
    if wrong:
        raise ConfigUnsupported(
            f"Serial device with target type '{port.target_type}' and target model '{port.model}' not compatible with "
            "guest architecture or machine type"
        )


def check_command_line(domain: Any, vm: Any) -> None:
    """What is refused when a guest shall start. Raises ConfigUnsupported, InternalError, NoSupport."""
    from .addresses.channels import virtio

    _cpu(domain, vm)
    features = domain.features
    if vm.arch != "aarch64" and features is not None and features.gic_version not in (None, "2"):
        raise ConfigUnsupported("gic-version option is not available with this QEMU binary")
    if vm.is_pseries and any(disk.bus == "fdc" for disk in domain.disks):
        raise ConfigUnsupported("PowerPC pseries machines do not support floppy device")
    if any(port.target_type == "system-serial" and port.model is None for port in domain.serials):
        raise InternalError("Invalid target model for serial device")
    if any(device.address is None for device in virtio(vm)):
        raise InternalError("Unexpected enum value 0 for virDomainDeviceAddressType", origin=Origin.NONE)


def _cpu(domain: Any, vm: Any) -> None:
    import os

    cpu = domain.cpu
    if cpu is None or cpu.mode is None:
        return
    host = os.uname().machine
    if cpu.mode in ("host-passthrough", "host-model") and vm.virt_type != "kvm":
        raise ConfigUnsupported(
            f"CPU mode '{cpu.mode}' for {vm.arch} {vm.virt_type} domain on {host} host is not supported by hypervisor"
        )
    for feature in cpu.features if vm.is_arm else ():
        if not re.fullmatch(SVE, feature.name):
            raise ConfigUnsupported(f"unknown CPU feature: {feature.name}", origin=Origin.CPU)
    if cpu.mode != "custom" or not cpu.model:
        return
    from .domcapabilities import COMPARED

    if vm.arch not in COMPARED:
        text = f"'{vm.arch}' architecture is not supported by CPU driver"
        raise NoSupport(text, origin=Origin.CPU)
    known = {model.name for model in vm.caps.accel(vm.virt_type).cpus}
    if cpu.model not in known and not (vm.is_power and cpu.model.lower() in known):
        raise NoSupport(f"cannot translate CPU model {cpu.model} to a supported model", origin=Origin.CPU)
