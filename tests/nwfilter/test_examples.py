"""The guide's own filters (17.14.11) and limits (17.14.12), by frames and by a real FTP transfer."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kvasir.errors import Error
from kvasir.nwfilter.protocols import ATTRIBUTES
from tests.nwfilter import packets
from tests.nwfilter.bridge import BINDING, TO, Bench, rule, until
from tests.nwfilter.place import Place

BACK: dict[str, Any] = {"s": packets.PEER, "d": packets.ME, "src": "10.0.0.9", "dst": "10.0.0.5"}
OTHER = "02:00:00:00:00:02"
DROP = rule("drop", "inout", "<all/>")
PING = rule("accept", "out", "<icmp/>")
DNS = rule("accept", "out", "<udp dstportstart='53'/>")
WEB = rule("accept", "in", "<tcp dstportstart='22'/>") + rule("accept", "in", "<tcp dstportstart='80'/>")
FIRST = "<filterref filter='clean-traffic'/>" + WEB + PING + DNS + DROP
FTP = (rule("accept", "in", "<tcp dstportstart='21'/>") + rule("accept", "out", "<tcp srcportstart='20' state='RELATED,ESTABLISHED'/>")
       + rule("accept", "in", "<tcp dstportstart='20' state='ESTABLISHED'/>"))  # fmt: skip
THIRD = (
    "<filterref filter='clean-traffic'/>"
    + rule("accept", "in", "<all state='ESTABLISHED'/>")
    + rule("accept", "out", "<all state='ESTABLISHED,RELATED'/>")
    + rule("accept", "in", "<tcp dstportstart='21' dstportend='22' state='NEW'/>")
    + rule("accept", "in", "<tcp dstportstart='80' state='NEW'/>")
    + rule("accept", "out", "<icmp state='NEW'/>")
    + rule("accept", "out", "<udp dstportstart='53' state='NEW'/>")
    + DROP
)


def talks(bench: Bench, port: int, sport: int) -> bool:
    """A connection from outside: both parts of the greeting pass."""
    if not bench.passes("tcp", TO, sport=sport, dport=port, **BACK):
        return False
    return bench.passes("tcp", sport=port, dport=sport, flags=0x12, ack=2)


def matrix(bench: Bench, sport: int) -> None:
    """What the guide's filters for ``eth0`` of a guest let pass: ssh, web, ping outward, questions to name servers."""
    assert talks(bench, 22, sport) and talks(bench, 80, sport)
    assert bench.drops("tcp", TO, sport=sport, dport=81, **BACK)
    assert bench.passes("icmp", type=8, id=sport) and bench.passes("icmp", TO, type=0, id=sport, **BACK)
    assert bench.drops("icmp", TO, type=8, id=sport + 1, **BACK), "nobody pings the guest"
    assert bench.passes("udp", sport=sport, dport=53) and bench.passes("udp", TO, sport=53, dport=sport, **BACK)
    assert bench.drops("udp", sport=sport, dport=54)
    assert bench.drops("tcp", s=OTHER, sport=80, dport=sport) and bench.drops("tcp", src="10.0.0.6", sport=80, dport=sport)
    assert bench.drops("arp", spa="10.0.0.6") and bench.drops("arp", sha=OTHER) and bench.passes("arp")


@pytest.mark.guide("nwfilter-custom-filter-1")
def test_first_example(bench: Bench) -> None:
    """No address is given: it is learned from the guest's first packet."""
    bench.define("test-eth0", FIRST)
    bench.bind("test-eth0")
    assert bench.passes("arp")
    place = bench.wire.place
    assert until(lambda: "10.0.0.5" in place.inside("ebtables-save") and "--dport 80" in place.inside("iptables-save"))
    matrix(bench, 7000)


