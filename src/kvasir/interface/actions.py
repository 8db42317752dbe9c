"""Starting and stopping interfaces by netlink. Blocking; call it in a thread."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from typing import Any

from kvasir.errors import OperationInvalid, Origin, SystemFailure
from kvasir.host import links, netlink
from kvasir.model.interface import BOND_MODES, VALIDATES, Bond, Interface

from .entries import Entry, flatten

Addresses = list[netlink.Address]
Gateways = list[netlink.Route]


def failed(what: str, error: OSError) -> SystemFailure:
    return SystemFailure(what, error, origin=Origin.INTERFACE)


def start(document: Interface, undo: contextlib.ExitStack) -> None:
    """Bring an interface up with all that is in it; addresses of a bridge's ports move to the bridge. Raises kvasir errors.

    ``undo`` gets what takes it back should a later step fail.
    """
    entries = flatten(document)
    for entry in entries[1:]:
        if entry.document.type == "ethernet" and not netlink.exists(entry.name):
            raise OperationInvalid(f"cannot start '{document.name}': there is no device '{entry.name}'",
                                   origin=Origin.INTERFACE)  # fmt: skip
    _make(entries[0], undo)
    moved: tuple[Addresses, Gateways] = ([], [])
    for entry in entries[1:]:
        if entry.document.type != "ethernet":
            _make(entry, undo)
        found = taken(entry.name)
        moved[0].extend(found[0])
        moved[1].extend(found[1])
        _plug(entry, undo)
        release(entry.name, found[0])
        undo.callback(give, entry.name, *found)
    name = str(document.name)
    try:
        if document.mtu is not None:
            netlink.change(name, mtu=document.mtu)
        undo.callback(_back, name, taken(name)[0])
        netlink.change(name, up=True)
        _static(document)
    except OSError as error:
        raise failed(f"cannot start interface '{name}'", error) from None
    give(name, *moved)


def _back(name: str, before: Addresses) -> None:
    """Down again, without the addresses that it did not have."""
    release(name, [one for one in taken(name)[0] if one not in before])
    with contextlib.suppress(OSError):
        netlink.change(name, up=False)


def _make(entry: Entry, undo: contextlib.ExitStack) -> None:
    """The link itself, where the kernel has to make it."""
    own, name = entry.document, entry.name
    if netlink.exists(name):
        if own.bridge is not None:
            with contextlib.suppress(OSError):
                links.set_bridge(name, bool(own.bridge.stp), float(own.bridge.delay or 0))
        return
    try:
        if own.bridge is not None:
            netlink.create(name, "bridge")
            undo.callback(netlink.delete, name)
            links.set_bridge(name, bool(own.bridge.stp), float(own.bridge.delay or 0))
        elif own.bond is not None:
            links.create_bond(name, bond_options(own.bond))
        elif own.vlan is not None:
            links.create_vlan(name, str(own.vlan.interface), int(str(own.vlan.tag)))
        else:
            raise OSError(errno.ENODEV, "No such device")
    except OSError as error:
        raise failed(f"cannot make {own.type} '{name}'", error) from None
    if own.bridge is None:
        undo.callback(netlink.delete, name)


def bond_options(bond: Bond) -> dict[str, Any]:
    """The kernel's numbers."""
    found: dict[str, Any] = {}
    if bond.mode is not None:
        found["mode"] = BOND_MODES.index(bond.mode)
    if bond.miimon is not None:
        one = bond.miimon
        found["miimon"] = one.freq
        found |= {key: getattr(one, key) for key in ("updelay", "downdelay") if getattr(one, key) is not None}
        if one.carrier is not None:
            found["use_carrier"] = int(one.carrier == "netif")
    elif bond.arpmon is not None:
        found |= {"arp_interval": bond.arpmon.interval, "targets": str(bond.arpmon.target).split(",")}
        if bond.arpmon.validate is not None:
            found["arp_validate"] = VALIDATES.index(bond.arpmon.validate)
    return found


