"""Both daemons with control groups: each in a sub-tree of its own, made and removed by scripts/peer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, Peers, all_ended, short_folder

KEEP_RUNNING = 'while [ ! -e "$0/stop" ]; do "$@"; done'


@dataclass
class Room(DaemonHandle):
    """Our daemon in a sub-tree of the control groups; it starts again when it ends, until the test stops it."""

    def restart(self) -> None:
        """kill -9, and wait for the next."""
        pid = self.pid
        os.kill(pid, 9)
        self.wait(pid)

    @property
    def pid(self) -> int:
        return int((self.folder / "run/libvirtd.pid").read_text())

    def wait(self, former: int = 0) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if self.pid != former and self.virsh("uri").returncode == 0:
                    return
            except (OSError, ValueError):
                pass
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text())


def group_files(pid: int) -> dict[str, Path]:
    """The folder of each controller that a process is in, as the host shows it."""
    roots: dict[str, str] = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, target, kind, options, *_ = line.split()
        if kind == "cgroup" and target.startswith("/sys/"):
            roots.update(dict.fromkeys(options.split(","), target))
    found = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            if name in roots:
                found[name] = Path(roots[name] + path)
    return found


def needs_cgroups() -> None:
    if os.geteuid() != 0 or "cpuset" not in group_files(os.getpid()):
        pytest.skip("needs root and control groups of version 1")


@pytest.fixture(scope="module")
def room(peers: Peers) -> Iterator[Room]:
    """Our daemon, in a network namespace of its own."""
    needs_cgroups()
    with short_folder("kv-room-") as folder:
        at = folder / "sys/fs/cgroup"
        at.mkdir(parents=True)
        daemon = [sys.executable, "-m", "kvasir.daemon", "--root", str(folder)]
        alone = ["unshare", "--net", "sh", "-c", KEEP_RUNNING, str(folder)]
        command = [str(PROJECT / "scripts/peer"), "room", "--at", str(at), "--", *alone]
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen([*command, *daemon], env=env, stdout=log, stderr=log)
        uri = f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock"
        handle = Room(uri, folder, peers, process)
        try:
            handle.wait()
            yield handle
        finally:
            (folder / "stop").touch()
            process.terminate()
            process.wait(60)
        all_ended(folder)
        for tree in Path("/sys/fs/cgroup").glob("*"):
            assert not list(tree.rglob(f"kvasir-room-{process.pid}"))


@pytest.fixture(scope="module")
def real(peers: Peers) -> Iterator[DaemonHandle]:
    """The real daemon."""
    needs_cgroups()
    peer = str(PROJECT / "scripts/peer")
    env = {**os.environ, "KVASIR_PEERS": str(peers.root), "KVASIR_PEER_CGROUPS": "1"}
    with short_folder("kv-real-") as folder:
        command = [peer, "libvirtd", "--dir", str(folder), "--background"]
        started = subprocess.run(command, env=env, capture_output=True, text=True)
        assert started.returncode == 0, started.stderr
        try:
            yield DaemonHandle(started.stdout.strip(), folder, peers)
        finally:
            subprocess.run([peer, "stop", "--dir", str(folder)], env=env, check=True)
