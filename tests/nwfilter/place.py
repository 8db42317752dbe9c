"""Our daemon in a network namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.wire.harness import PROJECT


class Place:
    """Our daemon in a network namespace of its own; ``run`` is virsh, ``inside`` a command beside the daemon."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, f"kvf{os.getpid()}"
        self.socket = folder / "root/run/libvirt/libvirt-sock"
        self.uri = f"qemu+unix:///system?socket={self.socket}"
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "kvasir.daemon", "--root", str(self.folder / "root"), "-v"]
        with open(self.folder / "log", "ab") as log:
            self.child = subprocess.Popen(["ip", "netns", "exec", self.name, *command], stdout=log, stderr=log)
        end = time.monotonic() + 60
        while not self.socket.exists() or self.run("uri").returncode:
            assert self.child.poll() is None and time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.1)

    def kill(self) -> None:
        assert self.child is not None
        self.child.kill()
        self.child.wait()

    def run(self, *commands: str) -> subprocess.CompletedProcess[str]:
        """Commands of our virsh, quietly."""
        virsh = [sys.executable, "-IS", str(PROJECT / "bin/virsh"), "-q", "-c", self.uri, "; ".join(commands)]
        return subprocess.run(virsh, capture_output=True, text=True, check=False, timeout=120)

    def say(self, command: str) -> str:
        done = self.run(command)
        return done.stdout + done.stderr

    def inside(self, *words: str, text: str | None = None) -> str:
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, *words], input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def log(self) -> str:
        return (self.folder / "log").read_text()
