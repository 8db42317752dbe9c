"""What a network interface takes of the host at the start: a tap device on its bridge, vhost and vDPA descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

from kvasir.errors import ConfigUnsupported, SystemFailure

from .interface_qemu import fd_count, fd_names, uses_vhost


async def prepare(net: Any, host: Any) -> None:
    """Make the host's side ready and pass its descriptors. Raises ConfigUnsupported for what is not built yet."""
    if net.type == "network":
        raise ConfigUnsupported(
            f"interface {net.mac} uses virtual network '{net.source.network}': virtual networks are not built yet",
            hint="use <interface type='user'/>, or type='bridge' with a bridge of the host",
        )
    if net.type == "direct":
        raise ConfigUnsupported(f"interface {net.mac}: macvtap (type='direct') is not built yet",
                                hint="use type='bridge' with a bridge of the host")  # fmt: skip
    if net.type == "hostdev":
        raise ConfigUnsupported(f"interface {net.mac}: host devices as interfaces are not built yet")
    if net.backend_type == "passt":
        raise ConfigUnsupported(f"interface {net.mac}: the passt backend is not built yet")
    if net.filterref is not None:
        raise ConfigUnsupported(
            f"interface {net.mac} has network filter '{net.filterref.filter}': filters are not built yet"
        )
    if net.type in ("bridge", "ethernet"):
        await asyncio.to_thread(_tap, net, host)
    elif net.type == "vdpa":
        _pass(host, f"vdpa-{net.alias}", net.source.dev)


def _tap(net: Any, host: Any) -> None:
    from kvasir.host import tap

    vm = host.vm
    managed = net.target_managed is not False
    if net.target_dev is None:
        net.target_dev = tap.free_name()
    queues = fd_count(net, vm)
    device = net.backend_tap or "/dev/net/tun"
    for name, fd in zip(
        fd_names(net, queues), tap.open_tap(net.target_dev, queues, vnet=net.is_virtio, device=device), strict=True
    ):
        host.pass_fd(name, fd)
    if managed:
        mtu = net.mtu
        if net.type == "bridge" and mtu is None:
            mtu = tap.mtu_of(net.source.bridge)
        tap.setup(net.target_dev, mac=tap.host_mac(net.mac), mtu=mtu, up=net.type == "bridge")
        if net.type == "bridge":
            tap.add_to_bridge(net.target_dev, net.source.bridge, isolated=net.isolated)
    if uses_vhost(net, vm):
        for name in fd_names(net, queues, "vhost-"):
            with contextlib.suppress(SystemFailure):
                _pass(host, name, net.backend_vhost or "/dev/vhost-net")


def _pass(host: Any, name: str, path: str) -> None:
    try:
        host.pass_fd(name, os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise SystemFailure(f"Unable to open '{path}' for vdpa device" if name.startswith("vdpa-") else
                            f"Unable to open {path}", error) from error  # fmt: skip


async def release(net: Any, host: Any) -> None:
    """A tap device goes with its last descriptor; only its name is forgotten."""
    if net.type in ("bridge", "ethernet") and net.target_managed is not False and net.target_dev:
        from .interface import GENERATED_NAMES

        if net.target_dev.startswith(GENERATED_NAMES):
            net.target_dev = None
