"""QEMU's whole command line for a guest, in the order in which libvirt 9.0 writes it.

Nothing here acts: descriptors (``vm.fds``) and folders (``vm.facts``) were made ready by the driver.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import aliases
from .args import Arg, Chardev, Dev, Obj, Opt, comma
from .command import clock, cpu, machine, memory, smbios
from .device_args import args_of

SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
CONTROLLERS = ("pci", "usb", "scsi", "ide", "sata", "virtio-serial", "ccid")
FIRST = ("memories", "hubs", "disks", "filesystems", "interfaces", "smartcards", "serials", "parallels", "channels",
         "consoles", "tpms", "inputs", "audios", "graphics", "videos", "sounds", "watchdogs", "redirdevs", "hostdevs",
         "memballoons", "rngs", "nvrams")  # fmt: skip
LAST = ("panics", "shmems", "vsocks", "cryptos")


def build(vm: Any, domain: Any = None) -> list[str]:
    """The command line, the binary first. Aliases that the document lacks are assigned."""
    if domain is not None:
        vm.domain = domain
    aliases.assign(vm)
    words = [vm.domain.emulator or vm.caps.binary]
    for arg in arguments(vm):
        words += arg.argv()
    return words


def arguments(vm: Any) -> Iterator[Arg]:
    """All options as data."""
    domain = vm.domain
    yield Opt("-name", f"guest={comma(vm.name)},debug-threads=on")
    yield Opt("-S")
    yield Obj("secret", id="masterKey0", format="raw", file=f"{lib_folder(vm)}/master-key.aes")
    yield from machine.flash_drives(vm)
    yield from machine.machine(vm, memory.ram_id(vm))
    yield from cpu.cpu(vm)
    yield from machine.loader(vm)
    yield from memory.memory(vm)
    locked = domain.memory_backing is not None and domain.memory_backing.locked
    yield Opt("-overcommit", f"mem-lock={'on' if locked else 'off'}")
    yield from cpu.smp(vm)
    yield from _iothreads(domain)
    yield from memory.numa(vm)
    yield Opt("-uuid", vm.uuid)
    yield from smbios.smbios(vm)
    yield from smbios.fw_cfg(vm)
    yield from _genid(domain)
    if not domain.graphics:
        yield Opt("-display", "none")
    yield Opt("-no-user-config")
    yield Opt("-nodefaults")
    yield from _monitor(vm)
    yield from clock.rtc(vm)
    yield from clock.timers(vm)
    yield Opt("-no-shutdown")
    yield from machine.power(vm)
    yield from machine.boot(vm)
    yield from _devices(vm)


def _devices(vm: Any) -> Iterator[Arg]:
    domain = vm.domain
    for device in domain.iommus:
        yield from args_of(vm, device)
    for kind in CONTROLLERS:
        for controller in domain.controllers:
            if controller.type == kind:
                yield from args_of(vm, controller)
    for name in FIRST:
        for device in getattr(domain, name):
            yield from args_of(vm, device)
    features = domain.features
    if features is not None and features.vmcoreinfo_state:
        yield Opt("-device", "vmcoreinfo") if not vm.caps.has("device.json") else Dev("vmcoreinfo")
    for arg in domain.qemu_args:
        yield Opt(arg.value or "")
    yield from _sandbox(vm)
    for name in LAST:
        for device in getattr(domain, name):
            yield from args_of(vm, device)
    yield Opt("-msg", "timestamp=on")


def _sandbox(vm: Any) -> Iterator[Arg]:
    if not vm.caps.has("seccomp-sandbox"):
        return
    wanted = getattr(vm.config, "seccomp_sandbox", None)
    yield Opt("-sandbox", "off" if wanted == 0 else SANDBOX)


def lib_folder(vm: Any) -> str:
    """The guest's own folder under ``var/lib``."""
    given = vm.facts.get("lib")
    if given:
        return str(given)
    base = getattr(getattr(vm.paths, "qemu", vm.paths), "lib", None) or "/var/lib/libvirt/qemu"
    return f"{base}/domain-{vm.id}-{vm.name[:20]}"


def _monitor(vm: Any) -> Iterator[Arg]:
    options: dict[str, Any] = {}
    if "monitor" in vm.fds:
        options["fd"] = vm.fds["monitor"]
    else:
        options["path"] = vm.facts.get("monitor_path") or f"{lib_folder(vm)}/monitor.sock"
    yield Chardev("socket", "charmonitor", {**options, "server": True, "wait": False})
    yield Opt("-mon", "chardev=charmonitor,id=monitor,mode=control")


def _iothreads(domain: Any) -> Iterator[Arg]:
    threads = domain.iothreadids
    given = {thread.id: thread for thread in threads}
    numbers = [thread.id for thread in threads] or list(range(1, (domain.iothreads or 0) + 1))
    for number in numbers:
        thread = given.get(number)
        yield Obj(
            "iothread",
            id=f"iothread{number}",
            thread_pool_min=thread.thread_pool_min if thread else None,
            thread_pool_max=thread.thread_pool_max if thread else None,
        )


def _genid(domain: Any) -> Iterator[Arg]:
    if domain.genid:
        yield Dev("vmgenid", guid=domain.genid, id="vmgenid0")
