"""Storage pools and volumes behind paths: which there are, and those that are made when the work begins, not before."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from kvasir.errors import Error

from .grammar import OptionError

UNMANAGED = ("/dev", "/sys", "/proc")


@dataclass
class Pool:
    """A pool, or the plan of one: ``handle`` is None until it is made."""

    name: str
    folder: str
    kind: str = "dir"
    handle: Any = None
    build: bool = False
    document: ET.Element | None = None

    def volumes(self) -> set[str]:
        """Names in it, or in the folder that it will be over."""
        if self.handle is not None:
            self.handle.refresh(0)
            return set(self.handle.listVolumes())
        return set(os.listdir(self.folder)) if os.path.isdir(self.folder) else set()

    def free(self) -> int | None:
        """Bytes that are left in it; None where that is not known."""
        if self.handle is not None:
            return int(self.handle.info()[3])
        try:
            found = os.statvfs(self.folder)
        except OSError:
            return None
        return found.f_frsize * found.f_bavail

    @property
    def volume_type(self) -> str:
        """What a disk on a volume of it is: file, block or network."""
        if self.kind in ("logical", "disk", "iscsi", "scsi", "mpath", "zfs"):
            return "block"
        return "network" if self.kind in ("rbd", "sheepdog", "gluster", "iscsi-direct") else "file"


class Pools:
    """The pools of a connection."""

    def __init__(self, connection: Any, *, local: bool) -> None:
        self.connection, self.local = connection, local
        self._known: list[Pool] | None = None

    def all(self) -> list[Pool]:
        if self._known is None:
            self._known = [self._read(handle) for handle in self.connection.listAllStoragePools(0)]
        return self._known

    @staticmethod
    def _read(handle: Any) -> Pool:
        root = ET.fromstring(handle.XMLDesc(0))
        folder = root.findtext("target/path") or ""
        return Pool(root.findtext("name") or "", folder, root.get("type") or "dir", handle, document=root)

    def named(self, name: str) -> Pool:
        """The pool with this name, started. Raises OptionError when there is none."""
        for pool in self.all():
            if pool.name == name:
                return self._running(pool)
        raise OptionError(f"Storage pool not found: no storage pool with matching name '{name}'")

    @staticmethod
    def _running(pool: Pool) -> Pool:
        if pool.handle is not None and not pool.handle.isActive():
            pool.handle.create(0)
        return pool

    def default(self) -> Pool:
        """The pool ``default``, or one over its folder, or the plan of it."""
        session = str(self.connection.getURI()).partition("?")[0].endswith("/session")
        folder = os.path.expanduser("~/.local/share/libvirt/images") if session else "/var/lib/libvirt/images"
        for pool in self.all():
            if pool.name == "default":
                return self._running(pool)
        for pool in self.all():
            if pool.folder == folder:
                return self._running(pool)
        return self._plan(Pool("default", folder, build=True))

    def over(self, folder: str) -> Pool | None:
        """The pool over a folder, started and read anew; None when there is none."""
        for pool in self.all():
            if pool.folder == folder:
                self._running(pool)
                if pool.handle is not None:
                    pool.handle.refresh(0)
                return pool
        return None

    def over_or_new(self, folder: str) -> Pool:
        """The pool over a folder, or the plan of one. Raises OptionError for folders that no pool may be over."""
        found = self.over(folder)
        if found is not None:
            return found
        if any(folder == p or folder.startswith(p + "/") for p in UNMANAGED):
            raise OptionError(f"Don't know how to create storage in {folder}: make it a storage pool first")
        if self.local and not os.path.isdir(folder):
            raise OptionError(f"cannot open directory '{folder}': No such file or directory")
        stem = os.path.basename(folder).replace(" ", "_") or "dirpool"
        return self._plan(Pool(free_name(stem, lambda n: any(p.name == n for p in self.all())), folder))

    def _plan(self, pool: Pool) -> Pool:
        self.all().append(pool)
        return pool

    def make(self, pool: Pool) -> Any:
        """The pool's handle; a planned pool is defined, started and set to start by itself."""
        if pool.handle is not None:
            return pool.handle
        root = ET.Element("pool", {"type": "dir"})
        ET.SubElement(root, "name").text = pool.name
        ET.SubElement(ET.SubElement(root, "target"), "path").text = pool.folder
        handle = self.connection.storagePoolDefineXML(ET.tostring(root, encoding="unicode"), 0)
        try:
            if pool.build:
                handle.build(0)
            handle.create(0)
            handle.setAutostart(True)
        except Error:
            handle.undefine()
            raise
        pool.handle = handle
        return handle

    def volume(self, path: str) -> tuple[Any, Pool] | None:
        """The volume at a path, and its pool; None when no pool has it."""
        try:
            handle = self.connection.storageVolLookupByPath(path)
        except Error as error:
            if int(error.code) not in (0, 50):
                raise
            handle = None
        if handle is not None and self._is_there(handle):
            return handle, self._read(handle.storagePoolLookupByVolume())
        pool = self.over(os.path.dirname(path))
        if pool is None or pool.handle is None or os.path.basename(path) not in pool.handle.listVolumes():
            return None
        return pool.handle.storageVolLookupByName(os.path.basename(path)), pool

    @staticmethod
    def _is_there(volume: Any) -> bool:
        """Whether the file was not taken away behind the pool's back."""
        try:
            volume.info()
        except Error:
            return False
        return True


def free_name(
    stem: str, taken: Callable[[str], bool], suffix: str = "", start: int = 1, lead: str = "-", bare: bool = True
) -> str:
    """The first of STEM, STEM-1, STEM-2 ... that is not taken. Raises OptionError when a hundred thousand are."""
    names: Iterable[str] = (
        f"{stem}{lead if i else ''}{i or ''}{suffix}" for i in (*([0] if bare else []), *range(start, 100000))
    )
    for name in names:
        if not taken(name):
            return name
    raise OptionError(f"Name generation range exceeded for '{stem}'")
