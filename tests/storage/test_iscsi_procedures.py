"""The procedures of iSCSI pools (13.2.3.5) against a real target (tgt), with QEMU's and libiscsi's initiator in user space."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import short_folder

from .targets import IQN, TargetDaemon

pytestmark = pytest.mark.timeout(300)
SECRET = "11111111-2222-4333-8444-0000000000e2"
ISCSIADM = """#!/bin/sh
# stands for iscsiadm --mode discovery, which wants the kernel's initiator: asks the real target by libiscsi, prints as iscsiadm
while [ "$1" != --portal ]; do shift; done
iscsi-ls "iscsi://${2%%,*}" | sed -n 's/^Target:\\(\\S*\\) Portal:\\(\\S*\\)$/\\2 \\1/p'
"""


class Bench:
    """The daemon beside the target, an editor for pool-edit, the secret."""

    def __init__(self, daemon: TargetDaemon) -> None:
        self.daemon = daemon
        self.editor = daemon.folder / "editor"

    def ok(self, *words: str) -> str:
        done = self.daemon.our_virsh(*words)
        assert done.returncode == 0, (words, done.stderr, self.daemon.log())
        return done.stdout

    def fails(self, *words: str) -> str:
        done = self.daemon.our_virsh(*words)
        assert done.returncode == 1, (words, done.stdout)
        return done.stderr

    def edit(self, pool: str, old: str, new: str) -> None:
        self.editor.write_text(f'#!/bin/sh\nsed -i "s|{old}|{new}|" "$1"\n')
        self.editor.chmod(0o755)
        assert "edited" in self.ok("pool-edit", pool)

    def secret(self, value: str) -> None:
        document = self.daemon.folder / "secret.xml"
        document.write_text(
            f"<secret ephemeral='no' private='yes'><uuid>{SECRET}</uuid><usage type='iscsi'><target>chap</target></usage></secret>"
        )
        (self.daemon.folder / "value").write_text(value)
        self.ok("secret-define", str(document))
        self.ok("secret-set-value", SECRET, "--file", str(self.daemon.folder / "value"), "--plain")

    def units(self, pool: str) -> list[str]:
        return re.findall(r"unit:\S+", self.ok("vol-list", pool))


@pytest.fixture
def bench(target: TargetDaemon, monkeypatch: pytest.MonkeyPatch) -> Bench:
    found = Bench(target)
    monkeypatch.setenv("VISUAL", str(found.editor))
    return found


@pytest.mark.guide("proc-iscsi-secret-when", "proc-iscsi-secret-activate")
def test_the_login_counts_from_the_next_start(bench: Bench) -> None:
    """The pool without a login does not start; pool-edit adds it; what is changed while the pool runs counts at the next start."""
    bench.ok("pool-define-as", "p", "iscsi-direct", "--source-host", "127.0.0.1", "--source-dev", f"{IQN}:locked",
             "--source-initiator", f"{IQN}:me")  # fmt: skip
    assert "authentication" in bench.fails("pool-start", "p").lower()
    bench.secret("secretsecret12")
    bench.edit("p", "</source>", "<auth type='chap' username='me'><secret usage='chap'/></auth></source>")
    bench.ok("pool-start", "p")
    assert bench.units("p") == ["unit:0:0:1"]
    bench.edit("p", "username='me'", "username='nobody'")
    assert "username='me'" in bench.ok("pool-dumpxml", "p")
    assert "username='nobody'" in bench.ok("pool-dumpxml", "p", "--inactive")
    bench.ok("pool-refresh", "p")
    assert bench.units("p") == ["unit:0:0:1"]
    bench.ok("pool-destroy", "p")
    assert "authentication" in bench.fails("pool-start", "p").lower()
    bench.edit("p", "username='nobody'", "username='me'")
    bench.ok("pool-start", "p")
    assert "username='me'" in bench.ok("pool-dumpxml", "p")
    bench.ok("pool-destroy", "p")


@pytest.fixture
def discoverer() -> Iterator[TargetDaemon]:
    for tool in ("/usr/sbin/tgtd", "/usr/bin/iscsi-ls"):
        if not Path(tool).exists():
            pytest.skip(f"{tool} is not installed")
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    with short_folder("kvtgt-") as folder:
        daemon = TargetDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, None)
        (folder / "tools").mkdir()
        (folder / "tools/iscsiadm").write_text(ISCSIADM)
        (folder / "tools/iscsiadm").chmod(0o755)
        daemon.extra = {"PATH": f"{folder}/tools:{os.environ['PATH']}"}
        daemon.start()
        try:
            yield daemon
        finally:
            daemon.kill()


@pytest.mark.guide("proc-iscsi-discovery")
def test_discovery(discoverer: TargetDaemon) -> None:
    """What iscsiadm's discovery lists is what virsh finds. iscsiadm wants the kernel's initiator: see ISCSIADM."""
    assert discoverer.process is not None
    tool = ["iscsiadm", "--mode", "discovery", "--type", "sendtargets", "--portal", "127.0.0.1"]
    enter = ["nsenter", "-t", str(discoverer.process.pid), "-n", "env", f"PATH={discoverer.extra['PATH']}", *tool]
    listed = subprocess.run(enter, capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^127\.0\.0\.1:3260,1 (iqn\S+)$", listed, re.M)
    assert sorted(names) == [f"{IQN}:locked", f"{IQN}:pool"], listed
    done = discoverer.our_virsh("find-storage-pool-sources-as", "iscsi", "127.0.0.1")
    assert done.returncode == 0, done.stderr
    assert sorted(re.findall(r"<device path='([^']+)'/>", done.stdout)) == sorted(names)
    assert done.stdout.startswith("<sources>\n")
