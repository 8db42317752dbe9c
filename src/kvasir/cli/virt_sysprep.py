"""``virt-sysprep``: take out of a guest's disks what must be its own, so that it can be cloned. In place, of a guest that is off."""

from __future__ import annotations

import argparse
import os
import sys
import time

from kvasir.disk import appliance, operations
from kvasir.disk.appliance import DiskError

from . import disk_options

NOT_BUILT = ("customize", "fs-uuids", "lvm-uuids", "script", "user-account")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="virt-sysprep",
        allow_abbrev=False,
        description="Reset or unconfigure a guest so that clones can be made of it.",
    )
    disk_options.disk_options(p)
    p.add_argument("-n", "--dry-run", "--dryrun", action="store_true", help="Do all, and throw the changes away")
    p.add_argument("--enable", metavar="OPERATIONS", help="Do these operations only: NAME[,NAME...]")
    p.add_argument(
        "--operation",
        "--operations",
        dest="operations",
        metavar="OPERATIONS",
        help="Do these, without those named with a '-' before: NAME,-NAME,defaults,all",
    )
    p.add_argument("--list-operations", action="store_true", help="List the operations, * for those done by default")
    p.add_argument(
        "--root-password", metavar="SELECTOR", help="New password of root: password:WORD, or file:PATH (its first line)"
    )
    p.add_argument("-q", "--quiet", action="store_true", help="Print nothing but errors")
    p.add_argument("-v", "--verbose", action="store_true", help="Print every file that is touched")
    return p


def picked(options: argparse.Namespace) -> list[operations.Operation]:
    """The operations asked for. Raises DiskError."""
    if options.enable is not None and options.operations is not None:
        raise DiskError("--enable and --operations cannot be given together")
    words = (
        options.enable
        if options.enable is not None
        else options.operations
        if options.operations is not None
        else "defaults"
    )
    for word in words.split(","):
        if word.removeprefix("-") in NOT_BUILT:
            raise DiskError(f"operation {word.removeprefix('-')!r} is not built")
    if options.enable is not None and any(word.startswith("-") for word in words.split(",")):
        raise DiskError("--enable takes names only")
    try:
        return operations.chosen(words)
    except ValueError as error:
        raise DiskError(f"{error}; virt-sysprep --list-operations shows them") from None


def password(selector: str) -> operations.Operation:
    """The operation that gives root another password; only its hash comes into the machine."""
    from kvasir.install.unattended import crypt

    kind, _, value = selector.partition(":")
    if kind == "file":
        with open(value, encoding="utf-8") as file:
            value = file.readline().rstrip("\r\n")
    elif kind != "password":
        raise DiskError(f"--root-password: {kind!r} is neither password: nor file:")
    if not value:
        raise DiskError("--root-password: the password is empty")
    line = f"edited etc/shadow 's|^root:[^:]*:|root:{crypt(value)}:|'"
    return operations.Operation("customize", "Set root's password", line)


def work(options: argparse.Namespace) -> int:
    if options.list_operations:
        for one in operations.OPERATIONS:
            print(f"{one.name:<24}{'*' if one.default else ' '} {one.about}")
        return 0
    begin = time.monotonic()

    def say(text: str) -> None:
        if not options.quiet:
            print(f"[{time.monotonic() - begin:6.1f}] {text}", flush=True)

    todo = picked(options)
    if options.root_password:
        todo.append(password(options.root_password))
    disks = disk_options.disks(options)
    say("Examining the guest ...")
    said = appliance.run(disks, operations.script(todo), readonly=options.dry_run)
    for line in said.splitlines():
        if line.startswith("@"):
            say(f"Performing {line[1:]!r} ...".replace("'", '"'))
        elif line and options.verbose:
            print(f"         {line}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Entry point. Exit status: 0 done, 1 failed, 2 wrong usage."""
    os.umask(0o077)
    options = parser().parse_args(argv)
    return disk_options.guarded("virt-sysprep", lambda: work(options))


if __name__ == "__main__":
    sys.exit(main())
