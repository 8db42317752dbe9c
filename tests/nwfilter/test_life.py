"""Filters in use: chains and priorities, actions, variables, references, updates and refusals, connections."""

from __future__ import annotations

from typing import Any

import pytest

from kvasir.errors import Error
from tests.nwfilter import packets
from tests.nwfilter.bridge import TO, Bench, rule


@pytest.mark.guide(
    *("nwfilter-concept", "nwfilter-chains-evaluation", "nwfilter-chain-list", "nwfilter-chain-name-prefix"),
    *("nwfilter-chain-priority-default", "nwfilter-chain-priority-custom", "nwfilter-root-rule-interleave"),
    *("nwfilter-rule-priority", "nwfilter-xml-filter-root-element", "nwfilter-filter-tree"),
)
def test_chains_and_priorities(bench: Bench) -> None:
    """Who comes first decides: the chain of lower priority, rules of the root chain among them, rules in a chain by theirs."""
    bench.define("low", rule("drop", "out", "<arp opcode='1'/>"), "chain='arp-low' priority='-510'")
    bench.define("high", rule("accept", "out", "<arp/>"), "chain='arp-high' priority='-490'")
    top = "<filterref filter='high'/><filterref filter='low'/>"
    bench.define("top", top)
    bench.bind("top")
    assert bench.drops("arp", op=1) and bench.passes("arp", op=2)
    bench.define("top", top + rule("accept", "out", "<mac protocolid='arp'/>", "priority='-600'"))
    assert bench.passes("arp", op=1), "a rule of the root chain before the chains"
    bench.define("top", top + rule("accept", "out", "<mac protocolid='arp'/>", "priority='-500'"))
    assert bench.drops("arp", op=1), "and between them"
    bench.define("low", rule("drop", "out", "<arp opcode='1'/>") + rule("accept", "out", "<arp/>", "priority='100'"),
                 "chain='arp-low' priority='-510'")  # fmt: skip
    assert bench.passes("arp", op=1), "in a chain the rule of the lower priority comes first"
    for chain, priority in (
        ("mac", -800),
        ("vlan", -750),
        ("ipv4", -700),
        ("ipv6", -600),
        ("arp", -500),
        ("rarp", -400),
        ("stp", -810),
    ):
        found = bench.define(f"usual-{chain}", "", f"chain='{chain}'")
        assert f"chain='{chain}' priority='{priority}'" in found.XMLDesc(0)
    for wrong in ("priority='1001'", "priority='-1001'", "chain='foo'", "chain='arp-abcdefghijklm'"):
        with pytest.raises(Error, match=r"outside valid range|Invalid chain name|longer than"):
            bench.define("wrong", "", wrong)


@pytest.mark.guide(
    *("nwfilter-rule-action", "nwfilter-rule-direction", "nwfilter-datatypes", "nwfilter-rule-and-semantics"),
    *(
        "nwfilter-rule-protocol-node",
        "nwfilter-attribute-negation",
        "nwfilter-proto-mac",
        "nwfilter-proto-ip",
        "nwfilter-proto-arp",
    ),
)
def test_actions_and_directions(bench: Bench) -> None:
    """accept and drop end it, return leaves the chain, continue goes on; in, out and both; all attributes must fit."""
    bench.define("sub", rule("return", "out", "<ip srcipaddr='10.0.0.5'/>") + rule("drop", "out"), "chain='ipv4'")
    bench.define("top", "<filterref filter='sub'/>" + rule("drop", "out", "<ip dscp='1'/>"))
    bench.bind("top")
    assert bench.passes("ip") and bench.drops("ip", src="10.0.0.6") and bench.drops("ip", tos=4)
    bench.define(
        "sub", rule("continue", "out", "<ip srcipaddr='10.0.0.5'/>") + rule("drop", "out", "<ip/>"), "chain='ipv4'"
    )
    assert bench.drops("ip"), "continue does not decide"
    bench.define("sub", "", "chain='ipv4'")
    for direction, out, into in (("out", False, True), ("in", True, False), ("inout", False, False)):
        bench.define("top", rule("drop", direction, "<mac protocolid='0x9999'/>"))
        assert bench.passes("mac") == out and bench.passes("mac", TO, s=packets.PEER, d=packets.ME) == into, direction
    both = "<ip srcipaddr='10.0.0.5' dstipaddr='10.0.0.9' protocol='udp'/>"
    bench.define("top", rule("drop", "out", both))
    assert bench.drops("ip") and bench.passes("ip", dst="10.0.0.8") and bench.passes("ip", proto="tcp")
    bench.define("top", rule("drop", "out", "<ip match='no' srcipaddr='10.0.0.0' srcipmask='24'/><ip protocol='udp'/>"))
    assert bench.passes("ip") and bench.drops("ip", src="10.0.1.5") and bench.passes("ip", src="10.0.1.5", proto="tcp")
    bench.define("top", rule("drop", "out", "<ip protocol='udp'/><tcp/><ip dscp='2'/>"))
    assert bench.passes("ip") and bench.drops("ip", tos=8), "other protocols in a rule are passed over"


