"""QEMU or the daemon is killed in the middle of backups, snapshots and reverts (external and internal): every byte is what it was
before or what it is after, the guest boots from it, and a backup that is said to be complete is.

``KVASIR_REVERT_KILLS`` sets the number of kills (30 take ten minutes and more).
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import PROJECT, KvasirDaemon, TinyGuest
from tests.integration.diskguest import DiskGuest, check, raw_of
from tests.waiting import until

KILLS = int(os.environ.get("KVASIR_REVERT_KILLS", "6" if os.environ.get("KVASIR_LONG") else "0"))
pytestmark = [
    pytest.mark.timeout(300 + 90 * KILLS),
    pytest.mark.skipif(not KILLS, reason="minutes: KVASIR_LONG=1, or KVASIR_REVERT_KILLS=100 for a long run"),
]
PUSH = "<domainbackup><disks><disk name='vda' type='file'><target file='{path}'/></disk></disks></domainbackup>"


class Kills:
    """The guest, what is done to it, and what must hold after each kill."""

    def __init__(self, guest: DiskGuest, seed: int) -> None:
        self.guest, self.random, self.number = guest, random.Random(seed), 0

    def top(self) -> Path:
        lines = self.guest.virsh("domblklist", "disks").stdout.splitlines()
        return Path(next(line.split()[1] for line in lines if line.split()[:1] == ["vda"]))

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """A command of virsh that is under way."""
        command = [sys.executable, "-m", "kvasir.cli.virsh.main", "-c", self.guest.daemon.uri, *words]
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
        self.said = " ".join(words)
        began = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.2 + self.random.random() * 1.3)
        return began

    def kill(self, command: subprocess.Popen[bytes], daemon: bool) -> None:
        """Kill one of both in the middle, and let the daemon sort it out."""
        guest = self.guest
        if daemon:
            guest.daemon.kill()
            command.wait()
            guest.daemon.start()
        else:
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((guest.daemon.folder / "run/libvirt/qemu/disks.pid").read_text()), signal.SIGKILL)
            command.wait()
        until(self.quiet, f"it does not come to rest: {self.said}")

    def quiet(self) -> bool:
        """No job, and a state that stays."""
        state = self.guest.virsh("domstate", "disks").stdout.strip()
        if state == "shut off":
            return True
        return state in ("running", "paused") and "None" in self.guest.virsh("domjobinfo", "disks", ok=False).stdout

    def lines(self) -> list[int]:
        """Rounds that the guest of now has said to be flushed; its file begins anew with each QEMU."""
        path = self.guest.folder / "flushed"
        text = path.read_bytes().decode(errors="replace") if path.exists() else ""
        return [int(line) for line in text.split("\n")[:-1] if line.strip().isdigit()]

    def go_on(self, last: int) -> None:
        """Boot from what is there and write on."""
        self.guest.before = last
        self.guest.boot()
        self.guest.write(last + 1)

    # -- what is done

    def backup(self, daemon: bool) -> None:
        guest, folder = self.guest, self.guest.folder
        target, path = folder / f"b{self.number}.qcow2", folder / "b.xml"
        path.write_text(PUSH.format(path=target))
        before = guest.flushed()
        command = self.begin("backup-begin", "disks", str(path))
        after = guest.flushed()
        self.kill(command, daemon)
        if guest.virsh("domstate", "disks").stdout.strip() == "running":
            said = guest.virsh("domjobinfo", "disks", "--completed", ok=False).stdout
            if "Completed" in said and "Backup" in said:
                check(raw_of(target), before, latest=after + 3)
            guest.more_rounds(2)
        else:
            last = max(before, *self.lines(), after)
            check(raw_of(self.top()), last)
            self.go_on(last)
        target.unlink(missing_ok=True)

    def revert(self, daemon: bool, *, internal: bool) -> None:
        guest, name = self.guest, f"s{self.number}"
        more = () if internal else ("--disk-only", "--diskspec", f"vda,file={guest.folder}/{name}.qcow2")
        before = guest.flushed()
        guest.virsh("snapshot-create-as", "disks", name, *more)
        after = guest.flushed() + 2
        guest.more_rounds(3)
        old = guest.flushed()
        self.kill(self.begin("snapshot-revert", "disks", name), daemon)
        if guest.virsh("domstate", "disks").stdout.strip() != "shut off":
            guest.virsh("destroy", "disks")
        said, data = self.lines(), raw_of(self.top())
        last = said[-1] if said and said[-1] >= old else None  # the guest of before, which wrote on
        if last is not None and self.holds(data, last):
            pass
        elif last is None and self.holds(data, old):
            last = old
        else:
            latest = max([after, *(line + 2 for line in said if line < old)])
            found = [number for number in range(latest, before - 1, -1) if self.holds(data, number)]
            why = f"{self.said} {self.top()} {before} {after} {old} {said[-3:]}"
            assert found, f"neither what was nor the snapshot: {why}"
            last = found[0]
            check(data, last, latest=max(latest, said[-1] + 2 if said and internal else 0))
        guest.virsh("snapshot-delete", "disks", name, *(() if internal else ("--metadata",)))
        self.go_on(last)
        if not internal and self.number % 4 == 3:
            guest.virsh("blockpull", "disks", "vda", "--wait")

    @staticmethod
    def holds(data: bytes, last: int) -> bool:
        try:
            check(data, last)
        except AssertionError:
            return False
        return True


def test_kills_in_backups_and_reverts(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    guest = DiskGuest(kvasird, tiny_guest)
    guest.start()
    guest.write()
    seed = int(os.environ.get("KVASIR_DISK_SEED", str(random.randrange(10**6))))
    print(f"KVASIR_DISK_SEED={seed}")
    kills = Kills(guest, seed)
    for number in range(KILLS):
        kills.number = number
        daemon, kind = number // 3 % 2 == 0, number % 3
        print(number, "daemon" if daemon else "QEMU", ("backup", "external", "internal")[kind], kills.top(), flush=True)
        if kind == 0:
            kills.backup(daemon)
        else:
            kills.revert(daemon, internal=kind == 2)
    last = guest.flushed()
    top = kills.top()
    guest.virsh("destroy", "disks")
    check(raw_of(top), last)
