"""Rules of layer 2 (mac, vlan, stp, arp, rarp, ip, ipv6 and rules without a protocol) in ebtables' words.

Each interface has a chain for what comes from the guest (``libvirt-I-PORT``, from nat PREROUTING) and one for what goes to it
(``libvirt-O-PORT``, from nat POSTROUTING), and below these a chain for each filter chain that has rules of that direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kvasir.errors import ConfigUnsupported, Origin
from kvasir.nwfilter.documents import Rule, base_of
from kvasir.nwfilter.protocols import LAYER2
from kvasir.nwfilter.tree import Instance
from kvasir.nwfilter.values import ETHER_TYPES, IP_PROTOCOLS, OPCODES

TARGETS = {"accept": "ACCEPT", "drop": "DROP", "reject": "DROP", "return": "RETURN", "continue": "CONTINUE"}
_TYPES = {word: number for number, word in ETHER_TYPES.items()}
_CODES = {word: number for number, word in OPCODES.items()}
_PROTOCOLS = {word: number for number, word in IP_PROTOCOLS.items()}
BRIDGE_GROUP = "01:80:c2:00:00:00"


Writer = Callable[[Rule, bool], str]


@dataclass
class Tree:
    """The chains of one interface and one side: name -> rules; the root chain's lines carry the jumps to the others."""

    root: str
    chains: dict[str, list[str]] = field(default_factory=dict)


def is_mine(rule: Rule) -> bool:
    """Whether ebtables has the rule."""
    return rule.protocol is None or rule.protocol in LAYER2


def trees(port: str, instances: list[Instance], write: Writer | None = None) -> tuple[Tree, Tree]:
    """The chains for what comes from the guest and for what goes to it; ``write`` makes the text of a rule (and of jumps)."""
    mine = [one for one in instances if is_mine(one.rule)]
    outgoing = [(one, one.rule.direction == "inout") for one in mine if one.rule.direction != "in"]
    incoming = [(one, False) for one in mine if one.rule.direction != "out"]
    return _tree(port, "I", outgoing, write), _tree(port, "O", incoming, write)


def _tree(port: str, side: str, rules: list[tuple[Instance, bool]], write: Writer | None) -> Tree:
    write = write or line
    made = Tree(f"libvirt-{side}-{port}")
    if not rules:
        return made
    steps: list[tuple[int, int, str]] = []
    ordered = sorted(rules, key=lambda pair: pair[0].priority)
    below = {one.chain: one.chain_priority for one, _ in rules if one.chain != "root"}
    for chain, priority in below.items():
        name = f"{side}-{port}-{chain}"
        made.chains[name] = [write(one.rule, reverse) for one, reverse in ordered if one.chain == chain]
        steps.append((priority, 0, _jump(chain, name, write)))
    steps += [(one.priority, 1, write(one.rule, reverse)) for one, reverse in ordered if one.chain == "root"]
    made.chains[made.root] = [text for _, _, text in sorted(steps, key=lambda step: step[:2])]
    return made


def _jump(chain: str, name: str, write: Writer) -> str:
    if write is line:
        return " ".join([*_jump_match(chain), "-j", name])
    from kvasir.nwfilter import nftables

    return nftables.jump(chain, name)


def _jump_match(chain: str) -> list[str]:
    base = base_of(chain)
    if base == "stp":
        return ["-d", BRIDGE_GROUP]
    return [] if base == "mac" else ["-p", f"{_TYPES[base]:#06x}"]


class _Words:
    """The words of one rule; ``put`` adds an option with its value, the mark of negation before it."""

    def __init__(self, rule: Rule) -> None:
        self.items, self.words = rule.items, list[str]()

    def put(self, name: str, option: str, text: Any = None) -> None:
        item = self.items.get(name)
        if item is not None:
            self.words += ["!"] * item.negated + [option, str(item.value if text is None else text)]

    def masked(self, name: str, mask: str, option: str, separator: str = "/") -> None:
        if name in self.items:
            value = self.items[name].value
            more = f"{separator}{self.items[mask].value}" if mask in self.items else ""
            self.put(name, option, f"{value}{more}")

    def ranged(self, name: str, end: str, option: str) -> None:
        if name in self.items:
            more = f":{int(self.items[end].value)}" if end in self.items else ""
            self.put(name, option, f"{int(self.items[name].value)}{more}")


def line(rule: Rule, reverse: bool) -> str:
    """One rule as ebtables' options; ``reverse`` changes source and destination over. Raises CONFIG_UNSUPPORTED."""
    made = _Words(rule)
    if rule.protocol is not None:
        _WRITERS[rule.protocol](made, rule, ("d", "s") if reverse else ("s", "d"))
    return " ".join([*made.words, "-j", TARGETS[rule.action]])


def _macs(made: _Words, sides: tuple[str, str]) -> None:
    made.masked("srcmacaddr", "srcmacmask", f"-{sides[0]}")
    made.masked("dstmacaddr", "dstmacmask", f"-{sides[1]}")


def _mac(made: _Words, rule: Rule, sides: tuple[str, str]) -> None:
    _macs(made, sides)
    if "protocolid" in rule.items:
        value = rule.items["protocolid"].value
        made.put(
            "protocolid", "-p", f"{_TYPES.get(value, value):#06x}" if isinstance(value, str) else f"{int(value):#06x}"
        )


