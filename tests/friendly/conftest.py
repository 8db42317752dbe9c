"""A session of an ordinary user's own: a daemon as ``nobody``, a home, and ``kvasir`` in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT, Done, TinyGuest, all_ended, short_folder
from tests.waiting import until

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@dataclass
class Front:
    """``kvasir`` on one daemon, by one user."""

    uri: str
    folder: Path
    user: list[str] = field(default_factory=list)
    more: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, timeout: float = 200, program: str = "kvasir.cli.kvasir") -> Done:
        env = {**os.environ, "LC_ALL": "C", "PYTHONPATH": str(PROJECT / "src"), "HOME": str(self.folder)}
        env |= {"KVASIR_HOME": str(self.folder / "data"), "KVASIR_BOOT_DIR": str(self.folder / "boot"), **self.more}
        env.pop("SUDO_USER", None)
        command = [*self.user, sys.executable, "-m", program, "-c", self.uri, *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout)

    def say(self, *words: str) -> str:
        """What it printed; it must have gone well."""
        done = self.run(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def data(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json").stdout or "null")

    def refused(self, *words: str) -> str:
        """What it said when it could not; never a traceback."""
        done = self.run(*words)
        assert done.returncode in (1, 2) and "Traceback" not in done.stderr, (words, done.stdout, done.stderr)
        return done.stderr

    def virsh(self, *words: str) -> Done:
        return self.run(*words, program="kvasir.cli.virsh.main")

    def state(self, name: str) -> str:
        return next((str(row["state"]) for row in self.data("list") if row["name"] == name), "none")


@pytest.fixture
def session(tiny_guest: TinyGuest) -> Iterator[Front]:
    """An ordinary user's daemon under a root of its own; nothing of it may be left."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    with short_folder("kv-fr-") as folder:
        os.chown(folder, 65534, 65534)
        uri = f"qemu+unix:///session?socket={folder}/run/libvirt/libvirt-sock"
        front = Front(uri, folder, NOBODY, {"KVASIR_TINY": str(tiny_guest.folder)})
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "HOME": str(folder)}
        with open(folder / "log", "wb") as log:
            command = [*NOBODY, sys.executable, "-m", "kvasir.daemon", "--root", str(folder), "--session"]
            daemon = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until(lambda: daemon.poll() is not None or (folder / "run/libvirt/libvirt-sock").exists(), "daemon")
            assert daemon.poll() is None, (folder / "log").read_text()
            yield front
            for row in front.data("list"):
                front.run("stop", "--force", row["name"])
        finally:
            daemon.terminate()
            daemon.wait(60)
        all_ended(folder)
