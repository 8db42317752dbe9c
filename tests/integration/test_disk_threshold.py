"""The write threshold: a guest writes past it, and the event comes once, in the real daemon's words."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon, TinyGuest
from tests.integration.diskguest import DiskGuest
from tests.waiting import listening, until

pytestmark = pytest.mark.timeout(400)
WRITE = "dd if=/dev/urandom of=/dev/vda bs=64k seek={at} count={count} conv=notrunc,fsync 2>&1; echo done"


def listen(daemon: DaemonHandle, out: Path) -> subprocess.Popen[bytes]:
    """The real virsh, which prints the events."""
    assert daemon.peers is not None
    libraries = ":".join(str(path.parent) for path in (daemon.peers.root / "usr/lib").glob("*/libvirt.so.0"))
    command = [
        str(daemon.peers.root / "usr/bin/virsh"),
        "-c",
        daemon.uri,
        "event",
        "--event",
        "block-threshold",
        "--loop",
    ]
    env = {**os.environ, "LD_LIBRARY_PATH": libraries, "LC_ALL": "C"}
    with open(out, "wb") as stream:
        return subprocess.Popen(["stdbuf", "-oL", *command], env=env, stdout=stream, stderr=stream)


def heard(daemon: DaemonHandle, tiny: TinyGuest) -> list[str]:
    """Writes below the threshold, past it and once more; the events of each, numbers of what exceeded it aside."""
    guest = DiskGuest(daemon, tiny)  # type: ignore[arg-type]  # a real daemon does as well
    guest.start()
    out = guest.folder / "events"
    listener = listen(daemon, out)
    lines: list[str] = []
    try:
        assert "done" in guest.run(WRITE.format(at=0, count=4))
        guest.virsh("domblkthreshold", "disks", "vda", "4M")
        for words in (("vda[9]", "1M"), ("nosuch", "1M")):
            done = guest.virsh("domblkthreshold", "disks", *words, ok=False)
            lines.append(f"{done.returncode} {done.stderr}")
        listening(listener.pid)
        assert "done" in guest.run(WRITE.format(at=4, count=4))
        assert out.read_text().count("event 'block-threshold'") == 0, "nothing was written past it"
        assert "done" in guest.run(WRITE.format(at=8, count=128))
        until(lambda: out.read_text().count("event 'block-threshold'") >= 2, "no event")
        assert "done" in guest.run(WRITE.format(at=136, count=64))
        guest.virsh("domblkthreshold", "disks", "vda", "0")
    finally:
        listener.terminate()
        listener.wait(10)
        guest.virsh("destroy", "disks", ok=False)
        guest.virsh("undefine", "disks", ok=False)
    for line in out.read_text().replace(str(guest.folder), "FOLDER").splitlines():
        if "block-threshold" in line:
            excess = re.search(r"(\d+)\s*$", line)
            assert excess is None or int(excess[1]) > 0
            lines.append(re.sub(r"\d+\s*$", "N", line))
    return lines


def test_a_guest_writes_past_the_threshold(
    kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, tiny_guest: TinyGuest
) -> None:
    ours = heard(kvasird, tiny_guest)
    assert [line for line in ours if "event" in line] == [line for line in ours if "vda" in line and "event" in line]
    assert sum("event" in line for line in ours) == 2, f"once by the disk's name, once by the layer's: {ours}"
    assert ours == heard(real_libvirtd, tiny_guest)
