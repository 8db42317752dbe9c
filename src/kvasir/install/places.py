"""Driver, bus and target name of disks: what the original fills in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import tree
from .grammar import OptionError

if TYPE_CHECKING:
    from .guest import Guest

PREFIXES = {"virtio": ("vd", 1024), "xen": ("xvd", 1024), "fdc": ("fd", 2), "ide": ("hd", 4)}


def letters(number: int) -> str:
    """0 -> a, 25 -> z, 26 -> aa."""
    out = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        out = chr(97 + rest) + out
    return out


ORDER = ("driver", "auth", "source", "target")


def place(disks: list[tree.Node], guest: Guest) -> None:
    """Give each disk driver, bus and target as the original would. Raises OptionError when a bus is full."""
    for node in disks:
        _driver(node)
        node[:] = sorted(node, key=lambda kid: ORDER.index(kid.tag) if kid.tag in ORDER else len(ORDER))
        if tree.get(node, "target/@bus") is None:
            tree.put(node, "target/@bus", _bus(node, guest))
        if node.get("device") == "cdrom" and node.find("readonly") is None:
            tree.find(node, "readonly", make=True)
        if tree.get(node, "target/@dev") is None:
            tree.put(node, "target/@dev", free_target(node, guest.devices("disk")))


def free_target(node: tree.Node, disks: list[tree.Node]) -> str:
    """The first name of the bus that no disk has."""
    used = {t for d in disks if (t := tree.get(d, "target/@dev"))}
    bus = tree.get(node, "target/@bus") or ""
    prefix, most = PREFIXES.get("fdc" if node.get("device") == "floppy" else bus, ("sd", 1024))
    for i in range(most):
        name = prefix + letters(i)
        if name not in used:
            return name
    raise OptionError(f"Only {most} disks for bus '{bus}' are supported")


SOURCES = {"file", "dev", "dir", "name", "protocol", "volume", "pool"}


def _driver(node: tree.Node) -> None:
    kind = node.attrib.pop("_format", None)
    fresh = node.attrib.pop("_sparse_new", None)
    disk = (node.get("device") or "disk") == "disk"
    node.set("device", node.get("device") or "disk")
    source = node.find("source")
    node.set("type", node.get("type") or "file")
    if source is not None and set(source.attrib) & SOURCES:
        if tree.get(node, "driver/@name") is None:
            tree.put(node, "driver/@name", "qemu")
        if tree.get(node, "driver/@type") is None and tree.get(node, "driver/@name") == "qemu":
            kind = "raw" if node.get("type") == "block" else kind
            tree.put(
                node,
                "driver/@type",
                {"iso": "raw", "dir": "raw", "unknown": "raw", "none": "raw"}.get(kind or "", kind),
            )
    if disk and node.get("type") == "block":
        for name, word in (("cache", "none"), ("io", "native")):
            if tree.get(node, f"driver/@{name}") is None:
                tree.put(node, f"driver/@{name}", word)
    if disk and (fresh or node.get("type") == "block") and tree.get(node, "driver/@discard") is None:
        tree.put(node, "driver/@discard", "unmap")


def _bus(node: tree.Node, guest: Guest) -> str:
    device = node.get("device")
    if device == "floppy":
        return "fdc"
    if (device == "disk" and guest.drives("virtio-disk")) or guest.microvm:
        return "virtio"
    if device == "cdrom" and not guest.x86 and guest.drives("virtio-scsi"):
        return "scsi"
    if guest.arch in ("armv7l", "aarch64"):
        return "sd"
    return "sata" if guest.q35 else "ide"
