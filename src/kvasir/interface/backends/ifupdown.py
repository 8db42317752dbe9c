"""Debian's /etc/network/interfaces and interfaces.d (interfaces(5), bridge-utils-interfaces(5), ifenslave, vlan-interfaces(5))."""

from __future__ import annotations

import contextlib
import glob
import ipaddress
import os
from dataclasses import dataclass, field

from kvasir.host.files import write_file
from kvasir.interface.entries import Entry
from kvasir.model.interface import Arpmon, Bond, Bridge, Interface, InterfaceIp, Miimon, Protocol, Vlan

from .ini import readable

HEAD = "# Written by kvasir, as iface-define said.\n"
AUTO = {"auto": "onboot", "allow-auto": "onboot", "allow-hotplug": "hotplug"}
FAMILIES = {"inet": "ipv4", "inet6": "ipv6"}
Options = list[tuple[str, str]]


@dataclass
class Stanza:
    """A first line and the lines that belong to it."""

    words: list[str]
    lines: list[str]
    options: Options = field(default_factory=list)


def stanzas(text: str) -> list[Stanza]:
    """The parts of a file; comments and blank lines belong to what stands before them."""
    found = [Stanza([], [])]
    lines = text.splitlines(keepends=True)
    while lines:
        line = lines.pop(0)
        while line.rstrip("\n").endswith("\\") and lines:
            line += lines.pop(0)
        words = line.replace("\\\n", " ").split()
        if not words or words[0].startswith("#"):
            found[-1].lines.append(line)
        elif words[0] in ("iface", "mapping", "source", "source-directory", "auto", "template", "rename") or words[
            0
        ].startswith(("allow-", "no-")):
            found.append(Stanza(words, [line]))
        else:
            found[-1].lines.append(line)
            found[-1].options.append((words[0].replace("-", "_").lower(), " ".join(words[1:])))
    return found


class Ifupdown:
    """The files of one host."""

    title = "ifupdown"

    def __init__(self, root: str) -> None:
        self.root = root
        self.main, self.folder = f"{root}/etc/network/interfaces", f"{root}/etc/network/interfaces.d"

    def found(self) -> bool:
        return os.path.isfile(self.main) or os.path.isdir(self.folder)

    def paths(self) -> list[str]:
        return [self.main, self.folder]

    def _files(self) -> list[str]:
        """The files that are read, in their order; a drop-in folder is read though nothing should name it."""
        found = [self.main] if os.path.isfile(self.main) else []
        for path in sorted(glob.glob(f"{glob.escape(self.folder)}/*")):
            if os.path.isfile(path) and not path.endswith((".new", "~", ".dpkg-old", ".dpkg-new")):
                found.append(path)
        return found

    @staticmethod
    def _read(path: str) -> str:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read(1 << 22)

    # --- reading

    def load(self) -> list[Entry]:
        starts: dict[str, str] = {}
        parts: dict[str, list[Stanza]] = {}
        for path in self._files():
            for one in stanzas(readable(path)):
                if one.words[:1] == ["iface"] and len(one.words) >= 4 and one.words[1] != "lo":
                    parts.setdefault(one.words[1], []).append(one)
                elif one.words and one.words[0] in AUTO:
                    starts.update(dict.fromkeys(one.words[1:], AUTO[one.words[0]]))
        found = {name: _entry(name, several) for name, several in parts.items()}
        result = {name: entry for name, (entry, _) in found.items()}
        for name, (entry, ports) in found.items():
            marked = any(key == "x_kvasir_start" for one in parts[name] for key, _ in one.options)
            entry.document.start = starts.get(name) or ("none" if marked else None)
            for port in ports:
                kid = result.setdefault(port, Entry(Interface(type="ethernet", name=port)))
                kid.controller = name
        return list(result.values())

    # --- writing

    def save(self, entry: Entry, ports: list[str]) -> None:
        self.remove(entry.name)
        own = entry.document
        words = {"onboot": "auto", "hotplug": "allow-hotplug"}.get(own.start or "")
        out = [HEAD, f"{words} {own.name}\n"] if words else [HEAD]
        options = _options(own, ports)
        for family, method, more in _methods(own):
            out.append(f"iface {own.name} {family} {method}\n")
            out += [f"    {key} {value}\n" for key, value in [*options, *more]]
            options = []
        write_file(f"{self.folder}/{own.name}", "".join(out), 0o644)
        self._source()

    def _source(self) -> None:
        """See to it that ifupdown reads the folder."""
        text = self._read(self.main) if os.path.isfile(self.main) else ""
        named = [" ".join(one.words) for one in stanzas(text) if one.words[:1] in (["source"], ["source-directory"])]
        if not any("interfaces.d" in words for words in named):
            gap = "" if not text or text.endswith("\n") else "\n"
            write_file(self.main, f"{text}{gap}source /etc/network/interfaces.d/*\n", 0o644)

    def remove(self, name: str) -> None:
        for path in self._files():
            text = self._read(path)
            left, rest = [], False
            for one in stanzas(text):
                if one.words[:1] == ["iface"] and one.words[1:2] == [name]:
                    continue
                if one.words and one.words[0].startswith(("auto", "allow-", "no-")) and name in one.words[1:]:
                    kept = [word for word in one.words[1:] if word != name]
                    one.lines[:1] = [" ".join([one.words[0], *kept]) + "\n"] if kept else []
                rest = rest or (bool(one.lines) and bool(one.words))
                left += one.lines
            changed = "".join(left)
            if changed == text:
                continue
            if not rest and os.path.dirname(path) == self.folder:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            else:
                write_file(path, changed, 0o644)


