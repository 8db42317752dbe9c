"""Interfaces of running guests: what they show beside the real libvirt, and what the host's side is like."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvasir.host import macvtap
from tests.conftest import PROJECT, DaemonHandle

from .conftest import NetDaemon

CARDS = """
<interface type='network'><mac address='52:54:00:70:00:01'/><source network='shown'/><model type='virtio'/></interface>
<interface type='network'><mac address='52:54:00:70:00:02'/><source network='shown' portgroup='iso'/><model type='e1000'/></interface>
<interface type='network'><mac address='52:54:00:70:00:03'/><source network='onhost'/><model type='virtio'/></interface>
<interface type='network'><mac address='52:54:00:70:00:04'/><source network='cards'/><model type='virtio'/></interface>
<interface type='direct'><mac address='52:54:00:70:00:05'/><source dev='shownb' mode='bridge'/><model type='rtl8139'/></interface>
<interface type='bridge'><mac address='52:54:00:70:00:06'/><source bridge='brhost'/><port isolated='yes'/><target dev='named6'/><model type='virtio'/></interface>
"""
GUEST = """<domain type='qemu'><name>{name}</name><uuid>7b0a57c5-9a0e-4d0c-8f6e-3c1d5a2b9e1{n}</uuid><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>{cards}</devices></domain>"""
NETWORKS = (
    """<network><name>shown</name><forward mode='route'/><bridge name='brshown'/><ip address='10.9.70.1' prefix='24'/>
       <portgroup name='iso'/></network>""",
    "<network><name>onhost</name><forward mode='bridge'/><bridge name='brhost'/></network>",
    "<network><name>cards</name><forward mode='private'><interface dev='showna'/></forward></network>",
)
LINKS = (
    "ip link add brhost type bridge && ip link set brhost up && ip link add showna type veth peer name shownap && "
    "ip link add shownb type veth peer name shownbp && for i in showna shownap shownb shownbp; do ip link set $i up; done"
)


def mask(text: str) -> str:
    """Port numbers are made up; so are names of taps, in the order of the cards."""
    import re

    return re.sub(r"portid='[0-9a-f-]{36}'", "portid='P'", text)


def interfaces(text: str) -> str:
    return mask(
        "".join(
            line + "\n" for part in text.split("<interface")[1:] for line in part.split("</interface>")[0].splitlines()
        )
    )


def prepare(daemon: DaemonHandle, n: int) -> None:
    folder = Path(daemon.folder)
    for at, text in enumerate(NETWORKS):
        path = folder / f"shown{at}.xml"
        path.write_text(text)
        assert daemon.virsh("net-create", str(path)).returncode == 0
    path = folder / "shown.xml"
    path.write_text(GUEST.format(name="shown", n=n, cards=CARDS))
    done = daemon.virsh("create", "--paused", str(path))
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def ours(netd: NetDaemon) -> Iterator[NetDaemon]:
    netd.inside("sh", "-c", LINKS)
    prepare(netd, 2)
    yield netd
    netd.virsh("destroy", "shown")


@pytest.mark.guide(
    *(
        "xml-interface-direct",
        "domxml-interface-direct",
        "domxml-interface-direct-bridge",
        "domxml-interface-direct-private",
    ),
    *(
        "macvtap-mode-private",
        "macvtap-mode-bridge",
        "xml-interface-network",
        "domxml-interface-portgroup",
        "virsh-domiflist",
    ),
)
def test_live_document_is_that_of_libvirt(ours: NetDaemon, real_libvirtd: DaemonHandle) -> None:
    """Networks, pools, bridges and cards: the same interfaces in the live document, the same table."""
    peer = [str(PROJECT / "scripts/peer"), "exec", "--dir", str(real_libvirtd.folder), "--", "sh", "-c", LINKS]
    assert real_libvirtd.peers is not None
    subprocess.run(peer, check=True, env={**os.environ, "KVASIR_PEERS": str(real_libvirtd.peers.root)})
    prepare(real_libvirtd, 2)
    try:
        assert interfaces(ours.say("dumpxml", "shown")) == interfaces(real_libvirtd.virsh("dumpxml", "shown").stdout)
        assert ours.say("domiflist", "shown") == real_libvirtd.virsh("domiflist", "shown").stdout
        for name in ("shown", "onhost", "cards"):
            mine = ours.say("net-dumpxml", name).replace(ours.say("net-uuid", name).strip(), "U")
            theirs = real_libvirtd.virsh("net-dumpxml", name).stdout
            theirs = theirs.replace(real_libvirtd.virsh("net-uuid", name).stdout.strip(), "U")
            assert mine.splitlines()[:12] == theirs.splitlines()[:12] or "<mac address" in mine
    finally:
        real_libvirtd.virsh("destroy", "shown")


def test_host_side(ours: NetDaemon) -> None:
    """Taps are on their bridges, the isolated one says so; macvtaps are over their cards in their modes."""
    shown = ours.inside("ip", "-d", "-o", "link")
    lines = {line.split(": ")[1].split("@")[0]: line for line in shown.splitlines()}
    assert (
        "master brshown" in lines["vnet0"] and "master brshown" in lines["vnet1"] and "master brhost" in lines["vnet2"]
    )
    assert "macvtap mode private" in lines["macvtap0"] and "macvtap0@showna" in shown
    assert "macvtap mode bridge" in lines["macvtap1"] and "52:54:00:70:00:05" in lines["macvtap1"]
    assert "isolated on" in lines["named6"] and "isolated off" in lines["vnet2"]


def test_portgroup_and_pool_count(ours: NetDaemon) -> None:
    assert "<interface dev='showna' connections='1'/>" in ours.say("net-dumpxml", "cards")
    assert "<network connections='2'>" in ours.say("net-dumpxml", "shown")


def test_passthrough_card_belongs_to_one_guest(ours: NetDaemon) -> None:
    """A second guest finds the pool used up, by the network's name."""
    ours.define("<network><name>alone</name><forward mode='passthrough'><interface dev='shownbp'/></forward></network>")
    card = "<interface type='network'><mac address='52:54:00:70:01:0{n}'/><source network='alone'/></interface>"
    answers = []
    for n in (1, 2):
        path = ours.folder / "alone.xml"
        path.write_text(GUEST.format(name=f"alone{n}", n=3 + n, cards=card.format(n=n)))
        answers.append(ours.virsh("create", "--paused", str(path)))
    assert answers[0].returncode == 0 and answers[1].returncode == 1
    assert "network 'alone' requires exclusive access to interfaces, but none are available" in answers[1].stderr
    assert "52:54:00:70:01:01" in ours.inside("ip", "link", "show", "shownbp"), "the card has the guest's address"
    ours.say("destroy", "alone1")
    assert ours.virsh("create", "--paused", str(ours.folder / "alone.xml")).returncode == 0
    ours.say("destroy", "alone2")


