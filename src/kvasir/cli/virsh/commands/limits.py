"""Limits of memory, block I/O and performance counters: memtune, blkiotune, perf."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, decimal, number, text
from kvasir.cli.virsh.shared import CONFIG, CURRENT, DOMAIN, LIVE, NOT_WITH_CURRENT, parameter_text, scaled, why_no_size
from kvasir.cli.virsh.shell import Shell
from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

UNLIMITED = 9007199254740991
MEMORY = (
    ("hard-limit", "hard_limit", "the most memory"),
    ("soft-limit", "soft_limit", "memory to keep to when the host is short of it"),
    ("swap-hard-limit", "swap_hard_limit", "the most memory and swap together"),
    ("min-guarantee", "min_guarantee", "memory that is never taken away"),
)
DEVICE = (
    ("device-weights", "device_weight", "weight"),
    ("device-read-iops-sec", "device_read_iops_sec", "reads in a second"),
    ("device-write-iops-sec", "device_write_iops_sec", "writes in a second"),
    ("device-read-bytes-sec", "device_read_bytes_sec", "bytes read in a second"),
    ("device-write-bytes-sec", "device_write_bytes_sec", "bytes written in a second"),
)


def show(shell: Shell, rows: Iterable[tuple[str, str]]) -> None:
    """``name           : value`` lines."""
    for name, value in rows:
        shell.out(f"{name:<15}: {value}\n")


def kibibytes(args: Args, name: str) -> int | None:
    """A limit; a negative one is none at all. Raises Fail."""
    given = args.raw(name)
    if given is None:
        return None
    if (decimal(given) or 0) < 0:
        return UNLIMITED
    size = scaled(given, 1024, (1 << 63) - 1)
    if size is None:
        raise Fail(f"Unable to parse integer parameter {name}{why_no_size(given)}")
    return -(-size // 1024)


def memtune(shell: Shell, args: Args) -> None:
    from kvasir.rpc.typed import ULLong

    flags = shell.affect(args)
    domain = shell.domain(args)
    given = [(field, kibibytes(args, name)) for name, field, _ in MEMORY]
    wanted = [(field, ULLong(value)) for field, value in given if value is not None]
    if wanted:
        shell.attempt("Unable to change memory parameters", domain.setMemoryParameters, wanted, flags)
        return
    try:
        found = domain.memoryParameters(flags)
    except Error as problem:
        shell.error(f"Unable to get {'number of ' if problem.counting else ''}memory parameters")
        raise
    show(shell, ((name, "unlimited" if value == UNLIMITED else str(value)) for name, value in found.items()))


def blkiotune(shell: Shell, args: Args) -> None:
    from kvasir.rpc.typed import UInt

    flags = shell.affect(args)
    domain = shell.domain(args)
    wanted: list[tuple[str, object]] = []
    weight = args.number("weight")
    if weight is not None:
        if weight <= 0:
            raise Fail(f"Invalid value of {weight} for I/O weight")
        wanted.append(("weight", UInt(weight)))
    for name, field, _ in DEVICE:
        value = args.raw(name)
        if value == "":
            raise Fail("Unable to parse string parameter")
        if value is not None:
            wanted.append((field, value))
    if wanted:
        shell.attempt("Unable to change blkio parameters", domain.setBlkioParameters, wanted, flags)
        return
    try:
        found = domain.blkioParameters(flags)
    except Error as problem:
        shell.error(f"Unable to get {'number of ' if problem.counting else ''}blkio parameters")
        raise
    show(shell, ((name, parameter_text(value)) for name, value in found.items()))


def perf(shell: Shell, args: Args) -> None:
    flags = shell.affect(args)
    enabled, disabled = args.wanted("enable"), args.wanted("disable")
    domain = shell.domain(args)
    wanted = [
        (name, on) for option, on in ((enabled, True), (disabled, False)) for name in (option or "").split(",")
        if name
    ]  # fmt: skip
    if wanted:
        shell.attempt("Unable to enable/disable perf events", domain.setPerfEvents, wanted, flags)
    rows = wanted or shell.attempt("Unable to get perf events", domain.perfEvents, flags)
    rows = dict(rows)
    show(shell, ((name, "enabled" if on else "disabled") for name, on in rows.items()))


WHERE = (CONFIG, LIVE, CURRENT)
COMMANDS = [
    Command(
        "memtune",
        "show or set how much memory a domain may take",
        (
            DOMAIN,
            *(number(name, f"{what}, in KiB if no unit is given") for name, _, what in MEMORY),
            *WHERE,
        ),
        memtune,
        description="Without a limit, shows them all; -1 takes a limit away.",
        exclusive=NOT_WITH_CURRENT,
    ),
    Command(
        "blkiotune",
        "show or set a domain's share of block I/O",
        (
            DOMAIN,
            number("weight", "weight among domains"),
            *(text(name, f"{what} by device: /path/to/device,number,...") for name, _, what in DEVICE),
            *WHERE,
        ),
        blkiotune,
        description="Without a setting, shows them all; 0 takes a limit away.",
        exclusive=NOT_WITH_CURRENT,
    ),
    Command(
        "perf",
        "show or choose the performance events that are counted for a domain",
        (
            DOMAIN,
            text("enable", "events to count, with commas between"),
            text("disable", "events not to count"),
            *WHERE,
        ),
        perf,
        description="Without a choice, shows all events; domstats --perf shows the counts.",
        exclusive=NOT_WITH_CURRENT,
    ),
]
