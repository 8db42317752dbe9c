"""The filters that come with the first start, as libvirt's package brings them: same names, same effect.

A line is ``NAME CHAIN[:PRIORITY]``; what is indented below it are its entries: ``@OTHER`` refers to a filter, else action,
direction, priority and the protocol with its attributes.
"""

from __future__ import annotations

import uuid as _uuid

from kvasir.nwfilter import documents, values
from kvasir.nwfilter.documents import Filter, Item, Reference, Rule
from kvasir.nwfilter.protocols import ATTRIBUTES

_DHCP = "ip srcipaddr=0.0.0.0 dstipaddr=255.255.255.255 protocol=udp srcportstart=68 dstportstart=67"
_DHCP6 = "ipv6 srcipaddr=FE80:: srcipmask=10 dstipaddr=FF02::1:2 protocol=udp srcportstart=546 dstportstart=547"
_RARP = "opcode=Request_Reverse dstmacaddr=ff:ff:ff:ff:ff:ff arpsrcmacaddr=$MAC arpdstmacaddr=$MAC arpsrcipaddr=0.0.0.0 arpdstipaddr=0.0.0.0"
SHIPPED = f"""
allow-arp arp
  accept inout 500
allow-dhcp ipv4
  accept out 100 {_DHCP}
  accept in 100 ip protocol=udp srcportstart=67 dstportstart=68
allow-dhcp-server ipv4
  accept out 100 {_DHCP}
  accept in 100 ip srcipaddr=$DHCPSERVER protocol=udp srcportstart=67 dstportstart=68
allow-dhcpv6 ipv6
  accept out 100 {_DHCP6}
  accept in 100 ipv6 protocol=udp srcportstart=547 dstportstart=546
allow-dhcpv6-server ipv6
  accept out 100 {_DHCP6}
  accept in 100 ipv6 srcipaddr=$DHCPSERVER protocol=udp srcportstart=547 dstportstart=546
allow-incoming-ipv4 ipv4
  accept in 500
allow-incoming-ipv6 ipv6
  accept in 500
allow-ipv4 ipv4
  accept inout 500
allow-ipv6 ipv6
  accept inout 500
clean-traffic root
  @no-mac-spoofing
  @no-ip-spoofing
  accept out -650 mac protocolid=ipv4
  @allow-incoming-ipv4
  @no-arp-spoofing
  accept inout -500 mac protocolid=arp
  @no-other-l2-traffic
  @qemu-announce-self
clean-traffic-gateway root
  @no-mac-spoofing
  @no-ip-spoofing
  @no-arp-spoofing
  accept inout -500 mac protocolid=arp
  accept in 500 mac srcmacaddr=$GATEWAY_MAC
  accept out 500 mac dstmacaddr=$GATEWAY_MAC
  @no-other-l2-traffic
  @qemu-announce-self
no-arp-ip-spoofing arp-ip:-510
  return out 400 arp arpsrcipaddr=$IP
  drop out 1000
no-arp-mac-spoofing arp-mac:-520
  return out 350 arp arpsrcmacaddr=$MAC
  drop out 1000
no-arp-spoofing root
  @no-arp-mac-spoofing
  @no-arp-ip-spoofing
no-ip-multicast ipv4
  drop out 500 ip dstipaddr=224.0.0.0 dstipmask=4
no-ip-spoofing ipv4-ip:-710
  return out 100 ip srcipaddr=0.0.0.0 protocol=udp
  return out 500 ip srcipaddr=$IP
  drop out 1000
no-ipv6-multicast ipv6
  drop out 500 ipv6 dstipaddr=FF00:: dstipmask=8
no-ipv6-spoofing ipv6-ip:-610
  return out 100 ipv6 srcipaddr=FE80:: srcipmask=10 protocol=udp
  return out 500 ipv6 srcipaddr=$IPV6
  drop out 1000
no-mac-broadcast ipv4
  drop out 500 mac dstmacaddr=ff:ff:ff:ff:ff:ff
no-mac-spoofing mac
  return out 500 mac srcmacaddr=$MAC
  drop out 500 mac
no-other-l2-traffic root
  drop inout 1000
no-other-rarp-traffic rarp
  drop inout 1000
qemu-announce-self root
  accept out 500 mac protocolid=0x835
  @qemu-announce-self-rarp
  @no-other-rarp-traffic
qemu-announce-self-rarp rarp
  accept out 500 rarp srcmacaddr=$MAC {_RARP}
  accept in 500 rarp {_RARP}
"""


def filters() -> list[Filter]:
    """All of them, with new UUIDs."""
    made: list[Filter] = []
    for line in SHIPPED.strip().splitlines():
        words = line.split()
        if not line.startswith(" "):
            chain, _, priority = words[1].partition(":")
            usual = documents._chain_priority(priority or None, chain)
            made.append(Filter(words[0], str(_uuid.uuid4()), chain, usual))
        elif words[0].startswith("@"):
            made[-1].entries.append(Reference(words[0][1:]))
        else:
            made[-1].entries.append(_rule(words))
    return made


def _rule(words: list[str]) -> Rule:
    action, direction, priority, *rest = words
    made = Rule(action, direction, int(priority), protocol=rest[0] if rest else None)
    for word in rest[1:]:
        name, _, text = word.partition("=")
        made.items[name] = Item(values.read(ATTRIBUTES[rest[0]][name], text))
    return made
