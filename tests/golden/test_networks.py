"""Network documents beside the real libvirt 9.0: accepted or refused alike, the same document, dnsmasq's files, the same rules."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from kvasir.errors import Error
from kvasir.model.network import Network
from kvasir.network import conf, documents
from kvasir.network.kinds import KINDS
from kvasir.network.network import VirtualNetwork

from . import network_harness as harness

OUT = [name for name in harness.names() if "out" in harness.sections(name) or "error" in harness.sections(name)]
LIVE = [name for name in OUT if "live" in harness.sections(name)]
STARTED_ELSEWHERE = {"bridge-template"}


def completed(name: str) -> Network:
    """Our document, with the bridge name that the driver would give."""
    document = documents.read((harness.HERE / f"{name}.xml").read_text())
    document.uuid = document.uuid or "00000000-0000-0000-0000-000000000000"
    if document.own_bridge:
        document.bridge = (document.bridge or "virbr%d").replace("%d", "0")
    return document


def test_corpus_is_large() -> None:
    assert len(OUT) >= 250
    assert sum("error" in harness.sections(name) for name in OUT) >= 80


@pytest.mark.guide(
    "net-mode-nat", "net-mode-routed", "net-mode-isolated", "net-forward-dev", "net-mode-bridged", "virsh-net-define"
)
@pytest.mark.parametrize("name", OUT)
def test_document(name: str) -> None:
    text = (harness.HERE / f"{name}.xml").read_text()
    real = harness.sections(name)
    try:
        mine = {"out": harness.plain(completed(name).xml(), text)}
    except Error as error:
        mine = {"error": f"{int(error.code)} {int(error.origin)}\n{error.message.rstrip()}\n"}
    assert mine == {word: harness.plain(real[word], text) for word in ("out", "error") if word in real}


@pytest.mark.parametrize("name", LIVE)
def test_live_document_and_dnsmasq(name: str) -> None:
    """What the document of the running network says, and the bytes of dnsmasq's configuration, hosts and names."""
    text = (harness.HERE / f"{name}.xml").read_text()
    real = harness.sections(name)
    net = VirtualNetwork(completed(name))
    net.active = True
    KINDS[net.document.mode](net, None).fill()
    mine = {"live": harness.plain(net.xml(), text)}
    if conf.wanted(net.document):
        run, lib = "/run/libvirt/network", "/var/lib/libvirt/dnsmasq"
        mine["conf"] = conf.configuration(net.document, f"{run}/{net.name}.pid", lib)
        mine["hostsfile"], mine["addnhosts"] = conf.hosts_file(net.document), conf.names_file(net.document)
    wanted = {word: real[word] for word in ("conf", "hostsfile", "addnhosts") if word in real}
    assert mine == {"live": harness.plain(real["live"], text), **wanted}


def by_chain(text: str) -> list[str]:
    """The rules, chain by chain (nft lists the chains as they were made)."""
    return sorted(text.splitlines(), key=lambda line: line.partition(":")[0])


def _ruled() -> list[str]:
    """One document of each shape of rules."""
    shapes = {re.sub(r"[0-9a-f:.]+/[0-9]+", "N", harness.sections(name)["rules"]): name for name in LIVE}
    return sorted(shapes.values())


RULED = _ruled()
RULES = """
import sys
sys.path[:0] = {path!r}
from kvasir.host import iptables
from kvasir.network.rules import rules
from tests.golden.record_networks import rules as shown
from tests.golden.test_networks import RULED, completed
for name in RULED:
    document = completed(name)
    wanted = list(rules(document))
    iptables.install(document.bridge, wanted)
    print("==", name)
    print(shown(), end="")
    iptables.remove(document.bridge, wanted)
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("iptables", path="/usr/sbin"), reason="root and iptables")
def test_rules_of_each_mode_are_those_of_libvirt() -> None:
    """The iptables writer's rules, in the kernel, are libvirt's: same chains, same order, for every document of the corpus."""
    script = RULES.format(path=sys.path)
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    mine: dict[str, list[str]] = {}
    for part in done.stdout.split("== ")[1:]:
        name, _, body = part.partition("\n")
        mine[name] = by_chain(body)
    assert len(mine) >= 15
    assert mine == {name: by_chain(harness.sections(name)["rules"]) for name in RULED}


ROWS = {
    "net-xml-vlan-tag": ("bridge-ovs", "<tag id='2' nativeMode='untagged'/>"),
    "net-vlan-native-mode": ("bridge-ovs", "nativeMode='untagged'"),
    "net-virtualport-openvswitch": ("bridge-vport-params", "interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'"),
    "net-xml-portgroup": ("bridge-ovs", "<portgroup name='vlan-01' default='yes'>"),
    "xml-virtualport-8021qbg": ("macvtap-8021qbg", "managerid='11'"),
    "xml-virtualport-8021qbh": ("macvtap-8021qbh", "profileid='finance'"),
    "xml-bridge-mactablemanager": ("bridge-manager-kernel", "macTableManager='kernel'"),
    "xml-network-tftp": ("tftp-only", "<tftp root='/tmp'/>"),
    "xml-network-bootp": ("dhcp-bootp-server", "<bootp file='/boot/grub.efi' server='10.77.55.200'/>"),
    "domxml-net-nat-address-range": ("nat-address", "<address start='192.0.2.10' end='192.0.2.20'/>"),
    "net-mode-bridged": ("bridge-host", "<forward mode='bridge'/>"),
    "net-mode-nat": ("nat-default", "<forward mode='nat'/>"),
    "net-mode-routed": ("route-plain", "<forward mode='route'/>"),
    "net-mode-isolated": ("isolated-plain", "<bridge name='virbr0' stp='on' delay='0'/>"),
    "net-forward-dev": ("nat-dev", "<forward dev='lo' mode='nat'>"),
    "xml-network-example": ("order", "<mac address='52:54:00:01:02:03'/>"),
    "trouble-pxe-net-edit-bridge": ("bridge-opts", "delay='4'"),
    "domxml-net-forward-mode-host-setup": ("macvtap-vepa", "<interface dev='hosta'/>"),
    "net-qos-reference": ("portgroup-bandwidth", "<inbound average='1' peak='2' burst='3'/>"),
}
REFUSED = {
    "net-vlan-transparent-types": ("vlan-nat", "whose type doesn't support vlan configuration"),
    "limit-static-ip-in-range": ("dhcp-range-outside", "is not entirely within network"),
    "limit-mac-unicast": ("dhcp-host-multicast", "expected unicast mac address, found multicast"),
    "limit-static-ip-forward-mode": ("bridge-ip", "Unsupported <ip> element"),
}


@pytest.mark.parametrize("row", [pytest.param(row, marks=pytest.mark.guide(row)) for row in ROWS])
def test_row(row: str) -> None:
    """The document that has the row's element, the same bytes as libvirt's."""
    name, words = ROWS[row]
    assert words in harness.sections(name)["out"] + harness.sections(name).get("live", "")
    test_document(name)


@pytest.mark.parametrize("row", [pytest.param(row, marks=pytest.mark.guide(row)) for row in REFUSED])
def test_refused_row(row: str) -> None:
    """The document that breaks the row's rule is refused in libvirt's words."""
    name, words = REFUSED[row]
    assert words in harness.sections(name)["error"]
    test_document(name)