PROTOCOLS = ("mac", "vlan", "stp", "arp", "rarp", "ip", "ipv6", "tcp", "udp", "sctp", "icmp", "igmp", "esp", "ah", "udplite", "all",
             "tcp-ipv6", "udp-ipv6", "sctp-ipv6", "icmpv6", "igmp-ipv6", "esp-ipv6", "ah-ipv6", "udplite-ipv6", "all-ipv6")  # fmt: skip


@pytest.mark.parametrize(
    "protocol", [pytest.param(one, marks=pytest.mark.guide(f"nwfilter-proto-{one}")) for one in PROTOCOLS]
)
def test_protocol(bench: Bench, protocol: str) -> None:
    """A rule with nothing but the protocol drops all of it and nothing else (mac: everything)."""
    bench.define("only", rule("drop", "inout", f"<{protocol}/>"))
    bench.bind("only")
    other = "arp" if protocol != "arp" else "rarp"
    assert bench.drops(protocol)
    assert bench.drops(other) if protocol == "mac" else bench.passes(other)
    back: dict[str, Any] = {"s": packets.PEER} if protocol == "stp" else {"s": packets.PEER, "d": packets.ME}
    assert bench.drops(protocol, TO, **back)


@pytest.mark.guide("nwfilter-chain-ignored-l4")
def test_chain_does_not_matter_above_layer_two(bench: Bench) -> None:
    for chain in ("root", "ipv4", "arp-x"):
        bench.define("l4", rule("drop", "out", "<udp dstportstart='53'/>"), f"chain='{chain}'")
        bench.bind("l4")
        assert bench.drops("udp", dport=53) and bench.passes("udp", dport=54), chain
        bench.unbind()
        bench.made.pop().undefine()


