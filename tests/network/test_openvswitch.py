"""A real Open vSwitch, with guests' taps as ports: what its tool is asked beside the real libvirt, what the switch has then, packets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import PROJECT, DaemonHandle, Peers, TinyGuest, short_folder
from tests.waiting import until

from . import ovs_script
from .conftest import Host, NetDaemon
from .openvswitch import Switch, on_path
from .test_guests import direct, inside, start

PEER = str(PROJECT / "scripts/peer")
Steps = list[tuple[str, int, str, list[str]]]


@pytest.fixture(scope="module")
def switched(peers: Peers) -> Iterator[tuple[NetDaemon, Switch]]:
    """Our daemon and a switch in its namespace."""
    with short_folder("kv-ovs-") as place, short_folder("kv-net-") as folder:
        daemon = NetDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, peers)
        old = os.environ["PATH"]
        os.environ["PATH"] = on_path(place / "s/bin")
        daemon.start()
        switch = Switch(place / "s", daemon.ground.command())
        try:
            switch.bridge("ovsbr")
            yield daemon, switch
        finally:
            os.environ["PATH"] = old
            daemon.finish()
            switch.end()


def again(daemon: NetDaemon) -> None:
    """``kill -9``, and the next daemon."""
    daemon.kill()
    daemon.start()
    until(lambda: daemon.virsh("list").returncode == 0)


@pytest.fixture(scope="module")
def ours(switched: tuple[NetDaemon, Switch]) -> dict[str, object]:
    """The script on our daemon, and what the switch had after some of the steps."""
    daemon, switch = switched
    seen: dict[str, object] = {}

    def virsh(*words: str) -> tuple[int, str]:
        done = daemon.virsh("-q", *words)
        if "ovs-guest" in words[-1]:
            seen["ports"] = {n: (switch.row("Port", f"ovs{n}"), switch.row("Interface", f"ovs{n}")) for n in range(1, 6)}
            seen["queues"] = (switch.rows("Queue"), switch.rows("QoS"))
            seen["queue"] = switch.ctl("--format=json", "--columns=other_config,external_ids", "list", "Queue")
            seen["live"] = daemon.say("dumpxml", "ovs")
        if "ovs5" in words and "2000,4000,100" in words:
            seen["changed"] = (switch.row("Interface", "ovs5"), switch.ctl("list", "Queue"))
        return done.returncode, done.stderr

    def act(words: list[str]) -> None:
        if words[0] == "restart":
            again(daemon)
        else:
            switch.ctl("del-port", words[1])

    seen["steps"] = ovs_script.play(virsh, daemon.folder, switch.asked, act)
    seen["left"] = (switch.ctl("list-ports", "ovsbr"), switch.rows("Queue"), switch.rows("QoS"))
    return seen


@pytest.fixture(scope="module")
def theirs(real_libvirtd: DaemonHandle) -> Iterator[Steps]:
    """The script on the real daemon, with a switch in its namespace."""
    assert real_libvirtd.peers is not None
    os.environ["KVASIR_PEERS"] = str(real_libvirtd.peers.root)
    prefix = [PEER, "exec", "--dir", str(real_libvirtd.folder), "--"]
    with short_folder("kv-ovr-") as place:
        switch = Switch(place / "s", prefix)
        try:
            subprocess.run([*prefix, "cp", f"{switch.tools}/ovs-vsctl", "/usr/bin/ovs-vsctl"], check=True)
            switch.bridge("ovsbr")

            def virsh(*words: str) -> tuple[int, str]:
                done = real_libvirtd.virsh("-q", *words)
                return done.returncode, done.stderr

            def act(words: list[str]) -> None:
                if words[0] == "restart":
                    subprocess.run([PEER, "restart", "--dir", str(real_libvirtd.folder)], check=True, capture_output=True)
                    until(lambda: real_libvirtd.virsh("list").returncode == 0)
                    until(lambda: switch.log.exists() and len(switch.log.read_text().splitlines()) >= 6)
                else:
                    switch.ctl("del-port", words[1])

            yield ovs_script.play(virsh, place, switch.asked, act)
        finally:
            switch.end()


@pytest.mark.guide("net-virtualport-openvswitch", "domxml-interface-openvswitch", "domxml-interface-virtualport-merge",
                   "domxml-interface-virtualport-type-restrict")  # fmt: skip
@pytest.mark.parametrize("at", range(len(ovs_script.STEPS)), ids=[step.split()[0] + str(at) for at, step in enumerate(ovs_script.STEPS)])
def test_asks_what_libvirt_asks(ours: dict[str, object], theirs: Steps, at: int) -> None:
    """Start, limits, plugging, kill -9 of the daemon, errors, stop: the same calls of ovs-vsctl, the same answers. More than
    libvirt does one thing is done: at the stop the limits' rows leave the switch's database (libvirt leaves them there)."""
    steps = ours["steps"]
    assert isinstance(steps, list)
    step, code, said, asked = steps[at]
    if step == "destroy ovs":  # ours goes the way back
        asked = sorted(line for line in asked if "del-port" in line)
    assert (step, code, said.strip(), asked) == (theirs[at][0], theirs[at][1], theirs[at][2].strip(), theirs[at][3])


@pytest.mark.guide("net-xml-vlan-tag", "net-vlan-native-mode", "net-xml-portgroup")
def test_what_the_switch_has(ours: dict[str, object]) -> None:
    """Tags, trunks, native modes of the port groups; the guest's identity; queues and policing; nothing is left over."""
    ports = ours["ports"]
    assert isinstance(ports, dict)
    vlans = {n: (port["tag"], port["trunks"], port["vlan_mode"]) for n, (port, _) in ports.items()}
    assert vlans == {1: (42, [42, 47], "native-untagged"), 2: (9, [], []), 3: (123, [123, 444], "native-tagged"), 4: ([], [], []),
                     5: ([], [3, 4], [])}  # fmt: skip
    for n, (_, card) in ports.items():
        known = card["external_ids"]
        assert known["vm-id"] == ovs_script.UUID and known["attached-mac"] == f"52:54:00:80:03:0{n}" and known["iface-status"] == "active"
        assert len(known["iface-id"]) == 36 and card["error"] == []
    assert ports[4][1]["external_ids"]["port-profile"] == "finance" and ports[5][1]["external_ids"]["port-profile"] == "menial"
    assert ports[5][1]["external_ids"]["iface-id"] == "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f"
    assert (ports[4][1]["ingress_policing_rate"], ports[4][1]["ingress_policing_burst"]) == (1024, 2048)
    assert ours["queues"] == (2, 2) and '"min-rate","8000000"' in str(ours["queue"]).replace(" ", "")
    changed = ours["changed"]
    assert isinstance(changed, tuple)
    assert changed[0]["ingress_policing_rate"] == 512 and "32000000" in changed[1]
    live = str(ours["live"])
    assert live.count("<interface type='bridge'>") == 5 and "<tag id='42' nativeMode='untagged'/>" in live
    assert ours["left"] == ("", 0, 0)


