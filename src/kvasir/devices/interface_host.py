"""What a network interface takes of the host at the start: a port of a virtual network, a tap on its bridge, a macvtap, descriptors.

``prepare`` is for the start and for hotplug; what it takes is given back by the host's stack when that fails, and by ``release``
when the guest ends or the card is unplugged. ``attach_again`` is for guests that ran on while the daemon or the network was away.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

from kvasir.errors import ConfigUnsupported, SystemFailure

from . import interface_hostdev, interface_taps
from .interface_check import check_actual
from .interface_network import allocate, give_back
from .interface_qemu import fd_count, fd_names, uses_vhost

log = logging.getLogger(__name__)
TAPPED = ("network", "bridge", "ethernet")


async def prepare(net: Any, host: Any) -> None:
    """Make the host's side ready and pass its descriptors. Raises kvasir errors."""
    if net.type == "network":
        await allocate(net, host)
    check_actual(net)
    kind = net.actual_type
    if kind == "hostdev":
        await interface_hostdev.prepare(net, host)
    elif kind in TAPPED:
        await asyncio.to_thread(_tap, net, host)
        if net.filterref is not None:
            await _filter(net, host)
    elif kind == "direct":
        await asyncio.to_thread(_macvtap, net, host)
    elif kind == "vdpa":
        _pass(host, f"vdpa-{net.alias}", net.source.dev)
    elif kind == "user" and net.backend_type == "passt":
        from .interface_passt import start

        await start(net, host)


def _tap(net: Any, host: Any) -> None:
    from kvasir.host import tap

    vm = host.vm
    bridge = interface_taps.bridge_of(net)
    if bridge is not None and net.backend_tap is None and not host.driver.privileged:
        _by_helper(net, host, bridge)
        return
    if net.target_dev is None:
        net.target_dev = tap.free_name()
    queues = fd_count(net, vm)
    device = net.backend_tap or "/dev/net/tun"
    fds = tap.open_tap(net.target_dev, queues, vnet=net.is_virtio, device=device)
    for name, fd in zip(fd_names(net, queues), fds, strict=True):
        host.pass_fd(name, fd)
    if net.target_managed is not False:
        host.stack.callback(interface_taps.unplug, net, host.vm.uuid)
        interface_taps.plug(net, host.vm.uuid)
    _vhost(net, host, queues)


def _by_helper(net: Any, host: Any, bridge: str) -> None:
    """An ordinary user's daemon: the tap is made by QEMU's helper, which has the right to; it has one queue."""
    from kvasir.host import bridge_helper

    if fd_count(net, host.vm) > 1:
        log.warning("interface %s: the bridge helper makes one queue", net.mac)
        net.queues = None
    net.target_dev, fd = bridge_helper.open_tap(host.driver.config.bridge_helper, bridge, vnet=net.is_virtio)
    host.pass_fd(fd_names(net, 1)[0], fd)
    interface_taps.limit(net, host.vm.uuid)
    _vhost(net, host, 1)


async def _filter(net: Any, host: Any) -> None:
    """Put the interface's network filter in force before the guest can send. Raises kvasir errors."""
    filters = host.driver.drivers["nwfilter"]
    await filters.attach(net, host.vm.name, str(host.vm.uuid))
    host.stack.push_async_callback(filters.detach, net.target_dev)


async def change_filter(guest: Any, known: Any, net: Any) -> None:
    """Another filter for the interface of a running guest, or none. Raises kvasir errors; then the old one is in force."""
    filters = guest.driver.drivers["nwfilter"]
    net.target_dev = known.target_dev
    if net.filterref is None:
        await filters.detach(known.target_dev)
    else:
        await filters.attach(net, guest.name, guest.uuid_text)


def _macvtap(net: Any, host: Any) -> None:
    from kvasir.host import macvtap

    queues = fd_count(net, host.vm)
    sys = interface_hostdev.tree(host).top
    interface_taps.make_macvtap(net, host.vm.uuid, sys)
    host.stack.callback(interface_taps.remove_macvtap, net, host.vm.uuid, sys)
    fds = macvtap.open_device(net.target_dev, queues, vnet=net.is_virtio)
    for name, fd in zip(fd_names(net, queues), fds, strict=True):
        host.pass_fd(name, fd)
    _vhost(net, host, queues)


def _vhost(net: Any, host: Any, queues: int) -> None:
    if uses_vhost(net, host.vm):
        for name in fd_names(net, queues, "vhost-"):
            try:
                _pass(host, name, net.backend_vhost or "/dev/vhost-net")
            except SystemFailure:
                if net.driver_name == "vhost":
                    raise ConfigUnsupported("vhost-net was requested for an interface, but is unavailable",
                                            hint="modprobe vhost_net") from None  # fmt: skip


def _pass(host: Any, name: str, path: str) -> None:
    try:
        host.pass_fd(name, os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise SystemFailure(f"Unable to open '{path}' for vdpa device" if name.startswith("vdpa-") else
                            f"Unable to open {path}", error) from error  # fmt: skip


async def release(net: Any, host: Any) -> None:
    """Give back what ``prepare`` took. A tap device goes with its last descriptor; a macvtap and a port do not."""
    kind = net.actual_type
    if net.filterref is not None and net.target_dev:
        await host.driver.drivers["nwfilter"].detach(net.target_dev)
    if kind == "direct" and net.target_dev:
        await asyncio.to_thread(interface_taps.remove_macvtap, net, host.vm.uuid, interface_hostdev.tree(host).top)
    elif kind in TAPPED and net.target_managed is not False and net.target_dev:
        await asyncio.to_thread(interface_taps.unplug, net, host.vm.uuid)
    elif kind == "user" and net.backend_type == "passt":
        from .interface_passt import stop

        await asyncio.to_thread(stop, net, host.paths.qemu.passt, host.vm.name)
    elif kind == "hostdev":
        await interface_hostdev.release(net, host)
    if net.type == "network":
        await give_back(net, host)
    from .interface import GENERATED_NAMES

    if net.target_dev and net.target_managed is not False and net.target_dev.startswith(GENERATED_NAMES):
        net.target_dev = None


async def attach_again(net: Any, networks: Any, owner: Any) -> None:
    """A card of a running guest: its port is known to the network again, its tap is on the bridge again."""
    if net.type == "network" and networks is not None:
        from .interface_network import reclaim

        if not await reclaim(net, networks, owner):
            return
    if net.actual_type in ("network", "bridge") and net.target_dev:
        await asyncio.to_thread(interface_taps.plug_again, net, str(owner.uuid_text))
