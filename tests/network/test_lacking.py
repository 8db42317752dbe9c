"""What this kernel cannot do: said clearly, as the real libvirt says it or better, and nothing is left over."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.conftest import PROJECT, DaemonHandle

from .conftest import NetDaemon

NETWORKS = {
    "table": "<network><name>table</name><bridge name='brtable' macTableManager='libvirt'/></network>",
    "sends": "<network><name>sends</name><bridge name='brsends'/><bandwidth><outbound average='100'/></bandwidth></network>",
}
CARD = "<interface type='bridge'><source bridge='brlack'/><target dev='lack{n}'/>{more}</interface>"
GUEST = """<domain type='qemu'><name>lack{n}</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>{card}
</devices></domain>"""
LIMIT = "<bandwidth><inbound average='50'/><outbound average='100'/></bandwidth>"
BRIDGE = "ip link add brlack type bridge && ip link set brlack up"
TRY = ("ip link add try0 type dummy 2>/dev/null || ip tuntap add try0 mode tap; tc qdisc add dev try0 ingress; tc filter add dev try0 parent ffff: "
       "protocol all u32 match u32 0 0 police rate 100kbps burst 100kb drop flowid :1; code=$?; ip link del try0; exit $code")  # fmt: skip


def play(daemon: DaemonHandle) -> dict[str, tuple[int, str]]:
    said = {}

    def do(name: str, *words: str) -> None:
        done = daemon.virsh("-q", *words)
        said[name] = (done.returncode, done.stderr.strip().splitlines()[-1] if done.returncode else "")

    for name, text in NETWORKS.items():
        (daemon.folder / f"{name}.xml").write_text(text)
        do(name, "net-create", str(daemon.folder / f"{name}.xml"))
    for n, more in ((1, LIMIT), (2, "")):
        (daemon.folder / f"lack{n}.xml").write_text(GUEST.format(n=n, card=CARD.format(n=n, more=more)))
        do(f"guest {n}", "create", "--paused", str(daemon.folder / f"lack{n}.xml"))
    do("tune", "domiftune", "lack2", "lack2", "--outbound", "100", "--live")
    do("shown", "domiftune", "lack2", "lack2")
    return said


def test_no_police_and_no_vlans_in_bridges(netd: NetDaemon, real_libvirtd: DaemonHandle) -> None:
    """A kernel without act_police and VLAN filtering: networks and guests that ask for them do not start, a change of a running
    guest's limits is refused; the same steps fail as with the real libvirt, and ours says which part of the kernel is missing."""
    if "police" not in subprocess.run(netd.ground.command("sh", "-c", f"({TRY}) 2>&1 || echo no police"), capture_output=True, text=True).stdout:
        pytest.skip("this kernel has the police action")
    netd.inside("sh", "-c", BRIDGE)
    assert real_libvirtd.peers is not None
    peer = [str(PROJECT / "scripts/peer"), "exec", "--dir", str(real_libvirtd.folder), "--", "sh", "-c", BRIDGE]
    subprocess.run(peer, check=True, env={**os.environ, "KVASIR_PEERS": str(real_libvirtd.peers.root)})
    ours, theirs = play(netd), play(real_libvirtd)
    assert {name: code for name, (code, _) in ours.items()} == {name: code for name, (code, _) in theirs.items()}
    assert ours["table"] == theirs["table"] and "vlan_filtering" in ours["table"][1]
    for name in ("sends", "guest 1", "tune"):
        assert "the kernel cannot limit what" in ours[name][1] and "(no police action)" in ours[name][1]
    links = netd.inside("ip", "-br", "link")
    assert "brtable" not in links and "brsends" not in links and "lack1" not in links and "lack2" in links
    assert "outbound.average: 0" in netd.say("domiftune", "lack2", "lack2")
    assert "ingress" not in netd.inside("tc", "qdisc", "show", "dev", "lack2")
    for daemon in (netd, real_libvirtd):
        daemon.virsh("destroy", "lack2")