@pytest.mark.guide(
    *("nwfilter-variable-mac", "nwfilter-variable-ip", "nwfilter-variable-ipv6", "nwfilter-variable-dhcpserver"),
    *(
        "nwfilter-variable-dhcpserverv6",
        "nwfilter-variable-syntax",
        "nwfilter-variable-multiple-values",
        "nwfilter-variable-index",
    ),
    *("nwfilter-variable-iterator", "error-nwfilter-variable-missing", "error-nwfilter-variable-wrong-type"),
    *("nwfilter-xml-filterref-parameter",),
)
def test_variables(bench: Bench) -> None:
    """$MAC by itself, lists one after the other, entries by number, iterators side by side and multiplied; missing and wrong ones."""
    bench.define("own", rule("drop", "out", "<mac match='no' srcmacaddr='$MAC'/>"))
    bench.bind("own")
    assert bench.passes("mac") and bench.drops("mac", s="02:00:00:00:00:02")
    bench.unbind()
    bench.define("lists", rule("accept", "out", "<ip srcipaddr='$IP'/>", "priority='1'") + rule("drop", "out", "<ip/>"))
    bench.bind("lists", IP=["10.0.0.5", "10.0.0.6"])
    assert bench.passes("ip") and bench.passes("ip", src="10.0.0.6") and bench.drops("ip", src="10.0.0.7")
    bench.unbind()
    bench.define("index", rule("drop", "out", "<udp dstportstart='$PORTS[1]'/>"))
    bench.bind("index", PORTS=["53", "80"])
    assert bench.passes("udp", dport=53) and bench.drops("udp", dport=80)
    bench.unbind()
    bench.define("pairs", rule("drop", "out", "<udp srcipaddr='$IPS[@1]' dstportstart='$PORTS[@1]'/>"))
    bench.bind("pairs", IPS=["10.0.0.5", "10.0.0.6"], PORTS=["53", "80"])
    assert (
        bench.drops("udp", dport=53) and bench.passes("udp", dport=80) and bench.drops("udp", src="10.0.0.6", dport=80)
    )
    bench.unbind()
    bench.define("pairs", rule("drop", "out", "<udp srcipaddr='$IPS[@1]' dstportstart='$PORTS[@2]'/>"))
    bench.bind("pairs", IPS=["10.0.0.5", "10.0.0.6"], PORTS=["53", "80"])
    assert (
        bench.drops("udp", dport=80)
        and bench.drops("udp", src="10.0.0.6", dport=53)
        and bench.passes("udp", src="10.0.0.7", dport=53)
    )
    bench.unbind()
    six = "<ipv6 srcipaddr='$IPV6' protocol='udp'/>"
    servers = rule("drop", "in", "<ip srcipaddr='$DHCPSERVER' protocol='udp'/>") + rule(
        "drop", "in", "<ipv6 srcipaddr='$DHCPSERVERV6'/>"
    )
    bench.define("six", rule("drop", "out", six) + servers)
    bench.bind("six", IPV6="fd00::5", DHCPSERVER="10.0.0.9", DHCPSERVERV6="fd00::9")
    back: dict[str, Any] = {"s": packets.PEER, "d": packets.ME}
    assert bench.drops("ipv6") and bench.passes("ipv6", src="fd00::6")
    assert bench.drops("ip", TO, src="10.0.0.9", **back) and bench.passes("ip", TO, src="10.0.0.8", **back)
    assert bench.drops("ipv6", TO, src="fd00::9", **back)
    bench.unbind()
    with pytest.raises(Error, match="unresolvable variables or unavailable list elements: \\$PORTS\\[1\\]"):
        bench.bind("index", PORTS="53")
    with pytest.raises(Error, match="dstportstart cannot take the value 'http'"):
        bench.bind("index", PORTS=["1", "http"])
    with pytest.raises(Error, match="lists differ in length"):
        bench.define("pairs", rule("drop", "out", "<udp srcipaddr='$IPS[@1]' dstportstart='$PORTS[@1]'/>"))
        bench.bind("pairs", IPS=["10.0.0.5"], PORTS=["53", "80"])
    assert bench.wire.conn.listAllNWFilterBindings(0) == [] and "vnet0" not in bench.wire.place.inside("ebtables-save")


