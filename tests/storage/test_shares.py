"""Shares of an NFS server, mounted while their pool runs.

This kernel has no NFS: mount(8) is the real one and ``mount.nfs``, which it calls, a stand-in that binds the "server's" folder (a
tmpfs of 4 MiB) and speaks as the real one when there is no such export. ``test_nfs_real.py`` has a real server.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import own_daemon

from .conftest import Lone

HELPER = "/sbin/mount.nfs"
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root"),
    pytest.mark.skipif(not os.path.exists(HELPER), reason="nfs-common is not installed"),
]
MOUNT = """#!/bin/sh
echo "$*" >> @/asked
[ "$1" = 127.0.0.1:/srv ] || { echo "mount.nfs: mounting $1 failed, reason given by server: No such file or directory" >&2; exit 32; }
exec mount --bind @/srv "$2"
"""


class Served(Lone):
    """Ours, and a server with one export, which has one file."""

    def start(self, *options: str) -> None:
        folder = self.folder
        (folder / "srv").mkdir(exist_ok=True)
        (folder / "mount.nfs").write_text(MOUNT.replace("@", str(folder)))
        (folder / "mount.nfs").chmod(0o755)
        self.first = f"mount -t tmpfs -o size=4m 127.0.0.1:/srv {folder}/srv; echo image > {folder}/srv/a; mount --bind {folder}/mount.nfs {HELPER}"
        super().start(*options)

    def mounted(self, target: str) -> list[str]:
        """Source and type of what the daemon sees there."""
        assert self.process is not None
        words = ["nsenter", "-t", str(self.process.pid), "-m", "findmnt", "-rno", "SOURCE,FSTYPE", target]
        return subprocess.run(words, capture_output=True, text=True).stdout.split()

    @property
    def export(self) -> Path:
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/root{self.folder}/srv")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with own_daemon(Served, "kvn-") as found:
        yield found


@pytest.fixture
def pool(served: Served) -> Iterator[str]:
    """A pool on the export, which does not run; the folder on which it is mounted."""
    target = f"{served.folder}/m"
    words = ("--source-host", "127.0.0.1", "--source-path", "/srv", "--source-format", "nfs", "--target", target)
    served.ok("pool-define-as", "n", "netfs", *words)
    served.ok("pool-build", "n")
    yield target
    served.our_virsh("pool-destroy", "n")
    served.ok("pool-undefine", "n")


@pytest.mark.guide("pool-nfs-mount-on-start")
def test_the_share_is_mounted_while_the_pool_runs(served: Served, pool: str) -> None:
    assert served.mounted(pool) == []
    served.ok("pool-start", "n")
    assert served.mounted(pool)[0] == "127.0.0.1:/srv"
    assert (served.folder / "asked").read_text().split()[:2] == ["127.0.0.1:/srv", pool]
    served.ok("pool-destroy", "n")
    assert served.mounted(pool) == []
    served.ok("pool-autostart", "n")
    served.stop()
    served.start()
    assert " a " in served.ok("vol-list", "n")
    assert served.mounted(pool)[0] == "127.0.0.1:/srv"


@pytest.mark.guide("pool-nfs-files-are-volumes")
def test_files_of_the_export_are_volumes(served: Served, pool: str) -> None:
    served.ok("pool-start", "n")
    assert " a " in served.ok("vol-list", "n")
    assert served.ok("vol-path", "a", "n").strip() == f"{pool}/a"
    served.ok("vol-create-as", "n", "b", "1M")
    assert (served.export / "b").stat().st_size == 1 << 20
    assert "No space left on device" in served.fails("vol-create-as", "n", "c", "8M")
    assert sorted(path.name for path in served.export.iterdir()) == ["a", "b"]
    assert " c " not in served.ok("vol-list", "n")
    (served.export / "late").write_text("of another client")
    served.ok("pool-refresh", "n")
    assert " late " in served.ok("vol-list", "n")
    for name in ("late", "b"):
        served.ok("vol-delete", name, "n")
    assert [path.name for path in served.export.iterdir()] == ["a"]


@pytest.mark.guide("pool-nfs-prerequisite")
def test_an_export_that_is_not_there(served: Served) -> None:
    target = f"{served.folder}/none"
    words = ("--source-host", "127.0.0.1", "--source-path", "/none", "--source-format", "nfs", "--target", target)
    served.ok("pool-define-as", "none", "netfs", *words)
    served.ok("pool-build", "none")
    said = served.fails("pool-start", "none")
    assert "mount.nfs: mounting 127.0.0.1:/none failed, reason given by server: No such file or directory" in said
    assert served.ok("pool-list", "--all").split("none")[1].split()[0] == "inactive"
    assert served.mounted(target) == []
    served.ok("pool-undefine", "none")
