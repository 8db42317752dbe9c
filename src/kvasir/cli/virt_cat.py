"""``virt-cat`` and ``virt-ls``: files and folders of a guest that is off, through the appliance, which changes nothing."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

from kvasir.disk import appliance
from kvasir.disk.appliance import DiskError

from . import disk_options


def parser(name: str) -> argparse.ArgumentParser:
    what = "Print files of a guest" if name == "virt-cat" else "List folders of a guest"
    p = argparse.ArgumentParser(prog=name, description=f"{what}, read from its disks.")
    disk_options.disk_options(p)
    if name == "virt-ls":
        p.add_argument("-R", "--recursive", action="store_true", help="All below the folders too")
        p.add_argument("-l", "--long", action="store_true", help="Mode, size and owner too")
    p.add_argument(
        "names", nargs="+", metavar="PATH", help="Paths in the guest; without -a and -d the guest's name comes first"
    )
    return p


def place(path: str) -> str:
    """A path of the guest from its root folder, as one word of the shell."""
    if not path.startswith("/"):
        raise DiskError(f"{path}: not an absolute path")
    return shlex.quote("." + os.path.normpath(path))


def script(name: str, options: argparse.Namespace) -> str:
    lines = []
    for path in options.names:
        word = place(path)
        if name == "virt-cat":
            lines.append(f'[ -f {word} ] || {{ echo; echo {shlex.quote(path)}": no such file"; exit 1; }}\ncat {word}')
            continue
        lines.append(f'[ -d {word} ] || {{ echo {shlex.quote(path)}": no such folder"; exit 1; }}')
        if options.recursive:
            listing = "ls -laR" if options.long else "find . -mindepth 1 | sed 's|^[.]|'\"$base\"'|' | sort"
        else:
            listing = "ls -la" if options.long else "ls -1A"
        lines.append(f"(base={shlex.quote(os.path.normpath(path).rstrip('/'))}; cd {word} && {listing})")
    return "\n".join([*lines, "exit 0", ""])


def work(name: str, options: argparse.Namespace) -> int:
    if not options.add and not options.domain and len(options.names) > 1:
        options.domain, *options.names = options.names
    said = appliance.run(disk_options.disks(options), script(name, options), readonly=True)
    print(said, end="")
    return 0


def main(argv: list[str] | None = None) -> int:
    """virt-cat. Exit status: 0 done, 1 failed, 2 wrong usage."""
    options = parser("virt-cat").parse_args(argv)
    return disk_options.guarded("virt-cat", lambda: work("virt-cat", options))


def main_ls(argv: list[str] | None = None) -> int:
    """virt-ls. Exit status: 0 done, 1 failed, 2 wrong usage."""
    options = parser("virt-ls").parse_args(argv)
    return disk_options.guarded("virt-ls", lambda: work("virt-ls", options))


if __name__ == "__main__":
    sys.exit(main())