def _methods(own: Interface) -> list[tuple[str, str, Options]]:
    """The stanzas: one for each way in which the interface gets addresses."""
    found: list[tuple[str, str, Options]] = []
    for protocol in own.protocols:
        family = "inet" if protocol.family == "ipv4" else "inet6"
        if protocol.autoconf:
            found.append((family, "auto", []))
        if protocol.dhcp:
            found.append((family, "dhcp", [("peerdns", protocol.peerdns)] if protocol.peerdns else []))
        gateway = protocol.gateway
        for ip in protocol.ips:
            more = [("address", f"{ip.address}/{ip.prefix}" if ip.prefix is not None else str(ip.address))]
            if gateway is not None:
                more.append(("gateway", gateway))
                gateway = None
            found.append((family, "static", more))
        if gateway is not None:
            found.append((family, "manual", [("gateway", gateway)]))
    return found or [("inet", "manual", [])]


def _options(own: Interface, ports: list[str]) -> Options:
    found: Options = []
    if own.start == "none":
        found.append(("x-kvasir-start", "none"))
    if own.mtu is not None:
        found.append(("mtu", str(own.mtu)))
    if own.mac is not None:
        found.append(("hwaddress", own.mac))
    if own.bridge is not None:
        found.append(("bridge_ports", " ".join(ports) or "none"))
        if own.bridge.stp is not None:
            found.append(("bridge_stp", "on" if own.bridge.stp else "off"))
        if own.bridge.delay is not None:
            found.append(("bridge_fd", own.bridge.delay))
    if own.bond is not None:
        found += [("bond-slaves", " ".join(ports) or "none"), *_bond_options(own.bond)]
    if own.vlan is not None:
        found += [("vlan-raw-device", str(own.vlan.interface)), ("vlan-id", str(own.vlan.tag))]
    return found


