"""Which host processors a guest's threads may run on."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from kvasir.calls.changes import Change
from kvasir.calls.flags import check_flags
from kvasir.calls.guests import CONFIG, LIVE, guest, one
from kvasir.errors import InvalidArg, OperationInvalid
from kvasir.host import proc
from kvasir.model.sysinfo import Iothread
from kvasir.model.tune import Cputune, IothreadPin, VcpuPin
from kvasir.qemu import cgroups, pins, stats
from kvasir.qemu.jobs import Kind

if TYPE_CHECKING:
    from kvasir.daemon.session import Session


# -- virtual CPUs


async def domain_pin_vcpu(session: Session, dom: Any, vcpu: int, cpumap: bytes) -> None:
    """Say where a CPU of the running guest may run."""
    await domain_pin_vcpu_flags(session, dom, vcpu, cpumap, LIVE)


async def domain_pin_vcpu_flags(session: Session, dom: Any, vcpu: int, cpumap: bytes, flags: int) -> None:
    """Say where a CPU may run."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainPinVcpuFlags")
    found = guest(session, dom)
    async with Change(found, flags) as change:
        for domain, word in ((change.live, "live"), (change.config, "persistent")):
            if domain is not None and vcpu >= stats.max_cpus(domain):
                raise InvalidArg(f"vcpu {vcpu} is out of range of {word} cpu count {stats.max_cpus(domain)}")
        cpus = pins.cpus_of(cpumap)
        if change.live is not None:
            tid = found.need_active().vcpus.get(vcpu)
            if tid is None:
                raise OperationInvalid(f"setting cpu pinning for inactive vcpu '{vcpu}' is not supported")
            await asyncio.to_thread(pins.pin_thread, found, f"vcpu{vcpu}", [tid], cpus)
            pins.tell(found, f"vcpupin{vcpu}", cpus)
        for domain in change.domains:
            tune = domain.cputune = domain.cputune or Cputune()
            rows = [row for row in tune.vcpupins if row.vcpu != vcpu]
            tune.vcpupins = sorted([*rows, VcpuPin(vcpu=vcpu, cpuset=cpus)], key=lambda row: row.vcpu or 0)


def domain_get_vcpu_pin_info(session: Session, dom: Any, ncpumaps: int, maplen: int, flags: int) -> tuple[bytes, int]:
    """Where each CPU may run."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainGetVcpuPinInfo")
    domain, _ = one(guest(session, dom), flags)
    every = frozenset(range(proc.host_cpus()))
    known = {pin.vcpu: pin.cpuset for pin in stats.tune_rows(domain, "vcpupins")}
    default = domain.vcpu_cpuset or every
    count = min(ncpumaps, stats.max_cpus(domain))
    return b"".join(proc.bitmap(known.get(n) or default, maplen) for n in range(count)), count


# -- the emulator's own threads


async def domain_pin_emulator(session: Session, dom: Any, cpumap: bytes, flags: int) -> None:
    """Say where the emulator's own threads may run."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainPinEmulator")
    found = guest(session, dom)
    async with Change(found, flags) as change:
        cpus = pins.cpus_of(cpumap)
        if change.live is not None:
            await asyncio.to_thread(pins.pin_thread, found, "emulator", pins.emulator_threads(found), cpus)
            pins.tell(found, "emulatorpin", cpus)
        for domain in change.domains:
            domain.cputune = domain.cputune or Cputune()
            domain.cputune.emulatorpin = cpus


def domain_get_emulator_pin_info(session: Session, dom: Any, maplen: int, flags: int) -> tuple[bytes, int]:
    """Where the emulator's own threads may run."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainGetEmulatorPinInfo")
    domain, _ = one(guest(session, dom), flags)
    pin = getattr(domain.cputune, "emulatorpin", None) if domain.cputune is not None else None
    cpus = pin or domain.vcpu_cpuset or frozenset(range(proc.host_cpus()))
    return proc.bitmap(cpus, maplen), 1


# -- I/O threads


async def domain_pin_iothread(session: Session, dom: Any, iothreads_id: int, cpumap: bytes, flags: int) -> None:
    """Say where an I/O thread may run."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainPinIOThread")
    found = guest(session, dom)
    async with Change(found, flags) as change:
        cpus = pins.cpus_of(cpumap)
        if change.live is not None and iothreads_id not in pins.iothread_numbers(change.live):
            raise InvalidArg(f"iothread {iothreads_id} not found")
        if change.config is not None and iothreads_id not in pins.iothread_numbers(change.config):
            raise InvalidArg(f"iothreadid {iothreads_id} not found")
        if change.live is not None:
            tid = (await cgroups.iothreads(found))[iothreads_id]
            await asyncio.to_thread(pins.pin_thread, found, f"iothread{iothreads_id}", [tid], cpus)
            pins.tell(found, f"iothreadpin{iothreads_id}", cpus)
        for domain in change.domains:
            tune = domain.cputune = domain.cputune or Cputune()
            rows = [row for row in tune.iothreadpins if row.iothread != iothreads_id]
            rows.append(IothreadPin(iothread=iothreads_id, cpuset=cpus))
            tune.iothreadpins = sorted(rows, key=lambda row: row.iothread or 0)
            known = {row.id: row for row in domain.iothreadids}
            domain.iothreadids = [known.get(id) or Iothread(id=id) for id in pins.iothread_numbers(domain)]


async def domain_get_iothread_info(session: Session, dom: Any, flags: int) -> tuple[list[tuple[int, bytes]], int]:
    """The guest's I/O threads and where they may run."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainGetIOThreadInfo")
    found = guest(session, dom)
    async with found.jobs.normal(Kind.QUERY):
        domain, is_live = one(found, flags)
        where: dict[int, frozenset[int]] = {}
        if is_live:
            for number, tid in (await cgroups.iothreads(found)).items():
                where[number] = frozenset(os.sched_getaffinity(tid))
        else:
            known = {pin.iothread: pin.cpuset for pin in stats.tune_rows(domain, "iothreadpins")}
            default = domain.vcpu_cpuset or frozenset(range(proc.host_cpus()))
            where = {number: known.get(number) or default for number in pins.iothread_numbers(domain)}
    length = (proc.host_cpus() + 7) // 8
    rows = [(number, proc.bitmap(where[number], length)) for number in where]  # a running one: QEMU's order
    return rows, len(rows)
