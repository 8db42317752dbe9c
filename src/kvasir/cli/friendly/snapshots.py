"""``snapshot``: keep a guest's state under a name, list the names, go back, forget."""

from __future__ import annotations

from .base import INACTIVE, STATES, connect, fail, find, format_option, guest_option, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any
    from xml.etree.ElementTree import Element

DISK_ONLY, ATOMIC = 16, 128
ACTIVE = 2


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

    domain = find(connect(options), options.name)
    if options.list:
        show(options, rows(domain), ("name", "created", "state", "parent"))
    elif options.restore:
        domain.revertToSnapshot(known(domain, options.restore), 0)
    elif options.delete:
        known(domain, options.delete).delete(0)
    else:
        make(domain, options.snapshot or "")
    return 0


def known(domain: Any, name: str) -> Any:
    """The snapshot of that name, with the list of names when there is none."""
    there = {one.name(): one for one in domain.listAllSnapshots(0)}
    if name not in there:
        fail(f"{domain.name()} has no snapshot {name!r}; there are: {', '.join(sorted(there)) or 'none'}")
    return there[name]


def make(domain: Any, name: str) -> None:
    """Inside the images where all disks are qcow2, else by a file beside each disk, which keeps no memory."""
    import time
    import xml.etree.ElementTree as ET

    root = ET.fromstring(domain.XMLDesc(0 if domain.isActive() else INACTIVE))
    kept = [disk for disk in root.findall("devices/disk") if writable(disk)]
    if not kept:
        fail(f"{domain.name()} has no disk that a snapshot could be kept in")
    outside = not all(inside(disk) for disk in kept)
    wish = ET.Element("domainsnapshot")
    if name or outside:
        ET.SubElement(wish, "name").text = name = name or str(int(time.time()))
    if outside:
        wish.append(overlays(domain, root, name))
    made = domain.snapshotCreateXML(ET.tostring(wish, encoding="unicode"), DISK_ONLY | ATOMIC if outside else 0)
    if outside:
        print("disks only" + (": what is in the guest's memory is not kept" if domain.isActive() else ""))
    print(f"{made.name()}. Back to it: kvasir snapshot {domain.name()} --restore {made.name()}")


def writable(disk: Element) -> bool:
    return disk.get("device", "disk") in ("disk", "lun") and disk.find("readonly") is None


def inside(disk: Element) -> bool:
    driver = disk.find("driver")
    return driver is not None and driver.get("type") == "qcow2" and disk.get("type") != "network"


def overlays(domain: Any, root: Element, name: str) -> Element:
    """For each disk the file that takes what is written from now on: beside its image, or in a pool where that is no file."""
    import os
    import xml.etree.ElementTree as ET

    found = ET.Element("disks")
    for disk in root.findall("devices/disk"):
        target = disk.find("target")
        dev = (target.get("dev") if target is not None else None) or ""
        one = ET.SubElement(found, "disk", {"name": dev, "snapshot": "external" if writable(disk) else "no"})
        if not writable(disk):
            continue
        source = disk.find("source")
        path = (source.get("file") if source is not None else None) or ""
        folder = os.path.dirname(path) if path else pool_folder(domain)
        ET.SubElement(one, "driver", {"type": "qcow2"})
        ET.SubElement(one, "source", {"file": os.path.join(folder, f"{domain.name()}-{dev}.{name}")})
    return found


def pool_folder(domain: Any) -> str:
    """Where files of disks that are none themselves go: the pool ``default``, else the first one of files that is active."""
    import xml.etree.ElementTree as ET

    pools = [pool for pool in domain.connect().listAllStoragePools(ACTIVE) if pool.name() != "kvasir-images"]
    for pool in sorted(pools, key=lambda pool: pool.name() != "default"):
        root = ET.fromstring(pool.XMLDesc(0))
        if root.get("type") in ("dir", "fs", "netfs"):
            return root.findtext("target/path") or ""
    fail("its disks are no files, and there is no storage pool for one", "virsh pool-create-as images dir --target DIR")
