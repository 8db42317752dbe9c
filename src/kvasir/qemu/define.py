"""Completes a document: everything that libvirt fills in between a user's ``define`` and ``dumpxml``."""

from __future__ import annotations

import time
from typing import Any

from kvasir.devices.address_check import check as check_address
from kvasir.devices.chardev import number_isa_ports
from kvasir.devices.common_check import check as check_common
from kvasir.errors import ConfigUnsupported
from kvasir.host import sysinfo
from kvasir.model.checks import check_root
from kvasir.model.defaults import fill_root
from kvasir.model.sysinfo import Sysinfo

from . import addresses, aliases, firmware, guestcpu, implicit
from .addresses import ports

WITH_BACKEND = ("serial", "parallel", "console", "channel", "smartcard", "redirdev", "rng")


def complete(domain: Any, vm: Any) -> None:
    """Fill defaults, implicit devices and addresses, then refuse what cannot work.

    Raises XmlError, ConfigUnsupported and InternalError with libvirt's words. The result does not change when it is
    completed again.
    """
    domain.emulator = domain.emulator or vm.caps.binary
    if domain.os.arch is not None and domain.os.arch != vm.caps.arch:
        _check_arch(domain, vm)
    implicit.sort_disks(domain)
    implicit.sort_controllers(domain)
    for device in domain.all_devices():
        device.drop_foreign()
    check_common(domain)
    implicit.hostdev_controllers(vm)
    implicit.number_controllers(domain)
    fill_root(domain, vm)
    if not vm.is_x86:
        from . import board_checks, boards

        board_checks.check_early(domain, vm)
        boards.features(vm)
        boards.align_memory(vm)
    _nvram(domain, vm)
    console_made = implicit.add_default_devices(vm)
    number_isa_ports(domain.serials)
    implicit.controller_models(vm)
    for device in list(domain.all_devices()):
        device.defaults(vm)
    implicit.mirror_console(domain, console_made)
    ports.assign_drives(vm)
    implicit.add_controllers_for_devices(vm)
    implicit.add_video(vm)
    implicit.controller_models(vm)
    for device in (*domain.controllers, *domain.videos):
        device.defaults(vm)
    addresses.assign(vm)
    implicit.mirror_address(domain)
    check_root(domain, vm)
    if not vm.is_x86:
        board_checks.check(domain, vm)
    for device in domain.all_devices():
        check_address(device, vm)
        device.check(vm)


def _check_arch(domain: Any, vm: Any) -> None:
    from .emulators import TWINS

    if (domain.os.arch, vm.caps.arch) not in TWINS:
        raise ConfigUnsupported(f"Emulator '{domain.emulator}' does not support arch '{domain.os.arch}'")


def _nvram(domain: Any, vm: Any) -> None:
    """Flash firmware named by hand has its variables in a file of the guest's own."""
    os = domain.os
    by_hand = os.firmware is None and os.loader is not None and os.loader.type == "pflash" and os.loader.readonly
    if by_hand and not os.loader.stateless and not (os.nvram or os.nvram_file or os.nvram_dev or os.nvram_type):
        os.nvram = firmware.nvram_file(vm)


async def prepare_live(domain: Any, vm: Any) -> None:
    """What only a guest about to run has: firmware chosen, the host's SMBIOS, CPU resolved and checked, aliases."""
    if domain.os.smbios == "host":
        vm.facts["sysinfo"] = await _of_the_host()
    firmware.choose(vm)
    guestcpu.resolve(vm)
    _clock(domain.clock)
    _tls(domain, vm)
    aliases.assign(vm)


def _clock(clock: Any) -> None:
    """A clock that counts from local time counts from UTC while the guest runs: the zone may change."""
    if clock is not None and clock.offset == "variable" and clock.basis == "localtime":
        clock.adjustment = str(int(clock.adjustment or 0) + time.localtime().tm_gmtoff)
        clock.basis = "utc"


async def _of_the_host() -> Sysinfo:
    found = await sysinfo.document()
    if found is None:
        raise ConfigUnsupported("Host SMBIOS information is not available")
    return Sysinfo.from_xml(found)


def _tls(domain: Any, vm: Any) -> None:
    for kind in ("serials", "parallels", "consoles", "channels", "smartcards", "redirdevs", "rngs"):
        for device in getattr(domain, kind):
            tls(device, vm)


def tls(device: Any, vm: Any) -> None:
    """A TCP backend of a character device says whether it uses TLS, as the daemon's configuration has it."""
    source: Any = getattr(device, "source", None) or getattr(device, "backend", None)
    if device.TAG in WITH_BACKEND and "tls" in getattr(type(source), "FIELDS", {}) and source.tls is None:
        source.tls = bool(getattr(vm.config, "chardev_tls", False))
