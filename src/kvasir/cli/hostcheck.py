"""What a host has for guests and what they want of it: processor extensions, memory, swap, disk space; plain facts, no output.

The numbers are those of Red Hat's deployment guide, chapter 1: 6 GB of disk and 2 GB of memory for the host itself, a thread for
each virtual CPU and one more, 1.01 times the expected size of images that grow.
"""

from __future__ import annotations

import os

HOST_DISK = 6
"""GB that the host itself takes."""
HOST_MEMORY = 2048
"""MiB that the host itself takes."""
GROWING = 1.01
"""What a qcow2 image takes for each byte that it holds."""
EXTENSIONS = {"vmx": ("Intel", "VT-x", "kvm_intel"), "svm": ("AMD", "AMD-V", "kvm_amd")}


class Processor:
    """The processor's part in virtualization; the fields that are not there are ''."""

    __slots__ = ("extension", "module", "vendor")

    def __init__(self, cpuinfo: str, modules: str) -> None:
        """From the texts of /proc/cpuinfo and /proc/modules."""
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.splitlines() if line.startswith("vendor_id")]
        self.vendor = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD"}.get(names[0], names[0]) if names else ""
        flags = {
            word for line in cpuinfo.splitlines() if line.startswith(("flags", "Features")) for word in line.split()
        }
        found = next((EXTENSIONS[flag] for flag in EXTENSIONS if flag in flags), None)
        self.extension = found[1] if found else ""
        if found and not self.vendor:
            self.vendor = found[0]
        loaded = {line.split(" ", 1)[0] for line in modules.splitlines()}
        self.module = next((name for name in ("kvm_intel", "kvm_amd") if name in loaded), "")

    @property
    def hint(self) -> str:
        """What to do where hardware virtualization cannot be used, '' where it can."""
        if not self.extension:
            return "switch on VT-x or AMD-V in the BIOS (or nested virtualization where the host is a guest)"
        if not self.module:
            module = next(row[2] for row in EXTENSIONS.values() if row[1] == self.extension)
            return f"modprobe {module}; where that fails, switch on {self.extension} in the BIOS"
        return ""


def read(path: str) -> str:
    """A file of /proc, '' where it is not there."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def processor(root: str = "") -> Processor:
    """This host's processor."""
    return Processor(read(f"{root}/proc/cpuinfo"), read(f"{root}/proc/modules"))


def memory(root: str = "") -> dict[str, int]:
    """MiB by /proc/meminfo's names: ``MemTotal``, ``SwapTotal``, ``SwapFree`` ..."""
    found = {}
    for line in read(f"{root}/proc/meminfo").splitlines():
        words = line.split()
        if len(words) > 1 and words[1].isdigit():
            found[words[0].rstrip(":")] = int(words[1]) // 1024
    return found


def free_disk(folder: str) -> float:
    """GB that are free where images lie (or in the nearest folder above that is there)."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder) or "/"
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize / 1e9


def too_little(disk: float, mebibytes: float) -> list[str]:
    """What is wrong with a host of so much free disk (GB) and memory (MiB)."""
    wrong = []
    if disk < HOST_DISK:
        wrong.append(f"{disk:.1f} GB of disk are free, a host needs {HOST_DISK} GB")
    if mebibytes < HOST_MEMORY:
        wrong.append(f"{mebibytes / 1024:.1f} GB of memory are there, a host needs {HOST_MEMORY // 1024} GB")
    return wrong


class Wanted:
    """What is recommended for guests with so many virtual CPUs, MiB of memory and GB of disk."""

    __slots__ = ("disk", "memory", "threads")

    def __init__(self, cpus: int, mebibytes: int, disk: float) -> None:
        self.threads, self.memory, self.disk = cpus + 1, HOST_MEMORY + mebibytes, HOST_DISK + disk

    def short(self, threads: int, mebibytes: int, disk: float) -> list[str]:
        """What a host of that size lacks."""
        rows = (
            (self.threads, threads, "threads"), (self.memory, mebibytes, "MiB of memory"), (self.disk, disk, "GB of disk"),
        )  # fmt: skip
        return [f"{want:g} {what} are recommended, {have:g} are there" for want, have, what in rows if have < want]


def disk_space(raw: list[float], growing: list[float], host: float = HOST_DISK, swap: float = 0) -> float:
    """GB that images take in all: those with all their space from the start, those that grow to a size, host and swap."""
    return sum(raw) + sum(growing) * GROWING + host + swap