def _plug(entry: Entry, undo: contextlib.ExitStack) -> None:
    name, above = entry.name, str(entry.controller)
    try:
        before = netlink.info(name)["master"]
        if before not in (None, above):
            text = f"interface '{name}' is a port of '{before}' already"
            raise OperationInvalid(text, origin=Origin.INTERFACE)
        if not entry.bridged:
            netlink.change(name, up=False)  # a bond takes no card that is up
        netlink.change(name, master=above)
        undo.callback(_off, name)
        netlink.change(name, up=True)
    except OSError as error:
        raise failed(f"cannot plug '{name}' into '{above}'", error) from None


def _off(name: str) -> None:
    with contextlib.suppress(OSError):
        netlink.change(name, master="")


def _static(document: Interface) -> None:
    name = str(document.name)
    for protocol in document.protocols:
        for ip in protocol.ips:
            width = 32 if protocol.family == "ipv4" else 128
            _quiet_exists(netlink.add_address, name, str(ip.address), ip.prefix if ip.prefix is not None else width)
        if protocol.gateway is not None:
            _quiet_exists(links.add_route, "0.0.0.0/0" if protocol.family == "ipv4" else "::/0", protocol.gateway, name)


def _quiet_exists(call: Any, *values: Any) -> None:
    try:
        call(*values)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise


def taken(name: str) -> tuple[Addresses, Gateways]:
    """The addresses of a link but for its link-local ones, and the routes over gateways behind it."""
    try:
        found = [one for one in netlink.addresses() if one.link == name]
        routes = [one for family in (socket.AF_INET, socket.AF_INET6) for one in netlink.routes(family)]
    except OSError:
        return [], []
    return (
        [one for one in found if not ipaddress.ip_address(one.address).is_link_local],
        [one for one in routes if one.link == name and one.gateway],
    )


def release(name: str, found: Addresses) -> None:
    """Take addresses off a link; their routes go with them."""
    for one in found:
        with contextlib.suppress(OSError):
            links.del_address(name, one.address, one.prefix)


def give(name: str, addresses: Addresses, routes: Gateways) -> None:
    """Give a link the addresses and routes that another had."""
    for one in addresses:
        with contextlib.suppress(OSError):
            netlink.add_address(name, one.address, one.prefix)
    for route in routes:
        with contextlib.suppress(OSError):
            links.add_route(str(route.network), str(route.gateway), name)


def stop(document: Interface) -> dict[str, Gateways]:
    """Take an interface down with what is plugged into it.

    A bridge's only port gets what addresses the bridge's document does not name; the routes that went with them are
    given back, for the port's next start.
    """
    name = str(document.name)
    addresses, routes = taken(name)
    configured = {ip.address for protocol in document.protocols for ip in protocol.ips}
    gateways = {protocol.gateway for protocol in document.protocols}
    leased = any(protocol.dhcp or protocol.autoconf for protocol in document.protocols)
    entries = flatten(document)
    ports = [entry.name for entry in entries if entry.controller == name]
    try:
        release(name, addresses)
        netlink.change(name, up=False)
        for entry in reversed(entries[1:]):
            if netlink.exists(entry.name):
                _off(entry.name)
                netlink.change(entry.name, up=False)
                if entry.document.type != "ethernet":
                    netlink.delete(entry.name)
        if document.type != "ethernet":
            netlink.delete(name)
    except OSError as error:
        raise failed(f"cannot stop interface '{name}'", error) from None
    if document.bridge is None or len(ports) != 1 or leased:
        return {}
    give(ports[0], [one for one in addresses if one.address not in configured], [])
    ways = [one for one in routes if one.gateway not in gateways]
    return {ports[0]: ways} if ways else {}


def switch(name: str, up: bool) -> None:
    """Switch a link on or off that no configuration has; it keeps what it has."""
    try:
        netlink.change(name, up=up)
    except OSError as error:
        raise failed(f"cannot {'start' if up else 'stop'} interface '{name}'", error) from None
