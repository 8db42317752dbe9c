"""A virtual function of an SR-IOV card as an interface: its MAC address and VLAN set through the card, its driver exchanged for vfio."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

from kvasir.errors import ConfigUnsupported, Error, Origin, SystemFailure
from kvasir.host import netlink, sriov, vport
from kvasir.host.hostuuid import host_uuid

from . import hostdev_host

log = logging.getLogger(__name__)


def address_of(net: Any) -> str:
    """The function's PCI address as the kernel writes it."""
    place = (net.actual.source if net.actual is not None else net.source).address
    return f"{place.domain or 0:04x}:{place.bus or 0:02x}:{place.slot or 0:02x}.{place.function or 0}"


def _managed(net: Any) -> bool:
    return bool(net.actual.managed if net.actual is not None else net.managed)


def tree(host: Any) -> Any:
    from kvasir.nodedev.sysfs import Tree

    return Tree(host.paths.root)


async def prepare(net: Any, host: Any) -> None:
    """Set the function up and give it to vfio where it is managed. Raises kvasir errors."""
    sysfs = tree(host)
    place = (net.actual.source if net.actual is not None else net.source).address
    if place.type == "usb":
        return
    name = address_of(net)
    if not sysfs.exists(f"/bus/pci/devices/{name}"):
        raise SystemFailure(f"Device {name} not found: could not access /sys/bus/pci/devices/{name}/config",
                            OSError(2, os.strerror(2)))  # fmt: skip
    hostdev_host.free(host, net, name)
    port = net.effective("virtualport")
    if port is not None and port.type not in (None, "none", "802.1Qbh"):
        text = f"virtualport type '{port.type}' is currently not supported on interfaces of type hostdev"
        raise ConfigUnsupported(text)
    if port is not None and port.type == "802.1Qbh":
        await asyncio.to_thread(_profile, net, name, sysfs.top, host.vm.uuid)
        host.stack.callback(_unprofile, net, name, sysfs.top, host.vm.uuid)
    else:
        await asyncio.to_thread(_configure, net, name, sysfs.top)
    from kvasir.nodedev import binding

    if not binding.vfio_works(sysfs):
        raise ConfigUnsupported("host doesn't support passthrough of host PCI devices")
    if _managed(net):
        host.stack.callback(_back, sysfs, name)
        await asyncio.to_thread(binding.bind, sysfs, name, binding.VFIO)
    elif binding.driver_of(sysfs, name) != binding.VFIO:
        raise ConfigUnsupported(f"PCI device {name} is not bound to vfio-pci",
                                hint=f"virsh nodedev-detach pci_{name.replace(':', '_').replace('.', '_')}")  # fmt: skip


def _function(name: str, sys: str) -> tuple[str, int]:
    found = sriov.owner(name, sys)
    if found is None:
        raise ConfigUnsupported(f"Interface type hostdev is currently supported on SR-IOV Virtual Functions only ({name})",
                                hint="use <hostdev> for a whole card")  # fmt: skip
    return found


def _profile(net: Any, name: str, sys: str, guest: str, *, end: bool = False) -> None:
    """The switch sets the function up by its profile, MAC address and VLAN with it; ``end`` takes that back. Raises kvasir errors."""
    card, number = _function(name, sys)
    vport.associate(
        net.effective("virtualport"),
        macvtap=None,
        card=card,
        vf=number,
        mac=net.mac,
        guest=guest,
        host=host_uuid(),
        end=end,
    )


def _unprofile(net: Any, name: str, sys: str, guest: str) -> None:
    try:
        _profile(net, name, sys, guest, end=True)
    except Error as problem:
        log.warning("the switch was not told of the end of %s: %s", net.mac, problem.message)


def _configure(net: Any, name: str, sys: str) -> None:
    """The guest's MAC address (and VLAN) belong to the function, not to the guest's driver."""
    card, number = _function(name, sys)
    vlan = net.effective("vlan")
    tag = vlan.tags[0].id if vlan is not None and vlan.tags else None
    try:
        netlink.set_function(card, number, mac=net.mac, vlan=tag)
    except OSError as error:
        said = "" if tag is None else f", vlanid {tag}"
        raise SystemFailure(f"Cannot set interface MAC{'/vlanid' if tag is not None else ''} to {net.mac}{said} for ifname "
                            f"{card} vf {number}", error, origin=Origin.NONE) from None  # fmt: skip


def _back(sysfs: Any, name: str) -> None:
    from kvasir.nodedev import binding

    try:
        binding.bind(sysfs, name, None)
    except Error:
        return


async def release(net: Any, host: Any) -> None:
    """Give the function back: to its switch's profile, and to the host's driver where it is managed."""
    port = net.effective("virtualport")
    if port is not None and port.type == "802.1Qbh":
        await asyncio.to_thread(_unprofile, net, address_of(net), tree(host).top, host.vm.uuid)
    if _managed(net):
        await asyncio.to_thread(_back, tree(host), address_of(net))
