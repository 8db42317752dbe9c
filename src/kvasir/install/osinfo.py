"""What an operating system supports, from osinfo-db and our own list of newer systems. Unknown systems are generic, not errors."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from . import osindex


@dataclass
class System:
    """One operating system. Sizes are in bytes; ``devices`` holds the names of supported devices."""

    name: str = "generic"
    id: str = ""
    label: str = "Generic or unknown OS"
    family: str = ""
    distro: str = ""
    version: str = ""
    devices: set[str] = field(default_factory=set)
    said: dict[str, int] = field(default_factory=dict)
    firmware: dict[str, bool] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    url_argument: str = ""
    above: set[str] = field(default_factory=set)

    def wants(self, word: str, arch: str = "x86_64", kind: str = "recommended") -> int | None:
        """What is recommended of ``ram``, ``storage`` (bytes) or ``n-cpus``: twice the minimum where nothing is."""
        value = self._says(word, arch, kind)
        if value or kind != "recommended":
            return value
        least = self._says(word, arch, "minimum")
        return least * 2 if least else None

    def _says(self, word: str, arch: str, kind: str) -> int | None:
        return self.said.get(f"{arch}/{kind}/{word}") or self.said.get(f"all/{kind}/{word}")

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

    @property
    def localtime(self) -> bool:
        return self.windows or self.family == "solaris"

    @property
    def needs_uefi(self) -> bool:
        """Whether it boots by UEFI only."""
        if self.name == "win11":
            return True
        return self.firmware.get("x86_64/efi", False) and not self.firmware.get("x86_64/bios", True)

    def supports(self, *words: str) -> bool:
        """Whether any device named so is supported. A generic system is taken to know only old hardware."""
        return any(word in self.devices for word in words)

    def network_model(self) -> str:
        """The best of the network cards that need no virtio."""
        ids = {"8086/100e": "e1000", "10ec/8139": "rtl8139", "10ec/8029": "ne2k_pci", "1022/2000": "pcnet"}
        return next((model for word, model in ids.items() if word in self.devices), "e1000")

    def location(self, arch: str) -> str | None:
        """The URL of the install tree."""
        return self.urls.get(arch)


def _system(found: dict[str, Any]) -> System:
    return System(
        name=found["names"][0] if found["names"] else "",
        id=found["id"],
        label=found["name"],
        family=found["family"],
        distro=found["distro"],
        version=found["version"],
        devices=set(found["devices"]),
        said=found["said"],
        firmware=found["firmware"],
        urls=found["urls"],
        url_argument=found["url_argument"],
        above=set(found["above"]),
    )


def names() -> list[str]:
    """Every short id there is, sorted."""
    return list(osindex.get("*names") or [])


def groups() -> list[list[str]]:
    """The names of each system, one list a system, in the order of the original: newest number first."""
    rows = [sorted(set(g)) for g in osindex.get("*groups") or [] if g]
    first = {tuple(sorted(set(g))): g[0] for g in osindex.get("*groups") or [] if g}
    rows.append(["generic"])
    first[("generic",)] = "generic"

    def key(row: list[str]) -> list[tuple[int, int | str]]:
        parts = re.split(r"([0-9]+)", first[tuple(row)])
        return [(0, -int(p)) if p.isdigit() else (1, p.lower()) for p in parts]

    return sorted(rows, key=key)


def lookup(name: str) -> System | None:
    """The system with this short id (``debian12``) or id (a URL), or None."""
    if name == "generic":
        return System()
    found = osindex.get(name) if name and not name.startswith("*") and "\n" not in name and "\t" not in name else None
    if found is None and name == "linux":
        found = osindex.get("linux2022")
    return _system(found) if found else None


DEVICES = {
    "virtio-disk": ("1af4/1001", "1af4/1042"),
    "virtio-net": ("1af4/1000", "1af4/1041"),
    "virtio-scsi": ("1af4/1004", "1af4/1048"),
    "virtio-rng": ("1af4/1005", "1af4/1044"),
    "virtio-balloon": ("1af4/1002", "1af4/1045"),
    "virtio-serial": ("1af4/1003", "1af4/1043"),
    "virtio-gpu": ("1af4/1050",),
    "usb3": ("1b36/0004",),
}


def has(system: System, what: str) -> bool:
    """Whether the system drives one of the devices that ``what`` stands for."""
    if what == "q35":
        old = system.supports("1af4/1000") and not system.supports("1af4/1041")
        return system.supports("http://qemu.org/chipset/x86/q35") and not old
    if what == "virtio-serial" and "rhel6.0" in system.above:
        return True
    return system.supports(*DEVICES[what])


def matches(rule: dict[str, Any], facts: dict[str, str]) -> bool:
    """Whether a medium's or tree's facts fit all regular expressions of a rule."""
    words = [k for k in rule if k not in ("os", "arch") and not k.startswith("_")]
    return bool(words) and all(re.search(rule[k], facts.get(k, "")) if rule[k] else True for k in words)


def identify(kind: str, facts: dict[str, str]) -> dict[str, Any] | None:
    """The rule that fits an ISO image's labels (``media``) or a tree's ``.treeinfo`` (``trees``), or None."""
    best: dict[str, Any] | None = None
    for rule in osindex.get(f"*{kind}") or []:
        try:
            fits = matches(rule, facts)
        except re.error:
            continue
        if fits and (best is None or len(rule) > len(best)):
            best = rule
    return best


def of_document(root: Any) -> System | None:
    """The system that a guest's metadata names, or None."""
    for node in root.iter():
        if isinstance(node.tag, str) and node.tag.endswith("}os") and "libosinfo" in node.tag:
            return lookup(node.get("id") or "")
    return None
