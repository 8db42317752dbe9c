"""Disks of a new guest: which image each option means, what must be created, which bus and target it gets."""

from __future__ import annotations

import os
import stat
from typing import Any
from xml.etree import ElementTree as ET

from . import osinfo, tree
from .options import OptionError

GIB = 1 << 30


class DiskMaker:
    """Fills ``<disk>`` elements and creates the images that do not exist yet. ``connection`` is a client connection."""

    def __init__(self, connection: Any, guest_name: str, *, local: bool) -> None:
        self.connection, self.guest_name, self.local = connection, guest_name, local
        self.planned: list[tuple[tree.Node, Any, str]] = []  # disk, pool, volume document
        self.created: list[Any] = []

    def take(self, node: tree.Node) -> dict[str, str]:
        """The words that the option parser left on the element, taken off it."""
        words = {key[1:]: value for key, value in node.attrib.items() if key.startswith("_")}
        for key in words:
            del node.attrib["_" + key]
        return words

    def fill(self, node: tree.Node) -> None:
        """Decide source and format of one disk. Raises OptionError when it cannot be."""
        words = self.take(node)
        self._plain_words(node, words)
        node.set("device", node.get("device") or "disk")
        if "vol" in words:
            self._volume(node, words["vol"])
        elif "path" in words:
            self._path(node, words["path"], words)
        elif "size" in words or "pool" in words:
            self._new(node, words)
        elif node.find("source") is not None:
            self._given(node)
        elif node.get("device") in ("cdrom", "floppy"):
            node.set("type", node.get("type") or "file")
        else:
            raise OptionError("Error: --disk: Device type 'disk' requires a path")

    @staticmethod
    def _plain_words(node: tree.Node, words: dict[str, str]) -> None:
        for kind in ("file", "dev", "dir", "pool", "volume"):
            if f"source_{kind}" in words:
                tree.put(node, f"source/@{kind}", words[f"source_{kind}"])
        for name, perms in (("readonly", "ro"), ("shareable", "sh")):
            if words.get(name, "").lower() in ("yes", "on", "true", "1") or words.get("perms") == perms:
                tree.find(node, name, make=True)

    def fill_cdrom(self, node: tree.Node) -> None:
        """The install CD: an image, a device, or a URL. Raises OptionError when it is not there."""
        path = node.attrib.pop("_path")
        if "://" in path:
            self._network(node, path)
            self._driver(node, "raw")
            return
        path = os.path.abspath(path)
        if self.local and not os.path.exists(path):
            raise OptionError(f"Error validating install location: The cdrom path '{path}' does not exist")
        block = self.local and stat.S_ISBLK(os.stat(path).st_mode)
        node.set("type", "block" if block else "file")
        tree.put(node, "source/@dev" if block else "source/@file", path)
        self._driver(node, "raw")

    @staticmethod
    def _given(node: tree.Node) -> None:
        source = node.find("source")
        assert source is not None
        kinds = {"file": "file", "dev": "block", "dir": "dir", "pool": "volume", "protocol": "network"}
        node.set("type", node.get("type") or next((k for a, k in kinds.items() if source.get(a)), "file"))

    def _volume(self, node: tree.Node, word: str) -> None:
        pool_name, slash, name = word.partition("/")
        if not slash:
            raise OptionError(f"Error: --disk vol={word}: Storage volume must be specified as vol=poolname/volname")
        volume = self.connection.storagePoolLookupByName(pool_name).storageVolLookupByName(name)
        self._use_volume(node, volume)

    def _use_volume(self, node: tree.Node, volume: Any) -> None:
        root = ET.fromstring(volume.XMLDesc(0))
        node.set("type", "block" if root.get("type") == "block" else "file")
        tree.put(node, "source/@dev" if node.get("type") == "block" else "source/@file", root.findtext("target/path"))
        kind = root.find("target/format")
        self._driver(node, kind.get("type") if kind is not None else "raw")

    @staticmethod
    def _driver(node: tree.Node, kind: str | None) -> None:
        if tree.get(node, "driver/@name") is None:
            tree.put(node, "driver/@name", "qemu")
        if tree.get(node, "driver/@type") is None and kind:
            tree.put(
                node, "driver/@type", {"iso": "raw", "dir": "raw", "unknown": "raw", "none": "raw"}.get(kind, kind)
            )

    def _path(self, node: tree.Node, path: str, words: dict[str, str]) -> None:
        if "://" in path:
            self._network(node, path)
            return
        path = os.path.abspath(path)
        volume = self._lookup(path)
        if volume is not None:
            self._use_volume(node, volume)
            return
        if self.local and os.path.exists(path):
            self._local(node, path)
            return
        if node.get("device") in ("cdrom", "floppy") or "size" not in words:
            if self.local:
                raise OptionError(
                    f"Error: --disk {path}: Size must be specified for non existent volume '{os.path.basename(path)}'"
                )
            raise OptionError(
                f"Error: --disk {path}: Must specify storage creation parameters for non-existent path '{path}'."
            )
        pool = self._pool_at(os.path.dirname(path))
        self._plan(node, pool, os.path.basename(path), words)

    @staticmethod
    def _network(node: tree.Node, url: str) -> None:
        scheme, _, rest = url.partition("://")
        host, _, name = rest.partition("/")
        host, _, port = host.partition(":")
        node.set("type", "network")
        tree.put(node, "source/@protocol", scheme)
        tree.put(node, "source/@name", name)
        tree.put(node, "source/host/@name", host)
        if port:
            tree.put(node, "source/host/@port", port)

    def _lookup(self, path: str) -> Any:
        from kvasir.errors import Error

        try:
            return self.connection.storageVolLookupByPath(path)
        except Error:
            return None

    def _local(self, node: tree.Node, path: str) -> None:
        mode = os.stat(path).st_mode
        if stat.S_ISBLK(mode):
            node.set("type", "block")
            tree.put(node, "source/@dev", path)
            self._driver(node, "raw")
        elif stat.S_ISDIR(mode):
            node.set("type", "dir")
            tree.put(node, "source/@dir", path)
        else:
            from kvasir.storage import probe

            node.set("type", "file")
            tree.put(node, "source/@file", path)
            fd = probe.open_volume(path)
            try:
                self._driver(node, probe.probe(fd).format)
            finally:
                os.close(fd)

    def _pool_at(self, folder: str) -> Any:
        """The pool over a folder: one that is there, or a new one, as the original makes it."""
        from kvasir.errors import Error

        for pool in self.connection.listAllStoragePools(0):
            if ET.fromstring(pool.XMLDesc(0)).findtext("target/path") == folder:
                if not pool.isActive():
                    pool.create(0)
                return pool
        if self.local and not os.path.isdir(folder):
            raise OptionError(f"Error: --disk: Could not start storage pool: no folder {folder}")
        name = os.path.basename(folder) or "root"
        taken = {pool.name() for pool in self.connection.listAllStoragePools(0)}
        name = next(n for n in [name, *(f"{name}-{i}" for i in range(1, 1000))] if n not in taken)
        root = ET.Element("pool", {"type": "dir"})
        ET.SubElement(root, "name").text = name
        ET.SubElement(ET.SubElement(root, "target"), "path").text = folder
        pool = self.connection.storagePoolDefineXML(ET.tostring(root, encoding="unicode"), 0)
        try:
            pool.build(0)
            pool.create(0)
            pool.setAutostart(True)
        except Error:
            pool.undefine()
            raise
        return pool

    def _new(self, node: tree.Node, words: dict[str, str]) -> None:
        pool = self.connection.storagePoolLookupByName(words["pool"]) if "pool" in words else self._default_pool()
        kind = tree.get(node, "driver/@type") or "qcow2"
        ending = {"raw": "img", "qcow2": "qcow2"}.get(kind, kind)
        pool.refresh(0)
        taken = set(pool.listVolumes()) | {
            xml_name(document) for _, p, document in self.planned if p.name() == pool.name()
        }
        stems = [self.guest_name, *(f"{self.guest_name}-{i}" for i in range(1, 100000))]
        name = next(n for stem in stems if (n := f"{stem}.{ending}") not in taken)
        self._plan(node, pool, name, words)

    def _default_pool(self) -> Any:
        from kvasir.errors import Error

        try:
            return self.connection.storagePoolLookupByName("default")
        except Error:
            pass
        session = self.connection.getURI().endswith("/session")
        folder = os.path.expanduser("~/.local/share/libvirt/images") if session else "/var/lib/libvirt/images"
        root = ET.Element("pool", {"type": "dir"})
        ET.SubElement(root, "name").text = "default"
        ET.SubElement(ET.SubElement(root, "target"), "path").text = folder
        pool = self.connection.storagePoolDefineXML(ET.tostring(root, encoding="unicode"), 0)
        pool.build(0)
        pool.create(0)
        pool.setAutostart(True)
        return pool

    def _plan(self, node: tree.Node, pool: Any, name: str, words: dict[str, str]) -> None:
        try:
            size = float(words["size"])
        except KeyError:
            if "backing_store" not in words:
                raise OptionError(f"Error: --disk: Size must be specified for non existent volume '{name}'") from None
            size = 0
        except ValueError:
            raise OptionError(f"Error: --disk size={words['size']}: size must be a number of GiB") from None
        kind = tree.get(node, "driver/@type") or ("raw" if name.endswith((".img", ".raw", ".iso")) else "qcow2")
        sparse = words.get("sparse", "yes").lower() not in ("no", "off", "false", "0")
        volume = ET.Element("volume", {"type": "file"})
        ET.SubElement(volume, "name").text = name
        if size:
            ET.SubElement(volume, "capacity").text = str(int(size * GIB))
        ET.SubElement(volume, "allocation").text = "0" if sparse else str(int(size * GIB))
        ET.SubElement(ET.SubElement(volume, "target"), "format", {"type": kind})
        if "backing_store" in words:
            below = ET.SubElement(volume, "backingStore")
            ET.SubElement(below, "path").text = words["backing_store"]
            ET.SubElement(below, "format", {"type": words.get("backing_format") or "qcow2"})
        folder = ET.fromstring(pool.XMLDesc(0)).findtext("target/path") or ""
        node.set("type", "file")
        tree.put(node, "source/@file", os.path.join(folder, name))
        self._driver(node, kind)
        if sparse and node.get("device") == "disk" and tree.get(node, "driver/@discard") is None:
            tree.put(node, "driver/@discard", "unmap")
        self.planned.append((node, pool, ET.tostring(volume, encoding="unicode")))

    def create(self) -> None:
        """Create the planned images. What was made before a failure is removed."""
        try:
            for _, pool, document in self.planned:
                flags = (
                    1
                    if '<format type="qcow2"' in document
                    and "backingStore" not in document
                    and "<allocation>0<" not in document
                    else 0
                )
                self.created.append(pool.createXML(document, flags))
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Delete the images that ``create`` made."""
        for volume in reversed(self.created):
            volume.delete(0)
        self.created.clear()


def xml_name(document: str) -> str:
    return ET.fromstring(document).findtext("name") or ""


PREFIXES = {"virtio": "vd", "xen": "xvd", "fdc": "fd", "ide": "hd"}


def letters(number: int) -> str:
    """0 -> a, 25 -> z, 26 -> aa."""
    out = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        out = chr(97 + rest) + out
    return out


def place(disks: list[tree.Node], system: osinfo.System, machine: str) -> None:
    """Give each disk the bus and target name that the original would."""
    for node in disks:
        if tree.get(node, "target/@bus") is None:
            tree.put(node, "target/@bus", _bus(node, system, machine))
    used = {t for d in disks if (t := tree.get(d, "target/@dev"))}
    for node in disks:
        if tree.get(node, "target/@dev") is None:
            prefix = PREFIXES.get(tree.get(node, "target/@bus") or "", "sd")
            name = next(n for i in range(1024) if (n := prefix + letters(i)) not in used)
            used.add(name)
            tree.put(node, "target/@dev", name)


def _bus(node: tree.Node, system: osinfo.System, machine: str) -> str:
    device = node.get("device")
    if device == "floppy":
        return "fdc"
    if device == "disk" and osinfo.has(system, "virtio-disk"):
        return "virtio"
    if machine == "microvm":
        return "virtio"
    return "sata" if machine == "q35" or "q35" in machine else "ide"
