"""Hosts whose IPv6 routes come from router advertisements: a network that would turn forwarding on, and so lose them, is refused."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.conftest import PROJECT, DaemonHandle

from .conftest import NetDaemon

LINKS = ("ip link add ra0 type veth peer name ra1 && ip link add ra2 type veth peer name ra3 && "
         "for i in ra0 ra1 ra2 ra3; do ip link set $i up; done; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding")  # fmt: skip
DOCUMENTS = {
    "four": "<network><name>four</name><forward mode='nat'/><bridge name='brfour'/><ip address='10.9.81.1' prefix='24'/></network>",
    "six": "<network><name>six</name><forward mode='nat'/><bridge name='brsix'/><ip family='ipv6' address='fd00:81::1' prefix='64'/></network>",
    "alone": "<network><name>alone</name><bridge name='bralone'/><ip family='ipv6' address='fd00:82::1' prefix='64'/></network>",
}
STEPS = (
    *(f"start {name}" for name in DOCUMENTS),
    "set ra2 2", "start six", "set ra0 2", "start six", "set ra0 0", "set all 2", "start six",
    "set ra0 1", "start six", "set ra0 0", "set all 1", "start six", "set all 0", "start six", "start alone",
)  # fmt: skip
ADVERTISE = str(Path(__file__).with_name("advertise.py"))


def play(daemon: DaemonHandle, run: Callable[..., str]) -> list[str]:
    """What each start says."""
    run("sh", "-c", LINKS)
    for name, text in DOCUMENTS.items():
        (daemon.folder / f"ra-{name}.xml").write_text(text)
    end = time.monotonic() + 60
    for card, prefix, seconds in (("ra1", "-", "1800"), ("ra3", "2001:db8:7::", "0")):
        while "proto ra" not in (shown := run("ip", "-6", "route", "show", "dev", "ra0" if card == "ra1" else "ra2")):
            assert time.monotonic() < end, shown
            where = PROJECT / "tests/nwfilter"
            run("env", f"PYTHONPATH={where}", "/usr/bin/python3", ADVERTISE, card, prefix, seconds)
            if "2001:db8:7::/64" in shown:  # a kernel's own word for such a route
                break
            time.sleep(0.3)
    said = []
    for step in STEPS:
        verb, what, *rest = step.split()
        if verb == "set":
            run("sh", "-c", f"echo {rest[0]} > /proc/sys/net/ipv6/conf/{what}/accept_ra")
            continue
        done = daemon.virsh("net-create", str(daemon.folder / f"ra-{what}.xml"))
        said.append(f"{step}: {done.returncode} {done.stderr.replace(str(daemon.folder), 'F').strip()}")
        daemon.virsh("net-destroy", what)
        run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/all/forwarding")
    return said


def test_forwarding_must_not_lose_the_hosts_routes(netd: NetDaemon, real_libvirtd: DaemonHandle) -> None:
    """Refused for IPv6 with forwarding while a link with such routes has an accept_ra other than 2; what ours says is what the real
    libvirt says, and nothing of the network is left."""
    assert real_libvirtd.peers is not None
    env = {**os.environ, "KVASIR_PEERS": str(real_libvirtd.peers.root)}

    def in_peer(*words: str) -> str:
        command = [str(PROJECT / "scripts/peer"), "exec", "--dir", str(real_libvirtd.folder), "--", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout

    ours = play(netd, netd.inside)
    assert ours == play(real_libvirtd, in_peer)
    refused = [line.partition(":")[0] + line.partition("interface")[2][:4] for line in ours if ": 1 " in line]
    assert refused == ["start six ra2", *["start six ra0"] * 3]
    assert "brsix" not in netd.inside("ip", "link") + netd.inside("nft", "list", "ruleset")
