"""``./bench``: the measurements and the table."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.daemons import PROJECT, Ours, Real, Subject

PARTS = [
    "oneshot",
    "memory",
    "define",
    "list",
    "dumpxml",
    "domstats",
    "restart",
    "start",
    "destroy",
    "networks",
    "filters",
    "storage",
    "transports",
    "install",
]


WORK_SEEN = 0.05
"""Seconds of CPU below which the kernel's count (in hundredths) is too coarse to compare."""


def peers() -> Path | None:
    done = subprocess.run([str(PROJECT / "scripts/peers")], capture_output=True, text=True)
    return Path(done.stdout.strip()) if done.returncode == 0 and os.geteuid() == 0 else None


def end_processes(folder: Path) -> None:
    """Kill guests that a failed part left running: they name their daemon's folder."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"{folder}/".encode() in entry.read_bytes() and int(entry.parent.name) != os.getpid():
                os.kill(int(entry.parent.name), signal.SIGKILL)


class Bench:
    """Runs the parts on each subject in turn and keeps what they took."""

    def __init__(self, subjects: list[Subject], guests: int, running: int, rounds: int, root: Path | None) -> None:
        self.subjects, self.guests, self.running, self.rounds, self.root = subjects, guests, running, rounds, root
        self.rows: list[tuple[str, str, list[float], list[float]]] = []

    def row(self, label: str, unit: str, measure: Callable[[Subject], list[float]], work: bool = False) -> None:
        """One line of the table: the same measurement on ours and, where it is there, on the real one. ``work``: what the
        daemons do meanwhile is what is measured and nothing else, so their CPU time can be compared."""
        found: list[list[float]] = [[], []]
        worked: list[float] = []
        for number, subject in enumerate(self.subjects):
            before = subject.cpu()
            try:
                found[number] = measure(subject)
            except (RuntimeError, ValueError) as error:
                print(f"  {label}: {error}", file=sys.stderr)
            worked.append(subject.cpu() - before if work else 0)
        self.add(label, unit, found[0], found[1], worked)

    def add(self, label: str, unit: str, ours: list[float], real: list[float], worked: Sequence[float] = ()) -> None:
        """``worked``: the CPU seconds of both daemons meanwhile; too little of it says nothing."""
        self.rows.append((label, unit, ours, real))
        mine = f"{statistics.median(ours):10.2f}" if ours else f"{'-':>10}"
        theirs = f"{statistics.median(real):10.2f}" if real else f"{'-':>10}"
        ratio = f"{statistics.median(ours) / statistics.median(real):6.2f}" if ours and real else f"{'-':>6}"
        work = f"{worked[0] / worked[1]:6.2f}" if len(worked) == 2 and min(worked) >= WORK_SEEN else ""
        print(f"{label:<44} {mine} {theirs} {unit:<4} {ratio} {work}".rstrip(), flush=True)

    def drive(self, label: str, phase: str, number: int, per: int = 1, work: bool = False) -> None:
        """A phase in ms; ``per`` divides by the number of guests that one repetition covers."""
        self.row(label, "ms", lambda subject: [1000 * value / per for value in subject.drive(phase, number)], work)

    # the parts, in order

    def memory(self, label: str) -> None:
        self.row(f"memory of the daemon, {label}", "MiB", lambda subject: [subject.memory()])

    def define(self) -> None:
        def measure(subject: Subject) -> list[float]:
            found = []
            for number in range(self.rounds):
                if number:
                    subject.drive("undefine", self.guests)
                found.append(1000 * subject.drive("define", self.guests)[0] / self.guests)
            return found

        self.row("define, each", "ms", measure, work=True)

    def list(self) -> None:
        self.drive(f"list of {self.guests}", "list", self.guests, work=True)

    def dumpxml(self) -> None:
        self.drive("dumpxml, each", "dumpxml", self.guests, self.guests, work=True)

    def domstats(self) -> None:
        self.drive(f"domstats of {self.guests}", "domstats", self.guests, work=True)

    def restart(self) -> None:
        self.row(
            f"ready after kill -9, with {self.guests}",
            "ms",
            lambda subject: [1000 * subject.ready_after_restart(self.guests) for _ in range(self.rounds)],
        )

    def start(self) -> None:
        self.drive("start to running, each", "start", self.running)
        self.drive(f"domstats, {self.running} of them running", "domstats", self.guests)

    def destroy(self) -> None:
        self.drive("destroy, each", "destroy", self.running)

    def networks(self) -> None:
        """50 networks with NAT and DHCP; both daemons have a network namespace of their own."""
        if os.geteuid() == 0:
            self.drive("network start, each of 50", "net-start", 50)
            self.drive("network stop, each of 50", "net-stop", 50)

    def filters(self) -> None:
        """One filter of six rules on 100 interfaces, and a change of it that 10 of them get (the real one takes seconds)."""
        if os.geteuid() == 0:
            self.drive("network filter, each of 100 interfaces", "filter-bind", 100)
            self.drive("change of a filter of 10 interfaces", "filter-change", 10)

    def storage(self) -> None:
        """Volumes of a directory pool; both daemons write to the same disk."""
        halves = (("vol-create", 5, ("volume create, 4 GiB raw", "volume create, 4 GiB qcow2")),
                  ("vol-dense", 3, ("upload of 256 MiB", "download of 256 MiB")),
                  ("vol-refresh", 10000, ("pool refresh, 10,000 volumes", "list of 10,000 volumes")))  # fmt: skip
        self.drive("upload, 4 GiB sparse, 64 MiB data", "vol-upload", 3)
        self.drive("download of it", "vol-download", 3)
        self.drive("clone of it", "vol-clone", 3)
        self.drive("wipe with zeroes, 256 MiB", "vol-wipe", 3)
        for phase, number, labels in halves:
            measured = [[1000 * value for value in subject.drive(phase, number)] for subject in self.subjects]
            for at, label in enumerate(labels):
                parts = [values[len(values) // 2 * at :][: len(values) // 2] for values in measured]
                self.add(label, "ms", parts[0], parts[1] if len(parts) > 1 else [])

    def transports(self) -> None:
        """A call, a connection, 20 clients over each way in, and large lists; on daemons of this part's own that listen."""
        if self.root is None:
            return
        from benchmarks import transports

        with transports.pair(self.subjects[0].folder.parent) as subjects:
            mine, self.subjects = self.subjects, subjects
            try:
                for way in transports.WAYS:
                    for phase, number, label in (("call", 10, "a call"), ("open", 40, "connect and leave"),
                                                 ("together", 20, "20 C clients at once, 100 calls each")):  # fmt: skip
                        self.row(
                            f"{label}, {way}",
                            "ms",
                            lambda one, w=way, p=phase, n=number: transports.drive(one, w, f"wire-{p}", n),
                            work=True,
                        )  # type: ignore[misc]
                self.drive("net-list of 500 inactive", "wire-networks", 500)
                self.drive("vol-list of 2,000", "wire-volumes", 2000)
            finally:
                self.subjects = mine

    def install(self) -> None:
        """virt-install and virt-clone, ours on ours and theirs on theirs."""
        from benchmarks import install

        for label, measure in install.ROWS:
            self.row(label, "ms", measure)

    def oneshot(self, label: str) -> None:
        """``virsh list --all`` from the shell, ours and the C tool on the same daemon."""
        if self.root is None:
            return
        libraries = ":".join(str(path.parent) for path in (self.root / "usr/lib").glob("*/libvirt.so.0"))
        launcher = PROJECT / ".venv/bin/virsh"
        ours = [str(launcher)] if launcher.exists() else [sys.executable, "-IS", "-m", "kvasir.cli.virsh.main"]
        for subject in self.subjects:
            times: list[list[float]] = [[], []]
            arguments = ["-c", subject.uri, "list", "--all"]
            for _ in range(15):
                for number, command in enumerate((ours, [str(self.root / "usr/bin/virsh")])):
                    env = {**os.environ, **({"LD_LIBRARY_PATH": libraries} if number else {})}
                    began = time.monotonic()
                    done = subprocess.run([*command, *arguments], env=env, capture_output=True)
                    if done.returncode == 0:
                        times[number].append(1000 * (time.monotonic() - began))
            self.add(f"our virsh : C virsh, list, {label}, on {subject.name}", "ms", times[0], times[1])

    def run(self, parts: list[str]) -> None:
        if "memory" in parts:
            self.memory("idle")
        if "oneshot" in parts:
            self.oneshot("no guests")
        if "define" not in parts:  # the others need guests all the same
            for subject in self.subjects:
                subject.drive("define", self.guests)
        for part in PARTS[2:]:
            if part in parts:
                getattr(self, part)()
            if part == "define" and "memory" in parts:
                self.memory(f"with {self.guests}")
            if part == "domstats" and "oneshot" in parts:
                self.oneshot(f"{self.guests} guests")
            if part == "start" and "start" not in parts and "destroy" in parts:
                for subject in self.subjects:
                    subject.drive("start", self.running)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "./bench",
        description="Ours beside the real libvirt; ratios below 1 are ours. CPU: the ratio of what the daemons themselves worked.",
    )
    parser.add_argument("-n", "--guests", type=int, default=1000, help="guests defined (1000)")
    parser.add_argument("-r", "--running", type=int, default=20, help="guests started (20)")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of define and restart (3)")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--json", type=Path, help="write the medians to this file as well")
    chosen = parser.parse_args()
    if unknown := set(chosen.parts.split(",")) - set(PARTS):
        parser.error(f"unknown parts: {', '.join(sorted(unknown))}")
    chosen.running = min(chosen.running, chosen.guests)
    return chosen


def main() -> int:
    chosen = options()
    root = peers()
    top = Path(tempfile.mkdtemp(prefix="kv-bench-", dir="/tmp"))
    top.chmod(0o755)
    subjects: list[Subject] = []
    try:
        subjects.append(Ours(top / "ours", root is not None))
        if root is not None:
            subjects.append(Real(top / "real", True))
        print(f"{'medians':<44} {'ours':>10} {'real':>10} {'':<4} {'ratio':>6} {'CPU':>6}")
        bench = Bench(subjects, chosen.guests, chosen.running, chosen.rounds, root)
        bench.run(chosen.parts.split(","))
        if chosen.json:
            medians = {
                label: {
                    "unit": unit,
                    "ours": ours and statistics.median(ours),
                    "real": real and statistics.median(real),
                }
                for label, unit, ours, real in bench.rows
            }
            chosen.json.write_text(json.dumps(medians, indent=1) + "\n")
    finally:
        for subject in subjects:
            subject.stop()
        end_processes(top / "ours")
        shutil.rmtree(top, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
