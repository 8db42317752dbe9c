"""The packet rules of a network as data: what libvirt 9.0 enters for each forward mode, in its order.

Two writers make them real: ``host/nft.py`` (one transaction for each network) and ``host/iptables.py`` where nft is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

MULTICAST = {"ip": "224.0.0.0/24", "ip6": "ff02::/16"}
BROADCAST = "255.255.255.255/32"


class Rule(NamedTuple):
    """One rule. ``chain``: input, output, cross, into, out, nat, mangle."""

    family: str
    chain: str
    verdict: str = "accept"
    iif: str | None = None
    oif: str | None = None
    proto: str | None = None
    dport: int | None = None
    saddr: str | None = None
    daddr: str | None = None
    not_daddr: str | None = None
    established: bool = False
    addresses: tuple[str, str] | None = None
    ports: tuple[int, int] | None = None


def rules(net: Any) -> Iterator[Rule]:
    """All rules of a network's document; none for modes that leave the host's firewall alone."""
    if not net.own_bridge or net.mode == "open":
        return
    bridge = net.bridge
    six = [ip for ip in net.ips if ip.six]
    yield from _services(net, bridge)
    if six:
        for proto, into, back in (("udp", 547, 546), ("udp", 53, 53), ("tcp", 53, 53)):
            yield Rule("ip6", "input", iif=bridge, proto=proto, dport=into)
            yield Rule("ip6", "output", oif=bridge, proto=proto, dport=back)
    families = ("ip", "ip6") if six or net.ipv6 == "yes" else ("ip",)
    for family in families:
        yield Rule(family, "cross", iif=bridge, oif=bridge)
        own = [ip for ip in net.ips if ip.six is (family == "ip6")]
        for ip in own:
            yield from _forward(net, family, str(ip.net))
        yield Rule(family, "out", "reject", iif=bridge)
        yield Rule(family, "into", "reject", oif=bridge)
    if any(ip.ranges or ip.hosts for ip in net.ips if not ip.six):
        yield Rule("ip", "mangle", "checksum", oif=bridge, proto="udp", dport=68)


def _services(net: Any, bridge: str) -> Iterator[Rule]:
    if any(ip.tftp for ip in net.ips if not ip.six):
        yield Rule("ip", "input", iif=bridge, proto="udp", dport=69)
        yield Rule("ip", "output", oif=bridge, proto="udp", dport=69)
    for proto, into, back in (("udp", 53, 53), ("tcp", 53, 53), ("udp", 67, 68), ("tcp", 67, 68)):
        yield Rule("ip", "input", iif=bridge, proto=proto, dport=into)
        yield Rule("ip", "output", oif=bridge, proto=proto, dport=back)


def translates(net: Any, family: str) -> bool:
    """Whether addresses of that family are translated."""
    if net.mode != "nat":
        return False
    return family == "ip" or any(nat.ipv6 for nat in net.forward.nats)


def _forward(net: Any, family: str, network: str) -> Iterator[Rule]:
    if net.mode not in ("nat", "route"):
        return
    bridge, dev = net.bridge, net.forward.dev
    nat = translates(net, family)
    yield Rule(family, "out", iif=bridge, oif=dev, saddr=network)
    yield Rule(family, "into", iif=dev, oif=bridge, daddr=network, established=nat)
    if nat:
        yield from _nat(net, family, network, dev)


def _nat(net: Any, family: str, network: str, dev: str | None) -> Iterator[Rule]:
    first = net.forward.nats[0] if net.forward.nats else None
    pair = first.addresses[0] if first and first.addresses and family == "ip" else None
    addresses = (pair.start, pair.end) if pair else None
    port = first.ports[0] if first and first.ports else None
    ports = (int(port.start), int(port.end)) if port else (1024, 65535)
    verdict = "snat" if addresses else "masquerade"
    yield Rule(family, "nat", "return", oif=dev, saddr=network, daddr=MULTICAST[family])
    if family == "ip":
        yield Rule(family, "nat", "return", oif=dev, saddr=network, daddr=BROADCAST)
    for proto in ("tcp", "udp"):
        yield Rule(family, "nat", verdict, oif=dev, proto=proto, saddr=network, not_daddr=network, addresses=addresses,
                   ports=ports)  # fmt: skip
    yield Rule(family, "nat", verdict, oif=dev, saddr=network, not_daddr=network, addresses=addresses)
