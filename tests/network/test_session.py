"""Networks of an ordinary user's daemon, beside the real libvirt's: what may be defined and started, and bridges by QEMU's helper."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, Peers, all_ended, short_folder

from .conftest import Host

PEER = str(PROJECT / "scripts/peer")
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
HELPER = "/usr/lib/qemu/qemu-bridge-helper"
LINKS = "ip link add d0 type veth peer name d1 && ip link set d0 up && ip link add sbr type bridge && ip link set sbr up"
ALLOW = "mkdir -p /etc/qemu && echo 'allow sbr' > /etc/qemu/bridge.conf"
OVERLAY = """mkdir -p /tmp/lay && mount -t tmpfs tmpfs /tmp/lay && mkdir /tmp/lay/up /tmp/lay/work &&
mount -t overlay overlay -o lowerdir=/etc,upperdir=/tmp/lay/up,workdir=/tmp/lay/work /etc"""
NETWORKS = {
    "nat": "<forward mode='nat'/><bridge name='sbr0'/><ip address='10.9.5.1' prefix='24'/>",
    "isolated": "<bridge name='sbr1'/>",
    "dhcp": "<bridge name='sbr2'/><ip address='10.9.6.1' prefix='24'><dhcp><range start='10.9.6.2' end='10.9.6.9'/></dhcp></ip>",
    "open": "<forward mode='open'/><bridge name='sbr3'/><ip address='10.9.7.1' prefix='24'/>",
    "limited": "<forward mode='bridge'/><bridge name='sbr'/><bandwidth><inbound average='100'/></bandwidth>",
    "onbridge": "<forward mode='bridge'/><bridge name='sbr'/>",
    "cards": "<forward mode='private'><interface dev='d0'/></forward>",
}
GUESTS = {
    "network": "<interface type='network'>{mac}<source network='onbridge'/></interface>",
    "bridge": "<interface type='bridge'>{mac}<source bridge='sbr'/><model type='virtio'/></interface>",
    "foreign": "<interface type='bridge'>{mac}<source bridge='other'/></interface>",
    "macvtap": "<interface type='direct'>{mac}<source dev='d0' mode='bridge'/></interface>",
    "tap": "<interface type='ethernet'>{mac}</interface>",
    "sleeping": "<interface type='network'>{mac}<source network='nat'/></interface>",
    "slow": "<interface type='bridge'>{mac}<source bridge='sbr'/><bandwidth><inbound average='100'/></bandwidth></interface>",
    "filtered": "<interface type='bridge'>{mac}<source bridge='sbr'/><filterref filter='x'/></interface>",
}


def documents(folder: Path) -> None:
    for name, inner in NETWORKS.items():
        (folder / f"n-{name}.xml").write_text(f"<network><name>{name}</name>{inner}</network>")
    for name, card in GUESTS.items():
        inner = card.format(mac="<mac address='52:54:00:00:00:01'/>")
        (folder / f"g-{name}.xml").write_text(
            f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>"
            f"<devices>{inner}</devices></domain>"
        )
    (folder / "filter.xml").write_text("<filter name='x'/>")
    (folder / "sbr.xml").write_text("<interface type='bridge' name='sbr9'><bridge/></interface>")


def helper(folder: Path) -> str:
    """QEMU's helper with the right that it needs, for nobody's group alone."""
    made = folder / "helper"
    made.write_bytes(Path(HELPER).read_bytes())
    os.chown(made, 0, 65534)
    made.chmod(0o4750)
    return f'bridge_helper = "{made}"\n'


def play(daemon: DaemonHandle, look: Host | None) -> dict[str, str]:
    """What each step says; ``look`` sees the host's side."""
    said: dict[str, str] = {}

    def do(*words: str) -> None:
        done = daemon.virsh("-q", *words)
        text = (done.stdout + done.stderr).replace(str(daemon.folder), "F")
        text = re.sub(r"--fd=\d+", "--fd=N", re.sub(r"(macvtap|vnet)\d+", r"\1N", text))
        said[" ".join(words).replace(str(daemon.folder), "F")] = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UUID", text).strip()

    do("net-list", "--all")
    for name in NETWORKS:
        do("net-define", f"{daemon.folder}/n-{name}.xml")
        do("net-start", name)
    do("net-list", "--all")
    do("net-autostart", "nat")
    for name in GUESTS:
        do("create", "--paused", f"{daemon.folder}/g-{name}.xml")
        if look is not None and name in ("network", "bridge"):
            assert "master sbr" in look.run("ip", "-o", "link", "show", "tap0")
        do("destroy", name)
    if look is not None:
        assert "tap0" not in look.run("ip", "-o", "link")
    do("nwfilter-define", f"{daemon.folder}/filter.xml")
    for name in NETWORKS:
        do("net-destroy", name)
        do("net-undefine", name)
    return said


