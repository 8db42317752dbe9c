"""What a run did and found, and the cases that are kept."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

CASES = Path(__file__).with_name("cases.txt")
"""Packets that once broke something: ``where hex # what``, one a line; the short run sends them all."""


class Found:
    """Counts, and each problem with the packet that made it."""

    def __init__(self) -> None:
        self.packets = self.answers = self.closed = 0
        self.procedures: Counter[str] = Counter()
        self.problems: dict[str, bytes] = {}
        self.slow: dict[str, float] = {}
        self.notes: list[str] = []
        """Whole tracebacks of the first few."""
        self.growth = 0.0
        """MiB of memory that came after the warm-up."""

    def problem(self, what: str, packet: bytes) -> None:
        self.problems.setdefault(what, packet)

    def took(self, name: str, seconds: float) -> None:
        self.slow[name] = max(seconds, self.slow.get(name, 0))

    def dump(self) -> dict[str, Any]:
        """For another process."""
        problems = {what: packet.hex() for what, packet in self.problems.items()}
        return {**vars(self), "problems": problems}

    @classmethod
    def load(cls, data: dict[str, Any]) -> Found:
        found = cls()
        vars(found).update(data)
        found.procedures = Counter(data["procedures"])
        found.problems = {what: bytes.fromhex(packet) for what, packet in data["problems"].items()}
        return found

    def report(self, title: str) -> str:
        lines = [
            f"{title}: {self.packets:,} packets, {self.answers:,} answers, {self.closed:,} connections closed, "
            f"{len(self.procedures)} procedures, memory +{self.growth:.1f} MiB"
        ]
        lines += [f"  slow: {name} {seconds:.2f} s" for name, seconds in sorted(self.slow.items())]
        lines += [f"  PROBLEM {what}\n    {packet.hex()[:400]}" for what, packet in self.problems.items()]
        return "\n".join([*lines, *self.notes])


class Listening(logging.Handler):
    """Collects what is logged with a traceback, or as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            trace = record.exc_info[2]
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
            text = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]} at {where}"
            self.heard.append(text)


def kept(where: str) -> list[bytes]:
    """The cases of one place."""
    found = []
    for line in CASES.read_text().splitlines() if CASES.exists() else []:
        words = line.split()
        if words and words[0] == where:
            found.append(bytes.fromhex(words[1]))
    return found


def resident(pid: int | str = "self") -> float:
    """Private memory of a process in MiB, as smaps has it."""
    total = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(("Private_Clean:", "Private_Dirty:")):
            total += int(line.split()[1])
    return total / 1024


def wait_of(pid: int | str = "self") -> float:
    """Seconds that a process waited for a processor: what the machine's load costs is not the daemon's."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
