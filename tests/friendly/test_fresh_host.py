"""``kvasird`` as the system's daemon on a host where nothing of libvirt was ever there: /etc and /var under overlays, /run empty."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, short_folder

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mount namespaces need root")
ENTER = """
set -e
mount --make-rprivate /
for d in etc var; do mount -t overlay overlay -o lowerdir=/$d,upperdir=$1/$d,workdir=$1/$d.work /$d; done
mount -t tmpfs tmpfs /run
exec "$2" -m kvasir.daemon
"""


class Host:
    """The daemon, and commands beside it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        enter = ["nsenter", "-t", str(self.process.pid), "-m", "-n", sys.executable, "-m", *words]
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "LC_ALL": "C"}
        env["PATH"] = f"{PROJECT}/.venv/bin:{env['PATH']}"
        return subprocess.run(enter, capture_output=True, text=True, env=env, timeout=120)

    def virsh(self, *words: str) -> str:
        return self.run("kvasir.cli.virsh.main", "-c", "qemu:///system", *words).stdout


@pytest.fixture
def host() -> Iterator[Host]:
    with short_folder("kvfresh-") as folder:
        for name in ("etc", "etc.work", "var", "var.work"):
            (folder / name).mkdir()
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
        command = ["unshare", "-m", "-n", "sh", "-c", ENTER, "enter", str(folder), sys.executable]
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        found = Host(process)
        try:
            end = time.monotonic() + 60
            while not found.virsh("uri").strip():
                assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()
                time.sleep(0.1)
            yield found
        finally:
            found.virsh("net-destroy", "default")  # its dnsmasq outlives the daemon
            process.terminate()
            process.wait(30)


@pytest.mark.guide("pool-default")
def test_the_default_pool(host: Host) -> None:
    """``kvasir doctor --fix``, the first thing on a new host, makes the pool; it is active and starts by itself."""
    assert not Path("/var/lib/libvirt/images").exists() or host.virsh("pool-list", "--all", "--name").split() == []
    done = host.run("kvasir.cli.kvasir", "--connect", "qemu:///system", "doctor", "--fix")
    assert "pool-define-as default dir --target /var/lib/libvirt/images" in done.stderr, done.stderr
    assert host.virsh("pool-list", "--all").splitlines()[2].split() == ["default", "active", "yes"]
    shown = host.virsh("pool-dumpxml", "default")
    assert shown.startswith("<pool type='dir'>")
    assert "<path>/var/lib/libvirt/images</path>" in shown
    again = host.run("kvasir.cli.kvasir", "--connect", "qemu:///system", "doctor", "--all")
    assert "PASS  pool default" in again.stdout
