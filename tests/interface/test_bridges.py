"""Bridges of live cards: who has the address, who is on the LAN, with real packets, a real DHCP server and a real guest."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import TinyGuest
from tests.network.test_guests import direct, inside, start
from tests.waiting import until

from .conftest import IfaceDaemon
from .test_changes import CARD, prepared


@pytest.mark.guide(
    "virsh-iface-bridge", "virsh-iface-bridge-opt-delay", "virsh-iface-unbridge", "concept-bridged-networking",
    "trouble-bridge-iface-bridge", "trouble-bridge-iface-unbridge",
)
def test_bridge_has_the_address_and_the_traffic(ifd: IfaceDaemon) -> None:
    """A card with an address becomes a bridge with it: packets go on, and what is plugged in is on the card's network."""
    ifd.reset("ifupdown")
    text = CARD.replace("c0", "lan0").replace("10.66.0.", "10.77.0.").replace("1400", "1500")
    ifd.say("iface-define", ifd.write("lan.xml", text))
    ifd.say("iface-start", "lan0")
    ifd.inside("ip", "address", "add", "10.77.9.9/24", "dev", "lan0")  # by hand, not configured
    ifd.inside("ip", "route", "add", "10.99.0.0/16", "via", "10.77.9.1")
    said = ifd.do("iface-bridge", "lan0", "br1", "--delay", "2").stdout
    assert said == "Created bridge br1 with attached device lan0\nBridge interface br1 started\n\n"
    assert " br1 " in ifd.say("iface-list", "--all")
    assert sorted(ifd.addresses("br1")) == ["10.77.0.5/24", "10.77.9.9/24", "2001:db8:66::5/64"]
    assert "10.99.0.0/16 via 10.77.9.1 dev br1" in ifd.inside("ip", "route")
    assert ifd.addresses("lan0") == [] and "master br1" in ifd.shown("lan0")
    assert "forward_delay 200 " in ifd.shown("br1") and "stp_state 1 " in ifd.shown("br1")
    assert "<bridge stp='on' delay='2'>" in ifd.say("iface-dumpxml", "br1")
    assert "<start mode='onboot'/>" in ifd.say("iface-dumpxml", "br1", "--inactive")
    files = ifd.files()
    assert (
        "address 10.77.0.5/24" in files["etc/network/interfaces.d/br1"]
        and "bridge_ports lan0" in files["etc/network/interfaces.d/br1"]
    )
    ifd.forwards("br1")
    guest = ifd.guest("br1", "52:54:00:77:00:77", "10.77.0.7/24")
    ifd.forwards("br1")
    until(lambda: guest.sees("10.77.0.1") == "10.77.0.7")
    said = ifd.do("iface-unbridge", "br1").stdout  # the guest's port is no part of the document
    assert said == "Device lan0 un-attached from bridge br1\nInterface lan0 started\n\n"
    assert "br1" not in ifd.links() and "master" not in ifd.shown("lan0")
    assert sorted(ifd.addresses("lan0")) == ["10.77.0.5/24", "10.77.9.9/24", "2001:db8:66::5/64"]
    routes = ifd.inside("ip", "route")
    assert "default via 10.77.0.1" in routes and "10.99.0.0/16 via 10.77.9.1 dev lan0" in routes
    assert not any("br1" in name for name in ifd.files())


@pytest.mark.guide(
    "virsh-iface-bridge-opt-no-stp", "virsh-iface-bridge-opt-no-start", "virsh-iface-unbridge-opt-no-start"
)
def test_bridge_options(ifd: IfaceDaemon) -> None:
    prepared(ifd, "ifupdown")
    ifd.say("iface-define", str(ifd.folder / "card.xml"))
    ifd.say("iface-bridge", "c0", "br2", "--no-stp", "--no-start")
    assert "br2" not in ifd.links() and "br2" in ifd.say("iface-list", "--inactive")
    ifd.say("iface-start", "br2")
    assert "stp_state 0 " in ifd.shown("br2") and "forward_delay 0 " in ifd.shown("br2")
    ifd.say("iface-unbridge", "br2", "--no-start")
    assert "state DOWN" in ifd.shown("c0") and "10.66.0.5" in ifd.say("iface-dumpxml", "c0", "--inactive")


@pytest.mark.guide("iface-mac-ambiguity", "error-iface-mac-ambiguous")
def test_a_shared_mac_names_nothing(ifd: IfaceDaemon) -> None:
    prepared(ifd, "ifupdown")
    ifd.say("iface-bridge", "c2", "br3")
    mac = ifd.say("iface-mac", "br3").strip()
    assert mac == ifd.say("iface-mac", "c2").strip()
    for virsh in (ifd.virsh, ifd.our_virsh):
        done = virsh("iface-dumpxml", mac)
        assert done.returncode == 1
        assert f"multiple matching interfaces found: the MAC address '{mac}' matches multiple interfaces" in done.stderr
    assert "type='bridge'" in ifd.say("iface-dumpxml", "br3")


@pytest.fixture
def server(ifd: IfaceDaemon) -> Iterator[None]:
    """A DHCP server of the LAN, in the world."""
    child = subprocess.Popen(
        ifd.world.command("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=far0",
                          "--bind-interfaces", "--dhcp-range=10.77.0.50,10.77.0.60,2m", "--no-ping", "--user=root",
                          f"--dhcp-leasefile={ifd.folder}/far.leases", f"--pid-file={ifd.folder}/far.pid"),
    )  # fmt: skip
    yield
    child.kill()
    child.wait()


def test_dhcp(ifd: IfaceDaemon, server: None) -> None:
    """A bridge that asks for its address gets it of a real server; the client ends with it."""
    ifd.reset("ifupdown")
    text = "<interface type='ethernet' name='lan0'><protocol family='ipv4'><dhcp/></protocol></interface>"
    ifd.say("iface-define", ifd.write("d.xml", text))
    ifd.say("iface-bridge", "lan0", "br1", "--no-stp")
    assert any(one.startswith("10.77.0.5") for one in ifd.addresses("br1"))
    ifd.say("iface-unbridge", "br1", "--no-start")
    until(lambda: not list((ifd.folder / "run/libvirt/interface").glob("*.pid")))


@pytest.mark.guide("iface-concept", "concept-bridged-networking")
def test_a_guest_is_on_the_lan(ifd: IfaceDaemon, server: None, tiny_guest: TinyGuest) -> None:
    """A real guest on a bridge made by iface-bridge has an address of the LAN's own server, and the LAN reaches it."""
    ifd.reset("ifupdown")
    ifd.say("iface-bridge", "lan0", "br1", "--no-stp")
    card = "<interface type='bridge'><mac address='52:54:00:50:00:01'/><source bridge='br1'/><model type='virtio'/></interface>"
    start(ifd, "lan", card, direct(tiny_guest))
    try:
        until(lambda: "52:54:00:50:00:01" in (ifd.folder / "far.leases").read_text())
        lease = next(line for line in (ifd.folder / "far.leases").read_text().splitlines() if "50:00:01" in line)
        address = lease.split()[2]
        assert address.startswith("10.77.0.5")
        assert inside(ifd, "lan", "echo hello | nc 10.77.0.1 7000").split()[0] == address
        inside(ifd, "lan", "(while :; do echo here | nc -l -p 7001; done) < /dev/null > /dev/null 2>&1 &")
        until(lambda: ifd.world.probe("connect", address, "7001") == "here")
        listed = ifd.say("-q", "iface-list", "--all").split()
        assert "br1" in listed and "lan0" not in listed and "vnet0" not in listed
    finally:
        ifd.say("destroy", "lan")
    ifd.say("iface-unbridge", "br1")