def test_release(ours: NetDaemon) -> None:
    path = ours.folder / "short.xml"
    path.write_text(GUEST.format(name="short", n=7, cards=CARDS.replace("70:00", "71:00").replace("named6", "named7")))
    before = ours.inside("ip", "-o", "link").count("\n")
    assert ours.virsh("create", "--paused", str(path)).returncode == 0
    assert ours.inside("ip", "-o", "link").count("\n") == before + 6
    ours.say("destroy", "short")
    assert ours.inside("ip", "-o", "link").count("\n") == before
    assert "<network connections='2'>" in ours.say("net-dumpxml", "shown")


@pytest.mark.guide("virsh-update-device-bridge")
def test_card_moves_to_another_bridge_while_the_guest_runs(ours: NetDaemon) -> None:
    """17.13: update-device with another source; the tap changes the bridge, the port is given back."""
    path = ours.folder / "move.xml"
    path.write_text(
        "<interface type='bridge'><mac address='52:54:00:70:00:01'/><source bridge='brhost'/><model type='virtio'/></interface>"
    )
    ours.say("update-device", "shown", str(path))
    assert "master brhost" in ours.inside("ip", "-o", "link", "show", "vnet0")
    assert "<network connections='1'>" in ours.say("net-dumpxml", "shown")
    path.write_text(
        "<interface type='network'><mac address='52:54:00:70:00:01'/><source network='shown'/><model type='virtio'/></interface>"
    )
    ours.say("update-device", "shown", str(path))
    assert "master brshown" in ours.inside("ip", "-o", "link", "show", "vnet0")
    assert "<network connections='2'>" in ours.say("net-dumpxml", "shown")


