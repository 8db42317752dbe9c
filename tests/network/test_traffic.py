"""Who reaches whom in each forward mode, with real packets between namespaces; the host's firewall written by nft."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from .conftest import Host, NetDaemon

MODES = ("nat", "route", "none", "open")


class Scene(NamedTuple):
    """Two guests on each network, and the world."""

    daemon: NetDaemon
    guests: dict[str, tuple[Host, Host]]


def network(mode: str, number: int) -> str:
    forward = f"<forward mode='{mode}'/>" if mode != "none" else ""
    return f"""<network><name>{mode}</name>{forward}<bridge name='br{mode}' stp='on' delay='0'/>
  <ip address='10.9.{number}.1' netmask='255.255.255.0'/>
  <ip family='ipv6' address='fd00:9:{number}::1' prefix='64'/></network>"""


@pytest.fixture(scope="module")
def scene(netd: NetDaemon) -> Iterator[Scene]:
    guests = {}
    netd.world.listen()
    for number, mode in enumerate(MODES, 1):
        netd.define(network(mode, number))
        pair = tuple(
            netd.guest(f"br{mode}", f"52:54:00:09:0{number}:0{n}", f"10.9.{number}.{n}/24", f"fd00:9:{number}::{n}/64",
                       gateway=f"10.9.{number}.1")
            for n in (2, 3)
        )  # fmt: skip
        for guest in pair:
            guest.run("ip", "route", "add", "default", "via", f"fd00:9:{number}::1")
            guest.listen()
        guests[mode] = (pair[0], pair[1])
        netd.world.run("ip", "route", "add", f"10.9.{number}.0/24", "via", "192.0.2.1")
        netd.world.run("ip", "route", "add", f"fd00:9:{number}::/64", "via", "2001:db8::1")
    netd.ground.listen()
    netd.forwards(*(f"br{mode}" for mode in MODES))
    yield Scene(netd, guests)


@pytest.mark.guide(
    "net-mode-nat", "net-scenario-nat", "net-default-nat", "net-nat-firewall-rules", "concept-network-setups"
)
def test_nat_hides_guests_behind_the_host(scene: Scene) -> None:
    """Out with the host's address; nobody outside reaches in, whatever routes it has."""
    one, two = scene.guests["nat"]
    assert one.sees("192.0.2.2") == "192.0.2.1"
    assert one.sees("10.9.1.3") == "10.9.1.2" and one.sees("10.9.1.1") == "10.9.1.2"
    assert scene.daemon.world.sees("10.9.1.2") == ""
    assert two.sees("192.0.2.2") == "192.0.2.1"


@pytest.mark.guide("net-mode-routed", "net-scenario-routed-dmz", "net-scenario-routed-hosting")
def test_routed_guests_show_their_own_addresses(scene: Scene) -> None:
    one, _ = scene.guests["route"]
    assert one.sees("192.0.2.2") == "10.9.2.2"
    assert scene.daemon.world.sees("10.9.2.2") == "192.0.2.2"
    assert one.seen_as("2001:db8::2", "fd00:9:2::2")
    assert scene.daemon.world.sees("fd00:9:2::2") == "2001:db8::2"


@pytest.mark.guide("net-mode-isolated", "net-scenario-isolated", "net-virtual-switch-concept")
def test_isolated_guests_reach_each_other_and_the_host_only(scene: Scene) -> None:
    one, _ = scene.guests["none"]
    assert one.sees("10.9.3.3") == "10.9.3.2" and one.sees("10.9.3.1") == "10.9.3.2"
    assert one.seen_as("fd00:9:3::3", "fd00:9:3::2")
    assert one.sees("192.0.2.2") == "" and scene.daemon.world.sees("10.9.3.2") == ""
    assert one.sees("2001:db8::2") == "" and scene.daemon.world.sees("fd00:9:3::2") == ""


def test_open_leaves_the_firewall_alone(scene: Scene) -> None:
    one, _ = scene.guests["open"]
    assert one.sees("192.0.2.2") == "10.9.4.2"
    assert scene.daemon.world.sees("10.9.4.2") == "192.0.2.2"
    assert "bropen" not in scene.daemon.inside("nft", "list", "ruleset")


def test_between_networks(scene: Scene) -> None:
    """As with libvirt: into a routed network yes, into nat and isolated ones no."""
    nat, route = scene.guests["nat"][0], scene.guests["route"][0]
    assert nat.sees("10.9.2.2") != ""
    assert route.sees("10.9.1.2") == "" and route.sees("10.9.3.2") == ""


