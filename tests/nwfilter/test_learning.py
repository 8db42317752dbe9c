"""Addresses that are learned from packets and from DHCP, the shipped filter, kill -9 of the daemon and a flushed firewall."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

import pytest

from kvasir import client
from kvasir.errors import Error
from tests.nwfilter import packets
from tests.nwfilter.bridge import Bench, until


def dhcp_ack(address: str, seconds: int, server: str = "10.0.0.1") -> bytes:
    """What a server tells the guest."""
    options = (
        b"\x63\x82\x53\x63\x35\x01\x05\x33\x04"
        + struct.pack(">I", seconds)
        + b"\x36\x04"
        + socket.inet_aton(server)
        + b"\xff"
    )
    message = struct.pack(">BBBBIHH", 2, 1, 6, 0, 7, 0, 0) + bytes(4) + socket.inet_aton(address) + bytes(8)
    return message + packets.mac(packets.ME) + bytes(10 + 64 + 128) + options


@pytest.mark.guide(
    *("nwfilter-ip-learning-activation", "nwfilter-ctrl-ip-learning-any", "nwfilter-variable-ctrl-ip-learning"),
    *("nwfilter-ctrl-ip-learning-none", "nwfilter-example-no-ip-spoofing-rule"),
)
def test_address_learned_from_any_packet(bench: Bench) -> None:
    """The first address that the guest uses becomes $IP; others are spoofed ones then. Without learning it is an error."""
    bench.bind("no-ip-spoofing")
    assert bench.passes("arp", spa="10.0.0.5", src="10.0.0.5")
    assert until(lambda: "10.0.0.5" in bench.wire.place.inside("ebtables-save"))
    assert bench.passes("ip", src="10.0.0.5", proto="tcp") and bench.drops("ip", src="10.0.0.6", proto="tcp")
    bench.unbind()
    with pytest.raises(Error, match="unresolvable variables or unavailable list elements: \\$IP"):
        bench.bind("no-ip-spoofing", CTRL_IP_LEARNING="none")
    bench.bind("no-ip-spoofing", CTRL_IP_LEARNING="none", IP="10.0.0.7")
    assert bench.passes("ip", src="10.0.0.7", proto="tcp")


@pytest.mark.guide("nwfilter-ctrl-ip-learning-dhcp", "nwfilter-dhcp-snoop-rate-limit")
def test_address_learned_from_dhcp(bench: Bench) -> None:
    """Only what the server says counts, and only as long as the lease; thousands of packets do not stop it."""
    bench.bind("no-ip-spoofing", CTRL_IP_LEARNING="dhcp", DHCPSERVER="10.0.0.1")
    assert bench.drops("ip", src="10.0.0.5", proto="tcp"), "nothing but DHCP before"
    back: dict[str, Any] = {"s": packets.PEER, "d": packets.ME}

    def offer(server: str, seconds: int) -> None:
        frame = packets.ipv4(
            "udp", dhcp_ack("10.0.0.5", seconds, server), src=server, dst="10.0.0.5", sport=67, dport=68, **back
        )
        code = f"import socket; s = socket.socket(17, 3, 3); s.bind(('sink0', 0)); [s.send(bytes.fromhex('{frame.hex()}')) for _ in range({300 if seconds < 99 else 1})]"
        bench.wire.place.inside("python3", "-c", code)

    offer("10.0.0.66", 1000)
    time.sleep(0.5)
    assert "10.0.0.5" not in bench.wire.place.inside("ebtables-save"), "another server's word is worth nothing"
    offer("10.0.0.1", 15)
    assert until(lambda: "10.0.0.5" in bench.wire.place.inside("ebtables-save"))
    bench.passes("arp")  # the far end's own queue is full of offers: empty it
    assert bench.passes("ip", src="10.0.0.5", proto="tcp") and bench.drops("ip", src="10.0.0.6", proto="tcp")
    assert until(lambda: "10.0.0.5" not in bench.wire.place.inside("ebtables-save"), 60), "the lease is over"


@pytest.mark.guide("nwfilter-example-no-arp-spoofing", "nwfilter-xml-filterref-interface")
def test_clean_traffic(bench: Bench) -> None:
    """The shipped filter: no foreign card, no foreign address in ARP or IPv4, nothing but these two."""
    bench.bind("clean-traffic", IP="10.0.0.5")
    assert bench.passes("arp") and bench.passes("ip", proto="tcp")
    assert (
        bench.drops("arp", spa="10.0.0.6")
        and bench.drops("arp", sha="02:00:00:00:00:02")
        and bench.drops("arp", s="02:00:00:00:00:02")
    )
    assert bench.drops("ip", src="10.0.0.6", proto="tcp") and bench.drops("ipv6") and bench.drops("mac")


def test_kill_and_flush(bench: Bench) -> None:
    """The rules outlive the daemon; the next one knows the binding; a flushed firewall is whole again after SIGHUP."""
    bench.bind("clean-traffic", IP="10.0.0.5")
    place = bench.wire.place
    before = place.inside("ebtables-save")
    place.kill()
    assert bench.drops("ipv6") and bench.passes("arp")
    place.start()
    bench.wire.conn = client.open(place.uri)
    assert place.say("nwfilter-binding-list").split() == ["vnet0", "clean-traffic"]
    normal = [line for line in before.splitlines() if not line.startswith("#")]
    assert [line for line in place.inside("ebtables-save").splitlines() if not line.startswith("#")] == normal
    place.inside("nft", "flush", "ruleset")
    assert bench.passes("ipv6")
    assert place.child is not None
    place.inside("kill", "-HUP", str(place.child.pid))
    assert until(lambda: place.inside("ebtables-save").count("vnet0") > 10)
    assert bench.drops("ipv6") and bench.passes("arp")