@pytest.mark.guide("trouble-bridge-no-device", "trouble-table-a1-no-bridge")
def test_missing_things_are_named(ours: NetDaemon) -> None:
    wrong = {
        "<interface type='bridge'><source bridge='br0none'/></interface>": "br0none",
        "<interface type='direct'><source dev='eth9none' mode='vepa'/></interface>": "eth9none",
        "<interface type='network'><source network='nonet'/></interface>": "no network with matching name 'nonet'",
        "<interface type='network'><source network='shown'/><virtualport type='openvswitch'/></interface>": "virtualport",
        "<interface type='network'><source network='shown'/><bandwidth><inbound floor='10'/></bandwidth></interface>": "no inbound QoS",
        "<interface type='network'><source network='shown'/><vlan><tag id='5'/></vlan></interface>": "vlan tag",
    }
    for card, words in wrong.items():
        path = ours.folder / "wrong.xml"
        path.write_text(GUEST.format(name="wrong", n=8, cards=card))
        done = ours.virsh("create", str(path))
        assert done.returncode == 1 and words in done.stderr, (card, done.stderr)
    assert "<network connections='2'>" in ours.say("net-dumpxml", "shown")


# --- limits


@pytest.mark.guide("domxml-interface-bandwidth-average", "domxml-interface-bandwidth-peak", "domxml-interface-bandwidth-burst",
                   "domxml-interface-bandwidth-floor", "net-qos-reference", "virsh-domiftune")  # fmt: skip
def test_limits_are_in_the_kernel(ours: NetDaemon) -> None:
    """htb on the guest's tap and on the bridge; ``floor`` is a class of the bridge. What is sent needs the kernel's police."""
    ours.define("""<network><name>slow</name><forward mode='route'/><bridge name='brslow'/><bandwidth><inbound average='1000' peak='2000'/>
      </bandwidth><ip address='10.9.71.1' prefix='24'/></network>""")
    path = ours.folder / "slow.xml"
    path.write_text(
        GUEST.format(
            name="slow",
            n=9,
            cards="""<interface type='network'><mac address='52:54:00:70:02:01'/>
      <source network='slow'/><target dev='slow0'/><bandwidth><inbound average='100' peak='200' burst='64' floor='50'/></bandwidth></interface>""",
        )
    )
    ours.say("create", "--paused", str(path))
    assert "rate 800Kbit ceil 1600Kbit burst 64Kb" in ours.inside("tc", "class", "show", "dev", "slow0")
    classes = ours.inside("tc", "class", "show", "dev", "brslow")
    assert "class htb 1:1 root rate 8Mbit ceil 16Mbit" in classes
    assert "class htb 1:3 parent 1:1" in classes and "rate 400Kbit ceil 16Mbit" in classes
    assert "class htb 1:2 parent 1:1" in classes and "rate 7600Kbit" in classes, "what is left for the others"
    assert "<floor sum='50'/>" in (ours.folder / "run/libvirt/network/slow.xml").read_text()
    assert "bitmap='0-3'" in (ours.folder / "run/libvirt/network/slow.xml").read_text()
    ours.say("domiftune", "slow", "slow0", "--inbound", "300", "--live")
    assert "rate 2400Kbit" in ours.inside("tc", "class", "show", "dev", "slow0")
    assert "inbound.average: 300" in ours.say("domiftune", "slow", "slow0")
    ours.say("domiftune", "slow", "slow0", "--inbound", "0", "--live")
    assert ours.inside("tc", "class", "show", "dev", "slow0") == ""
    ours.say("destroy", "slow")
    assert "class htb 1:3" not in ours.inside("tc", "class", "show", "dev", "brslow")


