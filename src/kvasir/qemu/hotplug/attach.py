"""Plugging a device into a running guest."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from kvasir.errors import OperationUnsupported
from kvasir.events import DeviceAdded
from kvasir.qemu import addresses, aliases, chain, device_nodes, learn, live, locks, memlock, statusdoc, trail
from kvasir.qemu.labels import Labels

from . import rules, steps
from .fragment import alone, devices_of
from .places import insert
from .session import HotHost, live_vm

log = logging.getLogger(__name__)


async def attach(guest: Any, device: Any, vm: Any = None) -> None:
    """Plug it in, inside the caller's job. Raises what libvirt raises; a failure leaves nothing behind."""
    vm = vm or await live_vm(guest)
    rule = rules.ATTACH.get(device.TAG)
    if rule is None:
        raise OperationUnsupported(f"live attach of device '{device.TAG}' is not supported")
    done = await rule(guest, device, vm)
    if done:
        return
    try:
        await plug(guest, device, vm)
    except Exception:
        trail.changed(guest, device, "attach", ok=False)
        raise


async def plug(guest: Any, device: Any, vm: Any) -> None:
    """The common way: address, alias, host's side, labels, QMP, then the live document and the event."""
    driver = guest.driver
    async with contextlib.AsyncExitStack() as stack:
        _place(vm, device)
        if not device.alias and device.TAG != "lease":
            device.alias = aliases.alias_of(vm, device)
        host = HotHost(guest, vm, stack)
        stack.callback(host.close_fds)
        statusdoc.save(guest)  # it says that the guest is being changed, should this daemon end now
        await _host_side(guest, device, host, stack)
        monitor = guest.monitor()
        await host.send(monitor)
        answers = await steps.add(monitor, steps.arguments(vm, device), stack, host)
        _terminal(device, answers)
        await device.started(monitor)
        stack.pop_all()
        host.close_fds()
    insert(guest.live, device)
    await rules.after(guest, device)
    await learn.peripherals(guest)
    statusdoc.save(guest)
    trail.changed(guest, device, "attach")
    if device.alias:
        driver.bus.publish(DeviceAdded(guest, device.alias))


def _place(vm: Any, device: Any) -> None:
    if device.TAG in ("lease", "console"):
        return
    if device.TAG == "memory" and device.model in ("dimm", "nvdimm") and device.address is not None:
        return
    addresses.place(vm, device)


async def _host_side(guest: Any, device: Any, host: HotHost, stack: contextlib.AsyncExitStack) -> None:
    """Backing chain, the device's own preparations, ownership of its files."""
    driver, view = guest.driver, alone(guest.live, device)
    if device.TAG == "disk":
        await chain.complete(view, driver)
        number(guest, device)
    await device.prepare(host)
    stack.push_async_callback(device.release, host)
    labels = Labels(driver, guest)
    stack.callback(labels.restore)
    await labels.apply(view)
    stack.push_async_callback(device_nodes.deny, guest, device)
    await device_nodes.allow(guest, device)
    stack.callback(memlock.adjust, guest)
    memlock.adjust(guest, [device])
    await locks.attach_all(guest, view, stack)


def number(guest: Any, disk: Any) -> None:
    """Give the block nodes of a new disk the numbers after all that this guest ever had."""
    from kvasir.devices.disk_qemu import _number, layers
    from kvasir.qemu.blocks.graph import highest

    run = guest.run
    for layer in layers(disk):
        layer.index = None
    run.nodename_index = _number(disk, max(run.nodename_index, highest(guest.live)))


def _terminal(device: Any, answers: dict[str, Any]) -> None:
    """The name of a new pseudo terminal."""
    name = (answers.get(f"char{device.alias}") or {}).get("pty")
    if name:
        learn._set_path(device, str(name))


__all__ = ["attach", "devices_of", "live", "plug"]
