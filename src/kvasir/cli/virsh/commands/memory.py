"""``dommemstat``: memory of a domain, and how often the balloon asks the guest."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, number
from kvasir.cli.virsh.shared import CONFIG, CURRENT, DOMAIN, LIVE, NOT_WITH_CURRENT
from kvasir.cli.virsh.shell import Shell

AFFECT_LIVE = 1


def dommemstat(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    flags = shell.affect(args)
    if not flags and not args.flag("current") and domain.isActive() == 1:
        flags = AFFECT_LIVE
    period = args.number("period")
    if period is not None:
        if period < 0:
            raise Fail(f"Invalid collection period value '{period}'")
        shell.attempt("Unable to change balloon collection period.", domain.setMemoryStatsPeriod, period, flags)
        return
    found = shell.attempt(f"Failed to get memory statistics for domain {domain.name()}", domain.memoryStats)
    for name, value in found.items():
        shell.out(f"{name} {value}\n")


COMMANDS = [
    Command(
        "dommemstat",
        "memory statistics of a domain",
        (DOMAIN, number("period", "seconds between the balloon's questions", positional=False), CONFIG, LIVE, CURRENT),
        dommemstat,
        description="Prints what is known of the domain's memory, sizes in KiB.",
        exclusive=NOT_WITH_CURRENT,
    )
]
