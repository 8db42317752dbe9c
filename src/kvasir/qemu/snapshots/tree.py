"""The snapshots of one guest: read from libvirt's metadata files when first needed, kept in memory and in the files."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import Any, Self

from kvasir.errors import Code, Error, Origin
from kvasir.host.files import NEW, FileFailure, banner, discard, failing, make_folder, rehearse, remove, write_file
from kvasir.qemu.store import body, read_text

from .document import DISK_SNAPSHOT, parse

log = logging.getLogger(__name__)


class NoSnapshot(Error):
    """Error 72: there is no such snapshot."""

    code, origin = Code.NO_DOMAIN_SNAPSHOT, Origin.QEMU

    def __init__(self, text: str) -> None:
        super().__init__(text, message=f"Domain snapshot not found: {text}")


class Tree:
    """The snapshots of a guest by name, in the order of their files."""

    WHAT, COMMAND = "snapshot", "snapshot-edit"
    MISSING: type[Error] = NoSnapshot

    def __init__(self, guest: Any) -> None:
        self.guest = guest
        self.known: dict[str, Any] = {}
        self.current: Any = None
        self._load()

    @classmethod
    def cache(cls, driver: Any) -> Any:
        """Where the driver keeps the trees."""
        return driver.snapshot_trees

    @classmethod
    def of(cls, guest: Any) -> Self:
        """The guest's tree; read once."""
        trees = cls.cache(guest.driver)
        tree = trees.get(guest)
        if tree is None:
            tree = trees[guest] = cls(guest)
        found: Self = tree
        return found

    @property
    def folder(self) -> str:
        return f"{self.guest.driver.paths.qemu.snapshot}/{self.guest.name}"

    def path(self, name: str) -> str:
        return f"{self.folder}/{name}.xml"

    def _load(self) -> None:
        try:
            entries = sorted(os.listdir(self.folder))
        except OSError:
            return
        for entry in entries:
            if not entry.endswith(".xml") or entry.endswith(NEW):
                continue
            path = f"{self.folder}/{entry}"
            try:
                found = self.parse(body(read_text(path)))
            except (OSError, Error) as error:
                log.error("%s of guest %s cannot be read: %s", path, self.guest.name, error)
                continue
            if found.current:
                if self.current is not None:
                    log.error("guest %s has more than one current snapshot", self.guest.name)
                self.current = found
            self.known[found.name] = found
        for found in self.known.values():
            if found.parent and found.parent not in self.known:
                log.warning("snapshot %s of guest %s: its parent is gone", found.name, self.guest.name)

    def parse(self, text: str) -> Any:
        """A metadata file's content."""
        return parse(text, stored=True)

    # -- looking

    def find(self, name: str) -> Any:
        """Raises MISSING."""
        found = self.known.get(name)
        if found is None:
            raise self.MISSING(f"no domain {self.WHAT} with matching name '{name}'")
        return found

    def parent(self, snap: Any) -> Any:
        return self.known.get(snap.parent) if snap.parent else None

    def children(self, snap: Any) -> list[Any]:
        """The snapshots just below one, or the roots."""
        if snap is None:
            return [one for one in self.known.values() if self.parent(one) is None]
        return [one for one in self.known.values() if one.parent == snap.name]

    def below(self, snap: Any) -> Iterator[Any]:
        """Everything below one (or all), parents first."""
        for one in self.children(snap):
            yield one
            yield from self.below(one)

    def select(self, start: Any, flags: int) -> list[Any]:
        """What passes the filters of a list call, below ``start`` (all where None)."""
        direct = bool(flags & 1) if start is None else not flags & 1
        found = self.children(start) if direct else list(self.below(start))
        return [one for one in found if self._passes(one, flags)]

    def _passes(self, one: Any, flags: int) -> bool:
        leaf = not self.children(one)
        kind = 32 if one.offline else 128 if one.state == DISK_SNAPSHOT else 64
        pairs = (
            (4, 8, 4 if leaf else 8),
            (2, 16, 2),
            (256, 512, 512 if one.external else 256),
        )
        if any(flags & (a | b) and not flags & bit for a, b, bit in pairs):
            return False
        return not flags & (32 | 64 | 128) or bool(flags & kind)

    # -- changing

    def _text(self, snap: Any) -> str:
        return str(banner(f"virsh {self.COMMAND}") + snap.xml(stored=True))

    def save(self, snap: Any) -> None:
        """Write the metadata file. Raises FileFailure."""
        make_folder(self.folder)
        write_file(self.path(snap.name), self._text(snap))

    def rehearse(self, snap: Any) -> None:
        """Raise what ``save`` would, before images are touched. Raises FileFailure."""
        try:
            rehearse(self.path(snap.name), len(self._text(snap)))
        finally:
            with contextlib.suppress(OSError):
                os.rmdir(self.folder)

    def move(self, old: str, new: str) -> None:
        """The guest has another name, and the folder with it. Raises FileFailure."""
        top = self.folder.removesuffix(f"/{self.guest.name}")
        with failing(f"cannot rename file '{top}/{old}' as '{top}/{new}'"), contextlib.suppress(FileNotFoundError):
            os.rename(f"{top}/{old}", f"{top}/{new}")

    def add(self, snap: Any) -> None:
        self.known[snap.name] = snap

    def set_current(self, snap: Any) -> None:
        """Make one snapshot the current one, in the files too. Raises FileFailure, and the one before is the current one then."""
        old, self.current = self.current, snap
        before = [(one, one.current) for one in (old, snap) if one is not None]
        try:
            if old is not None and old is not snap:
                old.current = False
                if old.name in self.known:
                    self.save(old)
            if snap is not None:
                snap.current = True
                self.save(snap)
        except BaseException:
            self.current = old
            for one, was in before:
                one.current = was
            self._save_back(old)
            raise

    def _save_back(self, *snaps: Any) -> None:
        for one in snaps:
            if one is not None and one.name in self.known:
                try:
                    self.save(one)
                except FileFailure as error:
                    log.error("%s", error)

    def drop(self, snap: Any) -> None:
        """Forget a snapshot and its file; its children belong to its parent then. Raises FileFailure, and all is as before then."""
        children, parent, current = self.children(snap), self.parent(snap), self.current
        try:
            for child in children:
                child.parent = snap.parent
                self.save(child)
            if current is snap:
                self.current = None
                if parent is not None:
                    self.set_current(parent)
            remove(self.path(snap.name))
        except BaseException:
            self.current = current
            for child in children:
                child.parent = snap.name
            if current is snap and parent is not None:
                parent.current = False
            self._save_back(*children, parent)
            raise
        self.known.pop(snap.name, None)

    def drop_all(self, *, quiet: bool = True) -> None:
        """Forget everything, as undefine does; files that stay are named in the log, or raise FileFailure."""
        for snap in list(self.known.values()):
            (discard if quiet else remove)(self.path(snap.name))
            self.known.pop(snap.name)
        self.current = None
        try:
            os.rmdir(self.folder)
        except OSError:
            return
