"""A daemon in a network namespace of its own, a world outside of it, and hosts on its networks: namespaces with real packets."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import KvasirDaemon, Peers, all_ended, short_folder

PROBE = Path(__file__).with_name("probe.py")
SETUP = "mount -t sysfs sysfs /sys && ip link set lo up"


class Host:
    """A machine on the net: a namespace, kept by a process that sleeps."""

    numbers = itertools.count(1)

    def __init__(self, name: str) -> None:
        self.name = name
        self.process = subprocess.Popen(["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c",
                                         f"{SETUP} && echo up && exec sleep 3600"], stdout=subprocess.PIPE, text=True)  # fmt: skip
        assert self.process.stdout is not None and self.process.stdout.readline() == "up\n"
        self.listeners: list[subprocess.Popen[str]] = []

    def command(self, *words: str) -> list[str]:
        return ["nsenter", "-t", str(self.process.pid), "-n", "-m", *words]

    def run(self, *words: str, check: bool = True) -> str:
        """Run a program there."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, check=False, timeout=60)
        assert not check or done.returncode == 0, f"{self.name}: {words}: {done.stderr}"
        return done.stdout

    def probe(self, *words: str) -> str:
        """Run the probe there; '' where it gets no answer."""
        return self.run(sys.executable, str(PROBE), *words, check=False).strip()

    def listen(self, port: int = 7000) -> None:
        """Answer TCP connections with the address that they come from."""
        child = subprocess.Popen(
            self.command(sys.executable, str(PROBE), "listen", str(port)), stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None and child.stdout.readline() == "listening\n"
        self.listeners.append(child)

    def sees(self, address: str, port: int = 7000) -> str:
        """The address under which a listener sees us; '' where it cannot be reached."""
        return self.probe("connect", address, str(port))

    def seen_as(self, address: str, wanted: str, seconds: float = 30) -> bool:
        """Whether a listener comes to see us under that address: new IPv6 addresses take a moment."""
        end = time.monotonic() + seconds
        while (found := self.sees(address)) != wanted and time.monotonic() < end:
            time.sleep(0.2)
        return found == wanted

    def end(self) -> None:
        for child in [*self.listeners, self.process]:
            child.kill()
            child.wait()


class NetDaemon(KvasirDaemon):
    """Our daemon in a namespace of its own, with a way out (``up0``, 192.0.2.1/24) to the world (192.0.2.2)."""

    hosts: list[Host]
    world: Host

    def start(self, *options: str) -> None:
        if not hasattr(self, "hosts"):
            self.hosts = []
            self.ground = Host("ground")
        super().start(*options)

    def within(self, *command: str) -> list[str]:
        return self.ground.command(*command)

    def inside(self, *command: str, check: bool = True) -> str:
        """Run a program in the daemon's network namespace."""
        return self.ground.run(*command, check=check)

    def make_world(self) -> None:
        self.world = self.host("world")
        self.wire(self.world, "up0", "out0")
        self.inside("ip", "address", "add", "192.0.2.1/24", "dev", "up0")
        self.inside("ip", "address", "add", "2001:db8::1/64", "dev", "up0", "nodad")
        self.world.run("ip", "address", "add", "192.0.2.2/24", "dev", "out0")
        self.world.run("ip", "address", "add", "2001:db8::2/64", "dev", "out0", "nodad")

    def host(self, name: str) -> Host:
        made = Host(name)
        self.hosts.append(made)
        return made

    def wire(self, host: Host, here: str, there: str) -> None:
        """A cable between the daemon's namespace and a host."""
        self.inside("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", str(host.process.pid))
        self.inside("ip", "link", "set", here, "up")
        host.run("ip", "link", "set", there, "up")

    def guest(self, bridge: str, mac: str, *addresses: str, gateway: str | None = None) -> Host:
        """A host on a bridge, with ``eth0``."""
        number = next(Host.numbers)
        made = self.host(f"guest{number}")
        name = f"port{number}"
        self.wire(made, name, "eth0")
        made.run("ip", "link", "set", "eth0", "address", mac)
        if addresses:
            made.run("sysctl", "-q", "-w", "net.ipv6.conf.eth0.accept_ra=0")
        self.inside("ip", "link", "set", name, "master", bridge)
        for address in addresses:
            made.run("ip", "address", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
        if gateway:
            made.run("ip", "route", "add", "default", "via", gateway)
        return made

    def port_of(self, host: Host) -> str:
        """The card of this namespace that leads to a guest."""
        return host.name.replace("guest", "port")

    def forwards(self, *bridges: str) -> None:
        """Wait until the ports of the bridges pass packets (STP takes its time)."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            shown = json.loads(self.inside("bridge", "-j", "link"))
            mine = [one["state"] for one in shown if one.get("master") in bridges]
            if mine and all(state == "forwarding" for state in mine):
                return
            time.sleep(0.1)
        raise AssertionError(shown)

    def define(self, text: str, *, start: bool = True) -> None:
        """Define a network and start it."""
        path = self.folder / "network.xml"
        path.write_text(text)
        done = self.virsh("net-define", str(path))
        assert done.returncode == 0, done.stderr
        if start:
            name = text.split("<name>")[1].split("<")[0]
            done = self.virsh("net-start", name)
            assert done.returncode == 0, done.stderr

    def say(self, *words: str) -> str:
        """virsh's output; fails where virsh does."""
        done = self.virsh(*words)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def finish(self) -> None:
        for net in self.virsh("-q", "net-list", "--name").stdout.split():
            self.virsh("net-destroy", net)
        code = self.stop() if self.process is not None and self.process.poll() is None else 0
        for host in [*self.hosts, self.ground]:
            host.end()
        self.end_guests()
        assert code == 0, self.log()


@pytest.fixture(scope="module")
def netd(peers: Peers) -> Iterator[NetDaemon]:
    """The daemon; what is left over fails the module."""
    with short_folder("kv-net-") as folder:
        uri = f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock"
        daemon = NetDaemon(uri, folder, peers)
        daemon.start()
        daemon.make_world()
        try:
            yield daemon
        finally:
            daemon.finish()
        all_ended(folder)
