"""Our daemon in a mount namespace of its own, and loop devices."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import KvasirDaemon, own_daemon

from .targets import target  # noqa: F401  (a fixture)


class Lone(KvasirDaemon):
    """Ours in a mount namespace of its own."""

    first = ":"
    """What the shell does in the namespace before the daemon starts."""

    def within(self, *command: str) -> list[str]:
        return ["unshare", "-m", "sh", "-ec", f'{self.first}; exec "$@"', "sh", *command]

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
    with own_daemon(Lone, "kvp-") as found:
        yield found


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
