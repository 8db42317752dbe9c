"""The ``capabilities`` document: what the host is, and which guests it can run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kvasir.cpu import x86
from kvasir.host import kvm, topology

from .capabilities import Capabilities

NARROW = (
    "i686", "armv7l", "armv6l", "cris", "lm32", "m68k", "microblaze", "microblazeel", "mips", "mipsel", "or32", "ppc", "riscv32",
    "sh4", "sparc", "xtensa", "xtensaeb",
)  # fmt: skip
"""Architectures of 32 bits."""


@dataclass(frozen=True)
class Identity:
    """What the daemon adds to the host's facts: its uuid and as whom guests run (None in a user's session)."""

    uuid: str
    user: int | None = None
    group: int | None = None


def render(identity: Identity, guests: Mapping[str, Capabilities]) -> str:
    """The whole document; ``guests`` maps architecture to the abilities of its emulator."""
    lines = ["<capabilities>", "", "  <host>", f"    <uuid>{identity.uuid}</uuid>"]
    lines += _cpu()
    lines += _power()
    lines.append(f"    <iommu support='{'yes' if has_iommu() else 'no'}'/>")
    lines += [
        "    <migration_features>",
        "      <live/>",
        "      <uri_transports>",
        "        <uri_transport>tcp</uri_transport>",
        "        <uri_transport>rdma</uri_transport>",
        "      </uri_transports>",
        "    </migration_features>",
    ]
    lines += _topology()
    lines += _caches()
    lines += _security(identity)
    lines += ["  </host>", ""]
    for arch, caps in guests.items():
        lines += _guest(arch, caps)
    lines += ["</capabilities>", ""]
    return "\n".join(lines)


def _cpu() -> list[str]:
    arch = os.uname().machine
    lines = ["    <cpu>", f"      <arch>{arch}</arch>"]
    if arch in ("x86_64", "i686"):
        lines += _x86()
    sizes = topology.page_sizes()
    lines += [f"      <pages unit='KiB' size='{size}'/>" for size in sizes]
    lines.append("    </cpu>")
    return lines


def _x86() -> list[str]:
    data = x86.host()
    best = x86.decode(data, host=True)
    lines = []
    if best:
        lines.append(f"      <model>{best.model}</model>")
    if data.vendor:
        lines.append(f"      <vendor>{data.vendor}</vendor>")
    microcode = x86.microcode()
    if microcode:
        lines.append(f"      <microcode version='{microcode}'/>")
    if data.signature:
        family, model, stepping = data.signature
        lines.append(f"      <signature family='{family}' model='{model}' stepping='{stepping}'/>")
    counter = kvm.tsc() if "invtsc" in data.features else None
    if counter:
        scaling = "yes" if counter[1] else "no"
        lines.append(f"      <counter name='tsc' frequency='{counter[0]}' scaling='{scaling}'/>")
    sockets, dies, cores, threads = topology.shape()
    lines.append(f"      <topology sockets='{sockets}' dies='{dies}' cores='{cores}' threads='{threads}'/>")
    bits = x86.physical_bits()
    if bits:
        lines.append(f"      <maxphysaddr mode='emulate' bits='{bits}'/>")
    if best:
        lines += [f"      <feature name='{name}'/>" for name in best.require]
    return lines


def _power() -> list[str]:
    """What the host can suspend to, where a service manager is there to do it."""
    words: list[str] = []
    if Path("/run/systemd/system").is_dir():
        try:
            states = Path("/sys/power/state").read_text().split()
        except OSError:
            states = []
        words += ["suspend_mem"] if "mem" in states else []
        words += ["suspend_disk"] if "disk" in states else []
        words += ["suspend_hybrid"] if {"mem", "disk"} <= set(states) else []
    if not words:
        return ["    <power_management/>"]
    return ["    <power_management>", *(f"      <{word}/>" for word in words), "    </power_management>"]


def has_iommu() -> bool:
    """True where the kernel has put devices into IOMMU groups."""
    try:
        return any(Path("/sys/kernel/iommu_groups").iterdir())
    except OSError:
        return False


def _topology() -> list[str]:
    cells = topology.cells()
    lines = ["    <topology>", f"      <cells num='{len(cells)}'>"]
    for cell in cells:
        lines += [f"        <cell id='{cell.id}'>", f"          <memory unit='KiB'>{cell.memory}</memory>"]
        lines += [f"          <pages unit='KiB' size='{size}'>{count}</pages>" for size, count in cell.pages.items()]
        if cell.distances:
            lines.append("          <distances>")
            lines += [f"            <sibling id='{other}' value='{far}'/>" for other, far in cell.distances.items()]
            lines.append("          </distances>")
        lines.append(f"          <cpus num='{len(cell.cpus)}'>")
        for cpu in cell.cpus:
            place = f" socket_id='{cpu.socket}' die_id='{cpu.die}' core_id='{cpu.core}' siblings='{cpu.siblings}'"
            lines.append(f"            <cpu id='{cpu.id}'{place if cpu.online else ''}/>")
        lines += ["          </cpus>", "        </cell>"]
    return [*lines, "      </cells>", "    </topology>"]


def _caches() -> list[str]:
    banks = topology.caches()
    if not banks:
        return []
    lines = ["    <cache>"]
    for bank in banks:
        size, unit = (bank.size, "KiB") if bank.size % 1024 else (bank.size // 1024, "MiB")
        lines.append(
            f"      <bank id='{bank.id}' level='{bank.level}' type='{bank.type}' "
            f"size='{size}' unit='{unit}' cpus='{bank.cpus}'/>"
        )
    return [*lines, "    </cache>"]


def _security(identity: Identity) -> list[str]:
    lines = ["    <secmodel>", "      <model>none</model>", "      <doi>0</doi>", "    </secmodel>"]
    if identity.user is not None:
        label = f"+{identity.user}:+{identity.group if identity.group is not None else identity.user}"
        lines += ["    <secmodel>", "      <model>dac</model>", "      <doi>0</doi>"]
        lines += [f"      <baselabel type='{kind}'>{label}</baselabel>" for kind in ("kvm", "qemu")]
        lines.append("    </secmodel>")
    return lines


def _guest(arch: str, caps: Capabilities) -> list[str]:
    lines = ["  <guest>", "    <os_type>hvm</os_type>", f"    <arch name='{arch}'>"]
    lines += [f"      <wordsize>{32 if arch in NARROW else 64}</wordsize>", f"      <emulator>{caps.binary}</emulator>"]
    lines += _machines(caps)
    lines.append("      <domain type='qemu'/>")
    if caps.kvm:
        lines.append("      <domain type='kvm'/>")
    lines += ["    </arch>", "    <features>"]
    x86_guest = arch in ("i686", "x86_64")
    if arch == "i686":
        lines += ["      <pae/>", "      <nonpae/>"]
    if x86_guest:
        lines.append("      <acpi default='on' toggle='yes'/>")
        lines.append("      <apic default='on' toggle='no'/>")
    elif arch == "aarch64":
        lines.append("      <acpi default='on' toggle='yes'/>")
    lines += [
        "      <cpuselection/>",
        "      <deviceboot/>",
        "      <disksnapshot default='on' toggle='no'/>",
        "    </features>",
        "  </guest>",
        "",
    ]
    return lines


def _machines(caps: Capabilities) -> Iterable[str]:
    for machine in caps.machines:
        tail = f" maxCpus='{machine.max_cpus}'" + (" deprecated='yes'" if machine.deprecated else "")
        yield f"      <machine{tail}>{machine.name}</machine>"
        if machine.alias:
            yield f"      <machine canonical='{machine.name}'{tail}>{machine.alias}</machine>"
