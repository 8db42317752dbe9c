"""Disks of a guest: which image each option means, what must be created, which bus and target it gets."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from . import grammar, tree
from .grammar import OptionError
from .pools import UNMANAGED, Pool, Pools, free_name

if TYPE_CHECKING:
    from .guest import Guest

GIB = 1 << 30
EMPTY = ("cdrom", "floppy")


@dataclass
class Plan:
    """A volume to be created for a disk."""

    node: tree.Node
    pool: Pool
    name: str
    document: ET.Element
    whole: bool = False

    @property
    def capacity(self) -> int:
        return int(self.document.findtext("capacity") or 0)


class DiskMaker:
    """Fills ``<disk>`` elements and creates the images that do not exist yet. ``connection`` is a client connection."""

    def __init__(self, connection: Any, guest: Guest, *, local: bool) -> None:
        self.connection, self.guest, self.local = connection, guest, local
        self.pools = Pools(connection, local=local)
        self.planned: list[Plan] = []
        self.created: list[Any] = []

    def take(self, node: tree.Node) -> dict[str, str]:
        """The words that the option parser left on the element, taken off it."""
        words = {key[1:]: value for key, value in node.attrib.items() if key.startswith("_") and key != "_xpath"}
        for key in words:
            del node.attrib["_" + key]
        return words

    def fill(self, node: tree.Node, *, editing: bool = False) -> None:
        """Decide source and format of one disk. Raises OptionError when it cannot be."""
        words = self.take(node)
        self._perms(node, words)
        size = self._size(words)
        if "path" in words:
            if words.get("pool") and words["pool"] != "default":
                self.pools.named(words["pool"])
            self._path(node, words["path"], words, size)
        elif "vol" in words:
            self._volume_word(node, words["vol"])
        elif "pool" in words or (size and not self._has_source(node) and node.get("type") in (None, "file")):
            self._new(node, words, size)
        elif not editing:
            self._given(node, words, size)
        if "vol" in words and "path" in words:
            self._volume_word(node, words["vol"])

    def _perms(self, node: tree.Node, words: dict[str, str]) -> None:
        perms = words.get("perms", "")
        if perms not in ("", "ro", "sh", "rw"):
            raise OptionError(f"Unknown 'perms' value '{perms}'")
        if perms in ("ro", "sh"):
            tree.find(node, "readonly" if perms == "ro" else "shareable", make=True)
        if "sparse" in words:
            grammar.switch("sparse", words["sparse"])

    @staticmethod
    def _size(words: dict[str, str]) -> float | None:
        try:
            return float(words["size"]) if words.get("size") else None
        except ValueError:
            raise OptionError(
                f"Improper value for 'size': could not convert string to float: '{words['size']}'"
            ) from None

    @staticmethod
    def _has_source(node: tree.Node) -> bool:
        source = node.find("source")
        return source is not None and any(
            source.get(a) for a in ("file", "dev", "dir", "name", "volume", "pool", "protocol")
        )

    def fill_cdrom(self, node: tree.Node) -> None:
        """The install CD: an image, a device, or a URL. Raises OptionError when it is not there."""
        path = node.attrib.pop("_path")
        if is_url(path):
            network_source(node, path)
            return
        path = os.path.abspath(path)
        if self.local and not os.path.exists(path) and self.pools.volume(path) is None:
            raise OptionError(f"Error validating install location: The cdrom path '{path}' does not exist")
        self._path(node, path, {}, None)

    def _given(self, node: tree.Node, words: dict[str, str], size: float | None) -> None:
        """A source said by its own words (``source.file=``, ``source.pool=``)."""
        source = node.find("source")
        if source is None or not self._has_source(node):
            kind = node.get("type")
            if node.get("device") not in EMPTY and kind in (None, "file", "block", "dir", "volume", "network"):
                raise OptionError(f"Device type '{node.get('device') or 'disk'}' requires a path")
            return
        path = source.get("file") or source.get("dev") or source.get("dir")
        if source.get("pool") or source.get("volume"):
            node.set("type", node.get("type") or "volume")
            pool = self.pools.named(source.get("pool") or "")
            handle = pool.handle.storageVolLookupByName(source.get("volume") or "")
            self._format(node, handle, node.get("type") or "volume")
        elif path:
            kept = node.get("type")
            self._path(node, path, words, size)
            if kept:
                node.set("type", kept)
        elif source.get("protocol"):
            node.set("type", node.get("type") or "network")

    def _volume_word(self, node: tree.Node, word: str) -> None:
        if word.count("/") != 1:
            raise OptionError("Storage volume must be specified as vol=poolname/volname")
        pool_name, name = word.split("/")
        pool = self.pools.default() if pool_name == "default" else self.pools.named(pool_name)
        if pool.handle is None:
            raise OptionError(f"Storage volume not found: no storage vol with matching name '{name}'")
        self._use_volume(node, pool.handle.storageVolLookupByName(name), pool)

    def _use_volume(self, node: tree.Node, volume: Any, pool: Pool) -> None:
        root = ET.fromstring(volume.XMLDesc(0))
        kind = root.get("type") or pool.volume_type
        _clear_source(node)
        said = node.get("type")
        if kind == "network":
            _network_volume(node, root, pool)
            return
        kind = said or kind
        node.set("type", kind)
        put_path(node, kind, root.findtext("target/path") or "")
        self._format(node, volume, kind, root)

    def _format(self, node: tree.Node, volume: Any, kind: str, root: ET.Element | None = None) -> None:
        root = ET.fromstring(volume.XMLDesc(0)) if root is None else root
        found = root.find("target/format")
        name = found.get("type") if found is not None else None
        node.set("_format", "raw" if kind == "block" or root.get("type") == "block" else name or "raw")

    def _path(self, node: tree.Node, path: str, words: dict[str, str], size: float | None) -> None:
        if not path:
            _clear_source(node)
            return
        if is_url(path):
            _clear_source(node)
            if node.get("type") in (None, "network"):
                network_source(node, path)
            return
        path = os.path.abspath(path)
        found = self.pools.volume(path)
        if found is not None:
            self._use_volume(node, *found)
            return
        if self.local and os.path.exists(path):
            self._local(node, path)
            return
        unmanaged = any(path.startswith(p + "/") for p in UNMANAGED)
        if not self.local and unmanaged:
            _clear_source(node)
            node.set("type", node.get("type") or "block")
            put_path(node, node.get("type") or "block", path)
            return
        if unmanaged:
            if size is not None:
                raise OptionError(
                    f"Don't know how to create storage for path '{os.path.basename(path)}'. Use libvirt APIs to manage the "
                    "parent directory as a pool first."
                )
            raise OptionError(f"Size must be specified for non existent volume '{os.path.basename(path)}'")
        pool = self.pools.over_or_new(os.path.dirname(path))
        self._plan(node, pool, os.path.basename(path), words, size)

    def _local(self, node: tree.Node, path: str) -> None:
        mode = os.stat(path).st_mode
        kind = "block" if stat.S_ISBLK(mode) else "dir" if stat.S_ISDIR(mode) else "file"
        _clear_source(node)
        node.set("type", node.get("type") or kind)
        put_path(node, node.get("type") or kind, path)
        if kind == "block":
            node.set("_format", "raw")
        elif stat.S_ISREG(mode):
            from kvasir.storage import probe

            fd = probe.open_volume(path)
            try:
                node.set("_format", probe.probe(fd).format or "raw")
            finally:
                os.close(fd)

    def _new(self, node: tree.Node, words: dict[str, str], size: float | None) -> None:
        word = words.get("pool", "default")
        pool = self.pools.default() if word == "default" else self.pools.named(word)
        kind = words.get("format") or ("qcow2" if pool.volume_type == "file" else "")
        ending = "" if not kind else ".img" if kind == "raw" else f".{kind}"
        taken = pool.volumes() | {p.name for p in self.planned if p.pool.name == pool.name}
        taken |= {os.path.basename(s) for s in self._sources() if os.path.dirname(s) == pool.folder}
        name = free_name(self.guest.name or "disk", lambda n: n in taken, suffix=ending)
        self._plan(node, pool, name, words, size)

    def _sources(self) -> list[str]:
        out = []
        for disk in self.guest.devices("disk"):
            source = disk.find("source")
            if source is not None and (source.get("file") or source.get("dev")):
                out.append(source.get("file") or source.get("dev") or "")
        return out

    def _plan(self, node: tree.Node, pool: Pool, name: str, words: dict[str, str], size: float | None) -> None:
        if size is None and "backing_store" not in words:
            raise OptionError(f"Size must be specified for non existent volume '{name}'")
        plain = pool.volume_type == "file"
        kind = words.get("format") or ("qcow2" if plain else "")
        if not plain and words.get("format"):
            raise OptionError("Format attribute not supported for this volume type")
        sparse = grammar.switch("sparse", words.get("sparse", "yes")) is not False
        count = int((size or 0) * GIB)
        volume = ET.Element("volume", {"type": pool.volume_type} if plain else {})
        ET.SubElement(volume, "name").text = name
        if size:
            ET.SubElement(volume, "capacity").text = str(count)
        ET.SubElement(volume, "allocation").text = "0" if sparse else str(count)
        target = ET.SubElement(volume, "target")
        if kind:
            ET.SubElement(target, "format", {"type": kind})
        if words.get("backing_store"):
            below = ET.SubElement(volume, "backingStore")
            ET.SubElement(below, "path").text = words["backing_store"]
            ET.SubElement(
                below, "format", {"type": words.get("backing_format") or self._format_of(words["backing_store"])}
            )
        _clear_source(node)
        node.set("type", node.get("type") or pool.volume_type)
        put_path(node, node.get("type") or "file", os.path.join(pool.folder, name))
        node.set("_format", kind or "raw")
        if sparse:
            node.set("_sparse_new", "yes")
        plan = Plan(node, pool, name, volume, whole=not sparse)
        self._fits(plan)
        self.planned.append(plan)

    def _format_of(self, path: str) -> str:
        found = self.pools.volume(os.path.abspath(path))
        if found is not None:
            node = ET.fromstring(found[0].XMLDesc(0)).find("target/format")
            return (node.get("type") if node is not None else None) or "raw"
        if self.local and os.path.isfile(path):
            from kvasir.storage import probe

            fd = probe.open_volume(path)
            try:
                return probe.probe(fd).format or "raw"
            finally:
                os.close(fd)
        return "qcow2"

    @staticmethod
    def _fits(plan: Plan) -> None:
        if plan.pool.handle is None or not plan.whole:
            return
        free = plan.pool.handle.info()[3]
        if plan.capacity > free:
            raise OptionError(
                "There is not enough free space on the storage pool to create the volume. "
                f"({plan.capacity >> 20} M requested allocation > {free >> 20} M available)"
            )

    def create(self, say: Any = None) -> None:
        """Create the planned images. What was made before a failure is removed."""
        try:
            for plan in self.planned:
                if say:
                    say(f"Allocating '{plan.name}'")
                qcow = plan.document.find("target/format[@type='qcow2']") is not None
                flags = 1 if qcow and plan.whole and plan.document.find("backingStore") is None else 0
                pool = self.pools.make(plan.pool)
                self.created.append(pool.createXML(ET.tostring(plan.document, encoding="unicode"), flags))
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Delete the images that ``create`` made."""
        for volume in reversed(self.created):
            volume.delete(0)
        self.created.clear()


