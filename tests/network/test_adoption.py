"""The daemon dies, the firewall is flushed, helpers are killed: connections go on, and everything is back."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import bus
from tests.conftest import PROJECT, DaemonHandle, Peers, short_folder
from tests.waiting import until

from .conftest import PROBE, Host, NetDaemon

NETWORK = """<network><name>kept</name><forward mode='nat'/><bridge name='brkept' stp='off'/>
  <ip address='10.9.40.1' prefix='24'><dhcp><range start='10.9.40.10' end='10.9.40.90'/></dhcp></ip></network>"""


@pytest.fixture(scope="module")
def guest(netd: NetDaemon) -> Iterator[Host]:
    netd.define(NETWORK)
    host = netd.guest("brkept", "52:54:00:40:00:02")
    netd.forwards("brkept")
    assert json.loads(host.probe("dhcp", "eth0", "kept"))["router"] == "10.9.40.1"
    netd.world.listen()
    yield host


class Held:
    """A connection from the guest that stays open."""

    def __init__(self, host: Host, address: str) -> None:
        command = host.command(sys.executable, str(PROBE), "hold", address, "7000")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self.process.stdout is not None and self.process.stdout.readline() == "connected\n"

    def works(self) -> bool:
        assert self.process.stdin is not None and self.process.stdout is not None
        word = f"still {random.random()}\n"
        self.process.stdin.write(word)
        self.process.stdin.flush()
        return self.process.stdout.readline() == word

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def rules(daemon: NetDaemon) -> str:
    return daemon.inside("nft", "-s", "list", "ruleset")


def test_kill_and_flush_at_random(netd: NetDaemon, guest: Host) -> None:
    """Five rounds: open connections go on, new ones work after each restart, the rules are the same as before.

    The kernel translates nothing while its ruleset is empty, so what goes through NAT waits until the rules are back.
    """
    netd.ground.listen()
    here, held, before = Held(guest, "10.9.40.1"), Held(guest, "192.0.2.2"), rules(netd)
    pid = (netd.folder / "run/libvirt/network/kept.pid").read_text()
    for _ in range(5):
        steps = [netd.kill, lambda: netd.inside("nft", "flush", "ruleset")]
        random.shuffle(steps)
        for step in steps:
            step()
            assert here.works()
        netd.start()
        assert held.works()
        assert guest.sees("192.0.2.2") == "192.0.2.1", "a new connection is translated again"
        assert here.works() and netd.world.sees("10.9.40.2") == ""
        assert rules(netd) == before
    held.end()
    here.end()
    assert (netd.folder / "run/libvirt/network/kept.pid").read_text() == pid, "the same dnsmasq"
    assert "active" in netd.say("net-list") and "kept" in netd.say("net-dhcp-leases", "kept")


@pytest.mark.guide("trouble-pxe-dhcp-firewall", "trouble-table-a1-pxe-dhcp", "net-nat-iptables-rules-warning")
def test_hangup_restores_rules(netd: NetDaemon, guest: Host) -> None:
    """After somebody emptied the firewall, SIGHUP brings the rules back without a restart."""
    before = rules(netd)
    netd.inside("nft", "flush", "ruleset")
    assert netd.process is not None
    os.kill(netd.process.pid, signal.SIGHUP)
    until(lambda: rules(netd) == before)
    assert guest.sees("192.0.2.2") == "192.0.2.1"


@pytest.mark.skipif(not shutil.which("iptables"), reason="iptables is not installed")
def test_others_drop_by_policy(netd: NetDaemon, guest: Host) -> None:
    """ufw sets the policy of INPUT to DROP: the network's name server answers all the same. Docker sets the policy of iptables' FORWARD chain to DROP, before or after a network starts: guests go on to reach the world, the
    world does not reach them, and the rules go with the network. An iptables-restore of somebody else's rules is no harm."""
    others = "*filter\n:INPUT DROP\n:FORWARD DROP\n:OUTPUT ACCEPT\n:DOCKER-USER -\n-A FORWARD -j DOCKER-USER\nCOMMIT\n"
    path = netd.folder / "docker.rules"
    path.write_text(others)
    netd.inside("iptables-restore", str(path))
    try:
        assert guest.sees("192.0.2.2") == "" and guest.probe("dns", "10.9.40.1", "kept", "A") == "no answer", "the policies are in force"
        assert netd.process is not None
        os.kill(netd.process.pid, signal.SIGHUP)
        until(lambda: guest.sees("192.0.2.2") == "192.0.2.1")
        assert guest.probe("dns", "10.9.40.1", "kept", "A").startswith("10.9.40.") and guest.sees("10.9.40.1", 7001) == ""
        netd.define("<network><name>docked</name><forward mode='nat'/><bridge name='brdock' stp='off'/><ip address='10.9.44.1' prefix='24'/></network>")
        second = netd.guest("brdock", "52:54:00:44:00:01", "10.9.44.9/24", gateway="10.9.44.1")
        netd.forwards("brdock")
        assert second.seen_as("192.0.2.2", "192.0.2.1")
        second.listen()
        netd.world.run("ip", "route", "replace", "10.9.44.0/24", "via", "192.0.2.1")
        assert netd.world.sees("10.9.44.9") == ""
        netd.say("net-destroy", "docked")
        assert "brdock" not in netd.inside("iptables", "-S")
    finally:
        for chain in ("INPUT", "FORWARD"):
            netd.inside("iptables", "-P", chain, "ACCEPT")
            netd.inside("iptables", "-F", chain)


