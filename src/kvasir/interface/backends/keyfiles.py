"""NetworkManager's keyfiles: NAME.nmconnection below /etc/NetworkManager/system-connections (nm-settings-keyfile(5))."""

from __future__ import annotations

import contextlib
import glob
import os
import uuid

from kvasir.host.files import write_file
from kvasir.interface.entries import Entry
from kvasir.model.interface import Arpmon, Bond, Bridge, Interface, InterfaceIp, Miimon, Protocol, Vlan

from . import ini
from .ini import Section, Sections

HEAD = "# Written by kvasir, as iface-define said.\n"
KINDS = ("ethernet", "bridge", "bond", "vlan")
OWN = "org.kvasir."
"""Keys of ours in the section for users' data."""
SPACE = uuid.UUID("5f1d4bd4-6d1b-4b2e-9a57-2f2c7b1c6f10")
"""Makes the same identity for the same interface each time."""


class Keyfiles:
    """The files of one host."""

    title = "NetworkManager"

    def __init__(self, root: str) -> None:
        self.folder = f"{root}/etc/NetworkManager/system-connections"

    def found(self) -> bool:
        return os.path.isdir(self.folder)

    def paths(self) -> list[str]:
        return [self.folder]

    def _files(self) -> list[tuple[str, Sections]]:
        found = []
        for path in sorted(glob.glob(f"{glob.escape(self.folder)}/*")):
            if os.path.isfile(path) and not path.endswith((".new", "~")):
                found.append((path, ini.parse(ini.readable(path))))
        return found

    def load(self) -> list[Entry]:
        found: dict[str, Entry] = {}
        by_uuid: dict[str, str] = {}
        for _, data in self._files():
            name, kind = ini.value(data, "connection", "interface-name"), ini.value(data, "connection", "type")
            kind = {"802-3-ethernet": "ethernet"}.get(kind or "", kind)
            if not name or kind not in KINDS or name in found:
                continue
            by_uuid[ini.value(data, "connection", "uuid") or ""] = name
            found[name] = _entry(name, str(kind), data)
        for entry in found.values():
            entry.controller = by_uuid.get(entry.controller or "", entry.controller)
        return list(found.values())

    def save(self, entry: Entry, ports: list[str]) -> None:
        self.remove(entry.name)
        write_file(f"{self.folder}/{entry.name}.nmconnection", HEAD + ini.write(_write(entry)), 0o600)

    def remove(self, name: str) -> None:
        for path, data in self._files():
            if ini.value(data, "connection", "interface-name") == name:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)


def _entry(name: str, kind: str, data: Sections) -> Entry:
    own = Interface(type=kind, name=name)
    start = ini.value(data, "user", f"{OWN}start")
    auto = ini.value(data, "connection", "autoconnect")
    own.start = start or {"true": "onboot", "false": "none"}.get(auto or "")
    own.mtu = ini.number(data, "ethernet", "mtu") or None
    if kind == "ethernet":
        own.mac = ini.value(data, "ethernet", "cloned-mac-address") or ini.value(data, "ethernet", "mac-address")
    elif kind == "bridge":
        stp = ini.value(data, "bridge", "stp")
        delay = ini.value(data, "user", f"{OWN}delay") or ini.value(data, "bridge", "forward-delay")
        own.bridge = Bridge(stp=None if stp is None else stp == "true", delay=delay)
    elif kind == "bond":
        own.bond = _bond(data)
    else:
        own.vlan = Vlan(tag=ini.value(data, "vlan", "id"), interface=ini.value(data, "vlan", "parent") or "")
    own.protocols = [one for family in ("ipv4", "ipv6") if (one := _protocol(family, data)) is not None]
    return Entry(own, ini.value(data, "connection", "controller") or ini.value(data, "connection", "master"))


def _bond(data: Sections) -> Bond:
    bond = Bond(mode=ini.value(data, "bond", "mode"))
    if (freq := ini.number(data, "bond", "miimon")) is not None:
        carrier = {"1": "netif", "0": "ioctl"}.get(ini.value(data, "bond", "use_carrier") or "")
        bond.miimon = Miimon(freq=freq, downdelay=ini.number(data, "bond", "downdelay"),
                             updelay=ini.number(data, "bond", "updelay"), carrier=carrier)  # fmt: skip
    elif (interval := ini.number(data, "bond", "arp_interval")) is not None:
        bond.arpmon = Arpmon(interval=interval, target=ini.value(data, "bond", "arp_ip_target") or "",
                             validate=ini.value(data, "bond", "arp_validate"))  # fmt: skip
    return bond


