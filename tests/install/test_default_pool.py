"""Where images lie (guide 3.3.2): in the pool ``default``, /var/lib/libvirt/images, here on a /var/lib of the daemon's own; and elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, Done, KvasirDaemon, own_daemon

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the system's daemon and a mount namespace need root")
OWN = 'mount -t tmpfs tmpfs /var/lib && mkdir -p /var/lib/libvirt && exec "$@"'
NEW = "--memory 32 --virt-type qemu --osinfo generic --network none --graphics none --noautoconsole --import"


class Apart(KvasirDaemon):
    """Our daemon with a /var/lib of its own, which goes with it."""

    def within(self, *command: str) -> list[str]:
        return ["unshare", "-m", "sh", "-c", OWN, "own", *command]

    def inside(self, *words: str) -> Done:
        """Run a program that sees the daemon's /var/lib."""
        assert self.process is not None
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
        enter = ["nsenter", "-m", "-t", str(self.process.pid), "--", *words]
        return subprocess.run(enter, env=env, capture_output=True, text=True, check=False, timeout=120)

    def install(self, *words: str) -> Done:
        return self.inside(sys.executable, "-m", "kvasir.cli.virt_install", "--connect", self.uri, *NEW.split(), *words)


@pytest.fixture
def apart() -> Iterator[Apart]:
    with own_daemon(Apart, "kv-pool-") as daemon:
        yield daemon


@pytest.mark.guide("path-default-images")
def test_images_in_the_default_pool_and_elsewhere(apart: Apart) -> None:
    """No SELinux here: a file that QEMU's user may not open stands for one with a label that it may not; the error names path and reason."""
    assert apart.our_virsh("pool-list", "--all", "--name").stdout.strip() == ""
    done = apart.install("--name", "one", "--disk", "size=0.01,format=raw")
    assert done.returncode == 0, done.stderr
    assert "<path>/var/lib/libvirt/images</path>" in apart.our_virsh("pool-dumpxml", "default").stdout
    path = apart.our_virsh("domblklist", "one", "--details").stdout.split()[-1]
    assert path.startswith("/var/lib/libvirt/images/one"), path
    assert apart.inside("stat", "-c", "%s", path).stdout.strip() == "10737418"
    elsewhere = apart.folder / "elsewhere"
    elsewhere.mkdir()
    done = apart.install("--name", "two", "--disk", f"{elsewhere}/two.img,size=0.01,format=raw")
    assert done.returncode == 0, done.stderr
    for name in ("one", "two"):
        assert apart.our_virsh("domstate", name).stdout.strip() == "running"
        assert apart.our_virsh("destroy", name).returncode == 0
    assert apart.stop() == 0
    (apart.folder / "etc/libvirt/qemu.conf").write_text('dynamic_ownership = 0\nuser = "nobody"\n')
    Path(elsewhere, "two.img").chmod(0o600)
    apart.start()
    done = apart.our_virsh("start", "two")
    assert done.returncode == 1 and f"{elsewhere}/two.img" in done.stderr and "Permission denied" in done.stderr, (
        done.stderr
    )
