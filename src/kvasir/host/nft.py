"""nftables: rule sets of the daemon's networks, each entered and taken out in one transaction.

One table for each family, ``kvasir_network``. Its base chains look the network up by its bridge in verdict maps, so that a
packet costs the same with one network and with a hundred. The translation has a base chain for each network: the kernel
asks it for the first packet of a connection only.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

TABLE = "kvasir_network"
HOOKS = {
    "guest_input": ("input", "filter", 0), "guest_output": ("output", "filter", 0),
    "guest_forward": ("forward", "filter", 0),
}  # fmt: skip
KEYS = {"input": "iifname", "output": "oifname", "cross": "iifname", "into": "oifname", "out": "iifname"}


class NftError(OSError):
    """nft refused the transaction."""


def available() -> bool:
    """Whether the host has the tool."""
    return shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin") is not None


def run(commands: list[dict[str, Any]]) -> None:
    """One transaction. Raises NftError with nft's words."""
    text = json.dumps({"nftables": [{"metainfo": {"json_schema_version": 1}}, *commands]})
    done = subprocess.run(["nft", "-j", "-f", "-"], input=text, capture_output=True, text=True, check=False,
                          env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C"})  # fmt: skip
    if done.returncode:
        raise NftError(1, (done.stderr.strip() or "no reason given").splitlines()[0])


def chain_name(bridge: str, chain: str) -> str:
    return f"{chain}_{bridge}"


def _add(kind: str, family: str, **what: Any) -> dict[str, Any]:
    return {"add": {kind: {"family": family, "table": TABLE, **what}}}


def base(family: str) -> list[dict[str, Any]]:
    """The table with its base chains and maps; what is there already stays. The rules of base chains are made anew."""
    out: list[dict[str, Any]] = [{"add": {"table": {"family": family, "name": TABLE}}}]
    out += [_add("map", family, name=f"by_{name}", type="ifname", map="verdict") for name in KEYS]
    for name, (hook, kind, priority) in HOOKS.items():
        out.append(_add("chain", family, name=name, type=kind, hook=hook, prio=priority, policy="accept"))
        out.append({"flush": {"chain": {"family": family, "table": TABLE, "name": name}}})
    steps = (("guest_input", "input"), ("guest_output", "output"), ("guest_forward", "cross"), ("guest_forward", "into"),
             ("guest_forward", "out"))  # fmt: skip
    for name, lookup in steps:
        expr = {"vmap": {"key": {"meta": {"key": KEYS[lookup]}}, "data": f"@by_{lookup}"}}
        out.append(_add("rule", family, chain=name, expr=[expr]))
    return out


def _match(left: Any, right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


def _network(value: str) -> Any:
    address, _, length = value.partition("/")
    whole = "128" if ":" in value else "32"
    return address if length in ("", whole) else {"prefix": {"addr": address, "len": int(length)}}


def expression(rule: Any) -> list[dict[str, Any]]:
    """One rule in nft's JSON."""
    out: list[dict[str, Any]] = []
    for key, value in (("iifname", rule.iif), ("oifname", rule.oif)):
        if value is not None:
            out.append(_match({"meta": {"key": key}}, value))
    if rule.dport is not None:
        out.append(_match({"payload": {"protocol": rule.proto, "field": "dport"}}, rule.dport))
    elif rule.proto is not None:
        out.append(_match({"meta": {"key": "l4proto"}}, rule.proto))
    for field, value, op in (("saddr", rule.saddr, "=="), ("daddr", rule.daddr, "=="), ("daddr", rule.not_daddr, "!=")):
        if value is not None:
            out.append(_match({"payload": {"protocol": rule.family, "field": field}}, _network(value), op))
    if rule.established:
        out.append(_match({"ct": {"key": "state"}}, ["established", "related"], "in"))
    return [*out, {"counter": {"packets": 0, "bytes": 0}}, _verdict(rule)]


def _verdict(rule: Any) -> dict[str, Any]:
    if rule.verdict in ("accept", "return"):
        return {rule.verdict: None}
    if rule.verdict == "reject":
        return {"reject": {"type": "icmp" if rule.family == "ip" else "icmpv6", "expr": "port-unreachable"}}
    what: dict[str, Any] = {}
    if rule.addresses:
        first, last = rule.addresses
        what["addr"] = first if first == last else {"range": [first, last]}
    if rule.ports:
        what["port"] = {"range": list(rule.ports)}
    return {rule.verdict: what or None}


def _own(family: str, rules: list[Any]) -> list[tuple[str, list[Any]]]:
    """(chain, its rules) for what a network has of a family. What nft has no words for (checksums) is left out."""
    pairs = [
        (chain, [rule for rule in rules if rule.family == family and rule.chain == chain]) for chain in (*KEYS, "nat")
    ]
    return [(chain, own) for chain, own in pairs if own]


def _element(family: str, bridge: str, chain: str) -> dict[str, Any]:
    pair = [bridge, {"jump": {"target": chain_name(bridge, chain)}}]
    return {"element": {"family": family, "table": TABLE, "name": f"by_{chain}", "elem": [pair]}}


def _chain(family: str, bridge: str, chain: str) -> dict[str, Any]:
    hook = {"type": "nat", "hook": "postrouting", "prio": 100, "policy": "accept"} if chain == "nat" else {}
    return {"chain": {"family": family, "table": TABLE, "name": chain_name(bridge, chain), **hook}}


def install(bridge: str, rules: list[Any], name: str = "") -> None:
    """Enter a network's rules; those that it had are replaced in the same transaction. Raises NftError."""
    commands: list[dict[str, Any]] = []
    for family in ("ip", "ip6"):
        own = _own(family, rules)
        commands += base(family) if own else []
        for chain, wanted in own:
            place, word = _chain(family, bridge, chain), chain_name(bridge, chain)
            commands += [{"add": place}, {"flush": place}]
            commands += [_add("rule", family, chain=word, expr=expression(rule)) for rule in wanted]
            commands += [{"add": _element(family, bridge, chain)}] if chain in KEYS else []
    if commands:
        run(commands)


def remove(bridge: str, rules: list[Any]) -> None:
    """Take a network's rules out, also where some are gone already."""
    commands: list[dict[str, Any]] = []
    for family in ("ip", "ip6"):
        own = _own(family, rules)
        commands += base(family) if own else []
        for chain, _ in own:
            element, place = _element(family, bridge, chain), _chain(family, bridge, chain)
            commands.append({"add": place})
            commands += [{"add": element}, {"delete": element}] if chain in KEYS else []
            commands += [{"flush": place}, {"delete": place}]
    if commands:
        run(commands)
