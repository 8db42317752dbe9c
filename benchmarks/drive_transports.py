"""The phases of transports and large lists for ``drive.py``: one client (libvirt-python) on either daemon. Each prints seconds."""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any

import libvirt  # type: ignore[import-not-found]  # one of the peers

CALLS = 300
NETWORK = """<network><name>many-{0}</name><uuid>c0ffee00-0000-4000-9000-{0:012x}</uuid><bridge name='many{0}'/>
<ip address='10.{1}.{2}.1' netmask='255.255.255.0'/></network>"""


def round_trips(connection: Any, number: int, folder: str) -> None:
    """The time of one call that does nothing, from so many times CALLS of them."""
    for _ in range(number):
        began = time.perf_counter()
        for _ in range(CALLS):
            connection.getLibVersion()
        print((time.perf_counter() - began) / CALLS)


def opened(uri: str, number: int) -> None:
    """Connect and leave."""
    for _ in range(number):
        began = time.perf_counter()
        libvirt.open(uri).close()
        print(time.perf_counter() - began)


def together(uri: str, number: int) -> None:
    """So many clients at once, each a C virsh of its own, with 100 calls each: the time until all have left with their answers."""
    for _ in range(5):
        clients = [Client(uri) for _ in range(number)]
        for client in clients:
            client.connected()
        began = time.perf_counter()
        for client in clients:
            client.ask("domstate bench-7\n" * 50)  # two calls: the guest by its name, and its state
        for client in clients:
            assert client.left().count(b"shut off") == 50
        print(time.perf_counter() - began)


class Client:
    """The C virsh in a process of its own, told what to do line by line."""

    def __init__(self, uri: str) -> None:
        self._process = subprocess.Popen(
            ["virsh", "-q", "-c", uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self.ask("hostname\n", more=True)

    def ask(self, lines: str, more: bool = False) -> None:
        """Give it lines; ``more`` keeps its input open for others."""
        assert self._process.stdin
        self._process.stdin.write(lines.encode())
        if not more:
            self._process.stdin.close()

    def connected(self) -> None:
        """Wait until its first call is answered."""
        assert self._process.stdout
        seen, wanted = b"", os.uname().nodename.encode()
        while wanted not in seen:
            more = self._process.stdout.read(4096)
            if not more:
                raise SystemExit("virsh left before it was asked")
            seen += more

    def left(self) -> bytes:
        """What it said until it ended; a pipe holds all of that."""
        assert self._process.stdout
        self._process.wait()
        return self._process.stdout.read()


def many_networks(connection: Any, number: int, folder: str) -> None:
    """The list of so many networks that do not run."""
    for index in range(number):
        connection.networkDefineXML(NETWORK.format(index, 100 + index // 200, index % 200))
    for _ in range(11):
        began = time.perf_counter()
        assert len([net.name() for net in connection.listAllNetworks(0)]) >= number
        print(time.perf_counter() - began)


def many_volumes(connection: Any, number: int, folder: str) -> None:
    """The list of so many volumes."""
    path = os.path.join(folder, "many")
    os.makedirs(path, exist_ok=True)
    for index in range(number):
        with open(os.path.join(path, f"volume-{index}"), "wb"):
            pass
    pool = connection.storagePoolCreateXML(
        f"<pool type='dir'><name>many</name><target><path>{path}</path></target></pool>", 0
    )
    for _ in range(11):
        began = time.perf_counter()
        assert len([volume.name() for volume in pool.listAllVolumes(0)]) >= number
        print(time.perf_counter() - began)
    pool.destroy()


ON_CONNECTION = {"wire-call": round_trips, "wire-networks": many_networks, "wire-volumes": many_volumes}
ON_URI = {"wire-open": opened, "wire-together": together}


def run(uri: str, phase: str, number: int, folder: str) -> None:
    if phase in ON_URI:
        ON_URI[phase](uri, number)
    else:
        ON_CONNECTION[phase](libvirt.open(uri), number, folder)
