"""Control groups: which hierarchies the host has (v1 controllers, v2, or both), groups in them, who is in a group.

A ``Group`` is one place in all hierarchies at once: ``dirs`` maps each controller to its folder. Controllers have their v1
names throughout (``blkio`` is v2's ``io``, ``cpuacct`` a part of its ``cpu``). Paths begin at the mount points, as libvirt's do.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass

from kvasir.errors import SystemFailure

from . import cgroup_devices

CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "net_cls", "perf_event")
IN_SCOPE = "libvirt"
"""The group within a machine's scope that is ours; the scope is systemd's."""
THREAD = ("cpu", "cpuacct", "cpuset")
"""Controllers in which single threads have groups of their own."""
V2_NAMES = {"cpu": ("cpu", "cpuacct"), "cpuset": ("cpuset",), "memory": ("memory",), "io": ("blkio",)}
V2_ALWAYS = ("freezer",)
V2_DEVICES = ("devices",)
"""By a program at the group, where the kernel lets us: ``cgroup_devices``."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A mounted tree of control groups."""

    version: int
    controllers: tuple[str, ...]
    path: str
    """Where it is mounted."""
    root: str
    """The path, within the hierarchy, of what is mounted there."""


def _mounts(text: str, below: str) -> Iterable[tuple[str, str, str, set[str]]]:
    """(type, mount point, root, options) of the control group mounts below a folder, from a mountinfo text."""
    for line in text.splitlines():
        head, _, tail = line.partition(" - ")
        words, (kind, _, options) = head.split(), tail.split(" ", 2)
        point = words[4].encode().decode("unicode_escape")
        if kind in ("cgroup", "cgroup2") and point.startswith(below):
            yield kind, point, words[3], set(options.split(","))


def hierarchies(root: str = "", allowed: Iterable[str] | None = None, mountinfo: str | None = None) -> list[Hierarchy]:
    """What is mounted: with ``root``, below ``ROOT/sys/fs/cgroup`` only. ``allowed`` as ``cgroup_controllers`` of qemu.conf.

    A v2 tree without controllers only follows processes for systemd and counts as not there.
    """
    if mountinfo is None:
        try:
            with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
                mountinfo = stream.read()
        except OSError:
            return []
    wanted = set(CONTROLLERS if allowed is None else allowed)
    found: list[Hierarchy] = []
    mounts = list(_mounts(mountinfo, f"{root}/sys/fs/cgroup" if root else "/"))
    for kind, point, inner, options in sorted(mounts, key=lambda mount: mount[0] != "cgroup2"):
        if kind == "cgroup2":
            words = _words(f"{point}/cgroup.controllers")
            names = [name for word in words for name in V2_NAMES.get(word, ())]
            names += V2_ALWAYS if words else ()
            names += V2_DEVICES if words and cgroup_devices.available(point) else ()
        else:
            names = [name for name in CONTROLLERS if name in options]
        names = [name for name in names if name in wanted]
        wanted.difference_update(names)
        if names:
            found.append(Hierarchy(2 if kind == "cgroup2" else 1, tuple(names), point, inner.rstrip("/")))
    return found


