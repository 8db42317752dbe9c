"""Memory and processors of a domain: setmem, setmaxmem, setvcpus."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, alias, flag, number
from kvasir.cli.virsh.shared import CONFIG, CURRENT, DOMAIN, LIVE, NOT_WITH_CURRENT, no_size, scaled
from kvasir.cli.virsh.shell import Shell

MAXIMUM_MEMORY = 4
AFFECT_LIVE = 1
VCPU_MAXIMUM, VCPU_GUEST, VCPU_HOTPLUGGABLE = 4, 8, 16


def kibibytes(args: Args) -> int:
    """``size`` in KiB, rounded up."""
    given = args.raw("size") or ""
    found = scaled(given, 1024)
    if found is None:
        raise no_size(given, "size")
    return -(-found // 1024)


def plain(args: Args) -> bool:
    """Nothing said about where: the older calls, which mean the running domain."""
    return not any(args.flag(name) for name in ("config", "live", "current"))


def setmem(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    size = kibibytes(args)
    domain.setMemoryFlags(size, AFFECT_LIVE if plain(args) else shell.affect(args))


def setmaxmem(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    size = kibibytes(args)
    flags = shell.affect(args) | MAXIMUM_MEMORY
    shell.attempt("Unable to change MaxMemorySize", domain.setMemoryFlags, size, flags)


def setvcpus(shell: Shell, args: Args) -> None:
    flags = shell.affect(args)
    for name, bit in (("maximum", VCPU_MAXIMUM), ("guest", VCPU_GUEST), ("hotpluggable", VCPU_HOTPLUGGABLE)):
        if args.flag(name):
            flags |= bit
    domain = shell.domain(args)
    count = args.unsigned("count")
    if count == 0:
        raise Fail("Can't set 0 processors for a VM")
    if not flags and plain(args):
        domain.setVcpus(count)
    else:
        domain.setVcpusFlags(count, flags)


SIZE = number("size", "the new size, in KiB if no unit is given", required=True)
COMMANDS = [
    Command(
        "setmaxmem",
        "set how much memory a domain can have",
        (DOMAIN, alias("kilobytes", "size"), SIZE, CONFIG, LIVE, CURRENT),
        setmaxmem,
        exclusive=NOT_WITH_CURRENT,
    ),
    Command(
        "setmem",
        "set how much memory a domain has",
        (DOMAIN, alias("kilobytes", "size"), SIZE, CONFIG, LIVE, CURRENT),
        setmem,
        exclusive=NOT_WITH_CURRENT,
    ),
    Command(
        "setvcpus",
        "set how many virtual CPUs a domain has",
        (
            DOMAIN,
            number("count", "how many", required=True),
            flag("maximum", "how many it can have"),
            CONFIG,
            LIVE,
            CURRENT,
            flag("guest", "have the guest agent do it"),
            flag("hotpluggable", "let them be unplugged later"),
        ),
        setvcpus,
        exclusive=(*NOT_WITH_CURRENT, ("guest", "config")),
        needs=(("maximum", "config"),),
    ),
]
