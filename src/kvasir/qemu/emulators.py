"""Which emulator, architecture, machine type and accelerator a query means, where it leaves some of them out."""

# ruff: noqa: SIM905  (a list of words reads better as text)
from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from kvasir.errors import ConfigUnsupported, InvalidArg, Origin, SystemFailure

from .capabilities import Capabilities, Machine

ARCHES = frozenset(
    "alpha armv6l armv7l armv7b aarch64 cris i686 ia64 lm32 m68k microblaze microblazeel mips mipsel mips64 "
    "mips64el or32 parisc parisc64 ppc ppcle ppc64 ppc64le ppcemb riscv32 riscv64 s390 s390x sh4 sh4eb sparc sparc64 "
    "unicore32 x86_64 xtensa xtensaeb".split()
)
VIRT_TYPES = ("qemu", "kqemu", "kvm", "xen", "lxc", "uml", "openvz", "test", "vmware", "hyperv", "vbox", "phyp",
              "parallels", "bhyve", "vz", "hvf")  # fmt: skip


TWINS = (("i686", "x86_64"), ("armv6l", "armv7l"), ("ppc64le", "ppc64"))
"""Architectures that the emulator of another one serves too."""


FAMILIES = (("i686", "x86_64"), ("armv6l", "armv7l", "aarch64"), ("ppc64", "ppc64le"))


@dataclass
class Choice:
    """An emulator with what it shall emulate."""

    caps: Capabilities
    arch: str
    machine: Machine
    virt_type: str


def known(arch: str) -> None:
    """Raises ConfigUnsupported where libvirt has no such architecture."""
    if arch not in ARCHES:
        raise ConfigUnsupported(f"Unknown architecture {arch}", origin=Origin.DOMAIN)


async def choose(
    driver: Any, emulator: str | None, arch: str | None, machine: str | None, virt_type: str | None
) -> Choice:
    """Fill in what is missing: the host's architecture, its emulator, KVM where there is one, the default machine.

    Raises InvalidArg, ConfigUnsupported and SystemFailure in libvirt's words.
    """
    if virt_type is not None and virt_type not in VIRT_TYPES:
        raise InvalidArg(f"unknown virttype: {virt_type}")
    if arch is not None and arch not in ARCHES:
        raise InvalidArg(f"unknown architecture: {arch}")
    if emulator is None:
        wanted = arch or os.uname().machine
        emulator = driver.binaries.get(wanted)
        if emulator is None:
            raise ConfigUnsupported(f"unable to find any emulator to serve '{wanted}' architecture")
    try:
        os.stat(emulator)
        caps: Capabilities = await driver.caps.get(emulator)
    except OSError as error:
        raise SystemFailure(f"Cannot check QEMU binary {emulator}", error) from error
    arch = arch or os.uname().machine
    if (arch, caps.arch) not in TWINS and arch != caps.arch:
        if any(arch in family and caps.arch in family for family in FAMILIES):
            raise InvalidArg(f"Emulator '{caps.binary}' does not support arch '{arch}'")
        raise InvalidArg(f"architecture from emulator '{caps.arch}' doesn't match given architecture '{arch}'")
    if virt_type is None:
        virt_type = "kvm" if caps.kvm else "qemu"
    elif virt_type == "kvm" and not caps.kvm:
        raise InvalidArg(f"the accel 'kvm' is not supported by '{caps.binary}' on this host")
    elif virt_type not in ("kvm", "qemu"):
        raise InvalidArg(f"Emulator '{caps.binary}' does not support virt type '{virt_type}'")
    found = caps.machine(machine or caps.default_machine)
    if found is None:
        raise InvalidArg(f"the machine '{machine}' is not supported by emulator '{caps.binary}'")
    return Choice(caps, arch, found, virt_type)
