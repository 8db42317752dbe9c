"""What a QEMU binary can do: probed once, kept on disk, asked by libvirt's words.

``Capabilities.has("virtio-net.rss")`` answers for one binary. ``Store.get(path)`` probes or loads; ``Store.cached(path)``
never waits for a process.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kvasir import __version__
from kvasir.host.files import write_file

from .capability_words import ASSUMED, UNREPORTED

log = logging.getLogger(__name__)

FORMAT = 10
"""Changes whenever the probe asks or keeps something else; older cache files are then probed anew."""

ARCHES = {"i386": "i686", "arm": "armv7l", "ppc64": "ppc64", "sh4": "sh4", "sh4eb": "sh4eb"}
"""QEMU's target names that libvirt calls otherwise."""


GUESTS = (
    "alpha", "armv6l", "armv7l", "aarch64", "cris", "i686", "lm32", "m68k", "microblaze", "microblazeel", "mips",
    "mipsel", "mips64", "mips64el", "or32", "ppc", "ppc64", "ppc64le", "riscv32", "riscv64", "s390x", "sh4", "sh4eb", "sparc",
    "sparc64", "x86_64", "xtensa", "xtensaeb",
)  # fmt: skip
"""Architectures whose emulators are looked for, in libvirt's order."""


@dataclass(slots=True)
class Machine:
    """A machine type of the binary."""

    name: str
    alias: str | None = None
    default: bool = False
    max_cpus: int = 1
    hotplug_cpus: bool = False
    deprecated: bool = False
    default_cpu: str | None = None
    default_ram_id: str | None = None
    numa_mem: bool = False
    acpi: bool | None = None


@dataclass(slots=True)
class CpuModel:
    """A CPU model of the binary under one accelerator; ``blockers`` are the features that the host lacks."""

    name: str
    typename: str = ""
    usable: bool | None = None
    blockers: list[str] = field(default_factory=list)
    deprecated: bool = False
    alias_of: str | None = None


@dataclass(slots=True)
class Accel:
    """What holds under one accelerator (``kvm`` or ``tcg``): CPU models and the host's CPU as QEMU expands it."""

    cpus: list[CpuModel] = field(default_factory=list)
    host: dict[str, Any] = field(default_factory=dict)
    host_model: str = ""
    migratable: dict[str, bool] = field(default_factory=dict)
    hyperv: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Capabilities:
    """The abilities of one binary."""

    binary: str
    arch: str = "x86_64"
    version: tuple[int, int, int] = (0, 0, 0)
    package: str = ""
    words: set[str] = field(default_factory=set)
    properties: dict[str, list[str]] = field(default_factory=dict)
    commands: set[str] = field(default_factory=set)
    machines: list[Machine] = field(default_factory=list)
    accels: dict[str, Accel] = field(default_factory=dict)

    def has(self, word: str) -> bool:
        """True when the binary knows what libvirt calls ``word``; ``type.property`` of a probed type is understood too."""
        if word in self.words or word in ASSUMED or word in UNREPORTED:
            return True
        kind, dot, name = word.rpartition(".")
        return bool(dot) and name in self.properties.get(kind, ())

    @property
    def kvm(self) -> bool:
        return "kvm" in self.words

    @property
    def version_number(self) -> int:
        """The version as libvirt counts it (7.2.22 is 7002022)."""
        major, minor, micro = self.version
        return major * 1_000_000 + minor * 1000 + micro

    def machine(self, name: str) -> Machine | None:
        """The machine type of that name or alias."""
        for machine in self.machines:
            if name in (machine.name, machine.alias):
                return machine
        return None

    def canonical_machine(self, name: str) -> str:
        """The own name of a machine type (``pc`` is ``pc-i440fx-7.2``); an unknown name stays."""
        machine = self.machine(name)
        return machine.name if machine else name

    @property
    def default_machine(self) -> str:
        """The machine type that a document without one gets."""
        for machine in self.machines:
            if machine.default:
                return machine.alias or machine.name
        return self.machines[0].name if self.machines else "none"

    def accel(self, virt_type: str) -> Accel:
        """The part that holds under ``kvm`` or under TCG (``qemu``)."""
        return self.accels.get("kvm" if virt_type == "kvm" else "tcg") or Accel()

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        for name in ("words", "commands"):
            data[name] = sorted(data[name])
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Capabilities:
        known = {f.name for f in fields(cls)}
        values = {k: v for k, v in data.items() if k in known}
        for name in ("words", "commands"):
            values[name] = set(values[name])
        values["version"] = tuple(values["version"])
        values["machines"] = [Machine(**m) for m in values["machines"]]
        values["accels"] = {
            name: Accel(
                cpus=[CpuModel(**c) for c in accel["cpus"]],
                host=accel["host"],
                host_model=accel["host_model"],
                migratable=accel["migratable"],
                hyperv=accel["hyperv"],
            )
            for name, accel in values["accels"].items()
        }
        return cls(**values)


