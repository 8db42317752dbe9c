"""Our answers for the documents in ``net/`` in the form of the recorded sections of ``record_networks.py``."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent / "net"


@cache
def sections(name: str) -> dict[str, str]:
    """What the real daemon said: section -> text."""
    found: dict[str, str] = {}
    word = ""
    for line in (HERE / f"{name}.real").read_text().splitlines(keepends=True):
        if line.startswith("== "):
            word = line[3:].strip()
            found[word] = ""
        else:
            found[word] += line
    return found


def names() -> list[str]:
    """Every recorded document."""
    return sorted(path.stem for path in HERE.glob("*.real"))


def plain(text: str, document: str) -> str:
    """Without what is made up anew each time: UUID and MAC where the document gives none."""
    if "<uuid>" not in document:
        text = re.sub(r"<uuid>[0-9a-f-]{36}</uuid>", "<uuid>U</uuid>", text)
    if "<mac address" not in document:
        text = re.sub(r"<mac address='[0-9a-f:]{17}'/>", "<mac address='M'/>", text)
    return text
