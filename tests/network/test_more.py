"""User networking, tunnels between guests, Open vSwitch up to its tool, events, editing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import PROJECT, TinyGuest, short_folder

from .conftest import NetDaemon
from .test_guests import direct, inside, start, wait


@pytest.mark.guide("net-tunnel-tcp", "domxml-interface-server-client", "net-tunnel-multicast")
def test_tunnels_between_guests(netd: NetDaemon, tiny_guest: TinyGuest) -> None:
    """17.15: two guests joined by a TCP tunnel, and by a multicast group, reach each other over each."""
    netd.inside("ip", "route", "replace", "230.0.0.0/8", "dev", "lo")
    card = """<interface type='{0}'><mac address='52:54:00:80:00:0{1}'/><source address='127.0.0.1' port='5560'/><model type='virtio'/></interface>
      <interface type='mcast'><mac address='52:54:00:80:01:0{1}'/><source address='230.0.0.1' port='5558'/><model type='virtio'/></interface>"""
    for number, kind in enumerate(("server", "client"), 1):
        start(netd, kind, card.format(kind, number), direct(tiny_guest))
    for number, kind in enumerate(("server", "client"), 1):
        both = "; ".join(f"pkill -f 'udhcpc -i {nic}'; ip address flush dev {nic}; ip address add 10.5.{net}.{number}/24 dev {nic}; "
                         f"ip link set {nic} up" for nic, net in (("eth0", 5), ("eth1", 6)))  # fmt: skip
        inside(netd, kind, both)
    for net in (5, 6):
        wait(lambda net=net: " 0% packet loss" in inside(netd, "client", f"ping -c 2 -W 5 10.5.{net}.1"), 30)
    netd.say("destroy", "client")
    netd.say("destroy", "server")


@pytest.mark.skipif(not shutil.which("passt"), reason="passt is not installed")
def test_ports_of_the_host_lead_into_the_guest(netd: NetDaemon, tiny_guest: TinyGuest) -> None:
    """One card by passt, one by QEMU's own stack: a connection to the host's port arrives in the guest by each."""
    cards = """<interface type='user'><backend type='passt'/><mac address='52:54:00:80:02:01'/>
      <portForward proto='tcp' address='127.0.0.1'><range start='2080' to='80'/></portForward><model type='virtio'/></interface>
      <interface type='user'><mac address='52:54:00:80:02:02'/>
      <portForward proto='tcp' address='127.0.0.1'><range start='2090' end='2091' to='90'/></portForward><model type='virtio'/></interface>"""
    netd.inside("ip", "route", "replace", "default", "via", "192.0.2.2")
    start(netd, "user", cards, direct(tiny_guest))
    wait(lambda: inside(netd, "user", "ip -4 -o address").count("scope global") == 2)
    for port in (80, 91):
        inside(netd, "user", f"(while :; do nc -l -p {port} >> /tmp/got{port}; done) >/dev/null 2>&1 &")
    send = "import socket, time; s = socket.create_connection(('127.0.0.1', {0}), 5); s.sendall(b'from the host'); time.sleep(1)"
    for outside, port in ((2080, 80), (2091, 91)):
        netd.inside(sys.executable, "-c", send.format(outside))
        wait(lambda port=port: "from the host" in inside(netd, "user", f"cat /tmp/got{port}"), 60)
    netd.say("destroy", "user")
    end = time.monotonic() + 10
    while subprocess.run(["pgrep", "-f", f"passt.*{netd.folder}"], capture_output=True).returncode == 0:
        assert time.monotonic() < end
        time.sleep(0.1)


OVS = """#!/bin/sh
printf '%s\\n' "$*" >> {log}
[ -e {log}.fail ] && echo 'ovs-vsctl: no bridge named ovsbr' >&2 && exit 1
exit 0
"""


@pytest.mark.guide("net-virtualport-openvswitch", "domxml-interface-openvswitch", "net-xml-vlan-tag", "net-vlan-native-mode",
                   "net-xml-portgroup", "domxml-interface-virtualport-merge", "domxml-interface-virtualport-type-restrict")  # fmt: skip
def test_open_vswitch_up_to_its_tool(peers: object) -> None:
    """No switch here: what its tool is asked is recorded by a stand-in of ours. Port, VLANs of the port group, identity, removal."""
    with short_folder("kv-ovs-") as tools:
        log = tools / "log"
        (tools / "ovs-vsctl").write_text(OVS.format(log=log))
        (tools / "ovs-vsctl").chmod(0o755)
        with short_folder("kv-net-") as folder:
            daemon = NetDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, peers)  # type: ignore[arg-type]
            old = os.environ["PATH"]
            os.environ["PATH"] = f"{tools}:{old}"
            try:
                daemon.start()
                _use_switch(daemon, log)
            finally:
                os.environ["PATH"] = old
                daemon.finish()


def _use_switch(daemon: NetDaemon, log: Path) -> None:
    daemon.define("""<network><name>ovs</name><forward mode='bridge'/><bridge name='ovsbr'/>
      <virtualport type='openvswitch'><parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport>
      <portgroup name='trunk'><vlan trunk='yes'><tag id='42' nativeMode='untagged'/><tag id='47'/></vlan></portgroup>
      <portgroup name='one'><vlan><tag id='9'/></vlan></portgroup></network>""")
    cards = "".join(f"<interface type='network'><mac address='52:54:00:80:03:0{n}'/><source network='ovs' portgroup='{group}'/>"
                    f"<target dev='ovs{n}'/></interface>" for n, group in ((1, "trunk"), (2, "one")))  # fmt: skip
    path = daemon.folder / "ovs.xml"
    uuid = "7b0a57c5-9a0e-4d0c-8f6e-3c1d5a2b9e33"
    path.write_text(f"<domain type='qemu'><name>ovs</name><uuid>{uuid}</uuid><memory unit='MiB'>64</memory><os><type arch='x86_64' "
                    f"machine='pc'>hvm</type></os><devices>{cards}</devices></domain>")  # fmt: skip
    daemon.say("create", "--paused", str(path))
    asked = log.read_text().splitlines()
    assert "add-port ovsbr ovs1 vlan_mode=native-untagged tag=42 trunk=42,47" in asked[0]
    assert "add-port ovsbr ovs2 tag=9" in asked[1] and 'external-ids:attached-mac="52:54:00:80:03:02"' in asked[1]
    assert (
        'external-ids:iface-id="09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f"' in asked[0]
        and f'external-ids:vm-id="{uuid}"' in asked[0]
    )
    live = daemon.say("dumpxml", "ovs")
    assert (
        "<interface type='bridge'>" in live and "<virtualport type='openvswitch'>" in live and "<tag id='47'/>" in live
    )
    daemon.say("destroy", "ovs")
    assert sum("del-port ovs" in line and "add-port" not in line for line in log.read_text().splitlines()) == 2
    Path(f"{log}.fail").touch()
    done = daemon.virsh("create", "--paused", str(path))
    assert done.returncode == 1 and "no bridge named ovsbr" in done.stderr
    wrong = cards.replace(
        "<target dev='ovs1'/>", "<virtualport type='802.1Qbh'><parameters profileid='x'/></virtualport>"
    )
    path.write_text(path.read_text().replace(cards, wrong))
    done = daemon.virsh("create", "--paused", str(path))
    assert done.returncode == 1 and "mismatched types" in done.stderr
    assert "<network>" in daemon.say("net-dumpxml", "ovs"), "no port is left over"


def test_events(netd: NetDaemon) -> None:
    """net-event of both virsh sees define, start, stop and undefine."""
    path = netd.folder / "seen.xml"
    path.write_text("<network><name>seen</name><bridge name='brseen'/></network>")
    assert netd.peers is not None
    env = {**os.environ, "KVASIR_PEERS": str(netd.peers.root)}
    watch = ["-c", netd.uri, "net-event", "--event", "lifecycle", "--loop", "--timeout", "14"]
    bases = ([str(PROJECT / "bin/virsh")], [str(PROJECT / "scripts/peer"), "virsh"])
    children = [subprocess.Popen([*base, *watch], stdout=subprocess.PIPE, text=True, env=env) for base in bases]
    time.sleep(5)  # nothing tells when a client has registered
    for words in (("net-define", str(path)), ("net-start", "seen"), ("net-destroy", "seen"), ("net-undefine", "seen")):
        netd.say(*words)
    for child in children:
        said, _ = child.communicate(timeout=60)
        assert said.splitlines()[:4] == [f"event 'lifecycle' for network seen: {word}" for word in
                                         ("Defined", "Started", "Stopped", "Undefined")]  # fmt: skip
        assert "events received: 4" in said


@pytest.mark.guide("virsh-net-edit", "virsh-net-edit-vlan", "trouble-pxe-net-edit-bridge", "virsh-editor-selection")
@pytest.mark.parametrize("which", ["real", "ours"])
def test_edit(netd: NetDaemon, which: str) -> None:
    """The editor changes the document; what is wrong is refused and nothing is lost."""
    netd.define("<network><name>edited</name><bridge name='bredit' delay='0'/></network>", start=False)
    base = [str(PROJECT / "bin/virsh")] if which == "ours" else [str(PROJECT / "scripts/peer"), "virsh"]
    assert netd.peers is not None
    env = {**os.environ, "KVASIR_PEERS": str(netd.peers.root), "EDITOR": "sed -i s/delay='0'/delay='7'/"}
    env["EDITOR"] = "sed -i \"s/delay='0'/delay='7'/\""
    done = subprocess.run(
        [*base, "-c", netd.uri, "net-edit", "edited"], env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "Network edited XML configuration edited.", done.stderr
    assert "delay='7'" in netd.say("net-dumpxml", "edited")
    env["EDITOR"] = "true"
    done = subprocess.run(
        [*base, "-c", netd.uri, "net-edit", "edited"], env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "Network edited XML configuration not changed."
    netd.say("net-undefine", "edited")


def test_a_port_of_a_range_is_made_up_for_the_whole_network() -> None:
    """The command line of passt: addresses, devices, ranges and what is left out."""
    from kvasir.devices.interface_parts import PortForward
    from kvasir.devices.interface_passt import ports
    from kvasir.xml.reader import read

    forward = PortForward.parse(read("<portForward proto='tcp' address='1.2.3.4' dev='eth0'><range start='22' to='2022'/>"
                                     "<range start='1000' end='1010'/><range start='1005' exclude='yes'/></portForward>"))  # fmt: skip
    assert ports(forward) == "1.2.3.4%eth0/22:2022,1000-1010,~1005"
