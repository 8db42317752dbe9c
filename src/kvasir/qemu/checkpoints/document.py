"""A checkpoint's document: read from users and from libvirt's metadata files, written in libvirt's form."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from kvasir.errors import Origin, SchemaError, XmlError
from kvasir.qemu.snapshots.document import _line, _text
from kvasir.xml import Element, Form, attr
from kvasir.xml.reader import read
from kvasir.xml.types import ENUM, ULLONG

KNOWN = ("name", "description", "parent", "creationTime", "disks", "domain")
"""The parts of a checkpoint's document."""


class CheckpointDisk(Element, tag="disk"):
    """Whether a disk's changes are recorded, and in which bitmap."""

    name: str | None = attr("@name")
    checkpoint: str | None = attr("@checkpoint", ENUM("no", "bitmap"))
    bitmap: str | None = attr("@bitmap")
    size: int | None = attr("@size", ULLONG)

    def parsed(self, node: Any) -> None:
        self.size = None
        if self.name is None:
            raise fail("missing name from disk checkpoint element")
        if self.checkpoint is None:
            self.checkpoint = "bitmap"
        if self.bitmap is not None and self.checkpoint != "bitmap":
            raise fail(f"disk checkpoint bitmap '{self.bitmap}' requires type='bitmap'")


@dataclass
class Checkpoint:
    """One checkpoint; ``created`` in seconds since 1970."""

    name: str
    description: str | None = None
    parent: str | None = None
    created: int = 0
    disks: list[CheckpointDisk] = field(default_factory=list)
    domain: Any = None
    current: bool = False

    def xml(
        self, *, secure: bool = False, stored: bool = False, domain: bool = True, sizes: dict[str, int] | None = None
    ) -> str:
        """As libvirt writes it; ``sizes`` are bytes that changed, by disk."""
        out = ["<domaincheckpoint>\n", _line("name", self.name)]
        if self.description is not None:
            out.append(_line("description", self.description))
        if self.parent:
            out.append(f"  <parent>\n    <name>{_text(self.parent)}</name>\n  </parent>\n")
        if self.created:
            out.append(f"  <creationTime>{self.created}</creationTime>\n")
        if self.disks:
            out.append("  <disks>\n")
            for disk in self.disks:
                shown = disk.copy()
                shown.size = (sizes or {}).get(str(disk.name))
                out.append(shown.xml(Form(), "    "))
            out.append("  </disks>\n")
        if self.domain is not None and domain:
            out.append(self.domain.xml(Form(secure=secure or stored), "  "))
        out.append("</domaincheckpoint>\n")
        return "".join(out)


def fail(text: str) -> XmlError:
    """A document that cannot be."""
    return XmlError(text, origin=Origin.DOMAIN_CHECKPOINT)


def check(root: Any) -> None:
    """libvirt holds every checkpoint against its schema. Raises SchemaError in its words."""
    for name in root.attrib:
        raise _unfit(f"Invalid attribute {name} for element domaincheckpoint")
    for node in root:
        if node.tag not in KNOWN:
            raise _unfit(f"Element domaincheckpoint has extra content: {node.tag}")
        name = node.text or ""
        bad = node.tag == "name" and (not name or "/" in name or name[0] == ".")
        if bad or (node.tag == "disks" and not all(map(_fits, node))):
            text = f"Extra element {node.tag} in interleave\nElement domaincheckpoint failed to validate content"
            raise _unfit(text)


def _fits(disk: Any) -> bool:
    kind = disk.get("checkpoint", "bitmap")
    known = disk.tag == "disk" and not len(disk) and set(disk.attrib) <= {"name", "checkpoint", "bitmap", "size"}
    return known and bool(disk.get("name")) and kind in ("no", "bitmap")


def _unfit(text: str) -> SchemaError:
    where = "Unable to validate doc against /usr/share/libvirt/schemas/domaincheckpoint.rng"
    return SchemaError(f"{where}\n{text}\n", origin=Origin.XML)


def parse(document: str, *, redefine: bool = False) -> Checkpoint:
    """Read a document; ``redefine`` (and files) need all of it. Raises XmlError."""
    from kvasir.model.domain import Domain

    root = read(document, "(domain_checkpoint)")
    if root.tag != "domaincheckpoint":
        raise XmlError(f"expecting root element of 'domaincheckpoint', not '{root.tag}'", origin=Origin.XML)
    check(root)
    name = root.findtext("name")
    if not name and redefine:
        raise fail("a redefined checkpoint must have a name")
    found = Checkpoint(name or str(int(time.time())), root.findtext("description"), created=int(time.time()))
    if redefine:
        try:
            found.created = int(root.findtext("creationTime") or "")
        except ValueError:
            raise fail("missing creationTime from existing checkpoint") from None
        found.parent = root.findtext("parent/name") or None
        node = root.find("domain")
        if node is not None:  # old ones have none
            found.domain = Domain.parse(node)
            found.domain.id = None
    found.disks = [CheckpointDisk.parse(disk) for disk in root.iterfind("disks/disk")]
    return found