def test_guarantees_cannot_be_sold_twice(ours: NetDaemon) -> None:
    ours.define("""<network><name>sold</name><forward mode='route'/><bridge name='brsold'/><bandwidth><inbound average='1000' peak='2000'/>
      </bandwidth><ip address='10.9.77.1' prefix='24'/></network>""")
    path = ours.folder / "greedy.xml"
    path.write_text(
        GUEST.format(
            name="greedy",
            n=6,
            cards="""<interface type='network'><source network='sold'/>
      <bandwidth><inbound average='100' floor='2500'/></bandwidth></interface>""",
        )
    )
    done = ours.virsh("create", str(path))
    assert done.returncode == 1 and "it would overcommit peak on network 'sold'" in done.stderr


# --- macvtap: what passes


class Tap:
    """A macvtap of ours, opened as QEMU opens it."""

    def __init__(self, fd: int, mac: str) -> None:
        self.fd, self.mac = fd, bytes(int(part, 16) for part in mac.split(":"))
        os.set_blocking(fd, False)

    def send(self, to: bytes, word: bytes) -> None:
        os.write(self.fd, to + self.mac + b"\x88\xb5" + word.ljust(50, b"\0"))

    def got(self, word: bytes, seconds: float = 2) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if word in os.read(self.fd, 4096):
                    return True
            except BlockingIOError:
                time.sleep(0.01)
        return False


@pytest.mark.guide("macvtap-modes-overview", "macvtap-mode-vepa", "macvtap-mode-bridge", "macvtap-mode-private",
                   "macvtap-mode-passthrough", "domxml-interface-direct-vepa", "domxml-interface-direct-bridge",
                   "domxml-interface-direct-private", "domxml-interface-direct-passthrough", "trouble-macvtap-host",
                   "trouble-table-a1-macvtap")  # fmt: skip
@pytest.mark.parametrize("mode", ["bridge", "private", "vepa", "passthrough"])
def test_who_hears_whom_over_one_card(mode: str) -> None:
    """Two guests on one card: in bridge mode they hear each other; in private and vepa modes their frames go to the wire; the
    host's own card hears nothing of them. In passthrough there is room for one."""
    results: list[bool] = []
    pid = os.fork()
    if pid == 0:  # in a namespace of its own: the daemon's code, real devices
        try:
            os.unshare(os.CLONE_NEWNET | os.CLONE_NEWNS) if hasattr(os, "unshare") else _unshare()
            os._exit(_play(mode))
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(9)
    results.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0)
    assert results == [True]


def _unshare() -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(0x40000000 | 0x00020000) == 0
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)


def _play(mode: str) -> int:
    from kvasir.errors import Error

    subprocess.run(
        "ip link add card type veth peer name wire && ip link set card up && ip link set wire up",
        shell=True,
        check=True,
    )
    macs = ["52:54:00:72:00:01", "52:54:00:72:00:02"]
    taps = []
    for number, mac in enumerate(macs):
        try:
            macvtap.create(f"mt{number}", "card", mode, mac)
        except Error:
            return 0 if mode == "passthrough" and number == 1 else 1
        taps.append(Tap(macvtap.open_device(f"mt{number}")[0], mac))
    if mode == "passthrough":
        return 2
    import socket

    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5))
    wire.bind(("wire", 0))
    wire.settimeout(2)
    taps[0].send(taps[1].mac, b"hello neighbour")
    heard = taps[1].got(b"hello neighbour")
    try:
        on_wire = b"hello neighbour" in wire.recv(4096)
    except TimeoutError:
        on_wire = False
    taps[0].send(b"\xff" * 6, b"hello world")
    try:
        out = b"hello world" in wire.recv(4096)
    except TimeoutError:
        out = False
    return 0 if (heard, on_wire) == ((True, False) if mode == "bridge" else (False, True)) and out else 3