def test_dnsmasq_that_died_is_back_after_a_reload(netd: NetDaemon, guest: Host) -> None:
    pid = int((netd.folder / "run/libvirt/network/kept.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    assert netd.process is not None
    os.kill(netd.process.pid, signal.SIGHUP)
    until(lambda: guest.probe("dns", "10.9.40.1", "kept", "A").startswith("10.9.40."))


def test_bridge_that_is_gone_is_noticed(netd: NetDaemon) -> None:
    netd.define("<network><name>lost</name><bridge name='brlost'/></network>")
    netd.kill()
    netd.inside("ip", "link", "del", "brlost")
    netd.start()
    assert "lost" in netd.say("net-list", "--inactive") and "lost" not in netd.say("net-list")
    assert netd.say("net-start", "lost") == "Network lost started\n\n"


def test_autostart_once(netd: NetDaemon) -> None:
    """Marked networks start with the daemon, but one that was stopped on purpose stays so until the next boot."""
    netd.define("<network><name>auto</name><bridge name='brauto'/></network>", start=False)
    netd.say("net-autostart", "auto")
    netd.kill()
    (netd.folder / "run/libvirt/network/autostarted").unlink()
    netd.start()
    assert "auto" in netd.say("net-list")
    netd.say("net-destroy", "auto")
    netd.kill()
    netd.start()
    assert "auto" not in netd.say("net-list")


def test_hooks(netd: NetDaemon) -> None:
    """``hooks/network`` is told of start, ports and end, with the documents on its input; its failure prevents the start."""
    folder = netd.folder / "etc/libvirt/hooks"
    folder.mkdir(parents=True, exist_ok=True)
    script, log = folder / "network", netd.folder / "hook.log"
    script.write_text(
        f'#!/bin/sh\necho "$1 $2 $3 $4" >> {log}\ncat >> {log}.xml\n[ -e {folder}/refuse ] && exit 3\nexit 0\n'
    )
    script.chmod(0o755)
    netd.define("<network><name>hooked</name><bridge name='brhooked'/></network>")
    port = netd.folder / "port.xml"
    port.write_text("""<networkport><uuid>31111111-2222-3333-4444-555555555555</uuid><owner><name>own</name>
      <uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:aa:bb:cc'/></networkport>""")
    netd.say("net-port-create", "hooked", str(port))
    netd.say("net-port-delete", "hooked", "31111111-2222-3333-4444-555555555555")
    netd.say("net-update", "hooked", "add", "portgroup", "<portgroup name='p'/>")
    netd.say("net-destroy", "hooked")
    assert log.read_text().splitlines() == [
        "hooked start begin -", "hooked started begin -", "hooked port-created begin -", "hooked port-deleted begin -",
        "hooked updated begin -", "hooked stopped end -",
    ]  # fmt: skip
    told = (netd.folder / "hook.log.xml").read_text()
    assert "<hookData>\n  <network>\n    <name>hooked</name>" in told and "  <networkport>\n    <uuid>3111" in told
    (folder / "refuse").touch()
    done = netd.virsh("net-start", "hooked")
    script.unlink()
    assert done.returncode == 1 and "Hook script execution failed" in done.stderr
    assert "brhooked" not in netd.inside("ip", "link")


@pytest.mark.guide("trouble-pxe-dhcp-firewall")
def test_firewalld_that_reloads_brings_the_rules_back(peers: Peers) -> None:
    """On a bus of the test's own: firewalld's signal after it wrote its rules, and its start, make the daemon enter its own anew."""
    with short_folder("kv-bus-") as place, short_folder("kv-net-") as folder, bus.running(place) as address:
        daemon = NetDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, peers)
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = address
        try:
            daemon.start()
            daemon.define("<network><name>fw</name><bridge name='brfw'/></network>")
            before = rules(daemon)
            daemon.inside("nft", "flush", "ruleset")
            subprocess.run(["dbus-send", f"--bus={address}", "--type=signal", "/org/fedoraproject/FirewallD1",
                            "org.fedoraproject.FirewallD1.Reloaded"], check=True)  # fmt: skip
            until(lambda: rules(daemon) == before)
        finally:
            os.environ.pop("DBUS_SYSTEM_BUS_ADDRESS")
            daemon.finish()


def test_networks_of_libvirtd_are_taken_up(peers: Peers, real_libvirtd: DaemonHandle) -> None:
    """A network that the real daemon started, by its own files: ours knows it as running, with its ports, and can stop it."""
    folder_of_real = Path(real_libvirtd.folder)
    document, port = folder_of_real / "handed.xml", folder_of_real / "port.xml"
    document.write_text("<network><name>handed</name><forward mode='route'/><bridge name='brhanded'/><ip address='10.9.99.1' prefix='24'/>"
                        "<dns enable='no'/></network>")  # fmt: skip
    port.write_text("""<networkport><uuid>31111111-2222-3333-4444-555555555555</uuid><owner><name>own</name>
      <uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:aa:bb:cc'/></networkport>""")
    peer = [str(PROJECT / "scripts/peer"), "exec", "--dir", str(folder_of_real), "--"]
    env = {**os.environ, "KVASIR_PEERS": str(peers.root)}
    subprocess.run([*peer, "mkdir", "-p", "/var/lib/libvirt/dnsmasq"], env=env, check=True)
    for words in (("net-define", str(document)), ("net-start", "handed"), ("net-port-create", "handed", str(port))):
        assert real_libvirtd.virsh(*words).returncode == 0
    shown = real_libvirtd.virsh("net-dumpxml", "handed").stdout
    outer = int((folder_of_real / "peer.pid").read_text())
    init = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0]
    with short_folder("kv-net-") as folder:
        for place in ("run/libvirt/network", "etc/libvirt/qemu/networks"):
            packed = subprocess.run([*peer, "tar", "-C", "/", "-cf", "-", place], env=env, capture_output=True, check=True).stdout
            subprocess.run(["tar", "-C", str(folder), "-xf", "-"], input=packed, check=True)
        daemon = NetDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, peers)
        daemon.hosts, daemon.ground = [], Host("there")
        daemon.ground.command = lambda *words: ["nsenter", "-t", init, "-n", *words]  # type: ignore[method-assign]
        try:
            daemon.start()
            assert daemon.say("net-dumpxml", "handed") == shown and "connections='1'" in shown
            assert daemon.say("net-port-list", "handed", "--uuid").strip() == "31111111-2222-3333-4444-555555555555"
            daemon.say("net-destroy", "handed")
            assert "brhanded" not in daemon.inside("ip", "link")
        finally:
            daemon.finish()
