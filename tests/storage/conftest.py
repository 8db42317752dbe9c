"""Our daemon in a mount namespace of its own, and loop devices."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, KvasirDaemon, short_folder

from .targets import target  # noqa: F401  (a fixture)


class Lone(KvasirDaemon):
    """Ours in a mount namespace of its own."""

    extra: dict[str, str] = {}
    first = ":"
    """What the shell does in the namespace before the daemon starts."""

    def start(self, *options: str) -> None:
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), **self.extra}
        command = [sys.executable, "-m", "kvasir.daemon", "--root", str(self.folder), *options]
        with open(self.folder / "kvasird.log", "ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "-m", "sh", "-ec", f'{self.first}; exec "$@"', "sh", *command],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 60
        while not self._serves():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < end, self.log()
            time.sleep(0.02)

    def ok(self, *words: str) -> str:
        done = self.our_virsh(*words)
        assert done.returncode == 0, (words, done.stderr, self.log())
        return done.stdout

    def fails(self, *words: str) -> str:
        done = self.our_virsh(*words)
        assert done.returncode == 1, (words, done.stdout)
        return done.stderr


@pytest.fixture(scope="module")
def daemon() -> Iterator[Lone]:
    with short_folder("kvp-") as folder:
        found = Lone(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, None)
        found.start()
        try:
            yield found
        finally:
            if found.process is not None and found.process.poll() is None:
                found.stop()
            found.end_guests()  # of a test that failed


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[str]:
    image = tmp_path / "disk.img"
    with open(image, "wb") as file:
        file.truncate(100 << 20)
    device = subprocess.run(
        ["losetup", "-fP", "--show", image], check=True, capture_output=True, text=True
    ).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "-d", device], check=False)
        os.chown(device, 0, 0)  # of a shared disk, the guests' user stays the owner
