"""Rules of layer 2 as nftables of the bridge family, in a table of our own: for interfaces whose filters look into BPDUs.

ebtables' stp match cannot be trusted where ebtables is a front of nftables (values other than 0 never match there), so the frames'
bytes are compared here. Everything else of layer 2 is said as well, since an interface has its rules in one place.
"""

from __future__ import annotations

from typing import Any

from kvasir.errors import ConfigUnsupported, Origin
from kvasir.nwfilter import ebtables
from kvasir.nwfilter.documents import Rule
from kvasir.nwfilter.tree import Instance
from kvasir.nwfilter.values import ETHER_TYPES, IP_PROTOCOLS, OPCODES

TABLE = "bridge kvasir_nwfilter"
SIDES = {"I": ("prerouting", "iifname", -300), "O": ("postrouting", "oifname", 300)}
_TYPES = {word: number for number, word in ETHER_TYPES.items()}
_CODES = {word: number for number, word in OPCODES.items()}
_PROTOCOLS = {word: number for number, word in IP_PROTOCOLS.items()}
_TARGETS = {"accept": "accept", "drop": "drop", "reject": "drop", "return": "return", "continue": "continue"}
_BPDU = {
    "type": (20, 1), "flags": (21, 1), "root-priority": (22, 2), "root-address": (24, 6), "root-cost": (30, 4),
    "sender-priority": (34, 2), "sender-address": (36, 6), "port": (42, 2), "msg-age": (44, 2), "max-age": (46, 2),
    "hello-time": (48, 2), "forward-delay": (50, 2),
}  # fmt: skip
"""Field of a configuration BPDU -> its place in the frame and its length, in octets."""


def wanted(instances: list[Instance]) -> bool:
    """Whether these rules are ours rather than ebtables'."""
    return any(one.rule.protocol == "stp" and set(one.rule.items) & set(_BPDU) for one in instances)


def base() -> list[str]:
    """The table with its hooks and maps; what is there stays."""
    lines = [f"add table {TABLE}"]
    for side, (hook, key, priority) in SIDES.items():
        lines.append(f"add map {TABLE} {side} {{ type ifname : verdict; }}")
        lines.append(f"add chain {TABLE} {hook} {{ type filter hook {hook} priority {priority}; }}")
        lines += [f"flush chain {TABLE} {hook}", f"add rule {TABLE} {hook} {key} vmap @{side}"]
    return lines


def change(port: str, instances: list[Instance], known: set[str]) -> list[str]:
    """Commands that give the interface these rules in place of those in ``known`` chains (none: take them away)."""
    lines, new = list[str](), set[str]()
    for tree, side in zip(ebtables.trees(port, instances, line), SIDES, strict=True):
        old_root = f"{side}-{port}" in known
        names = {name: name.removeprefix("libvirt-") for name in tree.chains}
        for name in tree.chains:
            new.add(names[name])
            lines += [f"add chain {TABLE} {names[name]}", f"flush chain {TABLE} {names[name]}"]
        for name, rules in tree.chains.items():
            lines += [f"add rule {TABLE} {names[name]} {text}" for text in rules]
            lines += [f"add rule {TABLE} {names[name]} accept"] * (name != tree.root)
        if tree.chains and not old_root:
            lines.append(f'add element {TABLE} {side} {{ "{port}" : jump {side}-{port} }}')
        elif old_root and not tree.chains:
            lines.append(f'delete element {TABLE} {side} {{ "{port}" }}')
    gone = sorted(known - new)
    return lines + [f"flush chain {TABLE} {name}" for name in gone] + [f"delete chain {TABLE} {name}" for name in gone]


def jump(chain: str, name: str) -> str:
    """The way from the root chain into another."""
    basis = chain.partition("-")[0]
    match = (
        "ether daddr 01:80:c2:00:00:00 "
        if basis == "stp"
        else ""
        if basis == "mac"
        else f"ether type {_TYPES[basis]:#06x} "
    )
    return f"{match}jump {name}"


class _Words:
    def __init__(self, rule: Rule) -> None:
        self.items, self.words = rule.items, list[str]()

    def put(self, name: str, what: str, value: Any) -> None:
        """``what`` compared with a value, the other way round under match='no'."""
        self.words.append(f"{what} {'!=' if self.items[name].negated else '=='} {value}")

    def raw(
        self, name: str, header: str, start: int, octets: int, end: str | None = None, mask: str | None = None
    ) -> None:
        """Octets of the frame: a number, a range up to ``end``, or an address with its mask."""
        if name not in self.items:
            return
        what, value = f"@{header},{start * 8},{octets * 8}", self.items[name].value
        number = _number(value)
        if mask and mask in self.items:
            bits = _mask(self.items[mask].value)
            self.put(name, f"{what} & {bits:#x}", f"{number & bits:#x}")
        elif end and end in self.items:
            self.put(name, what, f"{number}-{int(self.items[end].value)}")
        else:
            self.put(name, what, f"{number:#x}")

    def card(self, name: str, mask: str, what: str) -> None:
        if name not in self.items:
            return
        value = self.items[name].value
        if mask in self.items:
            bits = self.items[mask].value
            self.put(name, f"{what} & {bits}", _mac(_number(value) & _number(bits)))
        else:
            self.put(name, what, value)

    def network(self, name: str, mask: str, what: str) -> None:
        if name in self.items:
            more = f"/{self.items[mask].value}" if mask in self.items else ""
            self.put(name, what, f"{self.items[name].value}{more}")

    def ports(self, name: str, end: str, start: int) -> None:
        self.raw(name, "th", start, 2, end)


