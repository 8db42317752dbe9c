"""What an operating system supports, read from osinfo-db's own files. Unknown systems are generic, not errors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

FOLDERS = ("/usr/local/share/osinfo/os", "/etc/osinfo/os")


@dataclass
class System:
    """One operating system. Sizes are in bytes; ``devices`` holds the names of supported devices."""

    name: str = "generic"
    id: str = ""
    family: str = ""
    devices: set[str] = field(default_factory=set)
    said: dict[tuple[str, str], int] = field(default_factory=dict)

    def wants(self, word: str) -> int | None:
        """What is recommended of ``ram``, ``storage`` (bytes) or ``n-cpus``: twice the minimum where nothing is."""
        least = self.said.get(("minimum", word))
        return self.said.get(("recommended", word), least * 2 if least is not None else None)

    @property
    def ram(self) -> int | None:
        return self.wants("ram")

    @property
    def storage(self) -> int | None:
        return self.wants("storage")

    @property
    def cpus(self) -> int | None:
        return self.wants("n-cpus")

    @property
    def generic(self) -> bool:
        return not self.id

    @property
    def windows(self) -> bool:
        return self.family in ("winnt", "win9x", "win16")

    def supports(self, *words: str) -> bool:
        """Whether any device named so is supported. A generic system is taken to know only old hardware."""
        return any(word in self.devices for word in words)


def _files() -> Iterator[str]:
    system = os.path.join(os.environ.get("OSINFO_SYSTEM_DIR", "/usr/share/osinfo"), "os")
    for folder in (system, *FOLDERS):
        for root, _, names in os.walk(folder):
            for name in names:
                if name.endswith(".xml"):
                    yield os.path.join(root, name)


def _find(key: str, *, by: str) -> ET.Element | None:
    """The ``<os>`` element with this short id or id; files are searched as text first, so only hits are parsed."""
    tag = re.compile(
        rf"<short-id>\s*{re.escape(key)}\s*</short-id>" if by == "short-id" else rf"<os id=\"{re.escape(key)}\""
    )
    for path in _files():
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        if tag.search(text):
            for found in ET.fromstring(text.encode()).iter("os"):
                if (by == "id" and found.get("id") == key) or key in [s.text for s in found.findall("short-id")]:
                    return found
    return None


def names() -> list[str]:
    """Every short id there is, sorted."""
    found: set[str] = set()
    for path in _files():
        with open(path, encoding="utf-8", errors="replace") as file:
            found.update(re.findall(r"<short-id>\s*([^<\s]+)\s*</short-id>", file.read()))
    return sorted(found)


_ALIASES = {"linux": "linux2022", "generic": ""}


def lookup(name: str) -> System | None:
    """The system with this short id (``debian12``) or id (a URL), or None."""
    if name == "generic":
        return System()
    node = _find(name, by="id" if "://" in name else "short-id")
    if node is None and name in _ALIASES:
        node = _find(_ALIASES[name], by="short-id")
    if node is None:
        return None
    system = System(name=name, id=node.get("id") or "", family=(node.findtext("family") or "").strip())
    _collect(node, system, set())
    return system


def _collect(node: ET.Element, system: System, seen: set[str], denied: frozenset[str] = frozenset()) -> None:
    """Add what the system says and what those say that it derives from; the nearer word counts."""
    seen.add(node.get("id") or "")
    no = set(denied)
    for device in node.findall("devices/device"):
        name = device.get("id") or ""
        name = name.rpartition("pcisig.com/pci/")[2] or name
        if device.get("supported") == "false":
            no.add(name)
        elif name not in denied:
            system.devices.add(name)
    for kind in ("recommended", "minimum"):
        for said in node.findall(f"resources/{kind}"):
            for word in ("ram", "storage", "n-cpus"):
                value = _number(said.findtext(word))
                if value is not None:
                    system.said.setdefault((kind, word), value)
    for relation in ("derives-from", "clones"):
        for above in node.findall(relation):
            other = above.get("id") or ""
            if other and other not in seen:
                found = _find(other, by="id")
                if found is not None:
                    _collect(found, system, seen, frozenset(no))


def _number(text: str | None) -> int | None:
    return int(text) if text and text.strip().isdigit() else None


DEVICES = {
    "virtio-disk": ("1af4/1001", "1af4/1042"),
    "virtio-net": ("1af4/1000", "1af4/1041"),
    "virtio-scsi": ("1af4/1004", "1af4/1048"),
    "virtio-rng": ("1af4/1005", "1af4/1044"),
    "virtio-balloon": ("1af4/1002", "1af4/1045"),
    "virtio-serial": ("1af4/1003", "1af4/1043"),
    "virtio-gpu": ("1af4/1050",),
    "usb3": ("1b36/0004", "1b36/000d", "1033/0194"),
    "q35": ("http://qemu.org/chipset/x86/q35",),
}


def has(system: System, what: str) -> bool:
    """Whether the system drives one of the devices that ``what`` stands for."""
    return system.supports(*DEVICES[what])
