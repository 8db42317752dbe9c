"""``domstats``: everything that is measured of some or all domains."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, flag, rest
from kvasir.cli.virsh.shared import parameter_text
from kvasir.cli.virsh.shell import Shell

KINDS = {
    "state": (1, "state"),
    "cpu-total": (2, "CPU time"),
    "balloon": (4, "memory balloon"),
    "vcpu": (8, "virtual CPUs"),
    "interface": (16, "network cards"),
    "block": (32, "disks"),
    "perf": (64, "performance events"),
    "iothread": (128, "IO threads"),
    "memory": (256, "memory bandwidth"),
    "dirtyrate": (512, "dirty rate"),
    "vm": (1024, "what the hypervisor itself counts"),
}
"""Groups of statistics: their bit, and what they are."""
FILTERS = {
    "list-active": (1, "domains that run"),
    "list-inactive": (2, "domains that do not run"),
    "list-persistent": (4, "domains with configuration"),
    "list-transient": (8, "domains without"),
    "list-running": (16, "domains that are running"),
    "list-paused": (32, "domains that are paused"),
    "list-shutoff": (64, "domains that are shut off"),
    "list-other": (128, "domains in any other state"),
}
NOWAIT, BACKING, ENFORCE = 1 << 29, 1 << 30, 1 << 31


def domstats(shell: Shell, args: Args) -> None:
    kinds = sum(bit for name, (bit, _) in KINDS.items() if args.flag(name))
    flags = sum(bit for name, (bit, _) in FILTERS.items() if args.flag(name))
    for name, bit in (("enforce", ENFORCE), ("backing", BACKING), ("nowait", NOWAIT)):
        if args.flag(name):
            flags |= bit
    if args.has("domain"):
        domains = [shell.find_domain(text) for text in args.rest("domain")]
        found = shell.conn.domainListGetStats(domains, kinds, flags)
    else:
        found = shell.conn.getAllDomainStats(kinds, flags)
    for at, (domain, values) in enumerate(found):
        lines = "".join(f"  {name}={parameter_text(value)}\n" for name, value in values.items())
        shell.out(("\n" if at else "") + f"Domain: '{domain.name()}'\n{lines}")


COMMANDS = [
    Command(
        "domstats",
        "statistics of one, several or all domains",
        (
            *(flag(name, f"{what}") for name, (_, what) in KINDS.items()),
            *(flag(name, f"only {what}") for name, (_, what) in FILTERS.items()),
            flag("raw", "values as they come"),
            flag("enforce", "fail where a group is not known"),
            flag("backing", "the backing files of disks too"),
            flag("nowait", "only what is there without waiting"),
            rest("domain", "the domains; none: all"),
        ),
        domstats,
        description="Prints the statistics asked for, by default all, as NAME=VALUE.",
    )
]
