"""systemd-networkd: NAME.netdev and NAME.network below /etc/systemd/network (systemd.netdev(5), systemd.network(5))."""

from __future__ import annotations

import contextlib
import glob
import os

from kvasir.host.files import write_file
from kvasir.interface.entries import Entry
from kvasir.model.interface import Arpmon, Bond, Bridge, Interface, InterfaceIp, Miimon, Protocol, Vlan

from . import ini
from .ini import Section, Sections

HEAD = "# Written by kvasir, as iface-define said.\n"
KINDS = ("bridge", "bond", "vlan")
YES = ("yes", "true", "on", "1")


def _milliseconds(text: str | None) -> int | None:
    """A time span of one unit."""
    if not text:
        return None
    for unit, factor in (("ms", 1.0), ("s", 1000.0), ("", 1000.0)):
        head = text.removesuffix(unit) if unit else text
        if text.endswith(unit) and head.strip().replace(".", "", 1).isdecimal():
            return int(float(head) * factor)
    return None


def _size(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


class Networkd:
    """The files of one host."""

    title = "systemd-networkd"

    def __init__(self, root: str) -> None:
        self.folder = f"{root}/etc/systemd/network"

    def found(self) -> bool:
        return os.path.isdir(self.folder)

    def paths(self) -> list[str]:
        return [self.folder]

    def _files(self, ending: str) -> list[tuple[str, Sections]]:
        found = []
        for path in sorted(glob.glob(f"{glob.escape(self.folder)}/*.{ending}")):
            found.append((path, ini.parse(ini.readable(path))))
        return found

    # --- reading

    def load(self) -> list[Entry]:
        found: dict[str, Entry] = {}
        for _, data in self._files("netdev"):
            name, kind = ini.value(data, "NetDev", "Name"), ini.value(data, "NetDev", "Kind")
            if name and kind in KINDS:
                found[name] = Entry(_netdev(name, kind, data))
        lowers: dict[str, str] = {}
        for _, data in self._files("network"):
            name = ini.value(data, "Match", "Name")
            if not name or len(name.split()) != 1 or any(letter in name for letter in "*?[!"):
                continue
            entry = found.setdefault(name, Entry(Interface(type="ethernet", name=name)))
            _network(entry, data)
            lowers.update(dict.fromkeys(ini.values(data, "Network", "VLAN"), name))
        for name, lower in lowers.items():
            if name in found and (vlan := found[name].document.vlan) is not None:
                vlan.interface = lower
        bare = {name for name in lowers.values() if found[name].document == Interface(type="ethernet", name=name)}
        return [entry for name, entry in found.items() if name not in bare or entry.controller]

    # --- writing

    def save(self, entry: Entry, ports: list[str]) -> None:
        own = entry.document
        kept = self._vlans_of(entry.name)
        self.remove(entry.name)
        if own.type in KINDS:
            write_file(f"{self.folder}/10-{own.name}.netdev", HEAD + ini.write(_write_netdev(own)), 0o644)
        text = ini.write(_write_network(entry, kept))
        write_file(f"{self.folder}/10-{own.name}.network", HEAD + text, 0o644)
        if own.vlan is not None:
            self._set_vlan(str(own.vlan.interface), entry.name)

    def _vlans_of(self, lower: str) -> list[str]:
        for _, data in self._files("network"):
            if ini.value(data, "Match", "Name") == lower:
                return ini.values(data, "Network", "VLAN")
        return []

    def _set_vlan(self, lower: str, name: str) -> None:
        """The card below a VLAN names it."""
        known = [one for one in self._files("network") if ini.value(one[1], "Match", "Name") == lower]
        path, data = known[0] if known else (f"{self.folder}/10-{lower}.network", [("Match", [("Name", lower)])])
        if "Network" not in [section for section, _ in data]:
            data.append(("Network", []))
        next(pairs for section, pairs in data if section == "Network").append(("VLAN", name))
        write_file(path, HEAD + ini.write(data), 0o644)

    def remove(self, name: str) -> None:
        for path, data in [*self._files("netdev"), *self._files("network")]:
            owner = ini.value(data, "NetDev", "Name") or ini.value(data, "Match", "Name")
            if owner == name:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            elif name in ini.values(data, "Network", "VLAN"):
                left = [(section, [pair for pair in pairs if pair != ("VLAN", name)]) for section, pairs in data]
                if left == [("Match", [("Name", owner)]), ("Network", [])]:
                    os.unlink(path)  # nothing else was said of the card below the VLAN
                else:
                    write_file(path, HEAD + ini.write(left), 0o644)


def _netdev(name: str, kind: str, data: Sections) -> Interface:
    own = Interface(type=kind, name=name)
    if kind == "bridge":
        stp = ini.value(data, "Bridge", "STP")
        own.bridge = Bridge(stp=None if stp is None else stp in YES, delay=ini.value(data, "Bridge", "ForwardDelaySec"))
    elif kind == "bond":
        own.bond = bond = Bond(mode=ini.value(data, "Bond", "Mode"))
        freq = _milliseconds(ini.value(data, "Bond", "MIIMonitorSec"))
        interval = _milliseconds(ini.value(data, "Bond", "ARPIntervalSec"))
        if freq is not None:
            carrier = ini.value(data, "X-Kvasir", "Carrier")
            bond.miimon = Miimon(freq=freq, downdelay=_milliseconds(ini.value(data, "Bond", "DownDelaySec")),
                                 updelay=_milliseconds(ini.value(data, "Bond", "UpDelaySec")), carrier=carrier)  # fmt: skip
        elif interval is not None:
            targets = ",".join((ini.value(data, "Bond", "ARPIPTargets") or "").split())
            bond.arpmon = Arpmon(interval=interval, target=targets, validate=ini.value(data, "Bond", "ARPValidate"))
    else:
        own.vlan = Vlan(tag=ini.value(data, "VLAN", "Id"), interface="")
    own.mtu = _size(ini.value(data, "NetDev", "MTUBytes"))
    return own


def _network(entry: Entry, data: Sections) -> None:
    own = entry.document
    own.mtu = _size(ini.value(data, "Link", "MTUBytes")) or own.mtu
    if own.type == "ethernet":
        own.mac = ini.value(data, "Link", "MACAddress")
    policy, needed = ini.value(data, "Link", "ActivationPolicy"), ini.value(data, "Link", "RequiredForOnline")
    own.start = {"manual": "none", "up": "onboot"}.get(policy or "", "hotplug" if needed == "no" else None)
    entry.controller = ini.value(data, "Network", "Bridge") or ini.value(data, "Network", "Bond")
    dhcp = (ini.value(data, "Network", "DHCP") or "").lower()
    for version, family in (("4", "ipv4"), ("6", "ipv6")):
        protocol = Protocol(family=family, dhcp=dhcp in YES or dhcp == family)
        dns = ini.value(data, f"DHCPv{version}", "UseDNS")
        if protocol.dhcp and dns is not None:
            protocol.peerdns = "yes" if dns in YES else "no"
        protocol.autoconf = family == "ipv6" and ini.value(data, "Network", "IPv6AcceptRA") in YES
        for text in ini.values(data, "Network", "Address") + ini.values(data, "Address", "Address"):
            address, _, prefix = text.partition("/")
            if (":" in address) == (family == "ipv6"):
                protocol.ips.append(InterfaceIp(address=address, prefix=_size(prefix)))
        for gateway in ini.values(data, "Network", "Gateway") + ini.values(data, "Route", "Gateway"):
            if (":" in gateway) == (family == "ipv6"):
                protocol.gateway = protocol.gateway or gateway
        if protocol.dhcp or protocol.autoconf or protocol.ips or protocol.gateway:
            own.protocols.append(protocol)


def _write_netdev(own: Interface) -> Sections:
    head: Section = [("Name", str(own.name)), ("Kind", str(own.type))]
    more: Section = []
    hidden: Section = []
    if own.bridge is not None:
        if own.bridge.stp is not None:
            more.append(("STP", "yes" if own.bridge.stp else "no"))
        if own.bridge.delay is not None:
            more.append(("ForwardDelaySec", own.bridge.delay))
        return [("NetDev", head), ("Bridge", more)]
    if own.vlan is not None:
        return [("NetDev", head), ("VLAN", [("Id", str(own.vlan.tag))])]
    bond = own.bond or Bond()
    if bond.mode is not None:
        more.append(("Mode", bond.mode))
    if bond.miimon is not None:
        one = bond.miimon
        pairs = (("MIIMonitorSec", one.freq), ("DownDelaySec", one.downdelay), ("UpDelaySec", one.updelay))
        more += [(key, f"{value}ms") for key, value in pairs if value is not None]
        hidden = [("Carrier", one.carrier)] if one.carrier else []
    if bond.arpmon is not None:
        more += [("ARPIntervalSec", f"{bond.arpmon.interval}ms"),
                 ("ARPIPTargets", " ".join(str(bond.arpmon.target).split(",")))]  # fmt: skip
        if bond.arpmon.validate is not None:
            more.append(("ARPValidate", bond.arpmon.validate))
    return [("NetDev", head), ("Bond", more), ("X-Kvasir", hidden)]


def _write_network(entry: Entry, vlans: list[str]) -> Sections:
    own = entry.document
    link: Section = []
    if own.mtu is not None:
        link.append(("MTUBytes", str(own.mtu)))
    if own.mac is not None:
        link.append(("MACAddress", own.mac))
    if own.start is not None:
        link += [{"none": ("ActivationPolicy", "manual"), "onboot": ("ActivationPolicy", "up"),
                  "hotplug": ("RequiredForOnline", "no")}[own.start]]  # fmt: skip
    network: Section = [("Bridge" if entry.bridged else "Bond", entry.controller)] if entry.controller else []
    asked = [str(one.family) for one in own.protocols if one.dhcp]
    network += [("DHCP", "yes" if len(asked) == 2 else asked[0])] if asked else []
    network += [("IPv6AcceptRA", "yes")] if any(one.autoconf for one in own.protocols) else []
    sections: Sections = [("Match", [("Name", str(own.name))]), ("Link", link), ("Network", network)]
    for protocol in own.protocols:
        for ip in protocol.ips:
            network.append(("Address", f"{ip.address}/{ip.prefix}" if ip.prefix is not None else str(ip.address)))
        if protocol.gateway is not None:
            network.append(("Gateway", protocol.gateway))
        if protocol.dhcp and protocol.peerdns is not None:
            sections.append((f"DHCPv{str(protocol.family)[-1]}", [("UseDNS", protocol.peerdns)]))
    network += [("VLAN", name) for name in vlans]
    return sections