@pytest.mark.guide("nwfilter-custom-filter-1-interface")
def test_rules_are_of_an_interface(bench: Bench) -> None:
    """Two guests with one filter on one bridge: the second's packets are its own affair; another address changes nothing for TCP."""
    place, wire = bench.wire.place, bench.wire
    place.inside("sh", "-c", "ip link add vnet1 type veth peer name gst1 && ip link set vnet1 master br0 && ip link set vnet1 up && "
                 f"ip link set gst1 up && bridge fdb replace {OTHER} dev vnet1 master static")  # fmt: skip
    second = BINDING.replace("'vnet0'", "'vnet1'").replace("02:00:00:00:00:01", OTHER)
    try:
        bench.define("test-eth0", FIRST)
        bench.bind("test-eth0", IP=["10.0.0.5", "10.0.0.15"])
        wire.conn.nwfilterBindingCreateXML(second.format(name="test-eth0", more="<parameter name='IP' value='10.0.0.7'/>"), 0)
        to_second: dict[str, Any] = {"s": packets.PEER, "d": OTHER, "src": "10.0.0.9", "dst": "10.0.0.7", "sport": 7100}
        assert wire.passes("tcp", {**to_second, "dport": 80}, "sink0", to="gst1")
        assert not wire.passes("tcp", {**to_second, "dport": 81}, "sink0", False, to="gst1")
        mine: dict[str, Any] = {"s": OTHER, "src": "10.0.0.7"}
        assert wire.passes("icmp", mine, "gst1") and not wire.passes("icmp", {**mine, "src": "10.0.0.5"}, "gst1", False)
        assert not wire.passes("icmp", {}, "gst1", False), "the first guest's addresses are no use here"
        between: dict[str, Any] = {"d": OTHER, "dst": "10.0.0.7", "sport": 7101, "dport": 80}
        assert not wire.passes("tcp", between, "gst0", False, to="gst1"), "the first may not open connections"
        for address in ("10.0.0.15", "10.0.0.5"):
            assert bench.passes("tcp", TO, **{**BACK, "dst": address}, sport=7102, dport=80)
            assert bench.passes("tcp", src=address, sport=80, dport=7102, flags=0x12, ack=2)
    finally:
        bench.unbind()
        place.inside("ip", "link", "del", "vnet1")


@pytest.mark.guide("nwfilter-icmp-echo-only")
def test_echo_only(bench: Bench) -> None:
    echo = rule("accept", "out", "<icmp type='8'/>") + rule("accept", "in", "<icmp type='0'/>")
    bench.define("test-eth0", FIRST.replace(PING, echo))
    bench.bind("test-eth0", IP="10.0.0.5")
    assert bench.passes("icmp", type=8, id=7200) and bench.passes("icmp", TO, type=0, id=7200, **BACK)
    assert bench.drops("icmp", TO, type=8, id=7201, **BACK) and bench.drops("icmp", type=13, id=7202)


@pytest.mark.guide("nwfilter-two-layer-accept", "nwfilter-implementation-layers")
def test_two_layers(bench: Bench) -> None:
    """What <ip> accepts must be accepted by <udp> as well once there is any rule of that layer; what the bridge's rules drop is never
    seen by the others; guests of other hypervisors are refused."""
    ip = rule("accept", "out", "<ip protocol='udp' dstportstart='53'/>", "priority='100'")
    more = rule("accept", "in", "<tcp dstportstart='22'/>") + rule("drop", "inout", "<all/>", "priority='1000'")
    bench.define("layers", ip)
    bench.bind("layers")
    assert bench.passes("udp", sport=7300, dport=53)
    bench.define("layers", ip + more)
    assert bench.drops("udp", sport=7301, dport=53)
    bench.define("layers", ip + more + rule("accept", "out", "<udp dstportstart='53'/>"))
    assert bench.passes("udp", sport=7302, dport=53)
    place = bench.wire.place
    early, late = place.inside("ebtables-save"), place.inside("iptables-save")
    assert "--ip-dport 53" in early and "--dport 22" not in early
    assert "--dport 22" in late and "--dport 53" in late
    bench.define("layers", rule("drop", "out", "<ip protocol='udp' dstportstart='54'/>") + more)
    assert bench.drops("udp", sport=7303, dport=54)

    def counted() -> list[str]:
        return [line.split("]")[0] for line in place.inside("iptables-save", "-c").splitlines() if "-A FI-vnet0" in line]

    before = counted()
    assert bench.drops("udp", sport=7303, dport=54) and counted() == before
    assert bench.drops("udp", sport=7303, dport=55) and counted() != before
    wrong = place.folder / "xen.xml"
    wrong.write_text("<domain type='xen'><name>x</name><memory>65536</memory><os><type>hvm</type></os><devices><interface type='bridge'>"
                     "<source bridge='br0'/><filterref filter='layers'/></interface></devices></domain>")  # fmt: skip
    assert place.run(f"define {wrong}").returncode == 1


