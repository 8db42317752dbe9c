"""A backup that runs, in the status document (an element of our own around libvirt's document)."""

from __future__ import annotations

from typing import Any


def render(guest: Any) -> str:
    """Nothing, or ``<kvasirBackup>``."""
    backup = guest.run.backup
    if backup is None:
        return ""
    inner = "".join(f"    {line}\n" for line in backup.xml().splitlines())
    return f"  <kvasirBackup>\n{inner}  </kvasirBackup>\n"


def parse(root: Any) -> Any:
    """The same from a ``<domstatus>``."""
    node = root.find("kvasirBackup/domainbackup")
    if node is None:
        return None
    from lxml import etree

    from .document import parse as read

    indexes = [disk.get("index") for disk in node.iterfind("disks/disk")]
    found = read(etree.tostring(node, encoding="unicode"))
    for entry, index in zip(found.entries, indexes, strict=True):
        entry.disk.index = int(index) if index else None
    return found