@pytest.fixture(scope="module")
def ours(peers: Peers) -> Iterator[tuple[DaemonHandle, Host]]:
    with short_folder("kv-sn-") as folder:
        os.chown(folder, 65534, 65534)
        documents(folder)
        place = Host("session")
        place.run("sh", "-c", f"{LINKS} && ip link add other type bridge && {OVERLAY} && {ALLOW}")
        conf = folder / "config/libvirt/qemu.conf"
        for part in (conf.parent.parent, conf.parent):
            part.mkdir()
            os.chown(part, 65534, 65534)
        conf.write_text(helper(folder))
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "HOME": str(folder)}
        command = place.command(*NOBODY, sys.executable, "-m", "kvasir.daemon", "--root", str(folder), "--session")
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        daemon = DaemonHandle(f"qemu+unix:///session?socket={folder}/run/libvirt/libvirt-sock", folder, peers, process)
        try:
            end = time.monotonic() + 60
            while daemon.virsh("uri").returncode:
                assert process.poll() is None and time.monotonic() < end
                time.sleep(0.2)
            yield daemon, place
        finally:
            process.terminate()
            process.wait(30)
            place.end()
        all_ended(folder)


@pytest.fixture(scope="module")
def theirs(real_libvirtd: DaemonHandle) -> Iterator[DaemonHandle]:
    """The real daemon of an ordinary user, in the namespaces of the module's other one."""
    assert real_libvirtd.peers is not None
    env = {**os.environ, "KVASIR_PEERS": str(real_libvirtd.peers.root)}
    inside = [PEER, "exec", "--dir", str(real_libvirtd.folder), "--"]
    with short_folder("kv-sr-") as folder:
        documents(folder)
        subprocess.run([*inside, "sh", "-c", f"{LINKS} && ip link add other type bridge && {ALLOW}"], check=True, env=env)
        (folder / "libvirt").mkdir()
        (folder / "libvirt/qemu.conf").write_text(helper(folder))
        for part in (folder, folder / "libvirt"):
            os.chown(part, 65534, 65534)
        homes = [f"{name}={folder}" for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")]
        process = subprocess.Popen([*inside, *NOBODY, "env", *homes, "/usr/sbin/libvirtd"], env=env, stderr=subprocess.DEVNULL)
        daemon = DaemonHandle(f"qemu+unix:///session?socket={folder}/libvirt/libvirt-sock", folder, real_libvirtd.peers, process)
        try:
            end = time.monotonic() + 60
            while daemon.virsh("uri").returncode:
                assert process.poll() is None and time.monotonic() < end
                time.sleep(0.2)
            yield daemon
        finally:
            pid = (folder / "libvirt/libvirtd.pid").read_text().strip()
            subprocess.run([*inside, "kill", pid], env=env, check=False)
            process.wait(30)


@pytest.mark.skipif(not Path(HELPER).exists(), reason="QEMU's bridge helper is not here")
def test_networks_of_an_ordinary_user(ours: tuple[DaemonHandle, Host], theirs: DaemonHandle) -> None:
    """Every network may be defined; those that need a bridge of their own do not start; guests get taps on bridges that the
    administrator allows, by the helper; macvtaps, taps, limits and filters are refused: all in the real daemon's words."""
    mine, other = play(*ours), play(theirs, None)
    for words, said in other.items():
        if "foreign" not in words:  # the helper's own words come or not, as the daemon reads
            assert mine[words] == said, words
    assert "access denied by acl file" in mine["create --paused F/g-foreign.xml"] and "denied" in other["create --paused F/g-foreign.xml"]
    assert mine["create --paused F/g-bridge.xml"] == "" and "Operation not permitted" in mine["net-start nat"]