@pytest.mark.guide("nwfilter-limit-vlan-packets")
def test_tagged_frames_want_rules_of_their_own(bench: Bench) -> None:
    bench.define("forged", rule("drop", "out", "<ip match='no' srcipaddr='$IP'/>"))
    bench.bind("forged", IP="10.0.0.5")
    assert bench.drops("ip", src="10.0.0.6") and bench.passes("ip", src="10.0.0.6", vlan=7)
    bench.define("forged", rule("drop", "out", "<ip match='no' srcipaddr='$IP'/>") + rule("drop", "out", "<vlan/>"))
    assert bench.drops("ip", src="10.0.0.6", vlan=7) and bench.passes("ip")


@pytest.mark.guide("nwfilter-nf-conntrack-icmp-timeout")
def test_timeout_of_pings(bench: Bench) -> None:
    """One ping at a time; the second goes three seconds after the first has ended."""
    limit = rule("drop", "out", "<icmp connlimit-above='1'/>", "priority='400'")
    bench.define("one-ping", limit + rule("accept", "out", "<icmp/>") + DROP)
    bench.wire.place.inside("sysctl", "-qw", "net.netfilter.nf_conntrack_icmp_timeout=3")
    try:
        bench.bind("one-ping")
        assert until(lambda: bench.passes("icmp", type=8, id=7400, src="10.0.40.5", dst="10.0.40.9"))
        began = time.monotonic()
        second: dict[str, Any] = {"type": 8, "id": 7401, "src": "10.0.40.5", "dst": "10.0.40.8"}
        assert bench.drops("icmp", **second)
        assert until(lambda: bench.wire.passes("icmp", second, expected=False), 30)
        assert time.monotonic() - began > 1.5
    finally:
        bench.wire.place.inside("sysctl", "-qw", "net.netfilter.nf_conntrack_icmp_timeout=30")


# --- FTP


