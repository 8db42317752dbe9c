"""Procedures of the guide with real guests and real bridges: bridged guests, macvtap with a second card, other card models, STP."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import PROJECT, Peers, TinyGuest, short_folder
from tests.waiting import until

from .conftest import NetDaemon
from .test_guests import direct, inside, start

CARD = "<interface type='{kind}'><mac address='52:54:00:90:00:0{n}'/><source {source}/>{more}</interface>"


@pytest.mark.guide("concept-bridged-networking", "net-mode-bridged", "net-scenario-bridged", "trouble-bridge-manual",
                   "trouble-bridge-fix-edit", "trouble-bridge-existing", "domxml-interface-bridge")  # fmt: skip
def test_bridged_guest_is_a_host_of_the_lan(netd: NetDaemon, tiny_guest: TinyGuest) -> None:
    """A bridge made by hand: the guest's tap is its port, and a machine of the LAN reaches the guest as any other."""
    netd.inside("sh", "-c", "ip link add lan0 type bridge && ip link set lan0 up && ip address add 10.9.90.1/24 dev lan0")
    neighbour = netd.guest("lan0", "52:54:00:90:09:02", "10.9.90.2/24")
    neighbour.listen()
    assert "10.9.90.1/24" in netd.inside("ip", "address", "show", "lan0")
    start(netd, "bridged", CARD.format(kind="bridge", n=1, source="bridge='lan0'", more=""), direct(tiny_guest))
    assert "master lan0" in netd.inside("ip", "-o", "link", "show", "vnet0")
    inside(netd, "bridged", "ip address add 10.9.90.3/24 dev eth0")
    until(lambda: inside(netd, "bridged", "echo | nc -w 5 10.9.90.2 7000").split()[:1] == ["10.9.90.3"])
    inside(netd, "bridged", "(while :; do echo here | nc -l -p 7000; done) >/dev/null 2>&1 &")
    until(lambda: neighbour.sees("10.9.90.3") == "here")
    netd.say("destroy", "bridged")


@pytest.mark.guide("trouble-macvtap-isolated", "trouble-macvtap-isolated-iface", "trouble-macvtap-host", "xml-interface-direct")
def test_macvtap_guest_reaches_its_host_over_an_isolated_network(netd: NetDaemon, tiny_guest: TinyGuest) -> None:
    """Procedure A.8: over the macvtap the LAN is there but the host is not; the second card on an isolated network reaches it."""
    netd.define("""<network><name>isolated</name><bridge name='briso' stp='off'/><ip address='192.168.254.1' netmask='255.255.255.0'>
      <dhcp><range start='192.168.254.2' end='192.168.254.254'/></dhcp></ip></network>""")
    netd.say("net-autostart", "isolated")
    lan = netd.host("lan")
    netd.wire(lan, "nic0", "nic0p")
    netd.inside("ip", "address", "add", "10.9.91.1/24", "dev", "nic0")
    lan.run("ip", "address", "add", "10.9.91.2/24", "dev", "nic0p")
    lan.listen()
    netd.ground.listen()
    cards = CARD.format(kind="direct", n=2, source="dev='nic0' mode='bridge'", more="<model type='virtio'/>")
    cards += CARD.format(kind="network", n=3, source="network='isolated'", more="<model type='virtio'/>")
    start(netd, "mac", cards, direct(tiny_guest))
    inside(netd, "mac", "pkill -f 'udhcpc -i eth0'; ip address flush dev eth0; ip address add 10.9.91.3/24 dev eth0")
    until(lambda: inside(netd, "mac", "echo | nc -w 5 10.9.91.2 7000").split()[:1] == ["10.9.91.3"])
    assert inside(netd, "mac", "echo | nc -w 3 10.9.91.1 7000") == "", "the host's own card is deaf to its macvtaps"
    until(lambda: "192.168.254." in inside(netd, "mac", "ip address show eth1"))
    until(lambda: inside(netd, "mac", "echo | nc -w 5 192.168.254.1 7000").startswith("192.168.254."))
    netd.say("destroy", "mac")
    assert "macvtap" not in netd.inside("ip", "link")


@pytest.mark.guide("trouble-net-rtl8139-default", "trouble-net-e1000", "trouble-net-switch-virtio", "trouble-net-new-guest-template",
                   "xml-interface-mac-optional")  # fmt: skip
