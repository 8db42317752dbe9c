"""The parts of QEMU's command line that come from the root of the document, one file a family."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..args import Arg, Dev, Opt
from .clock import clock, power
from .cpu import cpu, smp
from .machine import accel, boot, firmware, machine
from .memory import iothreads, memory, numa, overcommit
from .smbios import firmware_entries, smbios

# <qemu:deprecation behavior=...>: what QEMU does about deprecated commands and answers
COMPAT = {
    "omit": '{"deprecated-output":"hide"}',
    "reject": '{"deprecated-output":"hide","deprecated-input":"reject"}',
    "crash": '{"deprecated-output":"hide","deprecated-input":"crash"}',
}


def root_before(vm: Any) -> Iterator[Arg]:
    """What stands before the monitor: name, machine, CPU, memory, threads, identity."""
    yield Opt("-name", f"guest={vm.name.replace(',', ',,')},debug-threads=on")
    if (behaviour := vm.domain.qemu_deprecation) and behaviour != "none":
        yield Opt("-compat", COMPAT[behaviour])
    yield Opt("-S")
    yield from machine(vm)
    yield from accel(vm)
    yield from firmware(vm)
    yield from cpu(vm)
    yield from memory(vm)
    yield from overcommit(vm)
    yield from smp(vm)
    yield from iothreads(vm)
    yield from numa(vm)
    yield Opt("-uuid", vm.uuid)
    if vm.domain.genid:
        yield Dev("vmgenid", guid=vm.domain.genid, id="vmgenid0")
    yield from smbios(vm)
    yield from firmware_entries(vm)
    if not getattr(vm.domain, "graphics", []):
        yield Opt("-display", "none")
    yield Opt("-no-user-config")
    yield Opt("-nodefaults")


def root_middle(vm: Any) -> Iterator[Arg]:
    """What stands between the monitor and the devices: clock, power management, boot."""
    yield from clock(vm)
    yield from power(vm)
    yield from boot(vm)


def root_after(vm: Any) -> Iterator[Arg]:
    """What stands behind the devices: pass-through arguments, sandbox, message form."""
    for arg in vm.domain.qemu_args:
        yield Opt(arg.value or "")
    if vm.facts.get("loadvm"):
        yield Opt("-loadvm", vm.facts["loadvm"])
    if vm.facts.get("incoming"):
        yield Opt("-incoming", vm.facts["incoming"])
    if getattr(vm.config, "seccomp_sandbox", -1) != 0:
        yield Opt("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
    if getattr(vm.config, "log_timestamp", True):
        yield Opt("-msg", "timestamp=on")
