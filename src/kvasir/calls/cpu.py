"""CPU models: the names that are known, comparing a CPU with the host's, the CPU that several hosts share."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from kvasir.calls.flags import bad, check_flags
from kvasir.cpu import combine, x86, x86_tables
from kvasir.errors import ConfigUnsupported, InvalidArg, NoSupport, Origin, XmlError
from kvasir.model.cpu import Cpu

if TYPE_CHECKING:
    from kvasir.daemon.session import Session

POWER = ("POWER6", "POWER7", "POWER8", "POWER9", "POWER10", "POWERPC_e5500", "POWERPC_e6500")


def connect_get_cpu_model_names(session: Session, arch: str, need_results: int, flags: int) -> tuple[list[str], int]:
    """The CPU models known for an architecture; none where every model is accepted."""
    from kvasir.qemu.emulators import ARCHES

    session.require_open()
    check_flags(flags, 0, "qemuConnectGetCPUModelNames")
    if arch not in ARCHES:
        raise InvalidArg(f"cannot find architecture {arch}", origin=Origin.QEMU)
    from kvasir.qemu.domcapabilities import COMPARED

    if arch not in (*COMPARED, "x86_64", "i686", "s390"):
        raise NoSupport(f"'{arch}' architecture is not supported by CPU driver", origin=Origin.CPU)
    names: list[str] = []
    if arch in ("x86_64", "i686"):
        names = list(x86_tables.models())
    elif arch in ("ppc64", "ppc64le"):
        names = list(POWER)
    return (names if need_results else []), len(names)


FAIL, VALIDATE = 1, 2
EXPAND, MIGRATABLE = 1, 2


def _read(text: str, flags: int) -> Cpu:
    if flags & VALIDATE:
        from kvasir.xml import outlines
        from kvasir.xml.reader import read
        from kvasir.xml.validate import validate

        root = read(text, "(CPU_definition)")
        if root.find("arch") is not None:
            outlines.check(root, "cpu")
        else:
            validate(Cpu, root)
    cpu, arch = combine.parse(text)
    _check_arch(arch, os.uname().machine)
    return cpu


def _check_arch(arch: str | None, host: str) -> None:
    if arch is not None and arch not in (host, "i686" if host == "x86_64" else host):
        raise ConfigUnsupported(f"CPU arch {arch} does not match host arch", origin=Origin.CPU)


async def connect_compare_cpu(session: Session, xml: str, flags: int) -> int:
    """How a CPU compares with the host's: 0 incompatible, 1 identical, 2 the host has more."""
    session.require_open()
    check_flags(flags, FAIL | VALIDATE, "qemuConnectCompareCPU", Origin.QEMU)
    cpu = _read(xml, flags)
    return combine.answer(await asyncio.to_thread(x86.host), cpu, bool(flags & FAIL))


async def connect_compare_hypervisor_cpu(
    session: Session,
    emulator: str | None,
    arch: str | None,
    machine: str | None,
    virttype: str | None,
    xmlCPU: str,
    flags: int,
) -> int:
    """How a CPU compares with what a hypervisor can give on this host."""
    from kvasir.qemu import emulators

    check_flags(flags, FAIL | VALIDATE, "qemuConnectCompareHypervisorCPU", Origin.QEMU)
    chosen = await emulators.choose(session.driver, emulator, arch, machine, virttype)
    if chosen.arch not in combine.X86:
        raise ConfigUnsupported(f"comparing with the hypervisor CPU is not supported for arch {chosen.arch}")
    cpu = _read(xmlCPU, flags)
    host = x86.from_qemu(chosen.caps.accel(chosen.virt_type).host)
    return combine.answer(host, cpu, bool(flags & FAIL))


def connect_baseline_cpu(session: Session, xmlCPUs: list[str], flags: int) -> str:
    """The CPU that all of these hosts have."""
    session.require_open()
    check_flags(flags, EXPAND | MIGRATABLE, "qemuConnectBaselineCPU", Origin.QEMU)
    if not xmlCPUs:
        raise bad("virConnectBaselineCPU", "xmlCPUs", "must not be NULL", Origin.NONE)
    cpus = [combine.parse(text, host=True)[0] for text in xmlCPUs]
    if any(not cpu.model for cpu in cpus):
        raise XmlError("Missing CPU model name", origin=Origin.CPU)
    return combine.baseline(cpus, expand=bool(flags & EXPAND), migratable=bool(flags & MIGRATABLE)).xml()


async def connect_baseline_hypervisor_cpu(
    session: Session,
    emulator: str | None,
    arch: str | None,
    machine: str | None,
    virttype: str | None,
    xmlCPUs: list[str],
    flags: int,
) -> str:
    """The CPU that a hypervisor can give on all of these hosts."""
    from kvasir.qemu import emulators

    check_flags(flags, EXPAND | MIGRATABLE, "qemuConnectBaselineHypervisorCPU", Origin.QEMU)
    chosen = await emulators.choose(session.driver, emulator, arch, machine, virttype)
    accel = chosen.caps.accel(chosen.virt_type)
    cpus = [combine.parse(text)[0] for text in xmlCPUs]
    for number, cpu in enumerate(cpus):
        if not cpu.model:
            raise InvalidArg(f"no CPU model specified at index {number}", origin=Origin.CPU)
    blockers = {cpu.name: cpu.blockers for cpu in accel.cpus}
    found = combine.baseline(cpus, blockers, expand=bool(flags & EXPAND), migratable=bool(flags & MIGRATABLE))
    return found.xml()
