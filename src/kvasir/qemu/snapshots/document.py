"""A snapshot's document: read from users and from libvirt's metadata files, written in libvirt's form."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from kvasir.devices.disk_source import FORMATS, SOURCE_TYPES, SOURCES
from kvasir.errors import ConfigUnsupported, Origin, XmlError
from kvasir.qemu.states import STATE_WORDS, State
from kvasir.xml import Element, Form, attr, variant
from kvasir.xml.compiler import copy_node, write_node
from kvasir.xml.reader import read
from kvasir.xml.types import ENUM

LOCATIONS = ("no", "internal", "external", "manual")
DISK_SNAPSHOT = "disk-snapshot"
OFFLINE = ("shutoff", "crashed")


class SnapshotDisk(Element, tag="disk"):
    """What a snapshot holds of one disk: nothing, a state inside the image, or a new image above it."""

    name: str | None = attr("@name")
    snapshot: str | None = attr("@snapshot", ENUM(*LOCATIONS))
    type: str | None = attr("@type", ENUM(*SOURCE_TYPES))
    format: str | None = attr("driver/@type", ENUM(*FORMATS))
    source: Any = variant("type", SOURCES, absent="file")

    def parsed(self, node: Any) -> None:
        if self.name is None:
            raise XmlError("missing name from disk snapshot element", origin=Origin.DOMAIN_SNAPSHOT)
        if self.snapshot is None and (self.path or self.format):
            self.snapshot = "external"
        if self.type in (None, "file", "block") and self.path and not self.path.startswith("/"):
            raise XmlError(f"disk snapshot image path '{self.path}' must be absolute", origin=Origin.DOMAIN_SNAPSHOT)

    @property
    def path(self) -> str:
        """Where the new image lies."""
        return str(self.source.location() or "") if self.source is not None else ""

    def make_external(self) -> None:
        """The kind of image that an external snapshot has unless said."""
        self.type = self.type or "file"
        if self.source is None:
            self.source = SOURCES[self.type]()
        self.format = self.format or "qcow2"


@dataclass
class Snapshot:
    """One snapshot. ``state`` is a state's word or ``disk-snapshot``; times are seconds since 1970."""

    name: str
    description: str | None = None
    state: str = ""
    parent: str | None = None
    created: int = 0
    memory: str | None = None
    memory_file: str | None = None
    disks: list[SnapshotDisk] = field(default_factory=list)
    revert_disks: list[SnapshotDisk] = field(default_factory=list)
    """The images that took the place of ``disks`` when the guest last went back here."""
    domain: Any = None
    """The guest at that time (live definition of one that ran)."""
    inactive: Any = None
    """Its persistent definition, when it ran."""
    cookie: str = ""
    """What the daemon must know to start it again (the guest's CPU), as whole lines."""
    current: bool = False

    @property
    def external(self) -> bool:
        return self.memory == "external" or any(disk.snapshot == "external" for disk in self.disks)

    @property
    def offline(self) -> bool:
        return self.state in OFFLINE

    def xml(self, *, secure: bool = False, stored: bool = False) -> str:
        """As libvirt writes it; ``stored`` adds what only the daemon's files have."""
        form = Form(secure=secure or stored)
        out = ["<domainsnapshot>\n", _line("name", self.name)]
        if self.description is not None:
            out.append(_line("description", self.description))
        if self.state:
            out.append(_line("state", self.state))
        if self.parent:
            out.append(f"  <parent>\n    <name>{_text(self.parent)}</name>\n  </parent>\n")
        if self.created:
            out.append(f"  <creationTime>{self.created}</creationTime>\n")
        if self.memory:
            where = f" file='{_text(self.memory_file, True)}'" if self.memory_file else ""
            out.append(f"  <memory snapshot='{self.memory}'{where}/>\n")
        out += _disks("disks", self.disks, form)
        out += _disks("revertDisks", self.revert_disks, form)
        if self.domain is not None:
            out.append(self.domain.xml(form, "  "))
        if self.inactive is not None:
            out.append(self.inactive.xml(form, "  ", "inactiveDomain"))
        out.append(self.cookie)
        if stored:
            out.append(f"  <active>{int(self.current)}</active>\n")
        out.append("</domainsnapshot>\n")
        return "".join(out)


