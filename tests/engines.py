"""Real servers and lock managers from Debian packages beside the peers: unpacked, run in namespaces, gone with them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, Done, Peers, short_folder


def with_packages(name: str, *packages: str) -> Path:
    """The peers and these packages with what they need, in one tree; a named skip where they cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("the peers' namespaces need root")
    folder = PROJECT / ".cache/peers-of" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [str(PROJECT / "scripts/peers"), str(folder), "--with", *packages], capture_output=True, text=True
        )
    if done.returncode:
        pytest.skip(f"the packages {', '.join(packages)} cannot be had: {done.stderr.strip()[-300:]}")
    return folder


class Room:
    """Namespaces (files, processes, network) with the real libvirtd, servers, and a kvasird, which see each other only."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root = folder, root
        self.env = {**os.environ, "KVASIR_PEERS": str(root), "LC_ALL": "C"}
        self.real = DaemonHandle(f"qemu+unix:///system?socket={folder}/libvirt-sock", folder, Peers(root))
        base = folder / "ours"
        self.ours = DaemonHandle(f"qemu+unix:///system?socket={base}/run/libvirt/libvirt-sock", base, Peers(root))
        self.started: list[subprocess.Popen[bytes]] = []

    def peer(self, *words: str) -> list[str]:
        return [str(PROJECT / "scripts/peer"), *words]

    def inside(self, *command: str) -> list[str]:
        return self.peer("exec", "--dir", str(self.folder), "--", *command)

    def run(self, *command: str, timeout: float = 120, ok: bool = True) -> Done:
        """A program to its end."""
        done = subprocess.run(self.inside(*command), env=self.env, capture_output=True, text=True, timeout=timeout)
        assert not ok or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def begin(self, *command: str, **more: str) -> subprocess.Popen[bytes]:
        """A program that runs beside, its words in ``log``."""
        log = open(self.folder / "log", "ab")  # noqa: SIM115  (the child's)
        process = subprocess.Popen(
            self.inside(*command), env={**self.env, **more}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        log.close()
        self.started.append(process)
        return process

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-6000:]

    def start_ours(self, **more: str) -> None:
        """kvasird, under ``ours``."""
        self.ours.folder.mkdir(exist_ok=True)
        self.ours.folder.chmod(0o755)
        command = (sys.executable, "-m", "kvasir.daemon", "--root", str(self.ours.folder))
        self.ours.process = self.begin(*command, PYTHONPATH=str(PROJECT / "src"), **more)
        self.wait(lambda: self.ours.virsh("uri").returncode == 0, "kvasird does not serve")

    def kill_ours(self) -> None:
        """``kill -9``."""
        self.run("pkill", "-9", "-f", f"kvasir.daemon --root {self.ours.folder}")

    def restart_real(self) -> None:
        subprocess.run(self.peer("restart", "--dir", str(self.folder)), env=self.env, check=True, capture_output=True)

    def wait(self, what: object, why: str, seconds: float = 60) -> None:
        """Until it is so."""
        end = time.monotonic() + seconds
        while not what():  # type: ignore[operator]  # a callable
            assert time.monotonic() < end, f"{why}: {self.log()}"
            time.sleep(0.1)


@contextlib.contextmanager
def room(root: Path) -> Iterator[Room]:
    """A room; all that runs in it ends with it."""
    with short_folder("kv-room-") as folder:
        made = Room(folder, root)
        started = subprocess.run(
            made.peer("libvirtd", "--dir", str(folder), "--background"), env=made.env, capture_output=True, text=True
        )
        assert started.returncode == 0, started.stderr
        try:
            yield made
        finally:
            subprocess.run(made.peer("stop", "--dir", str(folder)), env=made.env, check=False)
            for process in made.started:
                process.wait(timeout=30)