def _protocol(family: str, data: Sections) -> Protocol | None:
    method = ini.value(data, family, "method")
    one = Protocol(family=family)
    one.dhcp = method in ("auto", "dhcp") and not (family == "ipv6" and method == "auto" and _plain_auto(data))
    one.autoconf = family == "ipv6" and method == "auto"
    ignored = ini.value(data, family, "ignore-auto-dns")
    if one.dhcp and ignored is not None:
        one.peerdns = "no" if ignored == "true" else "yes"
    for at in range(100):
        text = ini.value(data, family, f"address{at}" if at else "address")
        if text:
            place, _, gateway = text.partition(",")
            address, _, prefix = place.partition("/")
            one.ips.append(InterfaceIp(address=address, prefix=int(prefix) if prefix.isdecimal() else None))
            one.gateway = one.gateway or gateway or None
    one.gateway = one.gateway or ini.value(data, family, "gateway")
    return one if one.dhcp or one.autoconf or one.ips or one.gateway else None


def _plain_auto(data: Sections) -> bool:
    """Addresses by the router's word alone, as the document said."""
    return ini.value(data, "user", f"{OWN}dhcp6") == "no"


def _write(entry: Entry) -> Sections:
    own = entry.document
    user: Section = []
    head: Section = [("id", str(own.name)), ("uuid", str(uuid.uuid5(SPACE, entry.name))), ("type", str(own.type)),
                     ("interface-name", str(own.name))]  # fmt: skip
    if own.start is not None:
        head.append(("autoconnect", "false" if own.start == "none" else "true"))
        user += [(f"{OWN}start", own.start)] if own.start == "hotplug" else []
    if entry.controller is not None:
        kind = "bridge" if entry.bridged else "bond"
        head += [
            ("controller", entry.controller),
            ("port-type", kind),
            ("master", entry.controller),
            ("slave-type", kind),
        ]
    wired: Section = [("mtu", str(own.mtu))] if own.mtu is not None else []
    wired += [("cloned-mac-address", own.mac)] if own.mac is not None else []
    special: Section = []
    if own.bridge is not None:
        if own.bridge.stp is not None:
            special.append(("stp", "true" if own.bridge.stp else "false"))
        if own.bridge.delay is not None:
            special.append(("forward-delay", own.bridge.delay.partition(".")[0]))
            user += [(f"{OWN}delay", own.bridge.delay)] if "." in own.bridge.delay else []
    elif own.bond is not None:
        special = _write_bond(own.bond)
    elif own.vlan is not None:
        special = [("id", str(own.vlan.tag)), ("parent", str(own.vlan.interface))]
    sections: Sections = [("connection", head), ("ethernet", wired), (str(own.type), special)]
    if entry.controller is None:
        for family in ("ipv4", "ipv6"):
            one = next((one for one in own.protocols if one.family == family), Protocol(family=family))
            sections.append((family, _write_protocol(one)))
            user += [(f"{OWN}dhcp6", "no")] if one.autoconf and not one.dhcp else []
    return [*sections, ("user", user)]


def _write_bond(bond: Bond) -> Section:
    found: Section = [("mode", bond.mode)] if bond.mode is not None else []
    if bond.miimon is not None:
        one = bond.miimon
        pairs = (("miimon", one.freq), ("downdelay", one.downdelay), ("updelay", one.updelay))
        found += [(key, str(value)) for key, value in pairs if value is not None]
        found += [("use_carrier", "1" if one.carrier == "netif" else "0")] if one.carrier else []
    if bond.arpmon is not None:
        found += [("arp_interval", str(bond.arpmon.interval)), ("arp_ip_target", str(bond.arpmon.target))]
        found += [("arp_validate", bond.arpmon.validate)] if bond.arpmon.validate is not None else []
    return found


def _write_protocol(one: Protocol) -> Section:
    plain = "disabled" if not one.ips else "manual"
    method = plain
    if one.family == "ipv4":
        method = "auto" if one.dhcp else plain
    elif one.autoconf:
        method = "auto"
    elif one.dhcp:
        method = "dhcp"
    found: Section = [("method", method)]
    for at, ip in enumerate(one.ips, 1):
        found.append((f"address{at}", f"{ip.address}/{ip.prefix}" if ip.prefix is not None else str(ip.address)))
    if one.gateway is not None:
        found.append(("gateway", one.gateway))
    if one.dhcp and one.peerdns is not None:
        found.append(("ignore-auto-dns", "true" if one.peerdns == "no" else "false"))
    return found