@pytest.mark.guide(
    *(
        "nwfilter-shared-filter-update",
        "nwfilter-references-dag",
        "nwfilter-xml-filterref-in-filter",
        "nwfilter-undefined-reference",
    ),
    *(
        "error-nwfilter-undefine-in-use",
        "virsh-nwfilter-define",
        "virsh-nwfilter-undefine",
        "virsh-nwfilter-list",
        "virsh-nwfilter-dumpxml",
    ),
)
def test_references_and_updates(bench: Bench) -> None:
    """A filter may name one that is not there yet; no loops; what guests use changes at once, whole or not at all, and stays."""
    bench.define("outer", "<filterref filter='inner'/>")
    with pytest.raises(Error, match="referenced filter 'inner' is missing"):
        bench.bind("outer")
    bench.define("inner", rule("drop", "out", "<udp dstportstart='53'/>"))
    bench.made.reverse()
    bench.bind("outer")
    assert bench.drops("udp", dport=53) and bench.passes("udp", dport=54)
    bench.define("inner", rule("drop", "out", "<udp dstportstart='54'/>"))
    assert bench.passes("udp", dport=53) and bench.drops("udp", dport=54)
    with pytest.raises(Error, match="filter would introduce a loop"):
        bench.define("inner", "<filterref filter='outer'/>")
    with pytest.raises(Error, match=r"unresolvable variables"):
        bench.define("inner", rule("drop", "out", "<udp dstportstart='$NOTHING'/>"))
    with pytest.raises(Error, match="Failed to apply firewall rules"):
        bench.define("inner", rule("drop", "out", "<udp ipset='no-such-set' ipsetflags='src'/>"))
    assert bench.drops("udp", dport=54), "a filter that cannot be had leaves the old rules"
    assert "54" in bench.wire.conn.nwfilterLookupByName("inner").XMLDesc(0)
    for name in ("inner", "outer"):
        with pytest.raises(Error, match="nwfilter is in use"):
            bench.wire.conn.nwfilterLookupByName(name).undefine()
    listed = bench.wire.place.say("nwfilter-list")
    assert " inner" in listed and " clean-traffic" in listed
    assert "<filterref filter='inner'/>" in bench.wire.place.say("nwfilter-dumpxml outer")


@pytest.mark.guide("nwfilter-rule-statematch", "nwfilter-conntrack-direction", "nwfilter-conntrack-statematch-off")
def test_connections_begin_in_one_direction(bench: Bench) -> None:
    """Accepted inward to port 80, all else dropped: answers go out, connections from inside do not; without state matching they do."""
    drop = rule("drop", "inout", "<all/>", "priority='1000'")
    there: dict[str, Any] = {
        "s": packets.PEER,
        "d": packets.ME,
        "src": "10.0.20.9",
        "dst": "10.0.20.5",
        "sport": 5000,
        "dport": 80,
    }
    answer: dict[str, Any] = {
        "src": "10.0.20.5",
        "dst": "10.0.20.9",
        "sport": 80,
        "dport": 5000,
        "flags": 0x12,
        "ack": 2,
    }
    bench.define("server", rule("accept", "in", "<tcp dstportstart='80'/>") + drop)
    bench.bind("server")
    assert bench.drops("tcp", src="10.0.20.5", dst="10.0.20.9", sport=80, dport=5001), (
        "no connection from port 80 of the guest"
    )
    assert bench.passes("tcp", TO, **there) and bench.passes("tcp", **answer)
    assert bench.drops("tcp", TO, **{**there, "dport": 81})
    bench.define("server", rule("accept", "in", "<tcp dstportstart='80'/>", "statematch='false'") + drop)
    assert bench.passes("tcp", src="10.0.20.6", dst="10.0.20.9", sport=80, dport=5002)


@pytest.mark.guide("nwfilter-connlimit")
def test_limit_of_connections(bench: Bench) -> None:
    limit = rule("drop", "in", "<tcp connlimit-above='1'/>", "priority='400'")
    accept = rule("accept", "in", "<tcp dstportstart='22'/>", "priority='500'")
    bench.define("one-ssh", limit + accept + rule("drop", "inout", "<all/>", "priority='1000'"))
    bench.bind("one-ssh")
    there: dict[str, Any] = {"s": packets.PEER, "d": packets.ME, "src": "10.0.21.9", "dst": "10.0.21.5", "dport": 22}
    assert bench.passes("tcp", TO, sport=6000, **there) and bench.drops("tcp", TO, sport=6001, **there)
    bench.define("one-ssh", limit.replace("400", "600") + accept + rule("drop", "inout", "<all/>", "priority='1000'"))
    assert bench.passes("tcp", TO, sport=6002, **there), "behind the rule that accepts it is of no effect"
