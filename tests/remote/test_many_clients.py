"""5,000 connections at once over every transport, slow ones among them: served, counted, and gone without a trace; others are served meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kvasir.rpc.programs import ADMIN
from tests.remote.hosts import Host, Pair
from tests.remote.pki import Authority, install
from tests.remote.test_tls import pairs
from tests.waiting import until
from tests.wire.harness import Raw

SETTINGS = """listen_tls = 1
listen_tcp = 1
auth_tcp = "none"
auth_unix_rw = "none"
max_clients = 5000
max_anonymous_clients = 20
max_queued_clients = 1000
"""
CROWD = Path(__file__).with_name("crowd.py")
UNIX, TCP, TLS, SLOW, HALF = 3000, 1200, 500, 297, 40
"""With the three of the test itself 5,000 that are in; the half handshakes are thrown out."""
PER_CLIENT = 48
"""KiB that a connection may cost the daemon, those with TLS among them."""


def private(pid: int) -> float:
    """MiB of memory that only this process has (smaps)."""
    words = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()]
    return sum(int(word[1]) for word in words if word[0] in ("Private_Clean:", "Private_Dirty:")) / 1024


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def daemon_pid(root: Path) -> int:
    return int((root / "run/libvirtd.pid").read_text())


@contextmanager
def crowd(host: Host | None, kind: str, count: int, *where: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(CROWD), kind, str(count), *where]
    child = subprocess.Popen(
        ["ip", "netns", "exec", host.name, *command] if host else command,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def ready(child: subprocess.Popen[str], count: int) -> None:
    assert child.stdout is not None
    assert child.stdout.readline() == f"ready {count}\n"


class Asking:
    """The client who only wants his list."""

    def __init__(self, socket: Path, pid: int) -> None:
        self.raw, self.pid, self.worst = Raw(socket, 120).open(), pid, 0.0

    def __call__(self) -> None:
        """A list; what the machine's load costs (time in the kernel's run queue) is not the daemon's."""
        began, waited = time.monotonic(), self._waited()
        self.raw.call("connect_list_all_domains", 1, 0)
        self.worst = max(self.worst, time.monotonic() - began - (self._waited() - waited))

    def _waited(self) -> float:
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[1]) / 1e9


def gone(pid: int, fds: int) -> bool:
    """Wait until the daemon has no more descriptors than before."""
    until(lambda: descriptors(pid) <= fds)
    return descriptors(pid) == fds


def limits(admin: Raw) -> dict[str, int]:
    return {name: int(value) for name, value in admin.call("server_get_client_limits", ("libvirtd",), 0, program=ADMIN)}


def test_five_thousand(pair: Pair, root: Path, authority: Authority) -> None:
    server, client = pairs(authority)
    install(root / "etc", authority, server, "server")
    with pair.daemon(root, SETTINGS, "--listen"):
        pid, sock = daemon_pid(root), root / "run/libvirt/libvirt-sock"
        admin = Raw(root / "run/libvirt/libvirt-admin-sock", 120)
        admin.call("connect_open", 0, program=ADMIN)
        ask = Asking(sock, pid)
        for _ in range(3):
            ask()
        fds, memory = descriptors(pid), private(pid)
        tls = ["10.77.0.1", "16514", str(authority.cert), *map(str, client)]
        with (
            crowd(pair.client, "half", HALF, "10.77.0.1", "16514") as half,
            crowd(None, "unix", UNIX, str(sock)) as first,
            crowd(pair.client, "tcp", TCP, "10.77.0.1", "16509") as second,
            crowd(pair.client, "slow", SLOW, "10.77.0.1", "16509") as slow,
            crowd(pair.client, "tls", TLS, *tls) as third,
        ):
            children = ((half, HALF), (first, UNIX), (second, TCP), (slow, SLOW), (third, TLS))
            while limits(admin)["nclients"] < UNIX + TCP + TLS + SLOW + 1 and all(
                one.poll() is None for one, _ in children
            ):
                ask()
                time.sleep(0.02)
            for one, count in children:
                ready(one, count)
            more = [Raw(sock, 120) for _ in range(5000 - limits(admin)["nclients"])]
            late = Raw(sock, 0.5)
            late.start("auth_list")
            with pytest.raises(TimeoutError):
                late.receive()
            now = limits(admin)
            assert now["nclients"] == now["nclients_max"] == 5000
            for _ in range(20):
                ask()
            cost = 1024 * (private(pid) - memory) / 5000
            print(f"{cost:.1f} KiB for each client, the longest wait for a list was {1000 * ask.worst:.0f} ms")
            assert cost < PER_CLIENT and ask.worst < 2
            more.pop().close()
            late.sock.settimeout(60)
            assert late.receive() is not None, "served when somebody left"
            late.close()
            for raw in more:
                raw.close()
            assert half.stdin is not None and half.stdout is not None
            half.stdin.close()
            assert half.stdout.readline() == f"closed by the daemon {HALF}\n"
        assert gone(pid, fds) and limits(admin)["nclients"] == 1
        with crowd(None, "unix", UNIX, str(sock)) as first:
            ready(first, UNIX)
            again = private(pid)
        assert gone(pid, fds)
        print(f"{memory:.1f} MiB before, {again:.1f} with {UNIX} once more, {private(pid):.1f} after")
        assert private(pid) < memory + 1.2 * cost * 5000 / 1024, "what is free again is used again"
        assert "Traceback" not in (root / "daemon.log").read_text()