def test_card_models(netd: NetDaemon, tiny_guest: TinyGuest) -> None:
    """A.12: without a model rtl8139; e1000 where it is said; virsh edit switches to virtio; a copy without UUID and MAC is a new
    guest. Each is seen by the guest's own drivers."""
    netd.inside("sh", "-c", "ip link show lan1 >/dev/null 2>&1 || ip link add lan1 type bridge && ip link set lan1 up")
    path = netd.folder / "models.xml"
    bare = "<interface type='bridge'><source bridge='lan1'/></interface>"
    path.write_text(f"""<domain type='qemu'><name>models</name><memory unit='MiB'>160</memory><vcpu>1</vcpu><os><type arch='x86_64'
      machine='pc'>hvm</type>{direct(tiny_guest)}</os><devices>{bare}{bare.replace('<source', "<model type='e1000'/><source")}
      <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices></domain>""")
    netd.say("define", str(path))
    document = netd.say("dumpxml", "models")
    assert document.count("<mac address='52:54:00:") == 2
    assert "<model type='rtl8139'/>" in document and "<model type='e1000'/>" in document
    editor = {**os.environ, "EDITOR": "sed -i s/rtl8139/virtio/"}
    done = subprocess.run([str(PROJECT / "bin/virsh"), "-c", netd.uri, "edit", "models"], env=editor, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    netd.say("start", "models")
    drivers = inside(netd, "models", "for i in eth0 eth1; do basename $(readlink /sys/class/net/$i/device/driver); done")
    assert set(drivers.split()) == {"virtio_net", "e1000"}
    netd.say("destroy", "models")
    copy = "\n".join(line for line in document.replace(">models<", ">copy<").splitlines() if "<uuid>" not in line and "<mac " not in line)
    path.write_text(copy.replace("rtl8139", "virtio"))
    netd.say("define", str(path))
    second = netd.say("dumpxml", "copy")
    assert second.split("<uuid>")[1][:36] != document.split("<uuid>")[1][:36]
    assert not {line for line in second.splitlines() if "<mac " in line} & set(document.splitlines())
    for name in ("models", "copy"):
        netd.say("undefine", name)


@pytest.mark.guide("trouble-pxe-root-bridge-note", "trouble-pxe-forward-delay", "trouble-pxe-forward-delay-fix", "host-brctl-show")
def test_delay_is_that_of_the_root_bridge(netd: NetDaemon) -> None:
    """A.19.3: a network with STP takes the delay of the LAN's root bridge; without STP it keeps its own."""
    netd.inside("sh", "-c", "ip link add root0 type bridge stp_state 1 forward_delay 1500 priority 1 && ip link set root0 up")

    def delay(bridge: str) -> int:
        return int(json.loads(netd.inside("ip", "-d", "-j", "link", "show", bridge))[0]["linkinfo"]["info_data"]["forward_delay"])

    for number, stp in enumerate(("on", "off")):
        netd.define(f"<network><name>stp{stp}</name><bridge name='br{stp}' stp='{stp}' delay='2'/></network>")
        netd.inside("sh", "-c", f"ip link add st{number}a type veth peer name st{number}b && ip link set st{number}a master root0 up && "
                    f"ip link set st{number}b master br{stp} up")  # fmt: skip
        assert delay(f"br{stp}") == 200
    until(lambda: delay("bron") == 1500)
    assert delay("broff") == 200
    assert "bron" in netd.inside("bridge", "link")


NO_NFT = r"""mkdir {0}/bin && cp /usr/sbin/xtables-nft-multi {0}/multi
for name in iptables ip6tables iptables-restore ip6tables-restore iptables-nft; do ln -s {0}/multi {0}/bin/$name; done
printf '#!/bin/sh\ncase "$*" in *CHECKSUM*) exit 2;; esac\nexec {0}/bin/$(basename "$0") "$@"\n' > {0}/script
chmod 755 {0}/script && mount --bind /dev/null /usr/sbin/nft && mount --bind {0}/script /usr/sbin/xtables-nft-multi"""


@pytest.mark.skipif(not Path("/usr/sbin/iptables-nft").exists(), reason="iptables is not installed")
@pytest.mark.guide("trouble-table-a1-dhcp-checksum", "trouble-dhcp-checksum-warning", "trouble-dhcp-checksum-ignore", "trouble-dhcp-checksum-conditions",
                   "net-nat-firewall-rules")  # fmt: skip
def test_host_without_nft_has_the_rules_by_iptables(peers: Peers) -> None:
    """Where nft is missing iptables does it, in libvirt's chains; a kernel without CHECKSUM is warned of in libvirt's words."""
    with short_folder("kv-ipt-") as tools, short_folder("kv-net-") as folder:
        daemon = NetDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, peers)
        try:
            daemon.start()
            daemon.inside("sh", "-c", NO_NFT.format(tools))
            daemon.make_world()
            daemon.world.listen()
            daemon.define("""<network><name>old</name><forward mode='nat'/><bridge name='brold' stp='off'/>
              <ip address='10.9.95.1' prefix='24'><dhcp><range start='10.9.95.2' end='10.9.95.9'/></dhcp></ip></network>""")
            assert "Could not add rule to fixup DHCP response checksums on network 'old'." in daemon.log()
            guest = daemon.guest("brold", "52:54:00:95:00:02")
            daemon.forwards("brold")
            assert json.loads(guest.probe("dhcp", "eth0"))["address"].startswith("10.9.95.")
            assert guest.sees("192.0.2.2") == "192.0.2.1"
            rules = daemon.inside("iptables-nft", "-S")
            assert "-A LIBVIRT_FWI -d 10.9.95.0/24 -o brold -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT" in rules
            daemon.say("net-destroy", "old")
            assert "brold" not in daemon.inside("iptables-nft", "-S") + daemon.inside("iptables-nft", "-t", "nat", "-S")
        finally:
            daemon.finish()
        time.sleep(0)
