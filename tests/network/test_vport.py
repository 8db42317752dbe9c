"""Switches that know guests by profile. 802.1Qbg: a netlink peer of our own in lldpad's place, the messages beside the real libvirt's.
802.1Qbh: up to the kernel's door, which has no such card here; the message as recorded from the real libvirt, the answers made up."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import kvasir.client
from kvasir.errors import Error
from kvasir.host import netlink, vport
from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon, Peers, short_folder

from .conftest import NetDaemon

UUID = "7b0a57c5-9a0e-4d0c-8f6e-3c1d5a2b9e33"
GUEST = (
    f"<domain type='qemu'><name>vp</name><uuid>{UUID}</uuid><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>"
    "<devices><interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='vp0' mode='{mode}'/>{port}</interface></devices></domain>"
)
QBG = """<virtualport type='802.1Qbg'><parameters managerid='11' typeid='1193047' typeidversion='2'
 instanceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport>"""
QBH = "<virtualport type='802.1Qbh'><parameters profileid='finance'/></virtualport>"
PLAYS = {
    "at once": ("0", None),
    "in progress": ("0x101 0x101 0x100", None),
    "not named": ("no", None),
    "invalid": ("0x102", None),
    "bad state": ("0x103", None),
    "no resources": ("2", None),
    "refused": ("0", "22"),
    **({"never": ("0x101", None)} if os.environ.get("KVASIR_LONG") else {}),
}
"""``never`` takes ten seconds of each daemon: KVASIR_LONG=1. That ours ends is shown below with shorter times."""
PEER = Path(__file__).with_name("lldpad.py")


def play(daemon: DaemonHandle, enter: list[str], folder: Path) -> dict[str, tuple[list[str], list[str]]]:
    """For each way that the peer behaves: what create and destroy say, and the messages that came."""
    env = {**os.environ, "KVASIR_PEERS": str(daemon.peers.root)} if daemon.peers else dict(os.environ)
    subprocess.run([*enter, "sh", "-c", "ip tuntap add dev vp0 mode tap && ip link set vp0 up"], check=True, env=env)
    said: dict[str, tuple[list[str], list[str]]] = {}
    log = folder / "log"

    def run() -> list[str]:
        words = []
        for command in (("create", "--paused", str(folder / "vp.xml")), ("destroy", "vp")):
            done = daemon.virsh("-q", *command)
            words.append(re.sub(r"\(\d+\)", "(N)", done.stderr.replace(str(folder), "F")).strip())
        return words

    (folder / "vp.xml").write_text(GUEST.format(mode="private", port=QBH))
    said["802.1Qbh"] = (run(), [])
    (folder / "vp.xml").write_text(GUEST.format(mode="vepa", port=QBG))
    said["no lldpad"] = (run(), [])
    peer = subprocess.Popen(
        [*enter, "/usr/bin/python3", str(PEER), str(log), "4242"], stdout=subprocess.PIPE, text=True, env=env
    )
    try:
        assert peer.stdout is not None and peer.stdout.readline() == "ready\n"
        subprocess.run([*enter, "sh", "-c", "echo 4242 > /var/run/lldpad.pid"], check=True, env=env)
        for name, (answers, refuse) in PLAYS.items():
            Path(f"{log}.say").write_text(answers)
            if refuse:
                Path(f"{log}.refuse").write_text(refuse)
            words = run()
            lines = log.read_text().splitlines() if log.exists() else []
            said[name] = (words, [alike(line) for line in lines])
            for path in (log, Path(f"{log}.refuse")):
                path.unlink(missing_ok=True)
    finally:
        peer.kill()
        peer.wait()
    return said


def alike(line: str) -> str:
    """A message without serial number, sender and number of the link."""
    return f"{line[:16]}{'-' * 16}{line[32:40]}{'-' * 8}{line[48:]}"


@pytest.fixture(scope="module")
def ours(peers: Peers) -> Iterator[dict[str, tuple[list[str], list[str]]]]:
    with short_folder("kv-net-") as folder:
        daemon = NetDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, peers)
        daemon.start()
        try:
            daemon.inside("mount", "-t", "tmpfs", "tmpfs", "/run")
            yield play(daemon, daemon.ground.command(), folder)
            assert "macvtap" not in daemon.inside("ip", "link")
        finally:
            daemon.finish()


@pytest.fixture(scope="module")
def theirs(real_libvirtd: DaemonHandle) -> dict[str, tuple[list[str], list[str]]]:
    with short_folder("kv-vp-") as folder:
        return play(
            real_libvirtd, [str(PROJECT / "scripts/peer"), "exec", "--dir", str(real_libvirtd.folder), "--"], folder
        )


@pytest.mark.guide("xml-virtualport-8021qbg", "domxml-interface-8021qbg")
def test_a_port_of_802_1qbg(ours: dict[str, Any], kvasird: KvasirDaemon) -> None:
    """What its parameters may be, what is made up, and that a start associates it or says why not; ours alone, whatever the real daemon can do."""
    with kvasir.client.open(kvasird.uri) as connection:

        def written(parameters: str) -> str:
            port = f"<virtualport type='802.1Qbg'><parameters {parameters}/></virtualport>"
            domain = connection.defineXML(GUEST.format(mode="vepa", port=port))
            shown = re.search(r"<virtualport type='802.1Qbg'>\s*<parameters (.*)/>", domain.XMLDesc(0))
            domain.undefine()
            assert shown
            return shown[1]

        whole = "managerid='11' typeid='1193047' typeidversion='2' instanceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'"
        assert written(whole) == whole
        made = re.fullmatch(r"(managerid='255' typeid='16777215' typeidversion='255') instanceid='([0-9a-f-]{36})'",
                            written("managerid='255' typeid='16777215' typeidversion='255'"))  # fmt: skip
        assert made and uuid.UUID(made[2])
        for parameters, said in (
            ("managerid='1' typeidversion='1'", "missing typeid in <virtualport type='802.1Qbg'>"),
            ("typeid='1' typeidversion='1'", "missing managerid"), ("managerid='1' typeid='1'", "missing typeidversion"),
            ("managerid='256' typeid='1' typeidversion='1'", "managerid"), ("managerid='x' typeid='1' typeidversion='1'", "managerid"),
            ("managerid='1' typeid='16777216' typeidversion='1'", "typeid"), ("managerid='1' typeid='1' typeidversion='256'", "typeidversion"),
            ("managerid='1' typeid='1' typeidversion='1' instanceid='no uuid'", "instanceid"),
        ):  # fmt: skip
            with pytest.raises(Error, match=said):
                written(parameters)
        assert "802.1Qbg" not in kvasird.log()
        written("managerid='0' typeid='1' typeidversion='1'")
    assert "managerid 0 of a virtualport is reserved by 802.1Qbg" in kvasird.log()
    assert "error" in ours["no lldpad"][0][0], "nobody associates it"
    assert ours["at once"][0] == ["", ""] and [line[-8:-6] for line in ours["at once"][1] if line[8:12] == "1300"] == ["02", "03"]
    assert "error" in ours["refused"][0][0] and "error" in ours["invalid"][0][0]


@pytest.mark.parametrize("name", ["802.1Qbh", "no lldpad", *PLAYS])
def test_as_the_real_libvirt(ours: dict[str, Any], theirs: dict[str, Any], name: str) -> None:
    """The same messages to lldpad, the same questions until it has answered, the same errors; the port is given up at the stop."""
    if name in PLAYS and not theirs["at once"][1]:
        # libvirtd 9.0 reads the number of its own netlink socket as signed; libnl takes that number from the clock
        assert ours["at once"][0] == ["", ""]
        pytest.skip(
            "the real daemon took its own netlink number for an error, as it does for every other eight minutes"
        )
    if name == "never":  # how often is a matter of time
        assert (
            ours[name][0] == theirs[name][0] and set(ours[name][1]) == set(theirs[name][1]) and len(ours[name][1]) > 20
        )
    else:
        assert ours[name] == theirs[name]
    if name in ("at once", "in progress"):
        requests = [line for line in ours[name][1] if line[8:12] == "1300"]
        assert ours[name][0] == ["", ""] and [line[-8:-6] for line in requests] == ["02", "03"]
    else:
        assert "error" in ours[name][0][0]


# --- 802.1Qbh


RECORDED = bytes.fromhex(
    "0000000002000000000000000000000030001680 2c000180 28000100 ffffffff 525400000001 0000 0000000000000000 0000000000000000 00000000 00000000"
    "40001980 0c000200 66696e616e636500 14000400 7b0a57c59a0e4d0c8f6e3c1d5a2b9e33 14000500 b6806647 45754cba 96303126 e6f94b1c 05000600 02000000"
)


class Kernel:
    """A kernel whose card answers; in the place of the exchange by netlink."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: int) -> None:
        self.answers, self.sent = list(answers), list[bytes]()
        monkeypatch.setattr(vport, "_exchange", self.exchange)
        monkeypatch.setattr(vport, "SECONDS", 0.3)
        monkeypatch.setattr(vport, "INTERVAL", 0.01)
        monkeypatch.setattr(netlink, "index", lambda name: 2)
        self.vf = -1

    def exchange(self, target: int, kind: int, body: bytes) -> bytes:
        assert target == 0
        if kind == vport.SETLINK:
            self.sent.append(body)
            return b""
        answer = netlink.attribute(
            vport.PORT_RESPONSE, struct.pack("H", self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        )
        if self.vf < 0:
            return body[:16] + vport._nest(vport.PORT_SELF, answer)
        instance = netlink.attribute(vport.PORT_INSTANCE, bytes.fromhex(UUID.replace("-", "")))
        other, mine = (netlink.attribute(vport.PORT_VF, struct.pack("i", vf)) for vf in (self.vf + 1, self.vf))
        wrong = netlink.attribute(vport.PORT_RESPONSE, struct.pack("H", 0x105))
        ports = vport._nest(vport.VF_PORT, instance + other + wrong) + vport._nest(
            vport.VF_PORT, instance + mine + answer
        )
        return body[:16] + vport._nest(vport.VF_PORTS, ports)


def associate(vf: int = -1, end: bool = False) -> None:
    port = SimpleNamespace(type="802.1Qbh", profileid="finance")
    vport.associate(port, macvtap="macvtap0", card="vp0", vf=vf, mac="52:54:00:00:00:01", guest=UUID,
                    host="b6806647-4575-4cba-9630-3126e6f94b1c", end=end)  # fmt: skip


@pytest.mark.guide("xml-virtualport-8021qbh", "domxml-interface-8021qbh")
def test_profile_of_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is octet for octet what the real libvirt sent to the kernel; progress is waited for; errors are told."""
    kernel = Kernel(monkeypatch, 0x101, 0x101, 0x100)
    associate()
    assert kernel.sent == [RECORDED]
    associate(end=True)
    assert (
        netlink.attributes(netlink.attributes(kernel.sent[1][16:])[vport.PORT_SELF])[vport.PORT_REQUEST][:1] == b"\x03"
    )
    kernel.answers = [0x105]
    with pytest.raises(Error, match=r"error 261 during port-profile setlink on interface vp0 \(2\): Invalid argument"):
        associate()
    kernel.answers, kernel.sent = [0x101], []
    began = time.monotonic()
    with pytest.raises(Error, match="port-profile setlink timed out"):
        associate()
    assert len(kernel.sent) == 2 and time.monotonic() - began < 20, "what came to no end is taken back"


def test_profile_of_a_virtual_function(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its card is asked, with its number; the answer is found among those of the others."""
    kernel = Kernel(monkeypatch, 0x101, 0)
    kernel.vf = 3
    associate(vf=3)
    port = netlink.attributes(
        netlink.attributes(netlink.attributes(kernel.sent[0][16:])[vport.VF_PORTS])[vport.VF_PORT]
    )
    assert port[vport.PORT_VF] == struct.pack("i", 3) and port[vport.PORT_PROFILE] == b"finance\0"
    kernel.vf = 7
    with pytest.raises(Error, match=f"Could not find vf/instanceId 3/{UUID}  in netlink response"):
        associate(vf=3)
