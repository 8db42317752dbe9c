"""Bridges and firewalld's zones: a firewalld of our own on a bus of the test's own, its calls by ours beside the real libvirt's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import bus
from tests.conftest import PROJECT, DaemonHandle, Peers, short_folder
from tests.waiting import until

from .conftest import NetDaemon

PEER = str(PROJECT / "scripts/peer")
NETWORKS = {
    "nat": "<forward mode='nat'/><bridge name='brf1'{zone}/><ip address='10.9.51.1' prefix='24'/>",
    "route": "<forward mode='route'/><bridge name='brf2'{zone}/><ip address='10.9.52.1' prefix='24'/>",
    "alone": "<bridge name='brf3'{zone}/>",
    "open": "<forward mode='open'/><bridge name='brf4'{zone}/><ip address='10.9.54.1' prefix='24'/>",
}
WAYS = {
    "none": None,
    "old": "libvirt,public - 0.6.3 nftables",
    "new": "libvirt,libvirt-routed,public libvirt-routed-out 1.3.0 nftables",
    "bare": "public - 0.9.0 nftables",
    "iptables": "public - 0.9.0 iptables",
    "ancient": "public - 0.5.5 nftables",
}

FULL = (WAYS["new"],)
"""With all networks and zones; the others with those that tell them apart."""


class Place:
    """A daemon's place: ``enter`` runs programs there; the bus listens at ``socket``."""

    def __init__(self, daemon: DaemonHandle, enter: list[str], folder: Path, socket: str) -> None:
        self.daemon, self.enter, self.folder, self.socket, self.log = daemon, enter, folder, socket, folder / "log"
        for name, inner in NETWORKS.items():
            for zone in ("", "public", "nosuch"):
                text = inner.format(zone=f" zone='{zone}'" if zone else "")
                (folder / f"{name}-{zone}.xml").write_text(f"<network><name>{name}</name>{text}</network>")
        self.children = [bus.start(folder, socket, enter)]

    def _spawn(self, *words: str) -> subprocess.Popen[str]:
        child = subprocess.Popen([*self.enter, *words], stdout=subprocess.PIPE, text=True)
        self.children.append(child)
        assert child.stdout is not None and child.stdout.readline()
        return child

    def firewalld(self, way: str) -> subprocess.Popen[str]:
        tool = str(Path(__file__).with_name("firewalld.py"))
        env = ["env", f"DBUS_SYSTEM_BUS_ADDRESS=unix:path={self.socket}"]
        return self._spawn(*env, sys.executable, tool, str(self.log), *way.split())

    def asked(self) -> list[str]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line for line in lines if not line.endswith("passthrough ipv4 ['-V']")]  # libvirt's question whether it works

    def play(self, way: str | None) -> dict[str, Any]:
        """Each network with no zone and with named ones: what virsh says, what firewalld was asked."""
        said: dict[str, Any] = {}
        firewalld = self.firewalld(way) if way else None
        self.asked()
        for name in NETWORKS if way in FULL else ("nat",):
            for zone in ("", "public", "nosuch") if way in FULL else ("", "public"):
                done = self.daemon.virsh("-q", "net-create", f"{self.folder}/{name}-{zone}.xml")
                said[f"{name} {zone}"] = (done.returncode, done.stderr.replace(str(self.folder), "F").strip(), self.asked())
                if name == "nat" and zone == "public" and firewalld is not None:
                    os.kill(self._inner(firewalld), signal.SIGHUP)
                    until(lambda: self.log.exists() and "changeZone" in self.log.read_text())
                    said["reload"] = self.asked()
                self.daemon.virsh("-q", "net-destroy", name)
                self.asked()
        if firewalld is not None:
            os.kill(self._inner(firewalld), signal.SIGTERM)
            firewalld.wait(20)
        return said

    def _inner(self, child: subprocess.Popen[str]) -> int:
        """The firewalld itself, below the programs that enter the place."""
        found = child.pid
        while below := Path(f"/proc/{found}/task/{found}/children").read_text().split():
            found = int(below[0])
        return found

    def end(self) -> None:
        for child in reversed(self.children):
            if child.poll() is None:
                os.kill(self._inner(child), signal.SIGTERM)
                child.wait(20)


@pytest.fixture(scope="module")
def ours(peers: Peers) -> Iterator[Place]:
    with short_folder("kv-fw-") as place, short_folder("kv-net-") as folder:
        daemon = NetDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, peers)
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={place}/bus"
        made = Place(daemon, [], place, f"{place}/bus")
        try:
            daemon.start()
            os.environ.pop("DBUS_SYSTEM_BUS_ADDRESS")
            yield made
        finally:
            os.environ.pop("DBUS_SYSTEM_BUS_ADDRESS", None)
            daemon.finish()
            made.end()


@pytest.fixture(scope="module")
def theirs(real_libvirtd: DaemonHandle) -> Iterator[Place]:
    assert real_libvirtd.peers is not None
    os.environ["KVASIR_PEERS"] = str(real_libvirtd.peers.root)
    enter = [PEER, "exec", "--dir", str(real_libvirtd.folder), "--"]
    with short_folder("kv-fr-") as folder:
        subprocess.run([*enter, "mkdir", "-p", "/run/dbus"], check=True)
        made = Place(real_libvirtd, enter, folder, "/run/dbus/system_bus_socket")
        try:
            subprocess.run([PEER, "restart", "--dir", str(real_libvirtd.folder)], check=True, capture_output=True)
            until(lambda: real_libvirtd.virsh("list").returncode == 0)
            yield made
        finally:
            made.end()


@pytest.mark.parametrize("way", WAYS)
def test_zones_as_libvirt(ours: Place, theirs: Place, way: str) -> None:
    """The zone that is named, or libvirt's; none for open networks; errors; again after firewalld has reloaded. Rules are never
    passed through firewalld."""
    mine, other = ours.play(WAYS[way]), theirs.play(WAYS[way])
    for step, said in other.items():
        assert mine[step] == said, step
    assert not any("passthrough" in line.lower() for said in mine.values() for line in (said if isinstance(said, list) else said[2]))
    if way == "new":
        assert mine["route "][2][-1].endswith("changeZoneOfInterface libvirt-routed brf2")
        assert mine["nat "][2][-1].endswith("changeZoneOfInterface libvirt brf1")
        assert [line.split()[2] for line in mine["reload"]] == ["changeZoneOfInterface"]
