"""Our daemon in a network namespace of its own, with links to play with and configuration folders below its root."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Peers, all_ended, short_folder
from tests.network.conftest import NetDaemon

FOLDERS = {
    "ifupdown": "etc/network/interfaces.d",
    "NetworkManager": "etc/NetworkManager/system-connections",
    "systemd-networkd": "etc/systemd/network",
}


class IfaceDaemon(NetDaemon):
    """``lan0`` is a cable to the world, ``c0``-``c1`` and ``c2``-``c3`` are cables with both ends here."""

    def make_links(self) -> None:
        self.world = self.host("world")
        self.inside("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "far0", "netns",
                    str(self.world.process.pid))  # fmt: skip
        self.world.run("ip", "link", "set", "far0", "up")
        self.world.run("ip", "address", "add", "10.77.0.1/24", "dev", "far0")
        self.world.listen()
        for pair in (("c0", "c1"), ("c2", "c3")):
            self.inside("ip", "link", "add", pair[0], "type", "veth", "peer", "name", pair[1])
        for number, name in enumerate(("lan0", "c0", "c1", "c2", "c3")):
            self.inside("ip", "link", "set", name, "address", f"52:54:00:77:00:0{number}")

    def reset(self, kind: str | None) -> None:
        """No configuration but an empty one of that kind; links down and bare."""
        for name in self.links():
            if name.startswith(("br", "bond", "v")) and "@" not in name:
                self.inside("ip", "link", "delete", name, check=False)
        for name in ("lan0", "c0", "c1", "c2", "c3"):
            self.inside("ip", "link", "set", name, "nomaster", "down", "mtu", "1500")
            self.inside("ip", "address", "flush", "dev", name)
        for name in ("network", "NetworkManager", "systemd"):
            shutil.rmtree(self.folder / "etc" / name, ignore_errors=True)
        shutil.rmtree(self.folder / "var/lib/libvirt/interface", ignore_errors=True)
        shutil.rmtree(self.folder / "run/libvirt/interface", ignore_errors=True)
        if kind:
            (self.folder / FOLDERS[kind]).mkdir(parents=True)

    def links(self) -> list[str]:
        return [line.split(": ")[1].split("@")[0] for line in self.inside("ip", "-o", "link").splitlines()]

    def addresses(self, name: str) -> list[str]:
        """Its addresses but for link-local ones."""
        shown = self.inside("ip", "-o", "address", "show", "dev", name, check=False).splitlines()
        return [line.split()[3] for line in shown if " fe80:" not in line]

    def shown(self, name: str) -> str:
        return self.inside("ip", "-d", "link", "show", name, check=False)

    def until_active(self, name: str) -> None:
        """Wait until libvirt's word for it is active."""
        end = time.monotonic() + 60
        while name not in self.say("-q", "iface-list"):
            assert time.monotonic() < end, self.shown(name)
            time.sleep(0.1)

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def files(self) -> dict[str, str]:
        """All configuration below the root."""
        found = {}
        for name in ("network", "NetworkManager", "systemd"):
            for path in sorted((self.folder / "etc" / name).rglob("*")):
                if path.is_file():
                    found[str(path.relative_to(self.folder))] = path.read_text()
        return found

    def do(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.our_virsh(*words)

    def finish(self) -> None:
        code = self.stop() if self.process is not None and self.process.poll() is None else 0
        for host in [*self.hosts, self.ground]:
            host.end()
        assert code == 0, self.log()


@pytest.fixture(scope="module")
def ifd(peers: Peers) -> Iterator[IfaceDaemon]:
    with short_folder("kv-if-") as folder:
        daemon = IfaceDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", Path(folder), peers)
        daemon.start()
        daemon.make_links()
        try:
            yield daemon
        finally:
            daemon.finish()
        all_ended(folder)
