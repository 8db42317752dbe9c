"""A document as the flat entries that configuration files have, and back; checks before anything is written."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from kvasir.model.interface import Bond, BondPort, BridgePort, Interface, wrong

NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.:@+-]{1,15}\Z")
MAC = re.compile(r"([0-9A-Fa-f]{1,2}:){5}[0-9A-Fa-f]{1,2}\Z")
DELAY = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?\Z")


@dataclass
class Entry:
    """One interface without those plugged into it, and the name of the one that it is plugged into."""

    document: Interface
    controller: str | None = None
    bridged: bool = False
    """The controller is a bridge (a bond when not)."""

    @property
    def name(self) -> str:
        return str(self.document.name)


def flatten(document: Interface) -> list[Entry]:
    """The interface, then what is in it."""
    own = document.copy()
    own.link_speed = own.link_state = None
    found = [Entry(own)]
    if own.bridge is not None:
        ports, own.bridge.interfaces = own.bridge.interfaces, []
        for port in ports:
            kid = Interface(
                type=port.type, name=port.name, start=own.start, mac=port.mac, bond=port.bond, vlan=port.vlan
            )
            found += _bonded(Entry(kid, own.name, True))
        return found
    return _bonded(found[0])


def _bonded(entry: Entry) -> list[Entry]:
    own = entry.document
    if own.bond is None:
        return [entry]
    ports, own.bond.interfaces = own.bond.interfaces, []
    kids = [Interface(type="ethernet", name=one.name, start=own.start, mac=one.mac) for one in ports]
    return [entry, *(Entry(kid, own.name) for kid in kids)]


def fold(entries: Iterable[Entry]) -> dict[str, Interface]:
    """Whole documents by name; what is plugged into another is found there only."""
    by_name = {entry.name: entry for entry in entries}
    order = sorted(by_name.values(), key=lambda entry: entry.document.type == "bridge")
    for entry in order:
        above = by_name.get(entry.controller or "")
        if above is None or above is entry:
            continue
        own, target = entry.document, above.document
        if target.bond is not None and own.type == "ethernet":
            target.bond.interfaces.append(BondPort(type="ethernet", name=own.name, mac=own.mac))
    for entry in order:
        above = by_name.get(entry.controller or "")
        if above is None or above.document.bridge is None or entry.document.type == "bridge":
            continue
        own = entry.document
        above.document.bridge.interfaces.append(
            BridgePort(type=own.type, name=own.name, mac=own.mac, bond=own.bond, vlan=own.vlan)
        )
    return {name: entry.document for name, entry in by_name.items() if entry.controller not in by_name}


def port_names(document: Interface) -> list[str]:
    """What is plugged in, at any depth."""
    return [entry.name for entry in flatten(document)[1:]]


def check(document: Interface) -> None:
    """Refuse what no configuration file could hold, before any is touched. Raises XmlError."""
    names = set()
    for entry in flatten(document):
        own = entry.document
        _name(entry.name)
        if entry.name in names:
            raise wrong(f"interface '{entry.name}' stands in '{document.name}' more than once")
        names.add(entry.name)
        if own.mac is not None and not MAC.match(own.mac):
            raise wrong(f"invalid MAC address '{own.mac}' of interface '{entry.name}'")
        if own.vlan is not None:
            _name(str(own.vlan.interface))
            if not str(own.vlan.tag).isdecimal() or not 0 < int(str(own.vlan.tag)) < 4095:
                raise wrong(f"invalid VLAN tag '{own.vlan.tag}' of interface '{entry.name}'")
        if own.bridge is not None and own.bridge.delay is not None and not DELAY.match(own.bridge.delay):
            raise wrong(f"invalid delay '{own.bridge.delay}' of bridge '{entry.name}'")
        _bond(own.bond)
    _addresses(document)


def _name(name: str) -> None:
    if not NAME.match(name):
        raise wrong(f"invalid interface name '{name}'")


def _bond(bond: Bond | None) -> None:
    if bond is None or bond.arpmon is None:
        return
    for one in str(bond.arpmon.target).split(","):
        _address(one, "ipv4")


def _address(text: str, family: str | None) -> None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise wrong(f"invalid IP address '{text}'") from None
    if family is not None and found.version != int(family[-1]):
        raise wrong(f"IP address '{text}' is not of the family {family}")


def _addresses(document: Interface) -> None:
    for protocol in document.protocols:
        for ip in protocol.ips:
            _address(str(ip.address), protocol.family)
            if ip.prefix is not None and not 0 <= ip.prefix <= (32 if protocol.family == "ipv4" else 128):
                raise wrong(f"invalid prefix {ip.prefix} of IP address '{ip.address}'")
        if protocol.gateway is not None:
            _address(protocol.gateway, protocol.family)
