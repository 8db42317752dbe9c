"""I/O threads of a domain: iothreadadd, iothreadset, iothreaddel."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, number
from kvasir.cli.virsh.shared import CONFIG, CURRENT, DOMAIN, LIVE, NOT_WITH_CURRENT
from kvasir.cli.virsh.shell import Shell


def wanted_id(args: Args) -> int:
    found = args.number("id")
    if found is None or found <= 0:
        raise Fail(f"Invalid IOThread id value: '{found}'")
    return found


def iothreadadd(shell: Shell, args: Args) -> None:
    flags = shell.affect(args)
    domain = shell.domain(args)
    domain.addIOThread(wanted_id(args), flags)


def iothreaddel(shell: Shell, args: Args) -> None:
    flags = shell.affect(args)
    domain = shell.domain(args)
    domain.delIOThread(wanted_id(args), flags)


def iothreadset(shell: Shell, args: Args) -> None:
    from kvasir.rpc.typed import Int, UInt, ULLong

    flags = shell.affect(args)
    domain = shell.domain(args)
    thread = wanted_id(args)
    wanted: list[tuple[str, object]] = []
    most = args.unsigned("poll-max-ns", 64)
    if most is not None:
        wanted.append(("poll_max_ns", ULLong(most)))
    for name in ("poll-grow", "poll-shrink"):
        value = args.unsigned(name)
        if value is not None:
            wanted.append((name.replace("-", "_"), UInt(value)))
    for name in ("thread-pool-min", "thread-pool-max"):
        size = args.number(name)
        if size is not None:
            wanted.append((name.replace("-", "_"), Int(size)))
    if not wanted:
        raise Fail("Not enough arguments passed, nothing to set")
    domain.setIOThreadParams(thread, wanted, flags)


WHERE = (CONFIG, LIVE, CURRENT)
COMMANDS = [
    Command(
        "iothreadadd",
        "add an I/O thread to a domain",
        (DOMAIN, number("id", "its number", required=True), *WHERE),
        iothreadadd,
        exclusive=NOT_WITH_CURRENT,
    ),
    Command(
        "iothreaddel",
        "remove an I/O thread from a domain",
        (DOMAIN, number("id", "its number", required=True), *WHERE),
        iothreaddel,
        exclusive=NOT_WITH_CURRENT,
    ),
    Command(
        "iothreadset",
        "change how an I/O thread of a domain works",
        (
            DOMAIN,
            number("id", "its number", required=True),
            number("poll-max-ns", "the longest that it polls, in nanoseconds"),
            number("poll-grow", "factor by which polling gets longer"),
            number("poll-shrink", "divisor by which polling gets shorter"),
            number("thread-pool-min", "workers that are always there"),
            number("thread-pool-max", "workers that there can be"),
            *WHERE,
        ),
        iothreadset,
        exclusive=NOT_WITH_CURRENT,
    ),
]
