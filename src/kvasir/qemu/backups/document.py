"""A backup's document, in libvirt's form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kvasir.devices.disk_source import SOURCE_TYPES, SOURCES
from kvasir.errors import ConfigUnsupported, Origin, XmlError
from kvasir.qemu import live
from kvasir.xml import Element, Form, attr
from kvasir.xml.form import LIVE
from kvasir.xml.reader import read
from kvasir.xml.types import ENUM, UINT, YESNO


class Server(Element, tag="server"):
    """Where clients of a pulled backup connect."""

    transport: str | None = attr("@transport", ENUM("tcp", "unix"))
    name: str | None = attr("@name")
    port: int | None = attr("@port", UINT)
    socket: str | None = attr("@socket")


class BackupDisk(Element, tag="disk"):
    """One disk of a backup."""

    name: str | None = attr("@name")
    backup: bool | None = attr("@backup", YESNO)
    type: str | None = attr("@type", ENUM(*SOURCE_TYPES))
    mode: str | None = attr("@backupmode", ENUM("full", "incremental"))
    incremental: str | None = attr("@incremental")
    exportname: str | None = attr("@exportname")
    exportbitmap: str | None = attr("@exportbitmap")
    index: int | None = attr("@index", UINT)
    format: str | None = attr("driver/@type")


@dataclass
class Entry:
    """A disk with the image that is written: the target, or the scratch file of a pulled one."""

    disk: BackupDisk
    source: Any = None
    state: str = ""

    @property
    def name(self) -> str:
        return str(self.disk.name)

    @property
    def path(self) -> str:
        return str(self.source.location() or "") if self.source is not None else ""


@dataclass
class Backup:
    """The whole document, and how far the backup is."""

    pull: bool = False
    incremental: str | None = None
    server: Server | None = None
    entries: list[Entry] = field(default_factory=list)
    processed_before: int = 0
    total_before: int = 0
    """Bytes of the disks that are done already."""
    processed: int = 0
    total: int = 0
    error: str = ""
    stack: Any = None
    """Holds the guest's long job."""

    def xml(self, *, inner: bool = False) -> str:
        """As libvirt writes it; ``inner`` adds how each disk ended."""
        out = [f"<domainbackup mode='{'pull' if self.pull else 'push'}'>\n"]
        if self.incremental:
            out.append(f"  <incremental>{self.incremental}</incremental>\n")
        if self.server is not None:
            out.append(self.server.xml(LIVE, "  "))
        out.append("  <disks>\n")
        tag = "scratch" if self.pull else "target"
        for entry in self.entries:
            lines: list[str] = []
            entry.disk.write(lines, "    ", LIVE, "disk")
            if entry.source is not None:
                text = _source(entry.source, tag)
                if lines[-1].endswith("/>\n"):
                    lines[-1] = lines[-1][:-3] + ">\n"
                else:
                    lines.pop()
                lines += [text, "    </disk>\n"]
            out += lines
        return "".join([*out, "  </disks>\n", "</domainbackup>\n"])


def _source(source: Any, tag: str) -> str:
    from kvasir.devices.disk_source import BackingStore

    kind = next(name for name, cls in SOURCES.items() if type(source) is cls)
    lines = BackingStore(type=kind, format="raw", source=source).xml(Form(live=True), "    ").splitlines(keepends=True)
    inside = [line for line in lines[1:-1] if "<format" not in line]
    return "".join(inside).replace("<source", f"<{tag}").replace("</source", f"</{tag}")


def fail(text: str) -> XmlError:
    return XmlError(text, origin=Origin.DOMAIN)


def parse(document: str) -> Backup:
    """Raises XmlError, ConfigUnsupported."""
    root = read(document, "(domain_backup)")
    if root.tag != "domainbackup":
        raise XmlError(f"expecting root element of 'domainbackup', not '{root.tag}'", origin=Origin.XML)
    mode = root.get("mode", "push")
    if mode not in ("push", "pull"):
        raise fail(f"Invalid value for attribute 'mode' in element 'domainbackup': '{mode}'.")
    found = Backup(mode == "pull", root.findtext("incremental") or None)
    node = root.find("server")
    if node is not None:
        if not found.pull:
            raise fail("use of <server> requires pull mode backup")
        found.server = Server.parse(node)
        found.server.transport = found.server.transport or "tcp"
    for disk in root.iterfind("disks/disk"):
        found.entries.append(_entry(disk, found.pull))
    return found


def _entry(node: Any, pull: bool) -> Entry:
    tag = "scratch" if pull else "target"
    other = node.find("target" if pull else "scratch")
    if other is not None:
        raise fail(f"unexpected <{other.tag}> in a {'pull' if pull else 'push'} mode backup")
    place = node.find(tag)
    source = None
    kind = node.get("type", "file")
    if place is not None:
        if kind not in ("file", "block"):
            raise ConfigUnsupported(f"unsupported disk backup type '{kind}'", origin=Origin.DOMAIN)
        place.tag = "source"
        source = SOURCES[kind].parse(node)
        source.index = None
        if source.location() is None:
            source = None
    disk = BackupDisk.parse(node)
    if not disk.name:
        raise fail("Missing required attribute 'name' in element 'disk'")
    if not pull and (disk.exportname or disk.exportbitmap):
        raise fail("exportname and exportbitmap are for pull mode backups")
    disk.index = None
    if disk.backup is None:
        disk.backup = True
    return Entry(disk, source)


def align(found: Backup, domain: Any, suffix: str) -> None:
    """One entry for each disk of the guest, with a place for what is written. Raises ConfigUnsupported."""
    wanted: dict[str, Entry] = {}
    for entry, disk in live.disks_named(found.entries, domain):
        if entry.disk.backup and disk.empty:
            raise ConfigUnsupported(f"disk '{disk.target}' has no media")
        entry.disk.name = disk.target
        wanted[disk.target] = entry
    every = not found.entries
    rows = []
    for disk in domain.disks:
        take = every and not disk.empty and not disk.readonly
        entry = wanted.get(disk.target) or Entry(BackupDisk(name=disk.target, backup=take))
        if entry.disk.backup:
            _complete(found, entry, disk, suffix)
        rows.append(entry)
    found.entries = rows
    if not any(entry.disk.backup for entry in rows):
        raise ConfigUnsupported("no disks selected for backup")


def _complete(found: Backup, entry: Entry, disk: Any, suffix: str) -> None:
    row = entry.disk
    row.type, row.format = row.type or "file", row.format or "qcow2"
    if entry.source is None:
        if disk.type != "file":
            raise ConfigUnsupported(f"disk '{disk.target}' needs a place for its backup")
        entry.source = SOURCES["file"](file=f"{disk.location()}.{suffix}")
        row.type = "file"
    if row.mode is None:
        row.mode = "incremental" if row.incremental or found.incremental else "full"
    if row.mode == "incremental" and not row.incremental:
        row.incremental = found.incremental
        if not row.incremental:
            raise fail(
                f"'incremental' backup mode of disk '{disk.target}' requires setting 'incremental' field for disk or backup"
            )
    if row.mode == "full" and row.incremental:
        raise fail(f"incremental of disk '{disk.target}' given for a full backup")
