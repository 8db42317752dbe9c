"""A guest once more: a document with its own identity, and copies of the images."""

from __future__ import annotations

import copy
import os
import re
import uuid
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from kvasir.errors import Error

from . import copying, tree
from .defaults import random_mac
from .disks import put_path
from .grammar import OptionError
from .pools import Pools, free_name

CLONE, SHARE, PRESERVE = "clone", "share", "preserve"
REFLINK = 2
KEEP_NVRAM = 8
ENDING = 7  # a longer piece behind the last dot is no file ending


@dataclass
class Disk:
    """One image of the original and what becomes of it."""

    node: tree.Node
    path: str
    action: str
    new_path: str = ""
    nvram: bool = False

    @property
    def target(self) -> str:
        return tree.get(self.node, "target/@dev") or ""


def path_of(node: tree.Node) -> str:
    source = node.find("source")
    return "" if source is None else source.get("file") or source.get("dev") or source.get("dir") or ""


class Cloner:
    """Makes one clone. Nothing is changed before ``run``."""

    def __init__(self, connection: Any, document: str, *, local: bool) -> None:
        self.connection, self.local = connection, local
        self.original = tree.parse(document)
        self.new = tree.parse(document)
        self.pools = Pools(connection, local=local)
        self.sparse, self.reflink, self.replace, self.auto = True, False, False, True
        self.warnings: list[str] = []
        self.disks = [self._disk(node) for node in self.original.findall("devices/disk")]
        self.nvram: Disk | None = None
        self._new_identity()

    # --- reading the original

    @property
    def source_name(self) -> str:
        return tree.get(self.original, "name") or ""

    @property
    def name(self) -> str:
        return tree.get(self.new, "name") or ""

    @name.setter
    def name(self, value: str) -> None:
        tree.put(self.new, "name", value)

    def _disk(self, node: tree.Node) -> Disk:
        path = path_of(node)
        source = node.find("source")
        if not path and source is not None and source.get("volume"):
            path = self._volume_path(source)
        shared = not (path or node.get("type") == "network") or node.find("readonly") is not None
        shared = shared or node.find("shareable") is not None or tree.get(node, "transient/@shareBacking") == "yes"
        return Disk(node, path, SHARE if shared else CLONE)

    def _volume_path(self, source: tree.Node) -> str:
        pool = self.pools.named(source.get("pool") or "")
        return str(pool.handle.storageVolLookupByName(source.get("volume") or "").path())

    # --- the new document

    def _new_identity(self) -> None:
        new = self.new
        new.attrib.pop("id", None)
        title = new.find("title")
        if title is not None:
            new.remove(title)
        tree.put(new, "uuid", str(uuid.uuid4()))
        for node in new.findall("devices/graphics"):
            if node.get("port") and node.get("port") != "-1":
                self.warnings.append("Setting the graphics device port to autoport, in order to avoid conflicting.")
                node.set("port", "-1")
                node.attrib.pop("autoport", None)
                if node.get("type") == "spice" and node.get("tlsPort") == "-1":
                    node.set("autoport", "yes")
        for node in new.findall("devices/interface"):
            target = node.find("target")
            if target is not None:
                target.attrib.pop("dev", None)
                if not target.attrib:
                    node.remove(target)
            tree.put(node, "mac/@address", random_mac())
        for node in new.findall("devices/channel"):
            self._channel(node)
        for entry in new.findall("sysinfo/system/entry"):
            if entry.get("name") == "uuid":
                entry.text = tree.get(new, "uuid")
        self.name = self._free_clone_name()

    @staticmethod
    def _channel(node: tree.Node) -> None:
        """The agent's socket is named by the guest: the daemon makes a new one."""
        name, path = tree.get(node, "target/@name"), tree.get(node, "source/@path")
        if node.get("type") == "unix" and name and path and name in path:
            source = node.find("source")
            assert source is not None
            del source.attrib["path"]
            if not source.attrib:
                node.remove(source)

    def _free_clone_name(self) -> str:
        """NAME-clone, NAME-clone1 ...; a clone of a clone counts on."""
        stem, start, bare = self.source_name, 1, True
        found = re.search(r"-clone([1-9]*)\Z", stem)
        if found:
            stem, start, bare = stem[: found.start()], int(found[1] or 0) + 1, False
        return free_name(f"{stem}-clone", self._name_taken, start=start, lead="", bare=bare)

    def _name_taken(self, name: str) -> bool:
        try:
            self.connection.lookupByName(name)
        except Error:
            return False
        return True

    def _path_taken(self, path: str) -> bool:
        if self.pools.volume(path) is not None:
            return True
        return self.local and os.path.exists(path)

    def default_path(self, path: str) -> str:
        """Where the copy of an image lies: beside it, ``-clone`` in its name, or named as the new guest."""
        stem, dot, ending = path.rpartition(".")
        if not dot or len(ending) > ENDING:
            stem, ending = path, ""
        folder, base = os.path.dirname(stem), os.path.basename(stem)
        name = self.name if base == self.source_name else f"{base}-clone"
        return free_name(os.path.join(folder, name), self._path_taken, suffix=f".{ending}" if ending else "")

    def set_macs(self, macs: list[str]) -> None:
        """Addresses for the interfaces in order; those without keep a new one of their own."""
        for node, mac in zip(self.new.findall("devices/interface"), macs, strict=False):
            if mac != "RANDOM":
                tree.put(node, "mac/@address", mac)

    def plan(self, paths: list[str], nvram: str = "") -> None:
        """Decide all paths and put them into the document. Raises OptionError."""
        if not self.replace and self._name_taken(self.name):
            raise OptionError(f"Invalid name for new guest: Guest name '{self.name}' is already in use.")
        if not re.fullmatch(r"[\w.+-]+", self.name) or self.name.isdigit():
            raise OptionError(
                f"Invalid name for new guest: '{self.name}': letters, digits, underscore, period and hyphen, and not digits only."
            )
        left = list(paths)
        for disk in self.disks:
            if disk.action == SHARE:
                continue
            self._cloneable(disk)
            if not left and not self.auto:
                raise OptionError(
                    f"Disk '{disk.target}' ({disk.path}) has no --file: name one for each disk, or use --auto-clone, "
                    f"or --skip-copy={disk.target}"
                )
            disk.new_path = os.path.abspath(left.pop(0)) if left else self.default_path(disk.path)
            self._usable(disk)
            self._put(disk)
        self._plan_nvram(nvram)

    def _cloneable(self, disk: Disk) -> None:
        said = "Could not determine original disk information: "
        if disk.node.get("type") == "network":
            protocol = tree.get(disk.node, "source/@protocol")
            raise OptionError(f"{said}Disk network type '{protocol}' is not cloneable.")
        if disk.action == CLONE and not self._path_taken(disk.path):
            raise OptionError(f"{said}Disk path '{disk.path}' does not exist.")

    def _usable(self, disk: Disk) -> None:
        there = self._path_taken(disk.new_path)
        if disk.action == PRESERVE and not there:
            raise OptionError(
                f"Could not use path '{disk.new_path}' for cloning: Must specify storage creation parameters for "
                f"non-existent path '{disk.new_path}'."
            )
        block = self.local and os.path.exists(disk.new_path) and not os.path.isfile(disk.new_path)
        if disk.action == CLONE and there and not (block and os.access(disk.new_path, os.W_OK)):
            raise OptionError(
                f"Could not use path '{disk.new_path}' for cloning: Clone onto existing storage volume is not "
                f"currently supported: '{disk.new_path}'"
            )

    def _put(self, disk: Disk) -> None:
        node = next(d for d in self.new.findall("devices/disk") if (tree.get(d, "target/@dev") or "") == disk.target)
        source = node.find("source")
        if source is not None:
            for name in ("file", "dev", "dir", "volume", "pool", "name", "protocol"):
                source.attrib.pop(name, None)
        kind = "block" if disk.new_path.startswith("/dev/") else "file"
        node.set("type", kind)
        put_path(node, kind, disk.new_path)

    def _plan_nvram(self, wanted: str) -> None:
        old = tree.get(self.new, "os/nvram")
        if not old:
            return
        path = os.path.abspath(wanted or os.path.join(os.path.dirname(old), f"{self.name}_VARS.fd"))
        tree.put(self.new, "os/nvram", path)
        keep = any(d.action == PRESERVE for d in self.disks)
        if not keep and self._path_taken(old) and not self._path_taken(path):
            self.nvram = Disk(tree.ET.Element("nvram"), old, CLONE, path, nvram=True)

    def text(self) -> str:
        return tree.dump(copy.deepcopy(self.new))

    # --- the work

    def run(self, hooks: Any = None) -> Any:
        """Copy, define, and put the copies in their places; all is undone when a step fails. Returns the domain."""
        drafts: list[copying.Draft] = []
        volumes: list[Any] = []
        domain = None
        done = False
        if self.replace:
            self._remove_old()
        try:
            for disk in [*self.disks, *([self.nvram] if self.nvram else [])]:
                if disk.action == CLONE:
                    self._copy(disk, drafts, volumes)
            domain = self.connection.defineXML(self.text())
            for draft in drafts:
                self._keep(draft)
            self._refresh()
            if hooks is not None:
                hooks(self.name, self.text(), [d.new_path for d in self.disks if d.action == CLONE])
            done = True
        finally:
            for draft in drafts:
                draft.close(undo=not done)
            if not done:
                self._undo(domain, volumes)
        return domain

    @staticmethod
    def _keep(draft: copying.Draft) -> None:
        try:
            draft.keep()
        except OSError as error:
            raise OptionError(f"Could not make {draft.path}: {error.strerror}") from None

    @staticmethod
    def _undo(domain: Any, volumes: list[Any]) -> None:
        for volume in volumes:
            volume.delete(0)
        if domain is not None:
            domain.undefineFlags(KEEP_NVRAM)  # those that were made are taken away by name

    def _remove_old(self) -> None:
        try:
            old = self.connection.lookupByName(self.name)
        except Error:
            return
        if old.isActive():
            old.destroy()
        old.undefineFlags(4 | 32)

    def _copy(self, disk: Disk, drafts: list[copying.Draft], volumes: list[Any]) -> None:
        pool = self.pools.over(os.path.dirname(disk.new_path))
        if pool is not None and pool.volume_type != "file" and not os.path.exists(disk.new_path):
            self._copy_there(disk, volumes)  # a volume of that pool is to be made, not a file
            return
        readable = self.local and os.path.exists(disk.path) and os.access(disk.path, os.R_OK)
        if readable and os.access(os.path.dirname(disk.new_path), os.W_OK):
            self._copy_here(disk, drafts)
            return
        self._copy_there(disk, volumes)

    def _copy_here(self, disk: Disk, drafts: list[copying.Draft]) -> None:
        progress = copying.bar(os.path.basename(disk.path))
        try:
            if os.path.exists(disk.new_path):
                fd = os.open(disk.new_path, os.O_WRONLY)
                try:
                    copying.copy(disk.path, fd, sparse=False, progress=progress)
                finally:
                    os.close(fd)
                return
            draft = copying.begin(disk.new_path)
            drafts.append(draft)
            copying.copy(disk.path, draft.fd, sparse=self.sparse, reflink=self.reflink, progress=progress)
        except OSError as error:
            raise OptionError(
                f"Error cloning diskimage {disk.path} to {disk.new_path}: {error.strerror or error}"
            ) from None

    def _copy_there(self, disk: Disk, volumes: list[Any]) -> None:
        """The daemon copies: images that this program cannot read."""
        found = self.pools.volume(disk.path)
        if found is None:
            raise OptionError(f"Could not determine original disk information: no storage pool holds '{disk.path}'.")
        root = ET.fromstring(found[0].XMLDesc(0))
        volume = ET.Element("volume")
        ET.SubElement(volume, "name").text = os.path.basename(disk.new_path)
        size = root.findtext("capacity") or "0"
        ET.SubElement(volume, "capacity").text = size
        ET.SubElement(volume, "allocation").text = "0" if self.sparse else size
        kind = root.find("target/format")
        if kind is not None:
            ET.SubElement(ET.SubElement(volume, "target"), "format", {"type": kind.get("type") or "raw"})
        pool = self.pools.make(self.pools.over_or_new(os.path.dirname(disk.new_path)))
        text = ET.tostring(volume, encoding="unicode")
        volumes.append(pool.createXMLFrom(text, found[0], REFLINK if self.reflink else 0))

    def _refresh(self) -> None:
        """Pools over the folders of new images see them."""
        folders = {os.path.dirname(d.new_path) for d in self.disks if d.action == CLONE}
        for pool in self.pools.all():
            if pool.folder in folders and pool.handle is not None and pool.handle.isActive():
                pool.handle.refresh(0)