def _bond_options(bond: Bond) -> Options:
    found: Options = [("bond-mode", bond.mode)] if bond.mode else []
    if bond.miimon is not None:
        one = bond.miimon
        pairs = (("bond-miimon", one.freq), ("bond-downdelay", one.downdelay), ("bond-updelay", one.updelay))
        found += [(key, str(value)) for key, value in pairs if value is not None]
        if one.carrier is not None:
            found.append(("bond-use-carrier", "1" if one.carrier == "netif" else "0"))
    if bond.arpmon is not None:
        found += [("bond-arp-interval", str(bond.arpmon.interval)), ("bond-arp-ip-target", str(bond.arpmon.target))]
        if bond.arpmon.validate is not None:
            found.append(("bond-arp-validate", bond.arpmon.validate))
    return found


def _entry(name: str, several: list[Stanza]) -> tuple[Entry, list[str]]:
    """The entry that the stanzas of one name make, and what is plugged into it."""
    options = {key: value for one in several for key, value in reversed(one.options)}
    own = Interface(type="ethernet", name=name)
    own.mtu = _number(options.get("mtu"))
    mac = options.get("hwaddress", "").split()
    own.mac = mac[-1] if mac else None
    ports: list[str] = []
    if "bridge_ports" in options:
        own.type, own.mac, ports = "bridge", None, _ports(options["bridge_ports"])
        stp = options.get("bridge_stp")
        own.bridge = Bridge(stp=None if stp is None else stp in ("on", "yes"), delay=options.get("bridge_fd"))
    elif "bond_slaves" in options or "bond_mode" in options:
        own.type, own.mac, ports = "bond", None, _ports(options.get("bond_slaves", ""))
        own.bond = _bond(options)
    elif "vlan_raw_device" in options or (name.partition(".")[2].isdecimal()):
        lower, _, tag = name.rpartition(".")
        own.type, own.mac = "vlan", None
        own.vlan = Vlan(tag=options.get("vlan_id", tag), interface=options.get("vlan_raw_device", lower))
    own.protocols = _protocols(several)
    return Entry(own), ports


def _ports(text: str) -> list[str]:
    """The names; patterns name nobody in particular."""
    words = text.split()
    return [] if {"all", "regex", "noregex"} & set(words) else [word for word in words if word != "none"]


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else None


def _bond(options: dict[str, str]) -> Bond:
    bond = Bond(mode=options.get("bond_mode"))
    freq, interval = _number(options.get("bond_miimon")), _number(options.get("bond_arp_interval"))
    if freq is not None:
        carrier = {"1": "netif", "0": "ioctl"}.get(options.get("bond_use_carrier", ""))
        bond.miimon = Miimon(freq=freq, downdelay=_number(options.get("bond_downdelay")),
                             updelay=_number(options.get("bond_updelay")), carrier=carrier)  # fmt: skip
    elif interval is not None:
        bond.arpmon = Arpmon(interval=interval, target=options.get("bond_arp_ip_target", ""),
                             validate=options.get("bond_arp_validate"))  # fmt: skip
    return bond


def _protocols(several: list[Stanza]) -> list[Protocol]:
    found: dict[str, Protocol] = {}
    for one in several:
        family, method, options = FAMILIES.get(one.words[2]), one.words[3], dict(one.options)
        if family is None or (method == "manual" and "gateway" not in options):
            continue
        protocol = found.setdefault(family, Protocol(family=family))
        protocol.autoconf = protocol.autoconf or method == "auto"
        protocol.dhcp = protocol.dhcp or method == "dhcp"
        protocol.peerdns = options.get("peerdns", protocol.peerdns) if method == "dhcp" else protocol.peerdns
        protocol.gateway = protocol.gateway or options.get("gateway")
        if "address" in options and method == "static":
            address, _, prefix = options["address"].partition("/")
            mask = prefix or options.get("netmask", "")
            protocol.ips.append(InterfaceIp(address=address, prefix=_prefix(mask) if mask else None))
    return list(found.values())


def _prefix(mask: str) -> int | None:
    if mask.isdecimal():
        return _number(mask)
    with contextlib.suppress(ValueError):
        return ipaddress.ip_network(f"0.0.0.0/{mask}").prefixlen
    return None
