"""The protocols of filter rules and their attributes, in the order in which they are written (guide 17.14.10, tables 17.3-17.14).

``stp`` has the spellings port_hi and msg-age of the guide as well; ``ipset``, and ``flags`` of tcp-ipv6, are taken for every
protocol for which the guide and libvirt's pages have them, though libvirt 9.0 itself reads some of them only for ``all``.
"""

from __future__ import annotations

from typing import Final

_MAC: Final = "srcmacaddr:mac srcmacmask:macmask dstmacaddr:mac dstmacmask:macmask"
_PORTS: Final = "srcportstart:u16 srcportend:u16 dstportstart:u16 dstportend:u16"
_ARP: Final = (
    f"{_MAC} hwtype:u16 protocoltype:u16 opcode:opcode arpsrcmacaddr:mac arpdstmacaddr:mac arpsrcipaddr:ip arpsrcipmask:ipmask "
    "arpdstipaddr:ip arpdstipmask:ipmask gratuitous:bool comment:comment"
)
_L3: Final = (
    "srcmacaddr:mac {macs}srcipaddr:{ip} srcipmask:{ip}mask dstipaddr:{ip} dstipmask:{ip}mask srcipfrom:{ip} srcipto:{ip} "
    "dstipfrom:{ip} dstipto:{ip} dscp:dscp connlimit-above:u16 state:state {extra}ipset:ipset ipsetflags:ipsetflags comment:comment"
)
_PORT3: Final = f"{_PORTS} "
_TYPE: Final = "type:u8 code:u8 "
_MASKS: Final = "srcmacmask:macmask dstmacaddr:mac dstmacmask:macmask "


def _l3(ip: str, extra: str = "", macs: str = "") -> str:
    return _L3.format(ip=ip, extra=extra, macs=macs)


TABLE: Final[dict[str, str]] = {
    "mac": f"{_MAC} protocolid:ethertype comment:comment",
    "vlan": f"{_MAC} vlanid:vlanid encap-protocol:encap comment:comment",
    "stp": (
        "srcmacaddr:mac srcmacmask:macmask type:u8 flags:u8 root-priority:u16 root-priority-hi:u16 root-address:mac "
        "root-address-mask:macmask root-cost:u32 root-cost-hi:u32 sender-priority:u16 sender-priority-hi:u16 sender-address:mac "
        "sender-address-mask:macmask port:u16 port-hi:u16 msg-age:u16 msg-age-hi:u16 max-age:u16 max-age-hi:u16 hello-time:u16 "
        "hello-time-hi:u16 forward-delay:u16 forward-delay-hi:u16 comment:comment"
    ),
    "arp": _ARP,
    "rarp": _ARP,
    "ip": f"{_MAC} srcipaddr:ip srcipmask:ipmask dstipaddr:ip dstipmask:ipmask protocol:protocol {_PORTS} dscp:dscp comment:comment",
    "ipv6": (
        f"{_MAC} srcipaddr:ip6 srcipmask:ip6mask dstipaddr:ip6 dstipmask:ip6mask protocol:protocol {_PORTS} type:u8 typeend:u8 "
        "code:u8 codeend:u8 comment:comment"
    ),
    "tcp": _l3("ip", _PORT3 + "option:u8 flags:flags "),
    "icmp": _l3("ip", _TYPE, _MASKS),
    "tcp-ipv6": _l3("ip6", _PORT3 + "option:u8 flags:flags "),
    "icmpv6": _l3("ip6", _TYPE, _MASKS),
    **{name: _l3("ip", _PORT3) for name in ("udp", "sctp")},
    **{name: _l3("ip", "", _MASKS) for name in ("igmp", "esp", "ah", "udplite", "all")},
    **{f"{name}-ipv6": _l3("ip6", _PORT3) for name in ("udp", "sctp")},
    **{f"{name}-ipv6": _l3("ip6", "", _MASKS) for name in ("igmp", "esp", "ah", "udplite", "all")},
}
ATTRIBUTES: Final[dict[str, dict[str, str]]] = {
    name: dict(pair.split(":") for pair in words.split()) for name, words in TABLE.items()
}
SPELLINGS: Final = {"port_hi": "port-hi"}
LAYER2: Final = ("mac", "vlan", "stp", "arp", "rarp", "ip", "ipv6")
CHAINS: Final = {
    "root": 0,
    "mac": -800,
    "vlan": -750,
    "stp": -810,
    "arp": -500,
    "rarp": -400,
    "ipv4": -700,
    "ipv6": -600,
}
"""Chain -> the priority that it has when none is said."""


def is_ipv6(protocol: str) -> bool:
    """Whether ip6tables has the rule."""
    return protocol.endswith("-ipv6") or protocol == "icmpv6"
