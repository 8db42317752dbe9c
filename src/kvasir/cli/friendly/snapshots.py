"""``snapshot``: keep a guest's state under a name, list the names, go back, forget."""

from __future__ import annotations

from .base import STATES, connect, find, format_option, guest_option, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any


def snapshot_options(parser: argparse.ArgumentParser) -> None:
    guest_option(parser)
    parser.add_argument("snapshot", nargs="?", help="name of the new snapshot (by default the time)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="list the guest's snapshots")
    what.add_argument("--restore", metavar="SNAPSHOT", help="go back to it")
    what.add_argument("--delete", metavar="SNAPSHOT", help="forget it; the guest stays as it is")
    format_option(parser)
    parser.set_defaults(run=snapshot)


def rows(domain: Any) -> list[dict[str, Any]]:
    """Name, time, state, parent of each snapshot, oldest first."""
    import time
    import xml.etree.ElementTree as ET

    found = []
    for one in domain.listAllSnapshots(0):
        root = ET.fromstring(one.getXMLDesc(0))
        when = int(root.findtext("creationTime") or 0)
        found.append(
            {
                "name": one.name(), "created": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(when)),
                "state": root.findtext("state") or STATES[0], "parent": root.findtext("parent/name") or "",
                "current": bool(one.isCurrent(0)), "_when": when,
            }
        )  # fmt: skip
    found.sort(key=lambda row: (row["_when"], row["name"]))
    return [{k: v for k, v in row.items() if k != "_when"} for row in found]


def snapshot(options: argparse.Namespace) -> int:
    """Do what was asked; without a wish make a snapshot."""
    import xml.etree.ElementTree as ET

    domain = find(connect(options), options.name)
    if options.list:
        show(options, rows(domain), ("name", "created", "state", "parent"))
    elif options.restore:
        domain.revertToSnapshot(domain.snapshotLookupByName(options.restore, 0), 0)
    elif options.delete:
        domain.snapshotLookupByName(options.delete, 0).delete(0)
    else:
        wish = ET.Element("domainsnapshot")
        if options.snapshot:
            ET.SubElement(wish, "name").text = options.snapshot
        made = domain.snapshotCreateXML(ET.tostring(wish, encoding="unicode"), 0)
        print(f"{made.name()}. Back to it: kvasir snapshot {options.name} --restore {made.name()}")
    return 0