def _text(value: str | None, quote: bool = False) -> str:
    text = (value or "").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("'", "&apos;").replace('"', "&quot;") if quote else text


def _line(tag: str, value: str) -> str:
    return f"  <{tag}>{_text(value)}</{tag}>\n"


def _disks(tag: str, disks: list[SnapshotDisk], form: Form) -> list[str]:
    if not disks:
        return []
    return [f"  <{tag}>\n", *(disk.xml(form, "    ") for disk in disks), f"  </{tag}>\n"]


def fail(text: str) -> XmlError:
    """A document that cannot be."""
    return XmlError(text, origin=Origin.DOMAIN_SNAPSHOT)


def parse(document: str, *, redefine: bool = False, offline: bool = False, stored: bool = False) -> Snapshot:
    """Read a user's document, or with ``stored`` a metadata file. ``offline``: memory cannot be kept. Raises XmlError."""
    root = read(document, "(domain_snapshot)")
    if root.tag != "domainsnapshot":
        raise XmlError(f"expecting root element of 'domainsnapshot', not '{root.tag}'", origin=Origin.XML)
    redefine = redefine or stored
    name = root.findtext("name")
    if not name and redefine:
        raise fail("a redefined snapshot must have a name")
    found = Snapshot(name or str(int(time.time())), root.findtext("description"), created=int(time.time()))
    if redefine:
        _redefined(root, found)
        offline = found.offline or found.state == DISK_SNAPSHOT
    _memory(root, found, offline, redefine)
    node = root.find("disks")
    if node is not None:
        found.disks = [SnapshotDisk.parse(disk) for disk in node.iterfind("disk")]
    if stored:
        found.revert_disks = [SnapshotDisk.parse(disk) for disk in root.iterfind("revertDisks/disk")]
        cookie = root.find("cookie")
        found.cookie = write_node(copy_node(cookie), "  ").replace('"', "'") if cookie is not None else ""
        found.current = root.findtext("active") == "1"
    return found


def _redefined(root: Any, found: Snapshot) -> None:
    from kvasir.model.domain import Domain

    try:
        found.created = int(root.findtext("creationTime") or "")
    except ValueError:
        raise fail("missing creationTime from existing snapshot") from None
    found.parent = root.findtext("parent/name") or None
    found.state = root.findtext("state") or ""
    if not found.state:
        raise fail("missing state from existing snapshot")
    if found.state not in (*STATE_WORDS, DISK_SNAPSHOT):
        raise fail(f"Invalid state '{found.state}' in domain snapshot XML")
    node = root.find("domain")
    if node is not None:
        found.domain = Domain.parse(node)
        found.domain.id = None
    node = root.find("inactiveDomain")
    if node is not None:
        node.tag = "domain"
        found.inactive = Domain.parse(node)
        found.inactive.id = None


def _memory(root: Any, found: Snapshot, offline: bool, redefine: bool) -> None:
    word, file = root.xpath("string(memory/@snapshot)") or None, root.xpath("string(memory/@file)") or None
    if word is not None and word not in LOCATIONS:
        raise fail(f"Invalid value for attribute 'snapshot' in element 'memory': '{word}'.")
    if file and word is None:
        word = "external"
    if word is None:
        word = "no" if offline else "internal"
    if file and word != "external":
        raise fail(f"memory filename '{file}' requires external snapshot")
    if word == "external" and not file:
        raise fail("external memory snapshots require a filename")
    if file and not file.startswith("/"):
        raise fail(f"memory snapshot file path ({file}) must be absolute")
    if offline and word != "no" and not (redefine and word == "internal"):
        raise fail("memory state cannot be saved with offline or disk-only snapshot")
    found.memory, found.memory_file = word, file


def state_word(state: State) -> str:
    """The word of a guest's state."""
    return STATE_WORDS[state]


def unsupported(text: str) -> ConfigUnsupported:
    """Error 67 of the snapshot code."""
    return ConfigUnsupported(text, origin=Origin.QEMU)