def is_url(path: str) -> bool:
    return bool(re.match(r"[a-zA-Z]+(\+[a-zA-Z]+)?://", path))


def _clear_source(node: tree.Node) -> None:
    source = node.find("source")
    if source is None:
        return
    for name in ("file", "dev", "dir", "volume", "pool", "name", "protocol"):
        source.attrib.pop(name, None)
    for host in source.findall("host"):
        source.remove(host)
    if not source.attrib and not len(source):
        source.set("_pad", "yes")  # it keeps its place, should something come into it


def put_path(node: tree.Node, kind: str, path: str) -> None:
    """The path at the attribute that a disk of this type has it in."""
    name = {"file": "file", "block": "dev", "dir": "dir"}.get(kind)
    if name:
        tree.put(node, f"source/@{name}", path)


def network_source(node: tree.Node, url: str) -> None:
    """``protocol[+transport]://host[:port]/name[?query]`` as a network source."""
    parts = urlsplit(url)
    scheme, _, transport = parts.scheme.partition("+")
    node.set("type", "network")
    tree.put(node, "source/@protocol", scheme)
    host = parts.hostname or ""
    if transport:
        tree.put(node, "source/host/@transport", transport)
    if host:
        tree.put(node, "source/host/@name", host)
    if parts.port:
        tree.put(node, "source/host/@port", str(parts.port))
    if parts.path and transport:
        tree.put(node, "source/host/@socket", parts.path)
    elif parts.path:
        tree.put(node, "source/@name", parts.path.removeprefix("/"))
    if parts.query:
        tree.put(node, "source/@query", parts.query)


def _network_volume(node: tree.Node, volume: ET.Element, pool: Pool) -> None:
    """A volume of a pool on the network: protocol, hosts and name from the pool's document."""
    about = pool.document
    assert about is not None
    node.set("type", "network")
    tree.put(node, "source/@protocol", "iscsi" if pool.kind == "iscsi-direct" else pool.kind)
    for i, host in enumerate(about.findall("source/host")):
        for name in ("name", "port"):
            if host.get(name):
                tree.put(node, f"source/host[{i}]/@{name}", host.get(name))
    path = (about.findtext("source/name") or "") + ((about.find("source/dir") or ET.Element("x")).get("path") or "")
    name = volume.findtext("name") or ""
    tree.put(node, "source/@name", f"{path.rstrip('/')}/{name}" if path else name)
    auth = about.find("source/auth")
    if auth is not None:
        tree.put(node, "auth/@username", auth.get("username"))
        tree.put(node, "auth/secret/@type", auth.get("type"))
        secret = auth.find("secret")
        tree.put(node, "auth/secret/@uuid", secret.get("uuid") if secret is not None else None)
    node.set("_format", "raw")
