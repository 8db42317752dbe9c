"""Interfaces that cannot have what they ask for: refused at the start in the real libvirt's words, and nothing is left over."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.conftest import PROJECT, DaemonHandle

from .conftest import NetDaemon

MAC = "<mac address='52:54:00:00:00:01'/>"
DIRECT = f"<interface type='direct'>{MAC}<source dev='rfa' mode='bridge'/>"
BRIDGE = f"<interface type='bridge'>{MAC}<source bridge='rfbr'/>"
POOL = f"<interface type='network'>{MAC}<source network='rfcards'/>"
VLAN = "<vlan><tag id='5'/></vlan></interface>"
FILTER = "<filterref filter='rfilter'/></interface>"
CARDS = {
    "bridge-vlan": BRIDGE + VLAN,
    "direct-vlan": DIRECT + VLAN,
    "ethernet-vlan": f"<interface type='ethernet'>{MAC}{VLAN}",
    "user-vlan": f"<interface type='user'>{MAC}{VLAN}",
    "direct-tap": DIRECT + "<backend tap='/dev/net/tun'/><model type='virtio'/></interface>",
    "pool-tap": POOL + "<backend tap='/dev/net/tun'/><model type='virtio'/></interface>",
    "user-queues": f"<interface type='user'>{MAC}<model type='virtio'/><driver queues='2'/></interface>",
    "bridge-missing": BRIDGE.replace("rfbr", "rfnone") + "</interface>",
    "pool-filter": POOL + FILTER,
}
IGNORED = {
    "direct-filter": DIRECT + FILTER,
    "user-filter": f"<interface type='user'>{MAC}{FILTER}",
    "hostdev-filter": f"<interface type='hostdev'>{MAC}<source><address type='pci' domain='0' bus='0' slot='0x10' function='0'/></source>"
    + FILTER,
}
TAKEN = {
    "network-filter": f"<interface type='network'>{MAC}<source network='rfnet'/><target dev='rft0'/>{FILTER}",
    "bridge-filter": f"{BRIDGE}<target dev='rft0'/>{FILTER}",
    "ethernet-filter": f"<interface type='ethernet'>{MAC}<target dev='rft0'/>{FILTER}",
}
LINKS = "ip link add rfa type veth peer name rfb && ip link set rfa up && ip link add rfbr type bridge && ip link set rfbr up"
FILES = {
    "pool": "<network><name>rfcards</name><forward mode='bridge'><interface dev='rfa'/></forward></network>",
    "net": "<network><name>rfnet</name><bridge name='rfvirbr'/></network>",
    "filter": "<filter name='rfilter'><rule action='drop' direction='out'><mac match='no' srcmacaddr='$MAC'/></rule></filter>",
}


def prepare(daemon: DaemonHandle) -> None:
    for name, text in FILES.items():
        (daemon.folder / f"rf-{name}.xml").write_text(text)
    for name, card in {**CARDS, **IGNORED, **TAKEN}.items():
        (daemon.folder / f"rf-{name}.xml").write_text(
            f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>"
            f"<devices>{card}</devices></domain>"
        )
    for words in (("net-create", "pool"), ("net-create", "net"), ("nwfilter-define", "filter")):
        done = daemon.virsh(words[0], str(daemon.folder / f"rf-{words[1]}.xml"))
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def both(netd: NetDaemon, real_libvirtd: DaemonHandle) -> tuple[NetDaemon, DaemonHandle]:
    netd.inside("sh", "-c", LINKS)
    assert real_libvirtd.peers is not None
    peer = [str(PROJECT / "scripts/peer"), "exec", "--dir", str(real_libvirtd.folder), "--", "sh", "-c", LINKS]
    subprocess.run(peer, check=True, env={**os.environ, "KVASIR_PEERS": str(real_libvirtd.peers.root)})
    for daemon in (netd, real_libvirtd):
        prepare(daemon)
    return netd, real_libvirtd


@pytest.mark.parametrize("name", CARDS)
def test_refused_as_by_libvirt(both: tuple[NetDaemon, DaemonHandle], name: str) -> None:
    said = []
    for daemon in both:
        done = daemon.virsh("create", "--paused", str(daemon.folder / f"rf-{name}.xml"))
        assert done.returncode == 1
        said.append(done.stderr.splitlines()[-1])
    assert said[0] == said[1]
    assert "vnet" not in both[0].inside("ip", "-br", "link") and "<network>" in both[0].say("net-dumpxml", "rfcards")


@pytest.mark.guide("nwfilter-supported-interface-types")
def test_filters_are_for_taps(both: tuple[NetDaemon, DaemonHandle]) -> None:
    """Accepted and in force for network, bridge and ethernet; refused for a network that is a macvtap. An interface that says direct,
    user or hostdev itself loses its filter at the define, as with the real libvirt, whose document is the same."""
    ours, _ = both
    for name in TAKEN:
        ours.say("create", "--paused", str(ours.folder / f"rf-{name}.xml"))
        assert ours.say("-q", "nwfilter-binding-list").split() == ["rft0", "rfilter"], name
        assert "rft0" in ours.inside("ebtables-save")
        ours.say("destroy", name)
        assert "rft0" not in ours.inside("ebtables-save")
    for name in IGNORED:
        shown = []
        for daemon in both:
            assert daemon.virsh("define", str(daemon.folder / f"rf-{name}.xml")).returncode == 0
            text = daemon.virsh("dumpxml", name).stdout
            shown.append(text[text.index("<interface") : text.index("</interface>")])
            daemon.virsh("undefine", name)
        assert shown[0] == shown[1] and "filterref" not in shown[0]
    done = ours.virsh("create", str(ours.folder / "rf-pool-filter.xml"))
    assert "filterref is not supported for network interfaces of type direct" in done.stderr
