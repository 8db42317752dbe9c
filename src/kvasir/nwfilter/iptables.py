"""Rules of layer 3 and 4 in the words of iptables and ip6tables, with connection tracking.

Each interface has three chains: ``FI-PORT`` for forwarded packets from the guest, ``FO-PORT`` for those to it, ``HI-PORT`` for
packets from the guest to the host. An accepting rule with state matching lets a connection begin in its own direction only,
and its answers in the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from kvasir.nwfilter.documents import Item, Rule
from kvasir.nwfilter.protocols import LAYER2, is_ipv6
from kvasir.nwfilter.tree import Instance

CHAINS = ("FI", "FO", "HI")
BEGINS, ANSWERS = ("NEW,ESTABLISHED", "ORIGINAL"), ("ESTABLISHED", "REPLY")


def is_mine(rule: Rule) -> bool:
    """Whether iptables or ip6tables has the rule."""
    return rule.protocol is not None and rule.protocol not in LAYER2


@dataclass
class _Place:
    """A rule in one of the chains: ``reverse`` changes source and destination over."""

    chain: str
    reverse: bool
    state: tuple[str, str | None] | None
    """States and direction of connection tracking."""


def chains(port: str, instances: list[Instance], ipv6: bool) -> dict[str, list[str]]:
    """Chain -> rules, for one of the two tools."""
    made: dict[str, list[str]] = {f"{prefix}-{port}": [] for prefix in CHAINS}
    for one in sorted(instances, key=lambda instance: instance.priority):
        if is_mine(one.rule) and is_ipv6(one.rule.protocol or "") == ipv6:
            for place in _places(one.rule):
                text = line(one.rule, place)
                if text is not None:
                    made[f"{place.chain}-{port}"].append(text)
    return made


def _places(rule: Rule) -> list[_Place]:
    inward, both = rule.direction in ("in", "inout"), rule.direction == "inout"
    typed = "type" in rule.items or "code" in rule.items
    wanted = rule.items.get("state")
    places = []
    for chain in CHAINS:
        to_guest = chain == "FO"
        begins = both or inward == to_guest
        reverse = not inward if to_guest else inward
        if wanted is not None and rule.statematch:
            if begins:
                places.append(_Place(chain, reverse, None if wanted.value == "NONE" else (str(wanted.value), None)))
            continue
        if typed and (both or not begins):
            continue
        state: tuple[str, str | None] | None = None
        limited = "connlimit-above" in rule.items
        if rule.action == "accept" and rule.statematch and not both and not limited and wanted is None:
            state = BEGINS if begins else ANSWERS
            state = (state[0], None) if typed else state
        places.append(_Place(chain, reverse, state))
    return places


def _protocol(rule: Rule) -> str:
    name = (rule.protocol or "").removesuffix("-ipv6")
    return "ipv6-icmp" if name == "icmpv6" else name


def line(rule: Rule, place: _Place) -> str | None:
    """One rule as iptables' options; None where it cannot say anything in that direction."""
    items = rule.items
    one, other = ("destination", "source") if place.reverse else ("source", "destination")
    words = ["-p", _protocol(rule)]
    if "srcmacaddr" in items:  # iptables knows the sender's card only: the other way the rule goes without it
        if place.reverse and not set(items) - {"srcmacaddr", "comment"}:
            return None
        if not place.reverse:
            words += ["-m", "mac", *_not(items["srcmacaddr"]), "--mac-source", str(items["srcmacaddr"].value)]
    words += _address(items, "srcip", one) + _address(items, "dstip", other)
    words += _range(items, "srcip", "dst" if place.reverse else "src")
    words += _range(items, "dstip", "src" if place.reverse else "dst")
    if "dscp" in items:
        words += ["-m", "dscp", *_not(items["dscp"]), "--dscp", str(int(items["dscp"].value))]
    words += _of_protocol(rule, place)
    if place.state is not None:
        states, direction = place.state
        words += ["-m", "conntrack", "--ctstate", states]
        words += ["-m", "conntrack", "--ctdir", direction] if direction else []
    if "connlimit-above" in items:
        if place.reverse:
            return None
        words += [
            "-m",
            "connlimit",
            *_not(items["connlimit-above"]),
            "--connlimit-above",
            str(int(items["connlimit-above"].value)),
        ]
    if "ipset" in items and "ipsetflags" in items:
        words += [
            "-m",
            "set",
            *_not(items["ipset"]),
            "--match-set",
            str(items["ipset"].value),
            _set_flags(items, place),
        ]
    if "comment" in items:
        words += ["-m", "comment", "--comment", _quoted(str(items["comment"].value))]
    return " ".join([*words, *_target(rule, place)])


def _target(rule: Rule, place: _Place) -> list[str]:
    if rule.action == "accept":
        return ["-j", "ACCEPT" if place.chain == "FO" else "RETURN"]
    return [] if rule.action == "continue" else ["-j", rule.action.upper()]


def _not(item: Item) -> list[str]:
    return ["!"] if item.negated else []


def _address(items: dict[str, Item], side: str, option: str) -> list[str]:
    item = items.get(f"{side}addr")
    if item is None:
        return []
    mask = items.get(f"{side}mask")
    return [*_not(item), f"--{option}", f"{item.value}{f'/{mask.value}' if mask else ''}"]


def _range(items: dict[str, Item], side: str, option: str) -> list[str]:
    first = items.get(f"{side}from")
    if first is None:
        return []
    last = items.get(f"{side}to", first)
    return ["-m", "iprange", *_not(first), f"--{option}-range", f"{first.value}-{last.value}"]


def _of_protocol(rule: Rule, place: _Place) -> list[str]:
    items, words = rule.items, list[str]()
    name = _protocol(rule)
    if name in ("tcp", "udp", "sctp"):
        one, other = ("dport", "sport") if place.reverse else ("sport", "dport")
        found = _ports(items, "src", one) + _ports(items, "dst", other)
        if name == "tcp" and "option" in items:
            found += [*_not(items["option"]), "--tcp-option", str(int(items["option"].value))]
        if name == "tcp" and "flags" in items:
            found += [*_not(items["flags"]), "--tcp-flags", *str(items["flags"].value).split("/")]
        words += ["-m", name, *found] if found else []
    if "type" in items or "code" in items:
        option, module = ("--icmpv6-type", "icmp6") if name == "ipv6-icmp" else ("--icmp-type", "icmp")
        first = items.get("type") or items["code"]
        text = str(int(items["type"].value)) if "type" in items else "any"
        text += f"/{int(items['code'].value)}" if "type" in items and "code" in items else ""
        words += ["-m", module, *_not(first), option, text]
    return words


def _ports(items: dict[str, Item], side: str, option: str) -> list[str]:
    first = items.get(f"{side}portstart")
    if first is None:
        return []
    last = items.get(f"{side}portend")
    return [*_not(first), f"--{option}", f"{int(first.value)}{f':{int(last.value)}' if last else ''}"]


def _set_flags(items: dict[str, Item], place: _Place) -> str:
    words = str(items["ipsetflags"].value).split(",")
    if place.reverse:
        words = [{"src": "dst", "dst": "src"}[word] for word in words]
    return ",".join(words)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
