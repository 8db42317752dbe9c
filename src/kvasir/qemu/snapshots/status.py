"""A snapshot that is being taken, in the status document (an element of our own, which libvirt passes over)."""

from __future__ import annotations

from typing import Any


def render(guest: Any) -> str:
    """Nothing, or ``<kvasirSnapshot>``."""
    from kvasir.qemu.statusdoc import _attr

    pending = guest.run.pending_snapshot
    if not pending:
        return ""
    rows = "".join(
        f"    <disk target='{_attr(target)}' type='{_attr(kind)}' path='{_attr(path)}' format='{_attr(format_)}'"
        f" index='{index}' made='{int(made)}'/>\n"
        for target, kind, path, format_, index, made in pending["disks"]
    )
    return f"  <kvasirSnapshot name='{_attr(pending['name'])}'>\n{rows}  </kvasirSnapshot>\n"


def parse(root: Any) -> dict[str, Any]:
    """The same from a ``<domstatus>``."""
    node = root.find("kvasirSnapshot")
    if node is None:
        return {}
    rows = [
        (
            disk.get("target"), disk.get("type"), disk.get("path"), disk.get("format"), int(disk.get("index")),
            disk.get("made") == "1",
        )
        for disk in node.iterfind("disk")
    ]  # fmt: skip
    return {"name": node.get("name") or "", "disks": rows}
