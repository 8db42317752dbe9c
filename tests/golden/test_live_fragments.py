"""Devices of the real daemon's live and status documents (recorded under ``live/``) come back the same bytes.

The guest has a block copy under way, a virtual network's port, a copy-on-read filter and a logged terminal: parts that no
inactive document has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from kvasir.devices.chardev import Channel, Console, Serial
from kvasir.devices.controller import Controller
from kvasir.devices.disk import Disk
from kvasir.devices.interface import Interface
from kvasir.xml import LIVE
from kvasir.xml.form import STATUS

HERE = Path(__file__).parent / "live"
CLASSES: dict[str, Any] = {c.TAG: c for c in (Disk, Interface, Serial, Console, Channel, Controller)}


def fragments(name: str) -> list[tuple[str, str]]:
    """(tag, text) of each device of ours, with the indentation of the document taken off."""
    lines = (HERE / name).read_text().split("\n")
    start = max(i for i, line in enumerate(lines) if line.strip() == "<devices>")
    pad = len(lines[start]) - len(lines[start].lstrip()) + 2
    found, held = [], []
    for line in lines[start + 1 :]:
        held.append(line[pad:] + "\n")
        if line.strip() == "</devices>":
            break
        if line[:pad].isspace() and line[pad] == "<" and (line.endswith("/>") or "</" in line):
            tag = held[0].lstrip("<").split(" ")[0]
            if tag in CLASSES:
                found.append((tag, "".join(held)))
            held = []
    return found


@pytest.mark.guide("domxml-disk-mirror")
def test_live_and_status_fragments() -> None:
    live, status = fragments("disks-nets.live.xml"), fragments("disks-nets.status.xml")
    assert len(live) == len(status) > 15
    assert any("<mirror" in text for _, text in live) and any("<actual" in text for _, text in status)
    for (tag, shown), (_, kept) in zip(live, status, strict=True):
        assert CLASSES[tag].parse(etree.fromstring(shown)).xml(LIVE) == shown
        device = CLASSES[tag].parse(etree.fromstring(kept))
        assert device.xml(STATUS) == kept
        assert device.xml(LIVE) == shown
