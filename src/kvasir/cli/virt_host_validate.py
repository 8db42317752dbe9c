"""``virt-host-validate [qemu]``: one line for each thing that guests of QEMU want of a host; exit code 1 when one fails."""

from __future__ import annotations

import os
import sys

from kvasir.cli import hostcheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "blkio")
COLOURS = {"PASS": "32", "WARN": "33", "FAIL": "31", "NOTE": "34"}
NO_EXTENSIONS = (
    "Host not compatible with KVM; HW virtualization CPU features not found."
    " Only emulated CPUs are available; performance will be significantly limited"
)
NO_MODULE = "Check that the '{}' module is loaded & the BIOS has enabled virtualization"


def checks(root: str = "") -> Iterator[tuple[str, str, str]]:
    """(what, PASS, WARN or FAIL, advice) for each check, of the host below ``root``."""
    found = hostcheck.processor(root)
    if found.extension:
        yield "hardware virtualization", "PASS", ""
        module = next(row[2] for row in hostcheck.EXTENSIONS.values() if row[1] == found.extension)
        there = os.path.exists(f"{root}/dev/kvm")
        yield "if device /dev/kvm exists", "PASS" if there else "FAIL", "" if there else NO_MODULE.format(module)
        if there:
            open_ = os.access(f"{root}/dev/kvm", os.R_OK | os.W_OK)
            advice = "Check /dev/kvm is world writable or you are in a group that is allowed to access it"
            yield "if device /dev/kvm is accessible", "PASS" if open_ else "FAIL", "" if open_ else advice
    else:
        yield "hardware virtualization", "FAIL", NO_EXTENSIONS
    for path, module, what in (
        ("/dev/vhost-net", "vhost_net", "improve performance of virtio networking"),
        ("/dev/net/tun", "tun", "enable networking for QEMU guests"),
    ):
        there = os.path.exists(root + path)
        verdict = "PASS" if there else "WARN" if module == "vhost_net" else "FAIL"
        yield f"if device {path} exists", verdict, "" if there else f"Load the '{module}' module to {what}"
    mounted = hostcheck.read(f"{root}/proc/self/mounts")
    second = set(hostcheck.read(f"{root}/sys/fs/cgroup/cgroup.controllers").split())
    for name in CONTROLLERS:
        other = {"cpuacct": "cpu", "blkio": "io"}.get(name, name)
        options = [line.split()[3].split(",") for line in mounted.splitlines() if " cgroup " in line]
        there = any(name in words for words in options) or other in second or (name == "devices" and bool(second))
        advice = f"Enable '{name}' in kernel Kconfig file or mount/enable cgroup controller in your system"
        yield f"for cgroup '{name}' controller support", "PASS" if there else "WARN", "" if there else advice
    groups = f"{root}/sys/kernel/iommu_groups"
    has_iommu = os.path.isdir(groups) and bool(os.listdir(groups))
    advice = "" if has_iommu else "Unknown if this platform has IOMMU support"
    yield "for device assignment IOMMU support", "PASS" if has_iommu else "WARN", advice
    yield "for secure guest support", "WARN", "Unknown if this platform has Secure Guest support"


def main(argv: list[str] | None = None, root: str = "") -> int:
    """Entry point."""
    words = sys.argv[1:] if argv is None else argv
    quiet = "-q" in words or "--quiet" in words
    wanted = [word for word in words if not word.startswith("-")]
    if wanted not in ([], ["qemu"]):
        print(f"virt-host-validate: {wanted[0]}: unsupported hypervisor name", file=sys.stderr)
        return 1
    good = True
    for what, verdict, advice in checks(root):
        good = good and verdict != "FAIL"
        if quiet and verdict == "PASS":
            continue
        asked = what if what.startswith(("for ", "if ")) else f"for {what}"
        shown = f"\x1b[{COLOURS[verdict]}m{verdict}\x1b[0m" if sys.stdout.isatty() else verdict
        print(f"{'QEMU':>6}: {'Checking ' + asked:<69}: {shown}" + (f" ({advice})" if advice else ""))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
