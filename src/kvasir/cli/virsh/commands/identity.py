"""Names, ids and UUIDs of domains: domid, domname, domuuid, domrename."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, data
from kvasir.cli.virsh.shared import DOMAIN
from kvasir.cli.virsh.shell import Shell


def domid(shell: Shell, args: Args) -> None:
    number = shell.domain(args, "un").ID()
    shell.out(f"{number if number >= 0 else '-'}\n")


def domname(shell: Shell, args: Args) -> None:
    shell.out(shell.domain(args, "iu").name() + "\n")


def domuuid(shell: Shell, args: Args) -> None:
    shell.out(shell.domain(args, "in").UUIDString() + "\n")


def domrename(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    domain.rename(args.need("new-name"), 0)
    shell.extra("Domain successfully renamed\n")


COMMANDS = [
    Command(
        "domid",
        "print a domain's id",
        (data("domain", "name or UUID of the domain"),),
        domid,
        description="Prints '-' for a domain that does not run.",
    ),
    Command("domname", "print a domain's name", (data("domain", "id or UUID of the domain"),), domname),
    Command(
        "domrename",
        "rename a domain",
        (DOMAIN, data("new-name", "its new name")),
        domrename,
        description="Renames a domain that does not run.",
    ),
    Command("domuuid", "print a domain's UUID", (data("domain", "id or name of the domain"),), domuuid),
]
