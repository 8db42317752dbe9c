"""QEMU or the daemon is killed in the middle of block jobs and snapshots: the chain is whole, what the guest flushed is there.

``KVASIR_DISK_KILLS`` (12) sets the number of kills; 100 takes about ten minutes.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import PROJECT, KvasirDaemon, TinyGuest
from tests.integration.diskguest import DiskGuest, check, raw_of, tool
from tests.waiting import until

KILLS = int(os.environ.get("KVASIR_DISK_KILLS", "12"))
pytestmark = pytest.mark.timeout(300 + 20 * KILLS)


class Kills:
    """The guest, what is done to it, and what must hold after each kill."""

    def __init__(self, guest: DiskGuest, seed: int) -> None:
        self.guest, self.random = guest, random.Random(seed)
        self.number = 0
        self.history: list[str] = []

    def top(self) -> Path:
        lines = self.guest.virsh("domblklist", "disks").stdout.splitlines()
        return Path(next(line.split()[1] for line in lines if line.split()[:1] == ["vda"]))

    def depth(self) -> int:
        return len(json.loads(tool("qemu-img", "info", "-U", "--backing-chain", "--output=json", str(self.top()))))

    def operation(self) -> list[str]:
        """A command that takes a while."""
        self.number += 1
        deep, new = self.depth(), self.guest.folder / f"n{self.number}.qcow2"
        shrink = [
            ["blockcommit", "disks", "vda", "--active", "--shallow", "--pivot"],
            ["blockpull", "disks", "vda", "--wait"],
            ["blockcopy", "disks", "vda", str(new), "--format", "qcow2", "--transient-job", "--pivot"],
        ]
        grow = [
            ["snapshot-create-as", "disks", f"d{self.number}", "--disk-only", "--no-metadata", "--diskspec",
             f"vda,file={new}"],
            ["snapshot-create-as", "disks", f"m{self.number}", "--disk-only", "--diskspec", f"vda,file={new}"],
        ]  # fmt: skip
        if deep < 2:
            return self.random.choice(grow)
        return self.random.choice(shrink if deep > 4 else [*shrink, *grow])

    def begin(self) -> subprocess.Popen[bytes]:
        words = self.operation()
        command = [sys.executable, "-m", "kvasir.cli.virsh.main", "-c", self.guest.daemon.uri, *words]
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
        self.said = " ".join(words)
        self.history.append(self.said)
        began = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.15 + self.random.random() * 0.9)
        return began

    def kill_daemon(self) -> None:
        """The guest lives on; when the daemon is back, its document says what QEMU has."""
        command = self.begin()
        self.guest.daemon.kill()
        command.wait()
        self.guest.daemon.start()
        assert self.guest.virsh("domstate", "disks").stdout.strip() == "running", self.said
        until(self.quiet, f"a job of before does not end: {self.said}")
        answer = self.guest.virsh("qemu-monitor-command", "disks", '{"execute":"query-block"}').stdout
        inserted = json.loads(answer)["return"][0]["inserted"]
        shown = subprocess.run(
            ["qemu-img", "info", "-U", "--backing-chain", str(self.top())], capture_output=True, text=True
        )
        why = f"{self.said}\n{self.guest.virsh('dumpxml', 'disks').stdout}\n{shown.stdout}\n" + "\n".join(self.history)
        shown_file = inserted["file"]
        if shown_file.startswith(
            "json:"
        ):  # the layers below are not those that the image's head names: a pull that ended
            shown_file = json.loads(shown_file.removeprefix("json:"))["file"]["filename"]
        assert Path(shown_file) == self.top(), why
        inactive = self.guest.virsh("domblklist", "disks", "--inactive").stdout
        assert str(self.top()) in inactive, f"the next start would take another image: {self.said}"
        self.guest.more_rounds(2)

    def quiet(self) -> bool:
        """No job; a mirror that is ready is ended."""
        said = self.guest.virsh("blockjob", "disks", "vda", "--raw", ok=False).stdout
        if "type=" not in said:
            return True
        ready = "ready='yes'" in self.guest.virsh("dumpxml", "disks").stdout
        if ready:
            self.guest.virsh(
                "blockjob", "disks", "vda", "--pivot" if self.random.random() < 0.5 else "--abort", ok=False
            )
        return False

    def kill_qemu(self) -> None:
        """The image that the definition names holds all that was flushed; the guest boots from it again."""
        guest = self.guest
        pid = int((guest.daemon.folder / "run/libvirt/qemu/disks.pid").read_text())
        command = self.begin()
        last = guest.flushed()
        os.kill(pid, signal.SIGKILL)
        command.wait()
        until(lambda: guest.virsh("domstate", "disks").stdout.strip() == "shut off", "QEMU's end is not seen")
        last = max(last, guest.flushed())
        top = self.top()
        tool("qemu-img", "check", "-q", str(top)) if self.clean(top) else None
        check(raw_of(top), last)
        guest.before = last
        guest.boot()
        guest.write(last + 1)

    @staticmethod
    def clean(path: Path) -> bool:
        """Leaked clusters of a killed QEMU are no damage (exit code 3)."""
        done = subprocess.run(["qemu-img", "check", "-q", str(path)], capture_output=True)
        assert done.returncode in (0, 3), done.stderr
        return done.returncode == 0


def test_kills_in_the_middle(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    guest = DiskGuest(kvasird, tiny_guest)
    guest.start()
    guest.write()
    seed = int(os.environ.get("KVASIR_DISK_SEED", str(random.randrange(10**6))))
    print(f"KVASIR_DISK_SEED={seed}")
    kills = Kills(guest, seed)
    for number in range(KILLS):
        if number % 3 == 2:
            kills.kill_qemu()
            kills.history.append("  QEMU killed")
        else:
            kills.kill_daemon()
    last = guest.flushed()
    top = kills.top()
    guest.virsh("destroy", "disks")
    check(raw_of(top), last)
