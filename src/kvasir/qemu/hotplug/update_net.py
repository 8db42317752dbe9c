"""What may change in a network card of a running guest: link, bridge, isolation, bandwidth, filter, coalescing."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from kvasir.devices import interface_network
from kvasir.devices.interface_taps import bridge_of, change_limits, move
from kvasir.errors import ConfigUnsupported, Error, OperationFailed, OperationUnsupported
from kvasir.host import ovs, tap

from . import compatible, matching
from .session import HotHost

DRIVER = (
    "driver_name", "txmode", "ioeventfd", "event_idx", "queues", "rx_queue_size", "tx_queue_size", "rss",
    "rss_hash_report", "host_csum", "host_gso", "host_tso4", "host_tso6", "host_ecn", "host_ufo", "host_mrg_rxbuf",
    "guest_csum", "guest_tso4", "guest_tso6", "guest_ecn", "guest_ufo", "iommu", "ats", "packed", "page_per_vq",
)  # fmt: skip
BRIDGED = ("bridge", "network")


async def update(guest: Any, net: Any, vm: Any) -> None:
    """Change a card that is there. Raises OperationUnsupported for what only a restart changes."""
    known = matching.interface(guest.live, net)
    compatible.boot(guest.live, net, known)
    _fill(known, net)
    _same(known, net)
    async with contextlib.AsyncExitStack() as stack:
        host = HotHost(guest, vm, stack)
        new_port = net.type == "network" and net.actual is None
        if new_port:
            await interface_network.allocate(net, host)
        _plugged(known, net)
        await _change(guest, known, net)
        stack.pop_all()
        if known.type == "network" and (new_port or net.type != "network"):
            await interface_network.give_back(known, host)
    _replace(guest.live, known, net)


async def _change(guest: Any, known: Any, net: Any) -> None:
    """Do what differs, one after the other."""
    vlan = net.effective("vlan")
    if vlan is not None and vlan != known.effective("vlan") and not _takes_vlan(net):
        raise ConfigUnsupported(f"interface {net.mac} - vlan tag not supported for this connection type")
    if net.filterref != known.filterref:
        await _filter(guest, known, net)
    before = bridge_of(known)
    if before != bridge_of(net):
        await asyncio.to_thread(_move, known, net, guest.uuid_text)
    elif vlan != known.effective("vlan") and _takes_vlan(net) and known.target_dev and net.actual_type in BRIDGED:
        await asyncio.to_thread(ovs.change_vlan, known.target_dev, vlan)
    elif net.effective("isolated") != known.effective("isolated") and before:
        await asyncio.to_thread(tap.add_to_bridge, known.target_dev, before, isolated=bool(net.effective("isolated")))
    if net.effective("bandwidth") != known.effective("bandwidth"):
        if not known.target_dev:
            raise OperationUnsupported("Unable to set bandwidth for interface because device name is unknown")
        await asyncio.to_thread(change_limits, net, guest.uuid_text, net.effective("bandwidth"))
    if net.coalesce != known.coalesce and known.target_dev:
        await asyncio.to_thread(tap.set_coalesce, known.target_dev, net.coalesce)
    if (net.link == "down") != (known.link == "down"):
        await guest.monitor().command("set_link", {"name": known.alias, "up": net.link != "down"})


def _fill(known: Any, net: Any) -> None:
    """What the document left out stays as it is."""
    net.alias, net.mac = known.alias, known.mac
    net.address = net.address or known.address
    net.target_dev = net.target_dev or known.target_dev
    net.rom_bar = net.rom_bar or known.rom_bar
    if net.type != "network" or known.type != "network":
        return
    if (net.source.network, net.source.portgroup) == (known.source.network, known.source.portgroup):
        net.actual, net.source = known.actual, known.source


def _same(known: Any, net: Any) -> None:
    if known.model != net.model:
        raise OperationUnsupported(
            f"cannot modify network device model from {known.model or '(default)'} to {net.model or '(default)'}"
        )
    if net.is_virtio and any(getattr(known, name) != getattr(net, name) for name in DRIVER):
        raise OperationUnsupported("cannot modify virtio network device driver attributes")
    checks = (
        ("script", "cannot modify network device script attribute"),
        ("target_dev", "cannot modify network device tap name"),
        ("mtu", "cannot modify MTU"),
        ("rom_bar", "cannot modify network device rom bar setting"),
        ("rom_file", "cannot modify network rom file"),
        ("boot", "cannot modify network device boot index setting"),
        ("guest_dev", "cannot modify network device guest name"),
        ("ips", "cannot modify network device guest IP settings"),
    )
    for field, words in checks:
        if getattr(known, field) != getattr(net, field):
            raise OperationUnsupported(words)


def _plugged(known: Any, net: Any) -> None:
    """What would need the host's side made anew cannot change."""
    old, new = known.actual_type, net.actual_type
    same = (known.effective("virtualport") or None) == (net.effective("virtualport") or None)
    if same and old in BRIDGED and new in BRIDGED and bridge_of(known) and bridge_of(net):
        return
    if not same or old != new or (net.type == known.type and net.type != "network" and net.source != known.source):
        raise OperationUnsupported(f"unable to change config on '{net.type}' network type")


def _takes_vlan(net: Any) -> bool:
    port = net.effective("virtualport")
    return net.actual_type == "hostdev" or (port is not None and port.type == "openvswitch")


async def _filter(guest: Any, known: Any, net: Any) -> None:
    from kvasir.devices.interface_host import change_filter

    try:
        await change_filter(guest, known, net)
    except Error as problem:
        raise OperationFailed(
            f"failed to add new filter rules to '{known.target_dev}' - attempting to restore old rules",
            hint=problem.message,
        ) from None


def _move(known: Any, net: Any, uuid: str) -> None:
    bridge = bridge_of(net) or ""
    if not tap.exists(bridge):
        raise OperationFailed(f"bridge {bridge} doesn't exist")
    move(net, known, uuid)


def _replace(domain: Any, known: Any, net: Any) -> None:
    at = next(i for i, one in enumerate(domain.interfaces) if one is known)
    domain.interfaces[at] = net
