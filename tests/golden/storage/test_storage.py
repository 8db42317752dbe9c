"""Our virsh on our daemon says to the storage corpus what the real virsh on the real libvirt 9.0 said (see ``record.py``).

Each case compares accepted and refused documents, dumpxml, vol-dumpxml, tables, messages, and the command lines of the
tools. The tools are stand-ins that answer from transcripts of our own writing, or run the real tool (loop devices,
mkfs, mount, parted, qemu-img): the case says which. LVM, iSCSI and ZFS are shown up to the kernel's door this way.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT, KvasirDaemon, Peers, _script, own_daemon

from . import lab

pytestmark = [
    pytest.mark.timeout(900),  # LUKS takes seconds of the processor: minutes on a busy machine
    pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts need root"),
    pytest.mark.skipif(not Path("/usr/bin/qemu-img").exists(), reason="qemu-img is not installed"),
]


class LabDaemon(KvasirDaemon):
    """Ours, in a mount namespace of its own, with the stand-ins first in its PATH."""

    def within(self, *command: str) -> list[str]:
        return ["unshare", "-m", *command]

    def start(self, *options: str) -> None:
        path = f"{lab.toolbox(self.folder / 'tools')}:{os.environ['PATH']}"
        self.extra = {"PATH": path, "KVASIR_LAB": str(self.folder / "lab")}
        (self.folder / "lab").mkdir(exist_ok=True)
        super().start(*options)


@pytest.fixture(scope="module")
def daemon() -> Iterator[LabDaemon]:
    available = _script("peers")[0]
    with own_daemon(LabDaemon, "kvlab-", Peers(available) if available else None) as found:
        yield found


def _on_tmpfs(folder: Path) -> bool:
    said = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], check=True, capture_output=True, text=True)
    return said.stdout.strip() == "tmpfs"


def _param(path: Path) -> Any:
    rows = lab.read(path).rows
    return pytest.param(path, id=path.stem, marks=[pytest.mark.guide(*rows)] if rows else [])


@pytest.mark.parametrize("path", [_param(path) for path in lab.cases()])
def test_as_the_real_one(daemon: LabDaemon, path: Path) -> None:
    def virsh(text: str) -> str:
        command = [sys.executable, "-m", "kvasir.cli.virsh.main", "-q", "-c", daemon.uri]
        env = {
            **os.environ,
            "LC_ALL": "C",
            "VISUAL": lab.EDITOR,
            "PYTHONPATH": str(PROJECT / "src"),
            "HOME": str(daemon.folder),
        }
        done = subprocess.run(
            command, input=text, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=850
        )
        return done.stdout

    def enter(command: list[str]) -> None:
        assert daemon.process is not None
        subprocess.run(["nsenter", "-t", str(daemon.process.pid), "-m", *command], check=True)

    case = lab.read(path)
    if case.disk and _on_tmpfs(daemon.folder):
        pytest.skip("/tmp is a tmpfs, whose files have other sizes and limits")
    recorded = (lab.HERE / "recorded" / f"{path.stem}.txt").read_text()
    mine = lab.play(case, daemon.folder / "lab", virsh, enter)
    assert mine.splitlines() == recorded.splitlines(), daemon.log()[-2000:]


def test_size_of_the_corpus() -> None:
    """At least 120 documents of pools and volumes."""
    documents = [text for path in lab.cases() for text in lab.read(path).files.values()]
    assert len([text for text in documents if re.search(r"<(pool|volume)\b", text)]) >= 120