def _words(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii") as stream:
            return stream.read().split()
    except OSError:
        return []


class Group:
    """A control group in every hierarchy that has a controller for it."""

    def __init__(self, trees: Iterable[Hierarchy], path: str, only: Iterable[str] = CONTROLLERS) -> None:
        """``path`` begins at the mount points (``/machine/x``)."""
        self.trees, self.path, self.only = tuple(trees), path, tuple(only)
        self.dirs: dict[str, str] = {}
        self.unified: set[str] = set()
        """The controllers that are v2's."""
        for tree in self.trees:
            for name in tree.controllers:
                if name in self.only:
                    self.dirs[name] = tree.path + path
                    if tree.version == 2:
                        self.unified.add(name)

    def has(self, controller: str) -> bool:
        """Whether that controller governs the group."""
        return controller in self.dirs

    @property
    def folders(self) -> list[str]:
        """Each folder once."""
        return list(dict.fromkeys(self.dirs.values()))

    def child(self, name: str, only: Iterable[str] | None = None) -> Group:
        """A group below this one (not made yet)."""
        return Group(self.trees, f"{self.path}/{name}", self.only if only is None else only)

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    @property
    def scope(self) -> Group | None:
        """The scope of systemd's around a group that lies in one: the weights among guests are the scope's."""
        head, _, last = self.path.rpartition("/")
        return Group(self.trees, head, self.only) if last == IN_SCOPE and head.endswith(".scope") else None

    @property
    def exists(self) -> bool:
        return bool(self.dirs) and all(os.path.isdir(folder) for folder in self.folders)

    def exists_for(self, controller: str) -> bool:
        """Whether the group is there for that controller (those of threads are for a few only)."""
        return controller in self.dirs and os.path.isdir(self.dirs[controller])

    # -- values

    def file(self, controller: str, name: str) -> str:
        """The path of a controller's file."""
        return f"{self.dirs[controller]}/{name}"

    def read(self, controller: str, name: str) -> str:
        """What a file says. Raises SystemFailure."""
        path = self.file(controller, name)
        try:
            with open(path, encoding="ascii") as stream:
                return stream.read().strip()
        except OSError as error:
            raise SystemFailure(f"Unable to read from '{path}'", error) from error

    def write(self, controller: str, name: str, value: object) -> None:
        """Set a file. Raises SystemFailure."""
        _write(self.file(controller, name), str(value))

    # -- life

    def make(self, *, threaded: bool = False) -> None:
        """Make the group's folders; what it needs of its parent is handed down. Raises SystemFailure."""
        for folder in self.folders:
            second = any(self.dirs[name] == folder for name in self.unified)
            if second:
                self._hand_down(os.path.dirname(folder))
            try:
                os.makedirs(folder, 0o755, exist_ok=True)
            except OSError as error:
                raise SystemFailure(f"Failed to create group {folder}", error) from error
            if second and threaded:
                _write(f"{folder}/cgroup.type", "threaded")
        if "cpuset" in self.dirs and "cpuset" not in self.unified:
            folder = self.dirs["cpuset"]
            for name in ("cpuset.cpus", "cpuset.mems"):
                with open(f"{folder}/{name}", encoding="ascii") as stream:
                    empty = not stream.read().strip()
                if empty:
                    with open(f"{os.path.dirname(folder)}/{name}", encoding="ascii") as stream:
                        _write(f"{folder}/{name}", stream.read().strip())

    def _hand_down(self, parent: str) -> None:
        """Let the groups below a v2 folder have the controllers."""
        known, on = _words(f"{parent}/cgroup.controllers"), _words(f"{parent}/cgroup.subtree_control")
        for word, names in V2_NAMES.items():
            if word in known and word not in on and any(name in self.unified for name in names):
                _write(f"{parent}/cgroup.subtree_control", f"+{word}")

    def add(self, pid: int) -> None:
        """Put a process, with all its threads, into the group."""
        for folder in self.folders:
            _write(f"{folder}/cgroup.procs", str(pid))

    def add_thread(self, tid: int) -> None:
        """Put one thread into the group."""
        for folder in self.folders:
            second = any(self.dirs[name] == folder for name in self.unified)
            _write(f"{folder}/{'cgroup.threads' if second else 'tasks'}", str(tid))

    def tasks(self, controller: str) -> list[int]:
        """The threads that are in the group itself."""
        name = "cgroup.threads" if controller in self.unified else "tasks"
        return [int(word) for word in _words(self.file(controller, name))]

    def remove(self) -> bool:
        """Remove the group with those below it. False while a process that is not quite gone still holds it."""
        gone = True
        for top in self.folders:
            for folder, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(FileNotFoundError):
                    try:
                        os.rmdir(folder)
                    except OSError:
                        gone = False
        return gone


def _write(path: str, value: str) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, value.encode("ascii"))
        finally:
            os.close(fd)
    except OSError as error:
        raise SystemFailure(f"Unable to write to '{path}'", error) from error


def of_process(trees: Iterable[Hierarchy], pid: int) -> Group | None:
    """The group that a process is in, without what stands for single threads; None when it cannot be told.

    The hierarchies must agree: a group in some only is not one that we or libvirt made.
    """
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as stream:
            lines = [line.rstrip("\n").split(":", 2) for line in stream]
    except OSError:
        return None
    trees = tuple(trees)
    paths: set[str] = set()
    for tree in trees:
        for _, names, path in lines:
            if (not names and tree.version == 2) or (
                tree.version == 1 and set(names.split(",")) & set(tree.controllers)
            ):
                paths.add(_process_part(path.removeprefix(tree.root)))
    if len(paths) != 1 or (path := paths.pop()).startswith("/.."):  # the latter: outside this daemon's namespace
        return None
    return Group(trees, path)


def _process_part(path: str) -> str:
    """A path without the group of a thread at its end."""
    head, _, last = path.rpartition("/")
    return head if last == "emulator" or last.rstrip("0123456789") in ("vcpu", "iothread") else path


def escape(name: str) -> str:
    """A name as a folder among a controller's files (libvirt's rule)."""
    if name.startswith(("_", ".")) or name in ("notify_on_release", "release_agent", "tasks"):
        return f"_{name}"
    return f"_{name}" if name.split(".", 1)[0] in ("cgroup", *CONTROLLERS) and "." in name else name


def partition_path(name: str) -> str:
    """The folder of a resource partition: each part but the three known ones at the top ends in ``.partition``."""
    parts = [part for part in name.split("/") if part]
    shown = [
        part if (at == 0 and part in ("machine", "system", "user")) or "." in part else f"{part}.partition"
        for at, part in enumerate(parts)
    ]
    return "".join(f"/{escape(part)}" for part in shown)
