"""The filters that come with the first start (guide 17.14.11.4): what each lets pass and what not, by frames."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from typing import Any

import pytest

from kvasir import client
from kvasir.errors import Error
from kvasir.xml.reader import read as read_xml
from tests.nwfilter import packets
from tests.nwfilter.bridge import TO, Bench, rule, until

NAMES = ["allow-arp", "no-arp-spoofing", "no-arp-mac-spoofing", "no-arp-ip-spoofing", "allow-dhcp", "allow-dhcp-server", "allow-ipv4", "allow-incoming-ipv4", "no-ip-spoofing", "no-ip-multicast", "no-mac-broadcast", "no-mac-spoofing", "no-other-l2-traffic", "no-other-rarp-traffic", "qemu-announce-self", "qemu-announce-self-rarp", "clean-traffic", "allow-ipv6", "allow-incoming-ipv6", "allow-dhcpv6", "allow-dhcpv6-server", "no-ipv6-spoofing", "no-ipv6-multicast", "clean-traffic-gateway"]
BACK: dict[str, Any] = {"s": packets.PEER, "d": packets.ME}
ALL = "ff:ff:ff:ff:ff:ff"
OTHER = "02:00:00:00:00:02"
REST = rule("drop", "inout", "", "priority='1000'")


def under(bench: Bench, name: str, rest: str = REST, **parameters: Any) -> None:
    """Bind a filter that refers to a shipped one and drops the rest; that of IPv4 in its chain, since what such a chain does not
    decide is accepted (ebtables' policy of chains, in libvirt as here)."""
    if rest == REST:
        bench.define("rest", REST, "chain='ipv4'")
        rest = "<filterref filter='rest'/>" + REST
    bench.define("under", f"<filterref filter='{name}'/>{rest}")
    bench.bind("under", **parameters)


@pytest.mark.guide("nwfilter-builtin-list")
def test_all_are_there(bench: Bench) -> None:
    """Names with UUIDs; each dumps a document; a changed one outlives the daemon; clean-traffic with no-ip-multicast."""
    place = bench.wire.place
    listed = {line.split()[1]: line.split()[0] for line in place.say("nwfilter-list").splitlines() if line.strip()}
    assert set(NAMES) <= set(listed)
    assert all(uuid.UUID(listed[name]) for name in NAMES) and len(set(listed.values())) == len(listed)
    for name in NAMES:
        node = read_xml(place.say(f"nwfilter-dumpxml {name}"), "(filter)")
        assert node.tag == "filter" and node.get("name") == name
    old = bench.wire.conn.nwfilterLookupByName("no-mac-broadcast")
    before = old.XMLDesc(0)
    bench.wire.conn.nwfilterDefineXML(before.replace("</filter>", rule("drop", "out", "<arp opcode='9'/>") + "</filter>"))
    place.kill()
    place.start()
    bench.wire.conn = client.open(place.uri)
    assert "<arp opcode='ARP_NAK'/>" in place.say("nwfilter-dumpxml no-mac-broadcast")
    bench.wire.conn.nwfilterDefineXML(before)
    under(bench, "clean-traffic", "<filterref filter='no-ip-multicast'/>", IP="10.0.0.5")
    assert bench.passes("ip") and bench.drops("ip", src="10.0.0.6")
    assert bench.drops("ip", dst="224.0.0.9", d="01:00:5e:00:00:09")


@pytest.mark.guide("nwfilter-builtin-allow-arp")
def test_allow_arp(bench: Bench) -> None:
    under(bench, "allow-arp")
    assert bench.passes("arp") and bench.passes("arp", TO, **BACK)
    assert bench.drops("ip") and bench.drops("ip", TO, **BACK)


@pytest.mark.guide("nwfilter-builtin-no-arp-mac-spoofing")
def test_no_arp_mac_spoofing(bench: Bench) -> None:
    bench.bind("no-arp-mac-spoofing", IP="10.0.0.5")
    assert bench.drops("arp", sha=OTHER) and bench.passes("arp") and bench.passes("arp", spa="10.0.0.6")


@pytest.mark.guide("nwfilter-builtin-no-arp-ip-spoofing")
def test_no_arp_ip_spoofing(bench: Bench) -> None:
    bench.bind("no-arp-ip-spoofing", IP=["10.0.0.5", "10.0.0.7"])
    assert bench.drops("arp", spa="10.0.0.6") and bench.passes("arp", sha=OTHER)
    assert bench.passes("arp") and bench.passes("arp", spa="10.0.0.7")


@pytest.mark.guide("nwfilter-builtin-allow-dhcp")
def test_allow_dhcp(bench: Bench) -> None:
    """Discover, offer, request and acknowledgement, with two servers; no other UDP."""
    under(bench, "allow-dhcp")
    asked: dict[str, Any] = {"proto": "udp", "src": "0.0.0.0", "dst": "255.255.255.255", "sport": 68, "dport": 67, "d": ALL}
    for server in ("10.0.0.1", "192.168.7.2"):
        answer: dict[str, Any] = {"proto": "udp", "src": server, "dst": "10.0.0.5", "sport": 67, "dport": 68, **BACK}
        for _ in range(2):
            assert bench.passes("ip", **asked) and bench.passes("ip", TO, **answer)
    assert bench.drops("ip", **{**asked, "dport": 69}) and bench.drops("ip") and bench.drops("ip", TO, **BACK)
    assert bench.drops("ip", **{**asked, "src": "10.0.0.5"})


@pytest.mark.guide("nwfilter-builtin-allow-dhcp-server")
def test_allow_dhcp_server(bench: Bench) -> None:
    under(bench, "allow-dhcp-server", DHCPSERVER="10.0.0.254")
    answer: dict[str, Any] = {"proto": "udp", "dst": "10.0.0.5", "sport": 67, "dport": 68, **BACK}
    asked: dict[str, Any] = {"proto": "udp", "src": "0.0.0.0", "dst": "255.255.255.255", "sport": 68, "dport": 67, "d": ALL}
    assert bench.passes("ip", **asked) and bench.passes("ip", TO, src="10.0.0.254", **answer)
    assert bench.drops("ip", TO, src="10.0.0.66", **answer)
    bench.unbind()
    with pytest.raises(Error, match=r"unresolvable variables or unavailable list elements: \$DHCPSERVER"):
        under(bench, "allow-dhcp-server")


@pytest.mark.guide("nwfilter-builtin-allow-ipv4")
def test_allow_ipv4(bench: Bench) -> None:
    under(bench, "allow-ipv4")
    assert bench.passes("ip") and bench.passes("ip", TO, **BACK)
    assert bench.drops("ipv6") and bench.drops("ipv6", TO, **BACK)


@pytest.mark.guide("nwfilter-builtin-allow-incoming-ipv4")
def test_allow_incoming_ipv4(bench: Bench) -> None:
    under(bench, "allow-incoming-ipv4")
    assert bench.passes("ip", TO, **BACK) and bench.drops("ip") and bench.drops("ipv6", TO, **BACK)


@pytest.mark.guide("nwfilter-builtin-no-ip-spoofing")
def test_no_ip_spoofing(bench: Bench) -> None:
    bench.bind("no-ip-spoofing", IP="10.0.0.5")
    assert bench.passes("ip", proto="tcp") and bench.drops("ip", proto="tcp", src="10.0.0.6")
    assert bench.passes("ip", src="0.0.0.0", dst="255.255.255.255", sport=68, dport=67, d=ALL), "DHCP's first question"
    assert bench.drops("ip", src="0.0.0.0", proto="tcp")


@pytest.mark.guide("nwfilter-builtin-no-ip-multicast")
def test_no_ip_multicast(bench: Bench) -> None:
    bench.bind("no-ip-multicast")
    group: dict[str, Any] = {"dst": "224.0.0.5", "d": "01:00:5e:00:00:05"}
    assert bench.drops("ip", **group) and bench.passes("ip")
    assert bench.passes("ip", TO, **{**group, "s": packets.PEER})


@pytest.mark.guide("nwfilter-builtin-no-mac-broadcast")
def test_no_mac_broadcast(bench: Bench) -> None:
    bench.bind("no-mac-broadcast")
    assert bench.drops("ip", d=ALL) and bench.passes("arp", d=ALL) and bench.passes("ip")


@pytest.mark.guide("nwfilter-builtin-no-mac-spoofing")
def test_no_mac_spoofing(bench: Bench) -> None:
    bench.bind("no-mac-spoofing")
    for protocol in ("arp", "ip", "ipv6", "mac", "vlan"):
        assert bench.drops(protocol, s=OTHER) and bench.passes(protocol), protocol


@pytest.mark.guide("nwfilter-builtin-no-arp-spoofing", "nwfilter-builtin-no-other-l2-traffic", "nwfilter-builtin-clean-traffic")
def test_clean_traffic_whole(bench: Bench) -> None:
    """Genuine IPv4 and ARP; nothing forged, no IPv6, no IPX, no tags. Operations but request and reply: the guide says that they
    are dropped by no-arp-spoofing; libvirt's filter, which ours is equal to, no longer looks at them, so a rule must be added."""
    bench.bind("clean-traffic", IP="10.0.0.1")
    me: dict[str, Any] = {"spa": "10.0.0.1"}
    assert bench.passes("ip", src="10.0.0.1") and bench.passes("arp", **me) and bench.passes("arp", op=2, **me)
    assert bench.passes("ip", TO, dst="10.0.0.1", **BACK) and bench.passes("arp", TO, sha=packets.PEER, **BACK)
    assert bench.drops("ip", src="10.0.0.1", s=OTHER) and bench.drops("ip", src="10.0.0.2")
    assert bench.drops("arp", spa="10.0.0.2") and bench.drops("arp", sha=OTHER, **me)
    for other in (0x8137, 0x86DD):
        assert bench.drops("mac", type=other) and bench.drops("mac", TO, type=other, **BACK)
    assert bench.drops("ipv6") and bench.drops("vlan", inner=0x800)
    bench.unbind()
    only = rule("return", "out", "<arp opcode='1'/>") + rule("return", "out", "<arp opcode='2'/>") + rule("drop", "out")
    bench.define("two-ways", only, "chain='arp-op' priority='-530'")
    under(bench, "no-arp-spoofing", "<filterref filter='two-ways'/>", IP="10.0.0.5")
    assert bench.passes("arp") and bench.passes("arp", op=2) and bench.drops("arp", op=3) and bench.drops("arp", op=8)
    assert bench.drops("arp", spa="10.0.0.6") and bench.drops("arp", sha=OTHER)


@pytest.mark.guide("nwfilter-builtin-qemu-announce-self")
def test_announcements_pass(bench: Bench) -> None:
    """RARP requests of the guest for itself pass, other RARP does not; what a real QEMU sends after a migration arrives."""
    self: dict[str, Any] = {"op": 3, "d": ALL, "sha": packets.ME, "tha": packets.ME, "spa": "0.0.0.0", "tpa": "0.0.0.0"}
    for name in ("clean-traffic", "qemu-announce-self"):
        bench.bind(name, IP="10.0.0.5")
        assert bench.passes("rarp", **self), name
        for wrong in ({"op": 4}, {"sha": OTHER}, {"tha": OTHER}, {"spa": "10.0.0.5"}, {"d": packets.PEER}):
            assert bench.drops("rarp", **{**self, **wrong}), (name, wrong)
        assert bench.passes("rarp", TO, **{**self, "s": packets.PEER})
        assert bench.drops("rarp", TO, **{**self, "s": packets.PEER, "op": 4})
        bench.unbind()
    bench.bind("no-other-rarp-traffic")
    assert bench.drops("rarp") and bench.passes("arp")
    bench.unbind()
    _by_qemu(bench)


LISTEN = """import socket, sys
s = socket.socket(17, 3, socket.htons(3)); s.bind(('sink0', 0)); s.settimeout(60)
print('ready', flush=True)
while True:
    frame = s.recv(2048)
    if frame[12:14] == b'\\x80\\x35' and frame[6:12] == bytes.fromhex('525400130001'):
        print(frame[20:22].hex(), flush=True)
        break
"""


def _by_qemu(bench: Bench) -> None:
    place = bench.wire.place
    document = place.folder / "announce.xml"
    document.write_text("""<domain type='qemu'><name>announce</name><memory unit='MiB'>32</memory><os><type arch='x86_64'
      machine='pc'>hvm</type></os><devices><interface type='bridge'><mac address='52:54:00:13:00:01'/><source bridge='br0'/>
      <target dev='tapann'/><model type='e1000'/><filterref filter='clean-traffic'><parameter name='IP' value='10.0.0.8'/></filterref>
      </interface></devices></domain>""")
    child = subprocess.Popen(["ip", "netns", "exec", place.name, sys.executable, "-c", LISTEN], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    try:
        made = place.run(f"create {document}")
        assert made.returncode == 0, made.stderr
        announce = """qemu-monitor-command announce '{"execute":"announce-self","arguments":{"initial":50,"max":100,"rounds":5,"step":50}}'"""
        assert re.search('"return"', place.say(announce))
        assert until(lambda: child.poll() is not None, 60)
        assert child.stdout.read().strip() == "0003"
    finally:
        child.kill()
        child.wait()
        place.run("destroy announce")