class Hosts:
    """Two network namespaces on the bridge: the guest's, with its port ``vnetf``, and a client's."""

    def __init__(self, place: Place) -> None:
        self.place = place
        for what, card, address in (("guest", "02:00:00:0f:00:01", "10.0.60.5"), ("client", "02:00:00:0f:00:02", "10.0.60.9")):
            name = f"{place.name}{what}"
            subprocess.run(["ip", "netns", "add", name], check=True)
            place.inside("sh", "-c", f"ip link add vnetf{what[0]} type veth peer name eth0 address {card} netns {name} && "
                         f"ip link set vnetf{what[0]} master br0 && ip link set vnetf{what[0]} up")  # fmt: skip
            for words in ("link set lo up", "link set eth0 up", f"address add {address}/24 dev eth0"):
                self.run(what, "ip", *words.split())
        self.server = self._begin("guest", "serve", "10.0.60.5")

    def words(self, what: str, *words: str) -> list[str]:
        return ["ip", "netns", "exec", f"{self.place.name}{what}", *words]

    def run(self, what: str, *words: str) -> str:
        done = subprocess.run(self.words(what, *words), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _begin(self, what: str, *words: str) -> subprocess.Popen[str]:
        program = str(Path(__file__).with_name("ftp.py"))
        child = subprocess.Popen(self.words(what, sys.executable, program, *words), stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        return child

    def ftp(self, what: str, *words: str) -> str:
        return self.run(what, sys.executable, str(Path(__file__).with_name("ftp.py")), *words)

    def helper(self, on: bool) -> None:
        """The kernel's helper for FTP, which new kernels want to be assigned."""
        text = """table ip help { ct helper ftp { type "ftp" protocol tcp; }
          chain pre { type filter hook prerouting priority -150; tcp dport 21 ct helper set "ftp";
          }
        }"""
        self.place.inside("nft", *(["-f", "-"] if on else ["delete", "table", "ip", "help"]), text=text if on else None)

    def close(self) -> None:
        self.server.kill()
        self.server.wait()
        for what in ("guest", "client"):
            self.place.inside("ip", "link", "delete", f"vnetf{what[0]}")  # (the kernel takes its time with a namespace's)
            subprocess.run(["ip", "netns", "delete", f"{self.place.name}{what}"], check=False)


@pytest.fixture
def hosts(bench: Bench) -> Iterator[Hosts]:
    made = Hosts(bench.wire.place)
    yield made
    made.close()


def bind_ftp(bench: Bench, name: str) -> None:
    document = BINDING.replace("'vnet0'", "'vnetfg'").replace("02:00:00:00:00:01", "02:00:00:0f:00:01")
    bench.wire.conn.nwfilterBindingCreateXML(document.format(name=name, more="<parameter name='IP' value='10.0.60.5'/>"), 0)


def active_mode(hosts: Hosts) -> None:
    """Without the helper no data connection; with it the file comes; one from port 20 that nobody announced is dropped."""
    assert hosts.ftp("client", "get", "10.0.60.5").startswith("failed")
    hosts.helper(True)
    try:
        assert hosts.ftp("client", "get", "10.0.60.5") == "whole"
    finally:
        hosts.helper(False)
    listener = subprocess.Popen(hosts.words("client", sys.executable, "-c", "import socket; s = socket.create_server(('10.0.60.9', 4000)); "
                                            "print('ready', flush=True); s.accept()"), stdout=subprocess.PIPE, text=True)  # fmt: skip
    try:
        assert listener.stdout is not None and listener.stdout.readline() == "ready\n"
        assert hosts.ftp("guest", "stray", "10.0.60.9", "4000").startswith("failed")
    finally:
        listener.kill()
        listener.wait()


@pytest.mark.guide("nwfilter-custom-filter-2-related", "nwfilter-conntrack-helper-modules")
def test_second_example(bench: Bench, hosts: Hosts) -> None:
    bench.define("test-eth0", FIRST.replace(WEB, FTP + WEB))
    bind_ftp(bench, "test-eth0")
    active_mode(hosts)
    assert "nf_conntrack_ftp" in (Path(__file__).parents[2] / "README.md").read_text()
    bench.unbind()
    bench.bind("test-eth0", IP="10.0.0.5")
    matrix(bench, 7500)


@pytest.mark.guide("nwfilter-custom-filter-3-state-flags")
def test_third_example(bench: Bench, hosts: Hosts) -> None:
    bench.define("test-eth0", THIRD)
    bind_ftp(bench, "test-eth0")
    active_mode(hosts)
    bench.unbind()
    bench.bind("test-eth0", IP="10.0.0.5")
    matrix(bench, 7600)
    assert talks(bench, 21, 7601) and bench.drops("tcp", TO, sport=7601, dport=23, **BACK)
    assert bench.drops("tcp", sport=80, dport=7602, flags=0x10, ack=9), "the middle of a connection that was never accepted"
    assert bench.drops("tcp", TO, sport=7603, dport=81, flags=0x10, ack=9, **BACK)


# --- documents


SAMPLES = {
    "mac": "02:AB:cd:0:0:1", "macmask": "FF:ff:ff:0:0:0", "ip": "10.0.0.5", "ipmask": "255.255.255.0", "ip6": "FD00::5",
    "ip6mask": "ffff:ffff::", "u8": "0x7", "u16": "1000", "u32": "0x10", "vlanid": "0x123", "dscp": "13", "ethertype": "0x800",
    "encap": "2054", "opcode": "3", "protocol": "17", "bool": "1", "state": "new,ESTABLISHED", "flags": "SYN,ACK/SYN", "ipset": "good4",
    "ipsetflags": "SRC,dst", "comment": "my &lt;rule&gt;",
}  # fmt: skip
ILLEGAL = {
    "mac": "02:00:zz:00:00:01", "macmask": "ff:00:ff:00:00:00", "ip": "10.0.0.256", "ipmask": "255.0.255.0", "ip6": "fd00::g",
    "ip6mask": "129", "u8": "256", "u16": "70000", "u32": "4294967296", "vlanid": "4096", "dscp": "64", "ethertype": "0x20",
    "encap": "foo", "opcode": "foo", "protocol": "256", "bool": "maybe", "state": "OLD", "flags": "SYN/FOO", "ipset": "a" * 40,
    "ipsetflags": "up",
}  # fmt: skip
SHOWN = ("02:ab:cd:00:00:01", "ff:ff:ff:00:00:00", "fd00::5", "protocolid='ipv4'", "encap-protocol='arp'", "opcode='Request_Reverse'",
         "protocol='udp'", "gratuitous='true'", "mask='24'", "mask='32'", "vlanid='0x123'", "statematch='false'")  # fmt: skip


def whole(protocol: str) -> str:
    return " ".join(f"{name}='{SAMPLES[kind]}'" for name, kind in ATTRIBUTES[protocol].items())


@pytest.mark.guide("nwfilter-dumpxml-normalisation")
def test_a_document_is_its_own_fixed_point(bench: Bench) -> None:
    """One rule for each protocol with all of its attributes: what is shown, defined again, is shown the same."""
    rules = [rule("drop", "out", f"<{name} {whole(name)}/>", "statematch='0'" if name == "tcp" else "") for name in ATTRIBUTES]
    place = bench.wire.place
    made = bench.define("everything", "".join(rules))
    first = place.say("nwfilter-dumpxml everything")
    for name, attributes in ATTRIBUTES.items():
        line = next(line for line in first.splitlines() if line.strip().startswith(f"<{name} "))
        assert all(f" {attribute}='" in line for attribute in attributes), line
    assert first.count(" priority='500'") == len(ATTRIBUTES) and first.count("statematch=") == 1
    for text in SHOWN:
        assert text in first, text
    made.undefine()
    bench.made.clear()
    path = place.folder / "again.xml"
    path.write_text(first)
    assert place.run(f"nwfilter-define {path}").returncode == 0
    assert place.say("nwfilter-dumpxml everything") == first
    place.run("nwfilter-undefine everything")


@pytest.mark.guide("error-nwfilter-illegal-attribute-value")
@pytest.mark.parametrize("kind", ILLEGAL)
def test_illegal_value(bench: Bench, kind: str) -> None:
    """One of each datatype; nothing is made, nothing is changed."""
    protocol, name = next((one, name) for one, names in ATTRIBUTES.items() for name, what in names.items() if what == kind)
    wrong = rule("drop", "out", f"<{protocol} {name}='{ILLEGAL[kind]}'/>")
    place = bench.wire.place
    for known in (False, True):
        if known:
            bench.define("illegal", rule("drop", "out", "<arp/>"))
        path = place.folder / "illegal.xml"
        path.write_text(f"<filter name='illegal'>{wrong}</filter>")
        done = place.run(f"nwfilter-define {path}")
        assert done.returncode == 1 and f"{name} has illegal value {ILLEGAL[kind]}" in done.stderr, done
        shown = place.run("nwfilter-dumpxml illegal")
        assert ("<arp/>" in shown.stdout and f"{name}=" not in shown.stdout) if known else shown.returncode == 1


@pytest.mark.guide("error-nwfilter-port-without-protocol")
@pytest.mark.parametrize("protocol", ["ip", "ipv6"])
def test_ports_want_a_protocol(bench: Bench, protocol: str) -> None:
    words = f"{protocol.replace('ip', 'IP')} rule with port specification requires protocol specification with protocol to be either one of"
    for port in ("srcportstart", "dstportstart"):
        for more in ("", "protocol='icmp'"):
            with pytest.raises(Error, match=words):
                bench.define("ports", rule("drop", "out", f"<{protocol} {port}='80' {more}/>"))
        bench.define("ports", rule("drop", "out", f"<{protocol} {port}='80' protocol='tcp'/>"))
