"""User networking, tunnels between guests, events, editing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import PROJECT, TinyGuest
from tests.waiting import listening, until

from .conftest import NetDaemon
from .test_guests import direct, inside, start


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
        until(lambda net=net: " 0% packet loss" in inside(netd, "client", f"ping -c 2 -W 5 10.5.{net}.1"))
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
    until(lambda: inside(netd, "user", "ip -4 -o address").count("scope global") == 2)
    for port in (80, 91):
        inside(netd, "user", f"(while :; do nc -l -p {port} >> /tmp/got{port}; done) >/dev/null 2>&1 &")
    send = "import socket, time; s = socket.create_connection(('127.0.0.1', {0}), 5); s.sendall(b'from the host'); time.sleep(1)"
    for outside, port in ((2080, 80), (2091, 91)):
        netd.inside(sys.executable, "-c", send.format(outside))
        until(lambda port=port: "from the host" in inside(netd, "user", f"cat /tmp/got{port}"))
    netd.say("destroy", "user")
    until(lambda: subprocess.run(["pgrep", "-f", f"passt.*{netd.folder}"], capture_output=True).returncode != 0)


def test_events(netd: NetDaemon) -> None:
    """net-event of both virsh sees define, start, stop and undefine."""
    path = netd.folder / "seen.xml"
    path.write_text("<network><name>seen</name><bridge name='brseen'/></network>")
    assert netd.peers is not None
    env = {**os.environ, "KVASIR_PEERS": str(netd.peers.root)}
    watch = ["-c", netd.uri, "net-event", "--event", "lifecycle", "--loop", "--timeout", "14"]
    bases = ([str(PROJECT / "bin/virsh")], [str(PROJECT / "scripts/peer"), "virsh"])
    children = [subprocess.Popen([*base, *watch], stdout=subprocess.PIPE, text=True, env=env) for base in bases]
    listening(*(child.pid for child in children))
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