def _number(value: Any) -> int:
    if isinstance(value, int):
        return int(value)
    text = str(value)
    if ":" in text:
        return int(text.replace(":", ""), 16)
    first, second, third, fourth = (int(part) for part in text.split("."))
    return first << 24 | second << 16 | third << 8 | fourth


def _mask(value: Any) -> int:
    """A mask of a card's address, or the length of an IPv4 prefix."""
    if isinstance(value, int):
        return ((1 << value) - 1) << (32 - value)
    return _number(value)


def _mac(number: int) -> str:
    return ":".join(f"{number >> shift & 255:02x}" for shift in range(40, -8, -8))


def line(rule: Rule, reverse: bool) -> str:
    """One rule; ``reverse`` changes source and destination over. Raises CONFIG_UNSUPPORTED for what nftables cannot say."""
    made = _Words(rule)
    sides = ("d", "s") if reverse else ("s", "d")
    if rule.protocol is not None:
        if rule.protocol == "stp":
            _stp(made, rule)
        else:
            made.card("srcmacaddr", "srcmacmask", f"ether {sides[0]}addr")
            made.card("dstmacaddr", "dstmacmask", f"ether {sides[1]}addr")
            _WRITERS[rule.protocol](made, rule, sides)
    return " ".join([*made.words, _TARGETS[rule.action]])


def _stp(made: _Words, rule: Rule) -> None:
    ebtables.check_stp(rule)
    made.card("srcmacaddr", "srcmacmask", "ether saddr")
    made.words += ["ether daddr 01:80:c2:00:00:00", "@ll,112,24 0x424203"]
    for name, (start, octets) in _BPDU.items():
        made.raw(name, "ll", start, octets, f"{name}-hi", f"{name}-mask")


def _protocolid(made: _Words, rule: Rule, sides: tuple[str, str]) -> None:
    if "protocolid" in rule.items:
        value = rule.items["protocolid"].value
        made.put("protocolid", "ether type", f"{_TYPES[value] if isinstance(value, str) else int(value):#06x}")


def _vlan(made: _Words, rule: Rule, sides: tuple[str, str]) -> None:
    made.words.append("ether type 8021q")
    if "vlanid" in rule.items:
        made.put("vlanid", "vlan id", int(rule.items["vlanid"].value))
    if "encap-protocol" in rule.items:
        value = rule.items["encap-protocol"].value
        made.put("encap-protocol", "vlan type", f"{_TYPES[value] if isinstance(value, str) else int(value):#06x}")


def _arp(made: _Words, rule: Rule, sides: tuple[str, str]) -> None:
    if "gratuitous" in rule.items:
        raise ConfigUnsupported("a filter cannot have both rules of BPDUs and gratuitous ARP", origin=Origin.NWFILTER)
    made.words.append(f"ether type {_TYPES[rule.protocol or 'arp']:#06x}")
    made.raw("hwtype", "nh", 0, 2)
    made.raw("protocoltype", "nh", 2, 2)
    if "opcode" in rule.items:
        value = rule.items["opcode"].value
        made.put("opcode", "@nh,48,16", _CODES.get(value, value))
    places = {"s": (8, 14), "d": (18, 24)}
    for name, side in zip(("src", "dst"), sides, strict=True):
        card, address = places[side]
        made.raw(f"arp{name}macaddr", "nh", card, 6)
        made.raw(f"arp{name}ipaddr", "nh", address, 4, None, f"arp{name}ipmask")


def _ip(made: _Words, rule: Rule, sides: tuple[str, str]) -> None:
    family = "ip" if rule.protocol == "ip" else "ip6"
    made.words.append(f"ether type {family}")
    made.network("srcipaddr", "srcipmask", f"{family} {sides[0]}addr")
    made.network("dstipaddr", "dstipmask", f"{family} {sides[1]}addr")
    if "protocol" in rule.items:
        value = rule.items["protocol"].value
        made.put("protocol", "meta l4proto", _PROTOCOLS.get(value, value))
    first, second = (2, 0) if sides[0] == "d" else (0, 2)
    made.ports("srcportstart", "srcportend", first)
    made.ports("dstportstart", "dstportend", second)
    if "dscp" in rule.items:
        made.put("dscp", "ip dscp", int(rule.items["dscp"].value))
    made.raw("type", "th", 0, 1, "typeend")
    made.raw("code", "th", 1, 1, "codeend")


_WRITERS: dict[str, Any] = {"mac": _protocolid, "vlan": _vlan, "arp": _arp, "rarp": _arp, "ip": _ip, "ipv6": _ip}
