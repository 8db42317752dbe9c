"""Events of block jobs and snapshots: both kinds, in the real daemon's order and words."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon, short_folder
from tests.virsh.diskcells import Play
from tests.waiting import listening, until

pytestmark = pytest.mark.timeout(300)
STEPS = """
blockcommit g vda --top vda[4] --base vda[5] --wait
blockpull g vda --wait
blockcopy g vda {folder}/copy --transient-job --wait
blockjob g vda --abort
blockcopy g vda {folder}/copy2 --transient-job --pivot
blockpull g vdb
snapshot-create-as g s1 --disk-only
blockcommit g vda --active --wait
blockjob g vda --pivot
snapshot-create-as g s2 --memspec {folder}/s2.mem
suspend g
snapshot-create-as g s3 --disk-only --halt
"""


def heard(daemon: DaemonHandle, folder: Path) -> list[str]:
    """The events while the steps run."""
    play = Play(daemon.virsh, folder)
    play.script("!images\nstart g")
    assert daemon.peers is not None
    libraries = ":".join(str(path.parent) for path in (daemon.peers.root / "usr/lib").glob("*/libvirt.so.0"))
    command = [str(daemon.peers.root / "usr/bin/virsh"), "-c", daemon.uri, "event", "g", "--all", "--loop"]
    env = {**os.environ, "LD_LIBRARY_PATH": libraries, "LC_ALL": "C"}
    out = folder / "events"
    with open(out, "wb") as stream:
        listener = subprocess.Popen(["stdbuf", "-oL", *command], env=env, stdout=stream, stderr=stream)
    listening(listener.pid)
    rows = play.script(STEPS)
    until(lambda: "Stopped Snapshot" in out.read_text())
    listener.terminate()
    listener.wait(10)
    assert all(code == 0 for line, code, _, _ in rows), rows
    lines = [line.strip() for line in out.read_text().splitlines() if line.startswith("event '")]
    return [re.sub(r"iteration: '\d+'", "iteration", line.replace(str(folder), "FOLDER")) for line in lines]


def test_the_same_events(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    with short_folder("kv-ev-") as folder:
        folder.chmod(0o777)
        theirs = heard(real_libvirtd, folder)
        real_libvirtd.virsh("destroy", "g")
        ours = heard(kvasird, folder)
        kvasird.virsh("destroy", "g")
    assert ours == theirs
    assert "event 'block-job-2' for domain 'g': Active Block Commit for vda ready" in ours
