"""What the disk tools share: ``-a`` and ``-d``, and how they end."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from kvasir.disk.appliance import Disk, DiskError
from kvasir.errors import Error

FORMATS = ("raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx", "qed")


def disk_options(parser: argparse.ArgumentParser) -> None:
    from kvasir import __version__

    parser.add_argument(
        "-a",
        "--add",
        action=Image,
        default=[],
        metavar="FILE|URI",
        help="A disk image of the guest; once for each disk",
    )
    parser.add_argument("-d", "--domain", metavar="GUEST", help="All disks of a guest of the daemon, by name or UUID")
    parser.add_argument("-c", "--connect", metavar="URI", help="The daemon for -d")
    parser.add_argument(
        "--format", default="auto", metavar="FORMAT", help="Format of the images of later -a: raw, qcow2, auto (auto)"
    )
    parser.add_argument("-V", "--version", action="version", version=f"%(prog)s {__version__}")


class Image(argparse.Action):
    """``-a`` takes the format that ``--format`` said before it."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), (values, namespace.format)])


def disks(options: argparse.Namespace) -> list[Disk]:
    """The disks that were named. Raises DiskError."""
    if bool(options.add) == bool(options.domain):
        raise DiskError("name the disks by -a FILE, or the guest by -d GUEST")
    if options.add:
        return [_image(path, kind) for path, kind in options.add]
    return guest_disks(options)


def _image(path: str, kind: str) -> Disk:
    if kind not in ("auto", *FORMATS):
        raise DiskError(f"--format: unknown format {kind!r}")
    if "://" in path:
        return Disk(path, "raw" if kind == "auto" else kind)
    if not os.path.exists(path):
        raise DiskError(f"{path}: no such file or directory")
    if kind == "auto":
        from kvasir.storage import probe

        try:
            fd = probe.open_volume(path)
        except OSError as error:
            raise DiskError(f"{path}: {error.strerror}") from None
        try:
            kind = probe.probe(fd).format or "raw"
        finally:
            os.close(fd)
    return Disk(os.path.abspath(path), kind)


def guest_disks(options: argparse.Namespace) -> list[Disk]:
    """The disks of a guest that is off."""
    import kvasir.client as client

    connection = client.open(options.connect)
    try:
        domain = connection.lookupByUUIDString(options.domain)
    except Error:
        domain = connection.lookupByName(options.domain)
    if domain.isActive():
        raise DiskError(
            f"{domain.name()} runs: its disks can be used when it is shut off\nhint: virsh shutdown {domain.name()}"
        )
    found = of_document(connection, domain.XMLDesc(0))
    if not found:
        raise DiskError(f"{domain.name()} has no disk")
    return found


def of_document(connection: Any, text: str) -> list[Disk]:
    """The writable disks of a document that are files, block devices or volumes of pools."""
    from xml.etree import ElementTree as ET

    from kvasir.cli.friendly.usage import path_of

    found = []
    for node in ET.fromstring(text).findall("devices/disk"):
        path = path_of(connection, node.find("source"))
        if path and node.get("device", "disk") in ("disk", "lun") and node.find("readonly") is None:
            driver = node.find("driver")
            found.append(Disk(path, (driver.get("type") if driver is not None else None) or "raw"))
    return found


def stop(text: str, name: str) -> NoReturn:
    print(f"{name}: error: {text}", file=sys.stderr)
    raise SystemExit(1)


def guarded(name: str, work: Callable[[], int]) -> int:
    """Run a tool and say in one line why it failed."""
    try:
        return work()
    except (DiskError, ValueError, OSError) as error:
        stop(str(error), name)
    except Error as error:
        stop(error.message + (f"\nhint: {error.hint}" if error.hint else ""), name)
    except KeyboardInterrupt:
        return 1