def test_where_there_is_no_switch(switched: tuple[NetDaemon, Switch]) -> None:
    """A bridge of the kernel is no switch: the same refusal as libvirt's, and no tap is left."""
    daemon, _ = switched
    text = ovs_script.DOMAIN.format(ovs_script.BRIDGE.format(n=9, rest="").replace("'ovsbr'", "'kernelbr'"))
    daemon.inside("ip", "link", "add", "kernelbr", "type", "bridge")
    path = daemon.folder / "none.xml"
    path.write_text(text.replace(">ovs<", ">none<"))
    done = daemon.virsh("create", "--paused", str(path))
    assert done.returncode == 1 and "internal error: Unable to add port ovs9 to OVS bridge kernelbr" in done.stderr
    assert "no bridge named kernelbr" in daemon.log() and "ovs9" not in daemon.inside("ip", "link")


# --- packets


LISTEN = """import json, select, socket, sys, time
wanted, seen, taps = set(map(tuple, json.loads(sys.argv[1]))), set(), {}
for n in range(1, 6):
    s = socket.socket(17, 3, socket.htons(3)); s.bind((f'ovs{n}', 0)); taps[s] = f'ovs{n}'
print('ready', flush=True)
end = time.time() + 60
while time.time() < end:
    for s in select.select(list(taps), [], [], 0.5)[0]:
        frame = s.recv(2048)
        tag = int.from_bytes(frame[14:16], 'big') if frame[12:14].hex() == '8100' else 0
        if b'word of ' in frame:
            seen.add((taps[s], tag, frame[-2:].decode()))
    if wanted <= seen:
        end = min(end, time.time() + 2)
        wanted = set('-')
print(json.dumps(sorted(seen)))
"""
SAY = "import socket; s = socket.socket(2, 2); s.setsockopt(1, 6, 1); s.sendto(b'word of %s', ('10.7.0.255', 9))"
HEARD = [("ovs1", 0, "42"), ("ovs1", 47, "47"), ("ovs2", 0, "09"), ("ovs4", 9, "09"), ("ovs4", 10, "10"), ("ovs4", 42, "42"), ("ovs4", 47, "47")]


