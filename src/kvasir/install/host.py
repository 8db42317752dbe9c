"""What the connection can run: the parts of its capabilities documents that a new guest's defaults depend on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET


class HostError(RuntimeError):
    """The host cannot run what was asked for."""


MACHINES = {
    "aarch64": "virt", "armv7l": "virt", "riscv64": "virt", "riscv32": "virt", "ppc64": "pseries", "ppc64le": "pseries",
    "s390x": "s390-ccw-virtio",
}  # fmt: skip
"""Architectures' machine types that are made for guests."""


@dataclass
class GuestKind:
    """One way in which the host runs guests."""

    virt_type: str
    os_type: str
    arch: str
    emulator: str
    machines: list[str] = field(default_factory=list)
    features: set[str] = field(default_factory=set)
    aliases: list[str] = field(default_factory=list)

    def default_machine(self, q35: bool) -> str | None:
        """The machine of a new guest: the board for guests of its architecture, ``q35`` for systems that know it, else the host's."""
        wanted = MACHINES.get(self.arch) or ("q35" if q35 else None)
        return wanted if wanted in self.machines else self.machines[0] if self.machines else None


def choose(
    capabilities: str, virt_type: str = "", arch: str = "", os_type: str = "hvm", machine: str = ""
) -> GuestKind:
    """The kind that fits what was asked for; KVM and the host's own architecture when nothing was. Raises HostError."""
    root = ET.fromstring(capabilities)
    wanted = arch or root.findtext("host/cpu/arch") or "x86_64"
    for guest in root.findall("guest"):
        node = guest.find("arch")
        if guest.findtext("os_type") != os_type or node is None or node.get("name") != wanted:
            continue
        kinds = [d.get("type") or "" for d in node.findall("domain")]
        picked = virt_type or ("kvm" if "kvm" in kinds else kinds[0] if kinds else "")
        if picked not in kinds:
            raise HostError(
                f"Host does not support domain type {picked} for virtualization type '{os_type}' with architecture '{wanted}'"
            )
        machines = _machines(node, picked)
        if machine and machine not in machines:
            raise HostError(
                f"Host does not support domain type {virt_type or None} with machine '{machine}' for virtualization type "
                f"'{os_type}' with architecture '{wanted}'"
            )
        own = next((d.findtext("emulator") for d in node.findall("domain") if d.get("type") == picked), None)
        return GuestKind(
            picked,
            os_type,
            wanted,
            own or node.findtext("emulator") or "",
            machines,
            {f.tag for f in guest.findall("features/*")},
            [m.text for m in node.iter("machine") if m.get("canonical") and m.text],
        )
    raise HostError(f"Host does not support any virtualization options for architecture '{wanted}'")


def _machines(arch: ET.Element, virt_type: str) -> list[str]:
    inside = next((d.findall("machine") for d in arch.findall("domain") if d.get("type") == virt_type), [])
    out: list[str] = []
    for machine in [*inside, *arch.findall("machine")]:
        out += [m for m in (machine.text, machine.get("canonical")) if m]
    return out


class DomainCaps:
    """The domain capabilities of one emulator and machine."""

    def __init__(self, document: str) -> None:
        self.root = ET.fromstring(document)

    @classmethod
    def fetch(cls, connection: Any, kind: GuestKind, machine: str) -> DomainCaps:
        return cls(connection.getDomainCapabilities(kind.emulator, kind.arch, machine or None, kind.virt_type))

    def values(self, path: str, enum: str) -> list[str]:
        """The values of an enumeration: ``values("devices/graphics", "type")``."""
        node = self.root.find(path)
        if node is None or node.get("supported") != "yes":
            return []
        return [v.text or "" for e in node.findall("enum") if e.get("name") == enum for v in e.findall("value")]

    def firmware(self) -> list[str]:
        return self.values("os", "firmware") or [
            v.text or ""
            for e in self.root.findall("os/enum")
            if e.get("name") == "firmware"
            for v in e.findall("value")
        ]

    def mitigations(self) -> list[str]:
        """Features of the host's processor model that guard against speculation's leaks."""
        names = ("spec-ctrl", "ssbd", "ibpb", "virt-ssbd", "md-clear")
        mode = next((m for m in self.root.findall("cpu/mode") if m.get("name") == "host-model"), None)
        if mode is None or mode.get("supported") != "yes":
            return []
        return [n for f in mode.findall("feature") if (n := f.get("name") or "") in names]

    def cpu_mode(self, name: str) -> bool:
        return any(m.get("name") == name and m.get("supported") == "yes" for m in self.root.findall("cpu/mode"))

    def migratable_passthrough(self) -> bool:
        mode = next((m for m in self.root.findall("cpu/mode") if m.get("name") == "host-passthrough"), None)
        return mode is not None and any(
            v.text == "on"
            for e in mode.findall("enum")
            if e.get("name") == "hostPassthroughMigratable"
            for v in e.findall("value")
        )