def test_nat_of_ipv6_is_off_unless_asked(scene: Scene) -> None:
    one, _ = scene.guests["nat"]
    assert one.seen_as("2001:db8::2", "fd00:9:1::2")


@pytest.mark.guide("net-nat-public-ip-range", "domxml-net-nat-address-range")
def test_nat_address_and_port_range(netd: NetDaemon) -> None:
    """Packets leave with the addresses and ports of ``<nat>``, IPv6 too where it says so."""
    netd.define("""<network><name>range</name><forward mode='nat'><nat ipv6='yes'><address start='192.0.2.30' end='192.0.2.33'/>
      <port start='6000' end='6010'/></nat></forward><bridge name='brrange' stp='off'/>
      <ip address='10.9.9.1' prefix='24'/><ip family='ipv6' address='fd00:9:9::1' prefix='64'/></network>""")
    guest = netd.guest("brrange", "52:54:00:09:09:02", "10.9.9.2/24", "fd00:9:9::2/64", gateway="10.9.9.1")
    guest.run("ip", "route", "add", "default", "via", "fd00:9:9::1")
    for number in range(30, 34):
        netd.inside("ip", "address", "add", f"192.0.2.{number}/32", "dev", "up0")
    netd.forwards("brrange")
    if not netd.world.listeners:
        netd.world.listen()
    assert guest.sees("192.0.2.2") in {f"192.0.2.{number}" for number in range(30, 34)}
    assert guest.seen_as("2001:db8::2", "2001:db8::1")


@pytest.mark.guide("net-virbr0-ip-addr-show", "host-brctl-show", "net-bridge-opts-reference", "net-default-bridge-isolated",
                   "trouble-pxe-net-edit-bridge", "trouble-pxe-forward-delay-fix")  # fmt: skip
def test_bridge_is_as_the_document_says(netd: NetDaemon) -> None:
    netd.define("""<network><name>opts</name><bridge name='bropts' stp='off' delay='4'/><mtu size='1400'/>
      <mac address='52:54:00:0a:0b:0c'/><ip address='10.9.10.1' prefix='25'/></network>""")
    shown = json.loads(netd.inside("ip", "-d", "-j", "link", "show", "bropts"))[0]
    assert shown["mtu"] == 1400 and shown["address"] == "52:54:00:0a:0b:0c" and "UP" in shown["flags"]
    assert shown["linkinfo"]["info_data"]["stp_state"] == 0 and shown["linkinfo"]["info_data"]["forward_delay"] == 400
    assert "10.9.10.1/25 brd 10.9.10.127" in netd.inside("ip", "address", "show", "bropts")


@pytest.mark.guide("file-sysctl-ip-forward")
def test_forwarding_is_turned_on(scene: Scene) -> None:
    assert scene.daemon.inside("sysctl", "-n", "net.ipv4.ip_forward").strip() == "1"
    assert scene.daemon.inside("sysctl", "-n", "net.ipv6.conf.all.forwarding").strip() == "1"


def test_static_route_goes_over_the_network(netd: NetDaemon) -> None:
    """What lies behind a guest is reached by ``<route>``."""
    netd.define("""<network><name>beyond</name><forward mode='route'/><bridge name='brbeyond' stp='off'/>
      <ip address='10.9.11.1' prefix='24'/><ip family='ipv6' address='fd00:9:11::1' prefix='64'/>
      <route address='10.99.0.0' prefix='16' gateway='10.9.11.2' metric='7'/>
      <route family='ipv6' address='fd00:99::' prefix='48' gateway='fd00:9:11::2'/></network>""")
    router = netd.guest("brbeyond", "52:54:00:09:11:02", "10.9.11.2/24", "fd00:9:11::2/64")
    router.run("ip", "address", "add", "10.99.1.1/32", "dev", "lo")
    router.run("ip", "address", "add", "fd00:99::1/128", "dev", "lo")
    router.listen()
    netd.forwards("brbeyond")
    assert netd.ground.sees("10.99.1.1") == "10.9.11.1" and netd.ground.seen_as("fd00:99::1", "fd00:9:11::1")
    assert "metric 7" in netd.inside("ip", "route", "show", "10.99.0.0/16")


def test_a_network_that_the_host_has_is_refused(netd: NetDaemon) -> None:
    netd.define(
        "<network><name>taken</name><bridge name='brtaken'/><ip address='192.0.2.77' prefix='24'/></network>",
        start=False,
    )
    done = netd.virsh("net-start", "taken")
    assert done.returncode == 1 and "Network is already in use by interface up0" in done.stderr
    assert "brtaken" not in netd.inside("ip", "link")
