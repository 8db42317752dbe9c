"""``-machine``, ``-accel``, firmware images, ACPI and power management."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..args import Arg, Blockdev, Opt, comma


def on(flag: bool | None) -> str:
    return "on" if flag else "off"


def pflash(vm: Any) -> list[str]:
    """The node names of the firmware's flash chips."""
    loader = vm.domain.os.loader
    if loader is None or loader.type != "pflash" or not loader.path:
        return []
    names = ["libvirt-pflash0-format"]
    if nvram_path(vm) and not loader.stateless:
        names.append("libvirt-pflash1-format")
    return names


def nvram_path(vm: Any) -> str | None:
    """The file of the firmware's variables."""
    found: str | None = vm.domain.os.nvram or vm.domain.os.nvram_file or vm.domain.os.nvram_dev
    return found


def flash_drives(vm: Any) -> Iterator[Arg]:
    """The firmware's code and variables as block nodes."""
    names = pflash(vm)
    if not names:
        return
    loader = vm.domain.os.loader
    yield from _flash(0, loader.path, loader.readonly is not False, "file")
    if len(names) > 1:
        kind = "host_device" if vm.domain.os.nvram_dev else "file"
        yield from _flash(1, nvram_path(vm) or "", False, kind)


def _flash(number: int, path: str, readonly: bool, driver: str) -> Iterator[Arg]:
    storage = f"libvirt-pflash{number}-storage"
    yield Blockdev(driver, filename=path, node_name=storage, auto_read_only=True, discard="unmap")
    yield Blockdev("raw", node_name=f"libvirt-pflash{number}-format", read_only=readonly, file=storage)


def machine(vm: Any, ram: str | None) -> Iterator[Arg]:
    """``-machine`` and ``-accel``; ``ram`` is the id of the memory backend of the whole guest."""
    domain, features = vm.domain, vm.domain.features
    words = [vm.machine, "usb=off"]
    if features is not None:
        if features.vmport_state is not None:
            words.append(f"vmport={on(features.vmport_state)}")
        if features.smm_state is not None:
            words.append(f"smm={on(features.smm_state)}")
        if features.ioapic == "kvm":
            words.append("kernel_irqchip=on")
        elif features.ioapic == "qemu":
            words.append("kernel_irqchip=split")
    dump = domain.dump_core if domain.dump_core is not None else on(getattr(vm.config, "dump_guest_core", False))
    words.append(f"dump-guest-core={dump}")
    backing = domain.memory_backing
    if backing is not None and backing.nosharepages:
        words.append("mem-merge=off")
    if any(m.model == "nvdimm" for m in domain.memories):
        words.append("nvdimm=on")
    if domain.cpu is not None and (
        domain.cpu.latencies or domain.cpu.bandwidths or any(c.caches for c in domain.cpu.cells)
    ):
        words.append("hmat=on")
    if domain.launch_security is not None:
        words.append("confidential-guest-support=lsec0")
    if ram is not None:
        words.append(f"memory-backend={ram}")
    words += [f"pflash{number}={name}" for number, name in enumerate(pflash(vm))]
    if domain.os.useserial:
        words.append("graphics=off")
    yield Opt("-machine", ",".join(words))
    yield Opt("-accel", _accel(vm))


def _accel(vm: Any) -> str:
    features = vm.domain.features
    if vm.virt_type == "kvm":
        kvm = features.kvm if features is not None else None
        if kvm is not None and kvm.dirty_ring and kvm.dirty_ring_size:
            return f"kvm,dirty-ring-size={kvm.dirty_ring_size}"
        return "kvm"
    if features is not None and features.tcg_tb_cache:
        return f"tcg,tb-size={features.tcg_tb_cache}"
    return "tcg"


def loader(vm: Any) -> Iterator[Arg]:
    """What a ROM image or secure flash adds behind the CPU."""
    image = vm.domain.os.loader
    if image is None:
        return
    if image.type == "rom" and image.path:
        yield Opt("-bios", image.path)
    elif image.type == "pflash" and image.secure:
        yield Opt("-global", "driver=cfi.pflash01,property=secure,value=on")


def power(vm: Any) -> Iterator[Arg]:
    """ACPI and sleep states."""
    domain = vm.domain
    if (domain.features is None or not domain.features.acpi) and vm.caps.has("no-acpi"):
        yield Opt("-no-acpi")
    bridge = "ICH9-LPC" if vm.is_q35 else "PIIX4_PM"
    for state, allowed in (("s3", domain.suspend_to_mem), ("s4", domain.suspend_to_disk)):
        if allowed is not None:
            yield Opt("-global", f"{bridge}.disable_{state}={int(not allowed)}")


def boot(vm: Any) -> Iterator[Arg]:
    """``-boot`` and direct kernel boot."""
    os = vm.domain.os
    words = []
    if os.bootmenu is not None:
        words.append(f"menu={on(os.bootmenu)}")
        if os.bootmenu and os.bootmenu_timeout is not None:
            words.append(f"splash-time={os.bootmenu_timeout}")
    if os.reboot_timeout is not None:
        words.append(f"reboot-timeout={os.reboot_timeout}")
    words.append("strict=on")
    yield Opt("-boot", ",".join(words))
    for option, value in (("-kernel", os.kernel), ("-initrd", os.initrd), ("-append", os.cmdline), ("-dtb", os.dtb)):
        if value:
            yield Opt(option, value)
    for table in os.acpi_tables:
        yield Opt("-acpitable", f"sig=SLIC,file={comma(table.path or '')}")
    features = vm.domain.features
    if features is not None and features.smm_tseg is not None:
        yield Opt("-global", f"mch.extended-tseg-mbytes={features.smm_tseg}")
