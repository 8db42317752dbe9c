"""``virt-host-validate [qemu|lxc]``: one line for each thing that guests want of a host; exit code 1 when one fails."""

from __future__ import annotations

import os
import sys

from kvasir.cli import hostcheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "blkio")
CONTAINER_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio")
NAMESPACES = ("ipc", "mnt", "pid", "uts", "net", "user")
USAGE = """
syntax: {me} [OPTIONS] [HVTYPE]

 Hypervisor types:

   - qemu
   - lxc

 Options:
   -h, --help     print this text
   -v, --version  print the version
   -q, --quiet    print nothing, only give the exit code
"""
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
    yield from controllers(root, CONTROLLERS, "WARN")
    groups = f"{root}/sys/kernel/iommu_groups"
    has_iommu = os.path.isdir(groups) and bool(os.listdir(groups))
    advice = "" if has_iommu else "Unknown if this platform has IOMMU support"
    yield "for device assignment IOMMU support", "PASS" if has_iommu else "WARN", advice
    yield "for secure guest support", "WARN", "Unknown if this platform has Secure Guest support"


def controllers(root: str, names: tuple[str, ...], missing: str) -> Iterator[tuple[str, str, str]]:
    """The controllers of control groups, of either version."""
    mounted = hostcheck.read(f"{root}/proc/self/mounts")
    second = set(hostcheck.read(f"{root}/sys/fs/cgroup/cgroup.controllers").split())
    for name in names:
        other = {"cpuacct": "cpu", "blkio": "io"}.get(name, name)
        options = [line.split()[3].split(",") for line in mounted.splitlines() if " cgroup " in line]
        there = (
            any(name in words for words in options)
            or other in second
            or (name in ("devices", "freezer") and bool(second))
        )
        advice = f"Enable '{name}' in kernel Kconfig file or mount/enable cgroup controller in your system"
        yield f"for cgroup '{name}' controller support", "PASS" if there else missing, "" if there else advice


def containers(root: str = "") -> Iterator[tuple[str, str, str]]:
    """What guests of libvirt's driver of containers want, which Kvasir does not drive."""
    release = [int(part) for part in os.uname().release.split("-")[0].split(".")[:3] if part.isdigit()]
    yield "for Linux >= 2.6.26", "PASS" if release >= [2, 6, 26] else "FAIL", ""
    for name in NAMESPACES:
        there = os.path.exists(f"{root}/proc/self/ns/{name}")
        yield (
            f"for namespace {name}",
            "PASS" if there else "FAIL",
            "" if there else f"Namespace {name} is not in this kernel",
        )
    yield from controllers(root, CONTAINER_CONTROLLERS, "FAIL")
    there = os.path.exists(f"{root}/sys/fs/fuse/connections")
    advice = "" if there else "Load the 'fuse' module to enable /proc/ overrides"
    yield "if device /sys/fs/fuse/connections exists", "PASS" if there else "FAIL", advice


KINDS = {"qemu": checks, "lxc": containers}


def show(kind: str, what: str, verdict: str, advice: str) -> None:
    """One line."""
    asked = what if what.startswith(("for ", "if ")) else f"for {what}"
    shown = f"\x1b[{COLOURS[verdict]}m{verdict}\x1b[0m" if sys.stdout.isatty() else verdict
    print(f"{kind.upper():>6}: {'Checking ' + asked:<69}: {shown}" + (f" ({advice})" if advice else ""))


def main(argv: list[str] | None = None, root: str = "") -> int:
    """Entry point."""
    import getopt

    me, words = sys.argv[0], sys.argv[1:] if argv is None else argv
    try:
        options, names = getopt.gnu_getopt(words, "hvq", ["help", "version", "quiet"])
    except getopt.GetoptError as problem:
        long = len(problem.opt) > 1
        print(
            f"{me}: " + (f"unrecognized option '--{problem.opt}'" if long else f"invalid option -- '{problem.opt}'"),
            file=sys.stderr,
        )
        print(USAGE.format(me=me), file=sys.stderr)
        return 1
    given = {name for name, _ in options}
    if given & {"-h", "--help"}:
        print(USAGE.format(me=me))
        return 0
    if given & {"-v", "--version"}:
        print(f"version: {me} 9.0.0")
        return 0
    wanted = names[:1] or list(KINDS)
    if wanted[0] not in KINDS:
        print(f"{me}: unsupported hypervisor name {wanted[0]}", file=sys.stderr)
        return 1
    good = True
    for kind in wanted:
        for what, verdict, advice in KINDS[kind](root):
            good = good and verdict != "FAIL"
            if not given & {"-q", "--quiet"}:
                show(kind, what, verdict, advice)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
