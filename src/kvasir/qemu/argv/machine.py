"""``-machine``, ``-accel``, firmware and boot options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..args import Arg, Blockdev, Opt, comma


def _switch(value: bool | None) -> str:
    return "on" if value else "off"


def machine(vm: Any) -> Iterator[Arg]:
    """``-machine``, and before it the block nodes of a pflash firmware."""
    domain, features = vm.domain, vm.domain.features
    yield from pflash_nodes(vm)
    words = [vm.machine, "usb=off"]
    if features is not None:
        words += _feature_words(vm, features)
    words.append(
        f"dump-guest-core={domain.dump_core or ('on' if getattr(vm.config, 'dump_guest_core', False) else 'off')}"
    )
    backing = domain.memory_backing
    if backing is not None and backing.nosharepages:
        words.append("mem-merge=off")
    if uses_pflash(vm):
        words.append("pflash0=libvirt-pflash0-format")
        if nvram_path(vm):
            words.append("pflash1=libvirt-pflash1-format")
    if _hmat(domain):
        words.append("hmat=on")
    if not domain.cpu_cells():
        words.append(f"memory-backend={ram_id(vm)}")
    for device in domain.all_devices():
        words += getattr(device, "machine_words", lambda vm: [])(vm)
    if vm.is_s390:
        from ..boards import boot_parameter

        words += boot_parameter(domain)
    if vm.domain.os.useserial:
        words.append("graphics=off")
    yield Opt("-machine", ",".join(words))


def _hmat(domain: Any) -> bool:
    cpu = domain.cpu
    return cpu is not None and bool(cpu.latencies or cpu.bandwidths or any(c.caches for c in cpu.cells))


def _feature_words(vm: Any, features: Any) -> Iterator[str]:
    if features.vmport_state is not None:
        yield f"vmport={_switch(features.vmport_state)}"
    if features.smm_state is not None:
        yield f"smm={_switch(features.smm_state)}"
    if features.gic_version is not None and vm.arch == "aarch64":
        yield f"gic-version={features.gic_version}"
    if features.ioapic is not None:
        yield "kernel_irqchip=" + {"kvm": "on", "qemu": "split"}[features.ioapic]
    if vm.is_pseries:
        from ..boards import pseries_words

        yield from pseries_words(features)


def ram_id(vm: Any) -> str:
    """The id that the machine type expects of its main memory."""
    machine_type = vm.caps.machine(vm.machine)
    return str(getattr(machine_type, "default_ram_id", None) or "pc.ram")


def accel(vm: Any) -> Iterator[Arg]:
    """``-accel`` with its properties."""
    features = vm.domain.features
    if vm.virt_type == "kvm":
        ring = (
            features.kvm.dirty_ring_size
            if features is not None and features.kvm is not None and features.kvm.dirty_ring
            else None
        )
        yield Opt("-accel", "kvm" + (f",dirty-ring-size={ring}" if ring else ""))
    else:
        cache = features.tcg_tb_cache if features is not None else None
        yield Opt("-accel", "tcg" + (f",tb-size={cache // 1024}" if cache else ""))


def uses_pflash(vm: Any) -> bool:
    loader = vm.domain.os.loader
    return loader is not None and loader.type == "pflash" and bool(loader.path)


def nvram_path(vm: Any) -> str | None:
    os = vm.domain.os
    path: str | None = os.nvram or os.nvram_file or os.nvram_dev
    return path


def pflash_nodes(vm: Any) -> Iterator[Arg]:
    """Block nodes of firmware code and variables."""
    if not uses_pflash(vm):
        return
    loader = vm.domain.os.loader
    yield Blockdev(
        "file",
        {"filename": loader.path, "node-name": "libvirt-pflash0-storage", "auto-read-only": True, "discard": "unmap"},
    )
    yield Blockdev(
        "raw",
        {"node-name": "libvirt-pflash0-format", "read-only": bool(loader.readonly), "file": "libvirt-pflash0-storage"},
    )
    path = nvram_path(vm)
    if path:
        driver = "host_device" if vm.domain.os.nvram_dev else "file"
        yield Blockdev(
            driver,
            {"filename": path, "node-name": "libvirt-pflash1-storage", "auto-read-only": True, "discard": "unmap"},
        )
        yield Blockdev(
            "raw", {"node-name": "libvirt-pflash1-format", "read-only": False, "file": "libvirt-pflash1-storage"}
        )


def firmware(vm: Any) -> Iterator[Arg]:
    """Globals of SMM and secure flash, which stand between ``-accel`` and ``-cpu``."""
    features, loader = vm.domain.features, vm.domain.os.loader
    if features is not None and features.smm_tseg:
        yield Opt("-global", f"mch.extended-tseg-mbytes={features.smm_tseg}")
    if loader is not None and loader.secure and uses_pflash(vm):
        yield Opt("-global", "driver=cfi.pflash01,property=secure,value=on")


def bios(vm: Any) -> Iterator[Arg]:
    """``-bios``, behind ``-cpu``."""
    loader = vm.domain.os.loader
    if loader is not None and loader.type == "rom" and loader.path:
        yield Opt("-bios", loader.path)


def boot(vm: Any) -> Iterator[Arg]:
    """``-boot``, kernel, initrd, command line, device tree, ACPI tables."""
    os = vm.domain.os
    words = []
    if os.bootmenu is not None:
        words.append(f"menu={_switch(os.bootmenu)}")
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
