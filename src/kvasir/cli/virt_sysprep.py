"""``virt-sysprep``: take out of a guest's disks what must be its own, so that it can be cloned. In place, of a guest that is off."""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from typing import Any

from kvasir.disk import appliance, customize, operations
from kvasir.disk.appliance import DiskError
from kvasir.disk.operations import Operation

from . import disk_options


class Step(argparse.Action):
    """An option of ``customize``; they are done in the order in which they are given."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        name = (option_string or "").lstrip("-")
        namespace.steps = [*namespace.steps, (name, values if isinstance(values, str) else "")]


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
        "--keep-user-accounts", action="append", default=[], metavar="USERS", help="user-account leaves these"
    )
    p.add_argument(
        "--remove-user-accounts", action="append", default=[], metavar="USERS", help="... removes these only"
    )
    p.add_argument(
        "--script", action="append", default=[], metavar="SCRIPT",
        help="Run a script in the guest's root folder: of the appliance's shell, or a program that needs no library",
    )  # fmt: skip
    p.add_argument("--scriptdir", metavar="DIR", help="Not needed: the scripts run in the appliance")
    group = p.add_argument_group("customize", "Done last, in the order given.")
    p.set_defaults(steps=[])
    for name, (form, about) in customize.OPTIONS.items():
        group.add_argument(f"--{name}", action=Step, nargs=None if form else 0, metavar=form, help=about)
    for name in customize.NOT_BUILT:
        group.add_argument(f"--{name}", action=Step, nargs="?", help=argparse.SUPPRESS)
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
    if options.enable is not None and any(word.startswith("-") for word in words.split(",")):
        raise DiskError("--enable takes names only")
    try:
        return operations.chosen(words)
    except ValueError as error:
        raise DiskError(f"{error}; virt-sysprep --list-operations shows them") from None


def names(values: list[str], option: str) -> str:
    """Users' names of an option, with commas between. Raises DiskError."""
    found = [name for value in values for name in value.split(",") if name]
    for name in found:
        if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise DiskError(f"--{option}: {name!r} is no user's name")
    return ",".join(found)


def filled(todo: list[Operation], options: argparse.Namespace, steps: customize.Customize) -> list[Operation]:
    """The operations with what their own options say. Raises DiskError."""
    for name, value in options.steps:
        steps.add(name, value)
    scripts = [steps.luggage.add(customize.read(path), 0o100755) for path in options.script]
    keep = names(options.keep_user_accounts, "keep-user-accounts")
    only = names(options.remove_user_accounts, "remove-user-accounts")
    own = {
        "customize": customize.TOOLS + steps.script() if steps.steps else "",
        "script": "".join(f"{path} || exit 1\n" for path in scripts),
        "user-account": operations.ACCOUNTS.replace("KEEP", keep).replace("ONLY", only),
    }
    for what, given in (("customize", steps.steps), ("script", scripts), ("user-account", keep or only)):
        if given and what not in [one.name for one in todo]:
            raise DiskError(
                f"options of {what} are given, and the operation is not\nhint: --operations defaults,{what}"
            )
    return [replace(one, script=own.get(one.name, one.script)) for one in todo]


def work(options: argparse.Namespace) -> int:
    if options.list_operations:
        for one in operations.OPERATIONS:
            print(f"{one.name:<24}{'*' if one.default else ' '} {one.about}")
        return 0
    begin = time.monotonic()

    def say(text: str) -> None:
        if not options.quiet:
            print(f"[{time.monotonic() - begin:6.1f}] {text}", flush=True)

    steps = customize.Customize(say)
    todo = filled(picked(options), options, steps)
    disks = disk_options.disks(options)
    say("Examining the guest ...")
    after = operations.script(todo, unmounted=True)
    said = appliance.run(
        disks, operations.script(todo), readonly=options.dry_run, after=after, luggage=steps.luggage.files
    )
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
