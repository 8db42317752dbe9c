"""What is mounted, and mounting."""

from __future__ import annotations

import os
import re

from . import tools


def table() -> list[tuple[str, str]]:
    """(source, target) of every mount of this namespace."""
    found = []
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            source, target, *_ = line.split(" ")
            found.append((_plain(source), _plain(target)))
    return found


def _plain(word: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), word)


def source_of(target: str) -> str | None:
    """What is mounted last on a folder; None when nothing is."""
    wanted, found = os.path.realpath(target), None
    for source, place in table():
        if place == wanted:
            found = source
    return found


def mount(source: str, target: str, kind: str, options: list[str]) -> None:
    """Mount without devices, set-user-id and programs. Raises InternalError with mount's words."""
    words = ["-o", ",".join(["nodev", "nosuid", "noexec", *options])]
    if kind:
        words += ["-t", kind]
    tools.run("/bin/mount", *words, source, target)


def unmount(target: str) -> None:
    """Unmount. Raises InternalError with umount's words."""
    tools.run("/bin/umount", target)
