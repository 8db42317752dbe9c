"""``delete``, ``undo``, ``trash``: a deleted guest's document and snapshots are kept, its disks stay where they are."""

from __future__ import annotations

import json
import os
import sys

from kvasir.errors import Error
from kvasir.host.files import write_file

from . import seed, usage
from .base import INACTIVE, SECURE, connect, fail, find, format_option, guest_option, home, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

SAVED, SNAPSHOTS, NVRAM, KEEP_NVRAM, CHECKPOINTS, TPM, KEEP_TPM = 1, 2, 4, 8, 16, 32, 64
REDEFINE, CURRENT = 1, 2


def folder() -> str:
    return os.path.join(home(), "trash")


def delete_options(parser: argparse.ArgumentParser) -> None:
    guest_option(parser)
    parser.add_argument(
        "--purge", "--disks", dest="purge", action="store_true", help="no trash: its disks are deleted at once"
    )
    parser.set_defaults(run=delete)


def delete(options: argparse.Namespace) -> int:
    """Put a guest into the trash. One that runs loses its power; a transient one cannot come back."""
    connection = connect(options)
    domain = find(connection, options.name)
    persistent = bool(domain.isPersistent())
    text = domain.XMLDesc(INACTIVE | SECURE if persistent else SECURE)
    uuid, images = domain.UUIDString(), usage.paths(connection, text)
    if persistent and not options.purge:
        keep(connection, domain, text)
    if domain.isActive():
        domain.destroy()
        print(f"{options.name} was running: its power was cut")
    if persistent:
        domain.undefineFlags(
            SAVED | SNAPSHOTS | CHECKPOINTS | (NVRAM | TPM if options.purge else KEEP_NVRAM | KEEP_TPM)
        )
    if options.purge:
        seed.remove(seed.of(text))
        remove_disks(connection, images, uuid)
    elif persistent:
        print(f"{options.name} is in the trash, its disks are where they were. Back: kvasir undo {options.name}")
    return 0


def keep(connection: Any, domain: Any, text: str) -> None:
    """Write down all that brings a guest back."""
    import time

    shots = [(one.getXMLDesc(SECURE), bool(one.isCurrent(0))) for one in domain.listAllSnapshots(0)]
    entry = {
        "name": domain.name(), "uuid": domain.UUIDString(), "uri": connection.getURI(), "deleted": time.time(), "domain": text,
        "autostart": bool(domain.autostart()), "snapshots": shots, "disks": usage.paths(connection, text),
    }  # fmt: skip
    os.makedirs(folder(), 0o700, exist_ok=True)
    path = os.path.join(folder(), f"{entry['uuid']}.json")
    write_file(path, json.dumps(entry))


def entries(uri: str) -> list[dict[str, Any]]:
    """What this daemon's guests left in the trash, the latest first."""
    found = []
    try:
        names = [name for name in os.listdir(folder()) if name.endswith(".json")]
    except OSError:
        return []
    for name in names:
        path = os.path.join(folder(), name)
        try:
            with open(path, encoding="utf-8") as file:
                entry = json.load(file)
            if entry["uri"] == uri:
                found.append(entry)
        except (OSError, ValueError, TypeError, KeyError):
            print(f"kvasir: {path} is no entry of the trash", file=sys.stderr)
    return sorted(found, key=lambda entry: float(entry["deleted"]), reverse=True)


def undo_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="GUEST", help="by default the one deleted last")
    parser.add_argument("--as", dest="new", metavar="NAME", help="under another name")
    parser.set_defaults(run=undo)


def undo(options: argparse.Namespace) -> int:
    """Bring a guest back from the trash, with its snapshots."""
    connection = connect(options)
    there = entries(connection.getURI())
    found = [entry for entry in there if options.name in (None, entry["name"], entry["uuid"])]
    if not found:
        names = ", ".join(sorted({entry["name"] for entry in there})) or "nothing"
        fail(
            f"no {options.name or 'guest'} in the trash; there is: {names}"
            if options.name or there
            else "the trash is empty"
        )
    entry = found[0]
    text = entry["domain"]
    if options.new:
        import xml.etree.ElementTree as ET

        root = ET.fromstring(text)
        node = root.find("name")
        assert node is not None
        node.text = options.new
        text = ET.tostring(root, encoding="unicode")
    name = options.new or entry["name"]
    from .launch import exists

    if exists(connection, name):
        fail(f"there is a guest {name!r}", f"kvasir undo {entry['name']} --as {name}-2")
    domain = connection.defineXML(text)
    try:
        restore_snapshots(domain, [] if options.new else entry["snapshots"])
        domain.setAutostart(bool(entry["autostart"]))
    except Error:
        domain.undefineFlags(SNAPSHOTS | KEEP_NVRAM | KEEP_TPM)
        raise
    os.unlink(os.path.join(folder(), f"{entry['uuid']}.json"))
    missing = [path for path in entry["disks"] if os.path.isabs(path) and not os.path.exists(path)]
    print(f"{name} is back. Start it: kvasir start {name}")
    for path in missing:
        print(f"warning: its disk {path} is gone")
    return 0


def restore_snapshots(domain: Any, shots: list[tuple[str, bool]]) -> None:
    """Tell the daemon of the snapshots that are in the disks, parents first."""
    import xml.etree.ElementTree as ET

    left = list(shots)
    known: set[str | None] = {None}
    while left:
        ready = [shot for shot in left if ET.fromstring(shot[0]).findtext("parent/name") in known]
        if not ready:
            return  # parents that nobody knows
        for text, current in ready:
            domain.snapshotCreateXML(text, REDEFINE | (CURRENT if current else 0))
            known.add(ET.fromstring(text).findtext("name"))
        left = [shot for shot in left if shot not in ready]


def remove_disks(connection: Any, paths: list[str], uuid: str) -> None:
    """Delete a guest's images by their pools. One that another guest needs stays, also as what its disk stands on."""
    from .resize import volume_at

    used = usage.users(connection, uuid)
    for path in paths:
        reason = usage.why(used, path)
        if reason:
            print(f"{path} stays: {reason}")
            continue
        volume = volume_at(connection, path)
        if volume is None:
            print(f"{path} stays: it is in no storage pool. To delete it: rm {path}")
            continue
        volume.delete(0)


def trash_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--empty", action="store_true", help="forget what lies there and delete its disks")
    format_option(parser)
    parser.set_defaults(run=trash)


def trash(options: argparse.Namespace) -> int:
    """List the trash, or empty it."""
    import time

    connection = connect(options)
    there = entries(connection.getURI())
    if not options.empty:
        rows = [
            {
                "name": e["name"], "deleted": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(e["deleted"])), "uuid": e["uuid"],
                "disks": e["disks"],
            }
            for e in there
        ]  # fmt: skip
        show(options, rows, ("name", "deleted", "uuid"))
        return 0
    for entry in there:
        seed.remove(seed.of(entry["domain"]))
        remove_disks(connection, [path for path in entry["disks"] if os.path.exists(path)], entry["uuid"])
        os.unlink(os.path.join(folder(), f"{entry['uuid']}.json"))
    return 0
