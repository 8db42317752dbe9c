"""Taps on bridges and macvtaps over cards, as one interface wants them. Everything blocks; call it outside of the loop's thread."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from kvasir.errors import ConfigUnsupported, Error, Origin
from kvasir.host import macvtap, netlink, ovs, tap, tc

log = logging.getLogger(__name__)


def bridge_of(net: Any) -> str | None:
    """The bridge that the card is plugged into."""
    if net.actual is not None:
        return getattr(net.actual.source, "bridge", None)
    return getattr(net.source, "bridge", None) if net.type == "bridge" else None


def _switched(net: Any) -> bool:
    port = net.effective("virtualport")
    return port is not None and port.type in ("openvswitch", "midonet")


def plug(net: Any, guest_uuid: str) -> None:
    """Set the tap up and put it on the bridge, with its limits. Raises kvasir errors."""
    bridge, name = bridge_of(net), str(net.target_dev)
    mtu = net.mtu
    if bridge is not None and mtu is None:
        mtu = tap.bridge_mtu(bridge)
    tap.setup(name, mac=tap.host_mac(net.mac), mtu=mtu, up=False)
    if bridge is not None:
        _join(net, bridge, guest_uuid)
        netlink.change(name, up=True)
    limit(net, guest_uuid)


def _join(net: Any, bridge: str, guest_uuid: str) -> None:
    name, vlan = str(net.target_dev), net.effective("vlan")
    if _switched(net):
        ovs.add_port(bridge, name, net.mac, guest_uuid, net.effective("virtualport"), vlan)
        return
    if vlan is not None:
        raise ConfigUnsupported(f"unable to attach vlan tags to interface {name}: bridge {bridge} is no Open vSwitch",
                                origin=Origin.NONE)  # fmt: skip
    tap.add_to_bridge(name, bridge, isolated=net.effective("isolated"))
    if _by_libvirt(net):
        netlink.set_port(name, learning=False, flood=False)
        with contextlib.suppress(OSError):
            netlink.fdb(name, net.mac)


def _by_libvirt(net: Any) -> bool:
    source = net.actual.source if net.actual is not None else net.source
    return bool(getattr(source, "mac_table", None) == "libvirt")


def limit(net: Any, guest_uuid: str) -> None:
    """Limit the card's traffic as its document says, where it says something. Raises kvasir errors."""
    if net.effective("bandwidth") is not None and net.target_dev:
        change_limits(net, guest_uuid, net.effective("bandwidth"))


def change_limits(net: Any, guest_uuid: str, band: Any) -> None:
    """Other limits (None: none): what goes to the guest leaves through the tap, what comes from it enters there."""
    inbound, outbound = tc.limits(band, "inbound"), tc.limits(band, "outbound")
    if _switched(net):
        ovs.shape(net.target_dev, guest_uuid, inbound, outbound)
    elif band is None:
        tc.clear(net.target_dev)
    elif net.actual_type == "direct":
        tc.shape(net.target_dev, outbound, inbound)
    else:
        tc.shape(net.target_dev, inbound, outbound)


def unplug(net: Any, guest_uuid: str) -> None:
    """Take the tap off a switch, which would keep its port and its limits (a bridge of the kernel forgets them by itself)."""
    bridge = bridge_of(net)
    if bridge is None or not net.target_dev or not _switched(net):
        return
    with contextlib.suppress(Error):
        if net.effective("bandwidth") is not None:
            ovs.shape(net.target_dev, guest_uuid, None, None)
    with contextlib.suppress(Error):
        ovs.remove_port(net.target_dev)


def plug_again(net: Any, guest_uuid: str) -> None:
    """Put a running guest's tap back onto its bridge where it is not on it; a switch is told each time, as by libvirt."""
    bridge, name = bridge_of(net), str(net.target_dev)
    if bridge is None or not netlink.exists(bridge) or not netlink.exists(name):
        return
    if _switched(net) or netlink.info(name)["master"] != bridge:
        _join(net, bridge, guest_uuid)
        netlink.change(name, up=True)


def move(net: Any, old: Any, guest_uuid: str) -> None:
    """Move a running guest's tap from the bridge of ``old`` to that of ``net``. Raises kvasir errors."""
    before = bridge_of(old)
    if before is not None and _switched(old):
        ovs.remove_port(net.target_dev)
    elif before is not None:
        netlink.change(str(net.target_dev), master="")
    try:
        _join(net, str(bridge_of(net)), guest_uuid)
    except BaseException:
        if before is not None:
            with contextlib.suppress(Error, OSError):
                _join(old, before, guest_uuid)
        raise


def make_macvtap(net: Any, guest_uuid: str, sys: str) -> None:
    """A macvtap over the card of the host, with the guest's MAC, known to the switch where it has a profile. Raises kvasir errors."""
    source = net.actual.source if net.actual is not None else net.source
    if net.target_dev is None:
        net.target_dev = tap.free_name("macvtap")
    macvtap.create(net.target_dev, source.dev, source.mode or "vepa", net.mac, up=net.link != "down")
    try:
        profile(net, guest_uuid, sys)
        limit(net, guest_uuid)
    except BaseException:
        macvtap.remove(net.target_dev)
        raise


def remove_macvtap(net: Any, guest_uuid: str, sys: str) -> None:
    """Take a macvtap away, and say so to its switch."""
    try:
        profile(net, guest_uuid, sys, end=True)
    except Error as problem:
        log.warning("the switch was not told of the end of %s: %s", net.target_dev, problem.message)
    macvtap.remove(net.target_dev)


def profile(net: Any, guest_uuid: str, sys: str, *, end: bool = False) -> None:
    """Tell a switch that knows ports by profile of this macvtap. Raises kvasir errors."""
    port = net.effective("virtualport")
    if port is None or port.type not in ("802.1Qbg", "802.1Qbh"):
        return
    from kvasir.host import vport
    from kvasir.host.hostuuid import host_uuid

    source = net.actual.source if net.actual is not None else net.source
    vport.associate(
        port, macvtap=net.target_dev, card=source.dev, mac=net.mac, guest=guest_uuid, host=host_uuid(), sys=sys, end=end
    )