def cache_key(binary: str) -> dict[str, Any]:
    """What a cached answer depends on: the binary, our version, kernel, KVM and the processor's microcode."""
    stat = os.stat(binary)
    modules = 0
    for folder in ("/usr/lib/x86_64-linux-gnu/qemu", "/usr/lib64/qemu-kvm", "/usr/lib64/qemu", "/usr/lib/qemu"):
        try:
            modules = max(modules, int(os.stat(folder).st_ctime))
        except OSError:
            continue
    uname = os.uname()
    return {
        "binary": binary,
        "size": stat.st_size,
        "ctime": stat.st_ctime_ns,
        "mtime": stat.st_mtime_ns,
        "modules": modules,
        "format": FORMAT,
        "version": __version__,
        "kernel": f"{uname.release} {uname.version}",
        "kvm": os.path.exists("/dev/kvm"),
        "microcode": _microcode(),
    }


def _microcode() -> str:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("microcode"):
                    return line.partition(":")[2].strip()
                if not line.strip():
                    break
    except OSError:
        pass
    return ""


def _line(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


class Store:
    """The binaries' abilities, in memory and in ``folder`` (``var/cache/libvirt/qemu/capabilities``).

    ``run_folder`` is where the short-lived probes keep their files; ``user`` and ``group`` are what they run as where
    the daemon is root.
    """

    def __init__(
        self, folder: Path, run_folder: Path | None = None, user: int | None = None, group: int | None = None
    ) -> None:
        self.folder, self.run_folder = Path(folder), run_folder
        self.user, self.group = user, group
        self._known: dict[str, tuple[dict[str, Any], Capabilities]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def path(self, binary: str) -> Path:
        return self.folder / f"{quote(binary, safe='')[-200:]}.json"

    def cached(self, binary: str) -> Capabilities | None:
        """The abilities if they are known without asking the binary."""
        try:
            key = cache_key(binary)
        except OSError:
            return None
        known = self._known.get(binary)
        if known and known[0] == key:
            return known[1]
        stored = self._stored(binary, key)
        if stored is None:
            return None
        try:
            caps = Capabilities.from_json(json.loads(stored))
        except (ValueError, KeyError, TypeError):
            return None
        self._known[binary] = (key, caps)
        return caps

    def _stored(self, binary: str, key: dict[str, Any]) -> bytes | None:
        """The abilities in the cache file, if it is of this key: its first line is the key, the second the abilities."""
        try:
            with open(self.path(binary), "rb") as file:
                return file.read() if file.readline() == _line(key) else None
        except OSError:
            return None

    async def learn(self, binary: str) -> None:
        """See to it that the abilities are in the cache file; they are read when somebody asks. Raises as ``get``."""
        if self._stored(binary, cache_key(binary)) is None:
            await self.get(binary)
            if self._stored(binary, cache_key(binary)) is not None:
                self._known.pop(binary, None)

    async def get(self, binary: str) -> Capabilities:
        """The abilities, probed when they are not known. Raises InternalError with QEMU's own words."""
        caps = self.cached(binary)
        if caps is not None:
            return caps
        from . import capabilities_probe

        async with self._locks.setdefault(binary, asyncio.Lock()):
            caps = self.cached(binary)
            if caps is not None:
                return caps
            key = cache_key(binary)
            caps = await capabilities_probe.probe(binary, self.run_folder, self.user, self.group)
            self._known[binary] = (key, caps)
            self._save(binary, key, caps)
            return caps

    def _save(self, binary: str, key: dict[str, Any], caps: Capabilities) -> None:
        try:
            write_file(str(self.path(binary)), _line(key) + _line(caps.to_json()), 0o644, durable=False)
        except OSError as error:
            log.warning("cannot keep the capabilities of %s: %s", binary, error)


def binaries(arch: str | None = None) -> dict[str, str]:
    """The emulators on this host: architecture to path, in libvirt's search order."""
    found: dict[str, str] = {}
    wanted = [arch] if arch else GUESTS
    names = {"i686": "i386", "armv7l": "arm", "armv6l": "arm"}
    for word in wanted:
        for name in (f"qemu-system-{names.get(word, word)}", *(("qemu-kvm",) if word == os.uname().machine else ())):
            for folder in (*os.environ.get("PATH", "").split(":"), "/usr/bin", "/usr/local/bin", "/usr/libexec"):
                candidate = os.path.join(folder, name)
                if folder and word not in found and os.access(candidate, os.X_OK):
                    found[word] = candidate
    return found


def native(found: dict[str, str]) -> dict[str, str]:
    """Those of the emulators that serve the host's own architecture."""
    host = os.uname().machine
    return {arch: binary for arch, binary in found.items() if arch in (host, "i686" if host == "x86_64" else host)}