def _vlan(made: _Words, rule: Rule, sides: tuple[str, str]) -> None:
    made.words += ["-p", "0x8100"]
    _macs(made, sides)
    if "vlanid" in rule.items:
        made.put("vlanid", "--vlan-id", int(rule.items["vlanid"].value))
    if "encap-protocol" in rule.items:
        value = rule.items["encap-protocol"].value
        made.put(
            "encap-protocol", "--vlan-encap", f"{_TYPES.get(value, 0) if isinstance(value, str) else int(value):#06x}"
        )


def check_stp(rule: Rule) -> None:
    """Refuse what libvirt refuses: a sender's card in a rule for both directions."""
    if rule.direction == "inout" and "srcmacaddr" in rule.items:
        raise ConfigUnsupported(
            "STP filtering in inout direction with source MAC address set is not supported", origin=Origin.NWFILTER
        )


def _stp(made: _Words, rule: Rule, sides: tuple[str, str]) -> None:
    check_stp(rule)
    made.masked("srcmacaddr", "srcmacmask", "-s")
    made.words += ["-d", BRIDGE_GROUP]
    for name in ("type", "flags"):
        if name in rule.items:
            made.put(name, f"--stp-{name}", int(rule.items[name].value))
    made.ranged("root-priority", "root-priority-hi", "--stp-root-prio")
    made.masked("root-address", "root-address-mask", "--stp-root-addr")
    made.ranged("root-cost", "root-cost-hi", "--stp-root-cost")
    made.ranged("sender-priority", "sender-priority-hi", "--stp-sender-prio")
    made.masked("sender-address", "sender-address-mask", "--stp-sender-addr")
    for name in ("port", "msg-age", "max-age", "hello-time", "forward-delay"):
        made.ranged(name, f"{name}-hi", f"--stp-{name}")


def _arp(made: _Words, rule: Rule, sides: tuple[str, str]) -> None:
    made.words += ["-p", f"{_TYPES[rule.protocol or 'arp']:#06x}"]
    _macs(made, sides)
    names = {"s": "src", "d": "dst"}
    one, other = names[sides[0]], names[sides[1]]
    if "hwtype" in rule.items:
        made.put("hwtype", "--arp-htype", int(rule.items["hwtype"].value))
    if "opcode" in rule.items:
        value = rule.items["opcode"].value
        made.put("opcode", "--arp-opcode", _CODES.get(value, value))
    if "protocoltype" in rule.items:
        made.put("protocoltype", "--arp-ptype", f"{int(rule.items['protocoltype'].value):#x}")
    made.masked("arpsrcipaddr", "arpsrcipmask", f"--arp-ip-{one}")
    made.masked("arpdstipaddr", "arpdstipmask", f"--arp-ip-{other}")
    made.put("arpsrcmacaddr", f"--arp-mac-{one}")
    made.put("arpdstmacaddr", f"--arp-mac-{other}")
    if "gratuitous" in rule.items and rule.items["gratuitous"].value == "true":
        made.words += ["!"] * rule.items["gratuitous"].negated + ["--arp-gratuitous"]


def _addresses(made: _Words, rule: Rule, sides: tuple[str, str], family: str) -> None:
    names = {"s": "source", "d": "destination"}
    one, other = names[sides[0]], names[sides[1]]
    made.masked("srcipaddr", "srcipmask", f"--{family}-{one}")
    made.masked("dstipaddr", "dstipmask", f"--{family}-{other}")
    if "protocol" in rule.items:
        value = rule.items["protocol"].value
        made.put("protocol", f"--{family}-protocol", _PROTOCOLS.get(value, value))
    made.ranged("srcportstart", "srcportend", f"--{family}-{one}-port")
    made.ranged("dstportstart", "dstportend", f"--{family}-{other}-port")


def _ip(made: _Words, rule: Rule, sides: tuple[str, str]) -> None:
    made.words += ["-p", "0x0800"]
    _macs(made, sides)
    _addresses(made, rule, sides, "ip")
    if "dscp" in rule.items:  # ebtables matches the whole octet, of which the code point is the upper six bits
        made.put("dscp", "--ip-tos", f"{int(rule.items['dscp'].value) << 2:#04x}")


def _ipv6(made: _Words, rule: Rule, sides: tuple[str, str]) -> None:
    made.words += ["-p", "0x86dd"]
    _macs(made, sides)
    _addresses(made, rule, sides, "ip6")
    if "type" in rule.items or "code" in rule.items:
        made.put("type" if "type" in rule.items else "code", "--ip6-icmp-type", _icmp_range(rule))


def _icmp_range(rule: Rule) -> str:
    def pair(name: str, end: str) -> str:
        low = int(rule.items[name].value) if name in rule.items else 0
        high = int(rule.items[end].value) if end in rule.items else low if name in rule.items else 255
        return f"{low}:{high}"

    return f"{pair('type', 'typeend')}/{pair('code', 'codeend')}"


_WRITERS: dict[str, Any] = {
    "mac": _mac,
    "vlan": _vlan,
    "stp": _stp,
    "arp": _arp,
    "rarp": _arp,
    "ip": _ip,
    "ipv6": _ipv6,
}
