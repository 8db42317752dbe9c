"""QEMU's whole command line for a guest, in the order in which libvirt 9.0 writes it.

Nothing here acts: descriptors (``vm.fds``) and folders (``vm.facts``) were made ready by the driver.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from . import aliases, argv
from .args import Arg, Chardev, Dev, Obj, Opt
from .device_args import args_of

CONTROLLERS = ("pci", "usb", "scsi", "ide", "sata", "virtio-serial", "ccid", "fdc")
FIRST = ("memories", "hubs", "disks", "filesystems", "interfaces", "smartcards", "serials", "parallels", "channels",
         "consoles", "tpms", "inputs", "audios", "graphics", "videos", "sounds", "watchdogs", "redirdevs", "hostdevs",
         "memballoons", "rngs", "nvrams")  # fmt: skip
LAST = ("panics", "shmems", "vsocks", "cryptos")


def build(vm: Any) -> list[str]:
    """The command line, the binary first. Aliases that the document lacks are assigned."""
    return words(vm, arguments(vm))


def words(vm: Any, args: Iterable[Arg]) -> list[str]:
    """The command line of these options."""
    return [vm.domain.emulator or vm.caps.binary, *(word for arg in args for word in arg.argv())]


def arguments(vm: Any) -> list[Arg]:
    """All options as data. Aliases that the document lacks are assigned."""
    aliases.assign(vm)
    if not vm.is_x86:
        from .board_checks import check_command_line

        check_command_line(vm.domain, vm)
    return list(_arguments(vm))


def _arguments(vm: Any) -> Iterator[Arg]:
    for arg in argv.root_before(vm):
        yield arg
        if isinstance(arg, Opt) and arg.option == "-S":
            yield Obj("secret", id="masterKey0", format="raw", file=f"{lib_folder(vm)}/master-key.aes")
    yield from _monitor(vm)
    yield from argv.root_middle(vm)
    if not vm.is_x86:
        from .boards import legacy_usb

        yield from legacy_usb(vm)
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
    for arg in argv.root_after(vm):
        if isinstance(arg, Opt) and arg.option == "-msg":
            for name in LAST:
                for device in getattr(domain, name):
                    yield from args_of(vm, device)
        yield arg


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
