"""x86 processors: reading the host's CPUID, and finding the CPU model that fits best, as libvirt 9.0 finds it."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from .x86_tables import NOT_MIGRATABLE, VENDORS, Model, features, libvirt_name, models

_CPUID = bytes.fromhex("534989d089f889f131d231db0fa2418900418958044189480841895 00c5bc3".replace(" ", ""))
"""push rbx; mov r8,rdx; mov eax,edi; mov ecx,esi; xor edx,edx; xor ebx,ebx; cpuid; store eax ebx ecx edx at r8; pop rbx; ret"""


class Registers(NamedTuple):
    """What one CPUID leaf answers."""

    eax: int
    ebx: int
    ecx: int
    edx: int


class Signature(NamedTuple):
    """Family, model and stepping of a processor."""

    family: int
    model: int
    stepping: int


@dataclass
class CpuData:
    """What is known of a processor: vendor, signature and features (libvirt's names)."""

    vendor: str | None = None
    signature: Signature | None = None
    features: set[str] = field(default_factory=set)


@dataclass
class Decoded:
    """A CPU model and what the processor has more (``require``) or less (``disable``) than it, in libvirt's order."""

    model: str
    vendor: str | None
    require: list[str]
    disable: list[str]


def cpuid(leaves: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Registers] | None:
    """Ask the processor that this runs on, or None where that is not possible (no x86, no executable memory)."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return None
    try:
        code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return None
    code.write(_CPUID)
    place = ctypes.c_char.from_buffer(code)
    call = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p)(ctypes.addressof(place))
    answer = (ctypes.c_uint32 * 4)()
    result = {}
    for leaf, sub in leaves:
        call(leaf, sub, ctypes.addressof(answer))
        result[leaf, sub] = Registers(*answer)
    del place
    with contextlib.suppress(BufferError):
        code.close()
    return result


def signature_of(eax: int) -> Signature:
    """Family, model and stepping from leaf 1."""
    family, model = eax >> 8 & 0xF, eax >> 4 & 0xF
    if family == 0xF:
        family += eax >> 20 & 0xFF
    if family >= 6:
        model += (eax >> 16 & 0xF) << 4
    return Signature(family, model, eax & 0xF)


def host() -> CpuData:
    """The host's processor, by CPUID, or by what Linux says where CPUID cannot be asked."""
    places = {(f.leaf, f.sub) for f in features().values() if f.leaf >= 0}
    answers = cpuid({(0, 0), (1, 0), (0x80000000, 0), *places})
    if answers is None:
        return _host_by_linux()
    top, extended = answers[0, 0].eax, answers[0x80000000, 0].eax
    name = b"".join(part.to_bytes(4, "little") for part in (answers[0, 0].ebx, answers[0, 0].edx, answers[0, 0].ecx))
    data = CpuData(VENDORS.get(name.decode("ascii", "replace")), signature_of(answers[1, 0].eax))
    for item in features().values():
        if item.leaf < 0 or item.leaf > (extended if item.leaf >= 0x80000000 else top):
            continue
        if item.leaf == 7 and item.sub > answers[7, 0].eax:
            continue
        if getattr(answers[item.leaf, item.sub], item.register) >> item.bit & 1:
            data.features.add(item.name)
    if "arch-capabilities" in data.features:
        data.features |= _model_specific(0x10A)
    return data


def _model_specific(index: int) -> set[str]:
    try:
        with open("/dev/cpu/0/msr", "rb") as file:
            value = int.from_bytes(os.pread(file.fileno(), 8, index), "little")
    except OSError:
        return set()
    return {f.name for f in features().values() if f.leaf < 0 and f.sub == index and value >> f.bit & 1}


_LINUX = {"pclmulqdq": "pclmuldq", "sse4_1": "sse4.1", "sse4_2": "sse4.2", "tsc_deadline_timer": "tsc-deadline",
          "sha_ni": "sha-ni", "cqm": "cmt", "md_clear": "md-clear", "arch_capabilities": "arch-capabilities",
          "cr8_legacy": "cr8legacy"}  # fmt: skip


def _host_by_linux() -> CpuData:
    data = CpuData()
    said: dict[str, str] = {}
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                key, _, value = line.partition(":")
                said.setdefault(key.strip(), value.strip())
    except OSError:
        return data
    data.vendor = VENDORS.get(said.get("vendor_id", ""))
    with contextlib.suppress(KeyError, ValueError):
        data.signature = Signature(int(said["cpu family"]), int(said["model"]), int(said["stepping"]))
    words = {_LINUX.get(word, word) for word in said.get("flags", "").split()}
    data.features = {name for name in features() if name in words or name.replace("-", "_") in words}
    return data


def from_qemu(properties: Mapping[str, object]) -> CpuData:
    """A processor as QEMU's ``query-cpu-model-expansion`` describes it."""
    known = features()
    names = {libvirt_name(name) for name, value in properties.items() if value is True}
    numbers = [properties.get(word) for word in ("family", "model", "stepping")]
    signature = Signature(*numbers) if all(isinstance(n, int) for n in numbers) else None  # type: ignore[arg-type]
    return CpuData(VENDORS.get(str(properties.get("vendor"))), signature, {n for n in names if n in known})


def decode(
    data: CpuData, blockers: Mapping[str, Collection[str]] | None = None, *, host: bool = False
) -> Decoded | None:
    """The CPU model that describes the processor with the fewest words.

    ``blockers`` are the models of the hypervisor, each with the features that it cannot have on this host; None takes
    every model. A model for a host may not have anything that the processor lacks.
    """
    best: tuple[Model, Decoded] | None = None
    for model in reversed(models().values()):
        if blockers is not None and model.name not in blockers:
            continue
        if not (model.for_host if host else model.for_guest):
            continue
        if model.vendor and data.vendor and model.vendor != data.vendor:
            continue
        less = set(model.features - data.features)
        if host and less:
            continue
        if blockers is not None:
            less |= {libvirt_name(name) for name in blockers[model.name]}
        more = data.features - model.features - less
        candidate = Decoded(
            model.name, data.vendor, [n for n in features() if n in more], [n for n in features() if n in less]
        )
        if best is None or _better(data, best, model, candidate):
            best = model, candidate
    return best[1] if best else None


def _better(data: CpuData, best: tuple[Model, Decoded], model: Model, candidate: Decoded) -> bool:
    current, chosen = best
    if data.signature:
        old, new = current.fits(*data.signature), model.fits(*data.signature)
        if old != new:
            return new
    return len(chosen.require) + len(chosen.disable) > len(candidate.require) + len(candidate.disable)


def migratable(names: Iterable[str]) -> list[str]:
    """The features that a guest can take to another host."""
    return [name for name in names if name not in NOT_MIGRATABLE]


def microcode() -> int:
    """The version of the processor's microcode, 0 when Linux does not say."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("microcode"):
                    return int(line.partition(":")[2].strip(), 16)
    except (OSError, ValueError):
        pass
    return 0


def physical_bits() -> int:
    """How many bits a physical address has, 0 when Linux does not say."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("address sizes"):
                    return int(line.partition(":")[2].split()[0])
    except (OSError, ValueError):
        pass
    return 0