def outside(daemon: NetDaemon, switch: Switch, tag: int) -> Host:
    """A host behind a port with that tag: 10.7.0.TAG and 10.8.0.TAG."""
    host = daemon.host(f"tag{tag}")
    daemon.wire(host, f"t{tag}", "eth0")
    for net in (7, 8):
        host.run("ip", "address", "add", f"10.{net}.0.{tag}/24", "broadcast", "+", "dev", "eth0")
    switch.ctl("add-port", "ovsbr", f"t{tag}", f"tag={tag}")
    return host


@pytest.fixture(scope="module")
def tagged(switched: tuple[NetDaemon, Switch], ours: dict[str, object]) -> list[Host]:
    return [outside(*switched, tag) for tag in (9, 10, 42, 47)]


def test_frames_keep_to_their_vlan(switched: tuple[NetDaemon, Switch], tagged: list[Host]) -> None:
    """What hosts in VLANs 9, 10, 42 and 47 say arrives at guests' taps of the same tag, at trunks with the tag, at no other tap."""
    daemon, _ = switched
    daemon.say("net-create", str(daemon.folder / "ovs-net.xml"))
    daemon.say("create", "--paused", str(daemon.folder / "ovs-guest.xml"))
    try:
        command = daemon.ground.command(sys.executable, "-c", LISTEN, json.dumps(HEARD))
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        while child.poll() is None:
            for host in tagged:
                host.run(sys.executable, "-c", SAY % host.name[3:].zfill(2))
        assert json.loads(child.stdout.read()) == [list(one) for one in HEARD]
    finally:
        daemon.say("destroy", "ovs")
        daemon.say("net-destroy", "ovs")


@pytest.mark.guide("net-vlan-transparent-types")
def test_tags_are_for_switches(switched: tuple[NetDaemon, Switch]) -> None:
    """A network of the daemon's own has no tags."""
    daemon, _ = switched
    daemon.define("<network><name>plain</name><forward mode='nat'/><bridge name='brplain'/><ip address='10.9.66.1' prefix='24'/></network>")
    path = daemon.folder / "tagged.xml"
    path.write_text(ovs_script.DOMAIN.format("<interface type='network'><source network='plain'/><vlan><tag id='7'/></vlan></interface>"))
    done = daemon.virsh("create", str(path))
    assert done.returncode == 1 and "is requesting a vlan tag, but that is not supported for this type of network" in done.stderr


@pytest.mark.skipif(not os.environ.get("KVASIR_LONG"), reason="boots a guest and waits for pings that get no answer: KVASIR_LONG=1")
def test_a_guest_talks_in_its_vlan(switched: tuple[NetDaemon, Switch], tagged: list[Host], tiny_guest: TinyGuest) -> None:
    """A real guest in VLAN 9 reaches the host with that tag and not another; with a native tag 42 the host in 42. It goes on over a
    kill -9 of the daemon."""
    daemon, switch = switched
    daemon.say("net-create", str(daemon.folder / "ovs-net.xml"))
    card = "<interface type='network'><mac address='52:54:00:80:04:0{0}'/><source network='ovs'{1}/><target dev='tapv{0}'/><model type='virtio'/></interface>"
    start(daemon, "vlans", card.format(0, "") + card.format(1, " portgroup='trunk'"), direct(tiny_guest))
    try:
        inside(daemon, "vlans", "; ".join(f"pkill -f 'udhcpc -i eth{n}'; ip address flush dev eth{n}; ip address add 10.{7 + n}.0.99/24 dev "
                                          f"eth{n}; ip link set eth{n} up" for n in (0, 1)))  # fmt: skip

        def reaches(net: int, tag: int, count: int = 2) -> bool:
            return " 0% packet loss" in inside(daemon, "vlans", f"ping -c {count} -W 3 10.{net}.0.{tag}")

        until(lambda: reaches(7, 9))
        until(lambda: reaches(8, 42))
        assert not reaches(7, 10, 1) and not reaches(7, 42, 1) and not reaches(8, 47, 1) and not reaches(8, 9, 1)
        again(daemon)
        assert reaches(7, 9) and not reaches(7, 10, 1)
        until(lambda: "<network connections='2'>" in daemon.say("net-dumpxml", "ovs"))
    finally:
        daemon.say("destroy", "vlans")
        daemon.say("net-destroy", "ovs")
    assert "tapv" not in switch.ctl("list-ports", "ovsbr")
