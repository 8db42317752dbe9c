"""SCSI devices as the kernel shows them below /sys: hosts, targets, units, and their block devices. Blocks."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from . import tools

BUS = "/sys/bus/scsi/devices"
HOSTS = "/sys/class/scsi_host"
DISK, ROM = 0, 5


class Unit(NamedTuple):
    """A logical unit and its block device."""

    host: int
    bus: int
    target: int
    lun: int
    block: str

    @property
    def name(self) -> str:
        return f"unit:{self.bus}:{self.target}:{self.lun}"


def units(host: int) -> list[Unit]:
    """Disks of a host. Units that have no block device are left out."""
    found = []
    for name in sorted(os.listdir(BUS)) if os.path.isdir(BUS) else ():
        match = re.fullmatch(r"(\d+):(\d+):(\d+):(\d+)", name)
        if match and int(match[1]) == host:
            unit = _unit(name, *(int(number) for number in match.groups()))
            if unit is not None:
                found.append(unit)
    return found


def _unit(name: str, host: int, bus: int, target: int, lun: int) -> Unit | None:
    folder = f"{BUS}/{name}"
    try:
        with open(f"{folder}/type", encoding="ascii") as file:
            kind = int(file.read())
    except (OSError, ValueError):
        return None
    if kind not in (DISK, ROM):
        return None
    block = _block(folder)
    return Unit(host, bus, target, lun, block) if block else None


def _block(folder: str) -> str | None:
    """The block device below a unit: ``block/sda``, or ``block:sda`` of old kernels."""
    try:
        for name in os.listdir(folder):
            if name == "block":
                return next(iter(sorted(os.listdir(f"{folder}/block"))), None)
            if name.startswith("block:"):
                return name[6:]
    except OSError:
        return None
    return None


def serial(device: str) -> str | None:
    """The unit's own identity by ``scsi_id``; None where that tool or the identity is missing."""
    for tool in ("/lib/udev/scsi_id", "/usr/lib/udev/scsi_id"):
        if os.path.exists(tool):
            words = ("--replace-whitespace", "--whitelisted", "--device", device)
            status, out, _ = tools.attempt(tool, *words) if tools.find("scsi_id") else _direct(tool, *words)
            return out.strip() or None if not status else None
    return None


def _direct(tool: str, *words: str) -> tuple[int, str, str]:
    import subprocess

    done = subprocess.run([tool, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def rescan(host: int) -> None:
    """Ask a host to look for units anew."""
    with open(f"{HOSTS}/host{host}/scan", "w", encoding="ascii") as file:
        file.write("- - -")


def host_number(name: str) -> int | None:
    """Of ``host3`` or ``scsi_host3``."""
    match = re.fullmatch(r"(?:scsi_|fc_)?host(\d+)", name)
    return int(match[1]) if match else None


def host_at(domain: int, bus: int, slot: int, function: int, unique: int) -> int | None:
    """The host of a PCI function that has that unique number."""
    address = f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"
    for name in sorted(os.listdir(HOSTS)) if os.path.isdir(HOSTS) else ():
        real = os.path.realpath(f"{HOSTS}/{name}")
        if f"/{address}/" not in real + "/":
            continue
        try:
            with open(f"{HOSTS}/{name}/unique_id", encoding="ascii") as file:
                if int(file.read()) == unique:
                    return host_number(name)
        except (OSError, ValueError):
            continue
    return None
