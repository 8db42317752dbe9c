"""A packet that matches and one that does not, for every attribute of every protocol (guide tables 17.3 to 17.14).

Each case: the attributes under test (which name the guide's rows), the element's attributes, what makes the packet match, and what
makes it miss. What a packet does not say is as in ``packets``. ``illegal`` are values that a define refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

What = dict[str, Any]


@dataclass
class Case:
    protocols: tuple[str, ...]
    """The first names the rows; all are tried."""
    names: tuple[str, ...]
    xml: str
    match: What
    miss: What
    illegal: tuple[str, ...] = ()
    negated: bool = True
    """Masks, comments and states have no opposite."""
    before: list[tuple[str, What]] = field(default_factory=list)
    """Frames that go before the one that matches: from ``out`` or ``in``."""

    @property
    def rows(self) -> list[str]:
        return [f"nwfilter-attr-{self.protocols[0]}-{name}" for name in self.names]

    def __str__(self) -> str:
        return f"{self.protocols[0]}-{'-'.join(self.names)}"


OTHER = "02:00:00:00:00:02"
FAR = "02:00:00:11:22:33"
AWAY = "02:00:00:00:00:98"
"""No card has it: the bridge would not send a frame back to where it learned the address."""
BAD_MAC = ("02:00:00:00:zz:01",)
BAD_MASK = ("ff:00:ff:00:00:00",)
CASES: list[Case] = []


def add(
    protocols: str, names: str, xml: str, match: What, miss: What, illegal: tuple[str, ...] = (), **more: Any
) -> None:
    CASES.append(Case(tuple(protocols.split()), tuple(names.split()), xml, match, miss, illegal, **more))


def cards(protocols: str) -> None:
    add(protocols, "srcmacaddr", "srcmacaddr='02:00:00:00:00:01'", {}, {"s": OTHER}, BAD_MAC)
    add(
        protocols,
        "srcmacmask",
        "srcmacaddr='02:00:00:00:00:00' srcmacmask='ff:ff:ff:00:00:00'",
        {"s": FAR},
        {"s": "02:00:01:11:22:33"},
        BAD_MASK,
        negated=False,
    )
    if not protocols.startswith("stp"):
        add(protocols, "dstmacaddr", "dstmacaddr='02:00:00:00:00:99'", {}, {"d": AWAY}, BAD_MAC)
        add(
            protocols,
            "dstmacmask",
            "dstmacaddr='02:00:00:00:00:00' dstmacmask='ff:ff:ff:00:00:00'",
            {"d": "02:00:00:44:55:66"},
            {"d": "02:00:01:44:55:66"},
            BAD_MASK,
            negated=False,
        )


def comment(protocols: str, match: What | None = None) -> None:
    add(protocols, "comment", "comment='my &lt;rule&gt;'", match or {}, {}, negated=False)


def ports(protocols: str, base: str = "", match: What | None = None) -> None:
    same = match or {}
    for side, key in (("src", "sport"), ("dst", "dport")):
        add(
            protocols,
            f"{side}portstart",
            f"{base}{side}portstart='53'",
            {**same, key: 53},
            {**same, key: 54},
            ("65536", "x"),
        )
        add(
            protocols,
            f"{side}portend",
            f"{base}{side}portstart='53' {side}portend='60'",
            {**same, key: 60},
            {**same, key: 61},
            ("65536",),
        )


def addresses(protocols: str, six: bool, ranges: bool) -> None:
    a, b, net, away = (
        ("fd00::5", "fd00::6", "fd00::", "fd00:0:0:1::5") if six else ("10.0.0.5", "10.0.0.6", "10.0.0.0", "10.0.1.5")
    )
    mask, bad = ("64", ("129",)) if six else ("24", ("33", "255.0.255.0"))
    for side, key in (("src", "src"), ("dst", "dst")):
        add(
            protocols,
            f"{side}ipaddr",
            f"{side}ipaddr='{a}'",
            {key: a},
            {key: b},
            ("10.0.0.256" if not six else "fd00::zz",),
        )
        add(
            protocols,
            f"{side}ipmask",
            f"{side}ipaddr='{net}' {side}ipmask='{mask}'",
            {key: a},
            {key: away},
            bad,
            negated=False,
        )
        if ranges:
            low, high, out = ("fd00::5", "fd00::8", "fd00::9") if six else ("10.0.0.5", "10.0.0.8", "10.0.0.9")
            illegal = ("10.0.0.256" if not six else "fd00::zz",)
            xml = f"{side}ipfrom='{low}' {side}ipto='{high}'"
            add(protocols, f"{side}ipfrom", xml, {key: low}, {key: "fd00::4" if six else "10.0.0.4"}, illegal)
            add(protocols, f"{side}ipto", xml, {key: high}, {key: out}, illegal)


def layer3(protocols: str, six: bool, masks: bool) -> None:
    first = protocols.split()[0]
    tracked = protocols.replace(" ah-ipv6", "")
    """Behind an AH header connection tracking sees no protocol of its own."""
    add(protocols, "srcmacaddr", "srcmacaddr='02:00:00:00:00:01'", {}, {"s": OTHER}, BAD_MAC)
    if masks:  # of no effect in iptables: they must not disturb the rest
        for name, value, bad in (
            ("srcmacmask", "ff:ff:ff:ff:ff:ff", BAD_MASK),
            ("dstmacaddr", "aa:bb:cc:dd:ee:ff", ("aa:bb:cc",)),
            ("dstmacmask", "ff:ff:ff:ff:ff:00", BAD_MASK),
        ):
            address = "fd00::5" if six else "10.0.0.5"
            away = "fd00::6" if six else "10.0.0.6"
            add(
                protocols,
                name,
                f"srcipaddr='{address}' {name}='{value}'",
                {"src": address},
                {"src": away},
                bad,
                negated=False,
            )
    addresses(protocols, six, True)
    add(protocols, "dscp", "dscp='33'", {"tos": 33 << 2}, {"tos": 0}, ("64",))
    comment(protocols)
    src = "fd00::7:{}" if six else "10.0.7.{}"
    number = 1 + len(CASES) % 200
    one, two = src.format(number), src.format(number + 20)
    peers = [("fd00::8:{}" if six else "10.0.8.{}").format(n) for n in (1, 2, 3)]
    flows = [{"src": one, "dst": peer, "sport": 1000 + n, "id": 100 + n} for n, peer in enumerate(peers)]
    add(tracked, "connlimit-above", "connlimit-above='2'", flows[2], {**flows[2], "src": two}, ("65536",), negated=False,
        before=[("out", flows[0]), ("out", flows[1])])  # fmt: skip
    add(
        protocols,
        "ipset",
        f"ipset='good{6 if six else 4}' ipsetflags='src'",
        {},
        {"src": "fd00::6" if six else "10.0.0.6"},
        ("a!b", "a" * 32),
    )
    add(protocols, "ipsetflags", f"ipset='good{6 if six else 4}' ipsetflags='dst'",
        {"dst": "fd00::5" if six else "10.0.0.5"}, {"dst": "fd00::6" if six else "10.0.0.6"}, ("left",), negated=False)  # fmt: skip
    back = {"src": "fd00::9:1" if six else "10.0.9.1", "dst": "fd00::9:2" if six else "10.0.9.2"}
    state(tracked, first, back)


def state(protocols: str, first: str, back: What) -> None:
    """NEW: a packet that opens a connection, and one that answers what came from outside."""
    there = {
        **back,
        "src": back["dst"],
        "dst": back["src"],
        "sport": 2000,
        "dport": 1000,
        "d": "02:00:00:00:00:01",
        "s": "02:00:00:00:00:99",
    }
    answer = {**back, "flags": 0x12, "ack": 2, "chunk": 2}
    if first in ("icmp", "icmpv6"):
        answer["type"] = 0 if first == "icmp" else 129
    fresh = {**back, "src": back["src"] + "1"}
    add(protocols, "state", "state='NEW'", fresh, answer, ("FOO",), negated=False, before=[("in", there)])


cards("mac")
add("mac", "protocolid", "protocolid='arp'", {"type": 0x806}, {"type": 0x9999}, ("0x5ff", "foo"))
comment("mac")
cards("vlan")
add("vlan", "vlanid", "vlanid='291'", {}, {"vlan": 292}, ("4096",))
add("vlan", "encap-protocol", "encap-protocol='ipv4'", {"inner": 0x800}, {"inner": 0x806}, ("0x3b", "foo"))
comment("vlan")
cards("stp")
add("stp", "type", "type='0x12'", {"type": 0x12}, {"type": 0x13}, ("256",))
add("stp", "flags", "flags='0x44'", {"flags": 0x44}, {"flags": 0}, ("256",))
for _name, _key, _bad in (
    ("root-priority", "rprio", "65536"), ("root-cost", "rcost", "4294967296"), ("sender-priority", "sprio", "65536"),
    ("port", "port", "65536"), ("msg-age", "age", "65536"), ("max-age", "maxage", "65536"),
    ("hello-time", "hello", "65536"), ("forward-delay", "delay", "65536"),
):  # fmt: skip
    add("stp", _name, f"{_name}='123'", {_key: 123}, {_key: 124}, (_bad,))
    add("stp", f"{_name}-hi", f"{_name}='123' {_name}-hi='234'", {_key: 234}, {_key: 235}, (_bad,), negated=False)
for _side, _key in (("root", "raddr"), ("sender", "saddr")):
    add(
        "stp",
        f"{_side}-address",
        f"{_side}-address='06:05:04:aa:bb:cc'",
        {_key: "06:05:04:aa:bb:cc"},
        {_key: "06:05:04:aa:bb:cd"},
        ("06:05",),
    )
    add("stp", f"{_side}-address-mask", f"{_side}-address='06:05:04:00:00:00' {_side}-address-mask='ff:ff:ff:00:00:00'",
        {_key: "06:05:04:aa:bb:cc"}, {_key: "06:05:05:aa:bb:cc"}, BAD_MASK, negated=False)  # fmt: skip
comment("stp")
cards("arp rarp")
add("arp rarp", "hwtype", "hwtype='18'", {"hwtype": 18}, {}, ("65536",))
add("arp rarp", "protocoltype", "protocoltype='0x56'", {"ptype": 0x56}, {}, ("65536",))
add("arp rarp", "opcode", "opcode='Reply'", {"op": 2}, {"op": 1}, ("65536", "Foo"))
add("arp rarp", "arpsrcmacaddr", "arpsrcmacaddr='02:00:00:00:00:01'", {}, {"sha": OTHER}, BAD_MAC)
add("arp rarp", "arpdstmacaddr", "arpdstmacaddr='02:00:00:00:00:99'", {}, {"tha": OTHER}, BAD_MAC)
for _side, _key in (("src", "spa"), ("dst", "tpa")):
    add(
        "arp rarp",
        f"arp{_side}ipaddr",
        f"arp{_side}ipaddr='10.0.0.5'",
        {_key: "10.0.0.5"},
        {_key: "10.0.0.6"},
        ("10.0.0.256",),
    )
    add(
        "arp rarp",
        f"arp{_side}ipmask",
        f"arp{_side}ipaddr='10.0.0.0' arp{_side}ipmask='24'",
        {_key: "10.0.0.77"},
        {_key: "10.0.1.5"},
        ("33",),
        negated=False,
    )
add("arp rarp", "gratuitous", "gratuitous='true'", {"spa": "10.0.0.5", "tpa": "10.0.0.5"}, {})
comment("arp rarp")
cards("ip")
addresses("ip", False, False)
add("ip", "protocol", "protocol='udp'", {}, {"proto": "tcp"}, ("256", "foo"))
ports("ip", "protocol='udp' ")
add("ip", "dscp", "dscp='33'", {"tos": 33 << 2}, {"tos": 0}, ("64",))
comment("ip")
cards("ipv6")
addresses("ipv6", True, False)
add("ipv6", "protocol", "protocol='udp'", {}, {"proto": "tcp"}, ("256", "foo"))
ports("ipv6", "protocol='udp' ")
add("ipv6", "type", "protocol='icmpv6' type='1'", {"type": 1}, {"type": 2}, ("256",), negated=False)
add("ipv6", "typeend", "protocol='icmpv6' type='1' typeend='4'", {"type": 4}, {"type": 128}, ("256",), negated=False)
add(
    "ipv6",
    "code",
    "protocol='icmpv6' type='1' code='3'",
    {"type": 1, "code": 3},
    {"type": 1, "code": 0},
    ("256",),
    negated=False,
)
add(
    "ipv6",
    "codeend",
    "protocol='icmpv6' type='1' code='3' codeend='4'",
    {"type": 1, "code": 4},
    {"type": 1, "code": 0},
    ("256",),
    negated=False,
)
comment("ipv6")
for _more, _six in (("", False), ("-ipv6", True)):
    _tcp = f"tcp{_more} udp{_more} sctp{_more}"
    layer3(_tcp, _six, False)
    ports(_tcp)
    add(f"tcp{_more}", "flags", "flags='SYN,ACK/SYN'", {"flags": 0x02}, {"flags": 0x12}, ("SYN", "FOO/SYN"))
    if not _six:
        add("tcp", "option", "option='2'", {"options": b"\x02\x04\x05\xb4"}, {}, ("256",))
    layer3(f"igmp{_more} esp{_more} ah{_more} udplite{_more} all{_more}", _six, not _six)
layer3("icmp", False, True)
add("icmp", "type", "type='8'", {"type": 8}, {"type": 13}, ("65536",))
add("icmp", "code", "type='3' code='4'", {"type": 3, "code": 4}, {"type": 3, "code": 1}, ("65536",), negated=False)
layer3("icmpv6", True, False)
add("icmpv6", "type", "type='128'", {"type": 128}, {"type": 137}, ("65536",))
add("icmpv6", "code", "type='1' code='4'", {"type": 1, "code": 4}, {"type": 1, "code": 0}, ("65536",), negated=False)
