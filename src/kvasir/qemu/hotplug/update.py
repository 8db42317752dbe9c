"""Changing devices that are there (update-device), in the running guest and in its definition."""

from __future__ import annotations

from typing import Any

from kvasir.errors import ConfigUnsupported, InvalidArg, OperationFailed, OperationUnsupported
from kvasir.qemu import define
from kvasir.qemu.implicit import sort_disks

from . import compatible, matching, update_disk, update_graphics, update_memory, update_net

CHR = ("serial", "parallel", "console", "channel")


async def update_live(guest: Any, device: Any, vm: Any, *, force: bool) -> None:
    """Change a device of the running guest. Raises ConfigUnsupported for kinds that cannot change."""
    if device.TAG == "disk":
        await update_disk.update(guest, device, vm, force=force)
    elif device.TAG == "interface":
        await update_net.update(guest, device, vm)
    elif device.TAG == "graphics":
        await update_graphics.update(guest, device, vm)
    elif device.TAG == "memory":
        await update_memory.update(guest, device)
    else:
        raise ConfigUnsupported(f"live update of device '{_word(device)}' is not supported")


def _word(device: Any) -> str:
    return "chr" if device.TAG in CHR else str(device.TAG)


def update_config(domain: Any, device: Any, vm: Any) -> None:
    """Replace a device of the definition, and complete the whole again."""
    maker = CONFIG.get(device.TAG)
    if maker is None:
        raise OperationUnsupported(f"persistent update of device '{_word(device)}' is not supported")
    maker(domain, device)
    vm.domain = domain
    define.complete(domain, vm)


def _put(kin: list[Any], old: Any, new: Any) -> None:
    kin[next(i for i, one in enumerate(kin) if one is old)] = new


def _disk(domain: Any, disk: Any) -> None:
    old = matching.disk(domain, disk.target)
    if old is None:
        raise InvalidArg(f"target {disk.target} doesn't exist.")
    compatible.check(domain, disk, old, live=False)
    if old.bus == disk.bus and disk.address is not None and type(disk.address) is not type(old.address):
        disk.address = disk.address or old.address
    if disk.address is None and old.bus == disk.bus:
        disk.address = old.address
    _put(domain.disks, old, disk)
    sort_disks(domain)


def _interface(domain: Any, net: Any) -> None:
    old = matching.interface(domain, net)
    compatible.check(domain, net, old, live=False)
    _put(domain.interfaces, old, net)


def _graphics(domain: Any, graphics: Any) -> None:
    old = next((one for one in domain.graphics if one.type == graphics.type), None)
    if old is None:
        raise InvalidArg(f"cannot find existing graphics type '{graphics.type}' device to modify")
    _put(domain.graphics, old, graphics)


def _memory(domain: Any, memory: Any) -> None:
    old = update_memory.find(domain, memory)
    if old is None:
        raise InvalidArg("memory not found")
    grown = (memory.size or 0) - (old.size or 0)
    memory.address = memory.address or old.address
    _put(domain.memories, old, memory)
    domain.memory = (domain.memory or 0) + grown
    if domain.max_memory is not None and domain.memory > domain.max_memory:
        raise OperationFailed("new memory size exceeds the maximum")


CONFIG: dict[str, Any] = {"disk": _disk, "interface": _interface, "graphics": _graphics, "memory": _memory}
