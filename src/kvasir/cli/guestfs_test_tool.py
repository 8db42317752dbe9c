"""``libguestfs-test-tool``: does the small machine that looks into guests' disks work here? It is tried on a disk made for it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile

from kvasir.disk import appliance, places
from kvasir.disk.appliance import Disk, DiskError

SIZE = "16M"
SCRIPT = """uname -a
cat /proc/filesystems
grep sysroot /proc/mounts
echo written > kvasir-test || exit 1
sync
sed s/written/read/ kvasir-test
"""
OK = "===== TEST FINISHED OK ====="


def parser() -> argparse.ArgumentParser:
    from kvasir import __version__

    p = argparse.ArgumentParser(
        prog="libguestfs-test-tool",
        allow_abbrev=False,
        description="Test whether the tools for guests' disks work on this host.",
    )
    p.add_argument("--qemu", metavar="FILE", help="The QEMU to be tried, instead of the one that is found")
    p.add_argument(
        "-t",
        "--timeout",
        type=int,
        default=appliance.TIMEOUT,
        metavar="SECONDS",
        help="Give up after that long (%(default)s)",
    )
    p.add_argument("-V", "--version", action="version", version=f"%(prog)s {__version__}")
    return p


def disk(folder: str) -> str:
    """A disk with a file system that looks like a system's root. Raises DiskError."""
    os.makedirs(f"{folder}/root/etc")
    with open(f"{folder}/root/etc/fstab", "w", encoding="ascii"):
        pass
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    command = ["mke2fs", "-q", "-t", "ext4", "-d", f"{folder}/root", f"{folder}/disk", SIZE]
    try:
        subprocess.run(command, env={**os.environ, "PATH": path}, check=True, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise DiskError(f"the disk to be tried cannot be made: {error}\nhint: apt-get install e2fsprogs") from None
    return f"{folder}/disk"


def work(options: argparse.Namespace) -> int:
    appliance.TIMEOUT = options.timeout
    if options.qemu:
        appliance.EMULATORS = (options.qemu,)
    print(
        f"PATH={os.environ.get('PATH', '')}\nTMPDIR={tempfile.gettempdir()}\nuser: {os.geteuid()}\nQEMU: {appliance.emulator()}"
    )
    print(f"appliance: {places.tiny() or 'not built'}\naccelerators: {', '.join(appliance.accelerators())}", flush=True)
    with tempfile.TemporaryDirectory(prefix="kvasir-test-") as folder:
        image = disk(folder)
        print("starting the machine ...", flush=True)
        said = appliance.run([Disk(image)], SCRIPT)
    print(said, end="")
    if not said.endswith("\nread\n"):
        raise DiskError("what was written is not what was read")
    print(OK)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Entry point. Exit status: 0 it works, 1 it does not, 2 wrong usage."""
    options = parser().parse_args(argv)
    try:
        return work(options)
    except (DiskError, OSError) as error:
        print(f"libguestfs-test-tool: error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
