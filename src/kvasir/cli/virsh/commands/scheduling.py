"""A domain's share of processors and host cells: schedinfo, numatune, cpu-stats."""

from __future__ import annotations

from kvasir.cli.virsh.commands.limits import show
from kvasir.cli.virsh.grammar import Args, Command, Fail, c_integer, decimal, flag, number, rest, text
from kvasir.cli.virsh.shared import CONFIG, CURRENT, DOMAIN, LIVE, NOT_WITH_CURRENT, parameter_text
from kvasir.cli.virsh.shell import Shell
from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kvasir.client.objects import Domain

MODES = ("strict", "preferred", "interleave", "restrictive")


def schedinfo(shell: Shell, args: Args) -> None:
    from kvasir.rpc import programs

    flags = shell.affect(args)
    both, explicit = flags == 3, bool(flags) or args.flag("current")
    domain = shell.domain(args)
    try:
        name, count = domain._call(programs.REMOTE["domain_get_scheduler_type"], (domain.handle,))
    except Error:
        shell.out(f"{'Scheduler':<15}: Unknown\n")
        raise
    shell.out(f"{'Scheduler':<15}: {name}\n")
    if not count:
        return
    found = current(domain, count, 0 if both else flags, explicit)
    wanted = updates(args, found)
    if wanted:
        if explicit:
            domain.setSchedulerParametersFlags(wanted, flags)
        else:
            domain.setSchedulerParameters(wanted)
        found = current(domain, count, 0 if both else flags, explicit)
    elif both:
        raise Fail("cannot query both live and config at once")
    show(shell, ((name, parameter_text(value)) for name, value in found))


def current(domain: Domain, count: int, flags: int, explicit: bool) -> list[tuple[str, Any]]:
    """The scheduler's parameters."""
    from kvasir.rpc import programs

    if explicit:
        procedure = programs.REMOTE["domain_get_scheduler_parameters_flags"]
        return list(domain._call(procedure, (domain.handle, count, flags)))
    return list(domain._call(programs.REMOTE["domain_get_scheduler_parameters"], (domain.handle, count)))


def updates(args: Args, found: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """What is to be set, in the types of what is there."""
    pairs = [word.partition("=") for word in args.rest("set")]
    if not all(equals for _, equals, _ in pairs):
        raise Fail("Invalid syntax for --set, expecting name=value")
    given = [(name, str(args.number(name))) for name in ("weight", "cap") if args.has(name)]
    given += [(name, value) for name, _, value in pairs]
    known = dict(found)
    wanted = []
    for name, value in given:
        if name not in known:
            raise Fail(f"invalid scheduler option: {name}")
        kind = type(known[name])
        parsed = decimal(value)
        if parsed is None:
            from kvasir.errors import InvalidArg

            words = {"ULLong": "unsigned long long", "LLong": "long long", "UInt": "unsigned int", "Int": "int"}
            raise InvalidArg(f"Invalid value for field '{name}': expected {words.get(kind.__name__, kind.__name__)}")
        bits = {"ULLong": 64, "UInt": 32}.get(kind.__name__)
        wanted.append((name, kind(parsed % (1 << bits) if bits else parsed)))
    return wanted


def numatune(shell: Shell, args: Args) -> None:
    from kvasir.rpc.typed import Int

    flags = shell.affect(args)
    domain = shell.domain(args)
    wanted: list[tuple[str, Any]] = []
    nodes = args.wanted("nodeset")
    if nodes is not None:
        wanted.append(("numa_nodeset", nodes))
    mode = args.wanted("mode")
    if mode is not None:
        at = MODES.index(mode) if mode in MODES else c_integer(mode)
        if at is None:
            raise Fail(f"Invalid mode: {mode}")
        wanted.append(("numa_mode", Int(at)))
    if wanted:
        shell.attempt("Unable to change numa parameters", domain.setNumaParameters, wanted, flags)
        return
    try:
        found = domain.numaParameters(flags)
    except Error as problem:
        shell.error(f"Unable to get {'number of memory' if problem.counting else 'numa'} parameters")
        raise
    rows = []
    for name, value in found.items():
        known = name == "numa_mode" and 0 <= value < len(MODES)
        rows.append((name, MODES[value] if known else parameter_text(value)))
    show(shell, rows)


def cpu_stats(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    total = args.flag("total")
    first = args.number("start")
    if first is not None and first < 0:
        raise Fail("Invalid value for start CPU")
    count = args.number("count")
    if count is not None and count < 0:
        raise Fail("Invalid value for number of CPUs to show")
    single = first is not None or count is not None
    if not single and not total:
        single = total = True
    try:
        if single:
            each_cpu(shell, domain, first or 0, count)
        if total:
            found = domain.getCPUStats(True)[0]
            shell.out("Total:\n")
            times(shell, found)
    except Error as problem:
        shell.error(f"Failed to retrieve CPU statistics for domain '{domain.name()}'")
        shell.report(problem)
        raise Fail("") from None


def each_cpu(shell: Shell, domain: Domain, first: int, count: int | None) -> None:
    """The host CPUs from ``first`` on."""
    from kvasir.rpc import programs

    most = domain._call(programs.REMOTE["domain_get_cpu_stats"], (domain.handle, 0, 0, 0, 0))[1]
    if first >= most:
        raise Fail(f"Start CPU {first} is out of range (min: 0, max: {most - 1})")
    if count is None or count > most:
        if count is not None:
            shell.out(f"Only {most} CPUs available to show\n")
        count = most - first
    for at, row in enumerate(domain.cpu_stats(first, min(count, most - first))):
        shell.out(f"CPU{first + at}:\n")
        times(shell, row)


def times(shell: Shell, row: dict[str, int]) -> None:
    for name, value in row.items():
        shell.out(f"\t{name:<12} {value // 1000000000:9}.{value % 1000000000:09} seconds\n")


COMMANDS = [
    Command(
        "schedinfo",
        "show or set a domain's share of the processors",
        (
            DOMAIN,
            number("weight", "weight (Xen)", positional=False),
            number("cap", "cap (Xen)", positional=False),
            CURRENT,
            CONFIG,
            LIVE,
            rest("set", "name=value"),
        ),
        schedinfo,
        description="Without values to set, shows them all: shares, and period and quota in microseconds.",
        exclusive=NOT_WITH_CURRENT,
    ),
    Command(
        "numatune",
        "show or set which host cells a domain's memory comes from",
        (
            DOMAIN,
            text("mode", "strict, preferred, interleave, or a number"),
            text("nodeset", "host cells, like 0-3,^2"),
            CONFIG,
            LIVE,
            CURRENT,
        ),
        numatune,
        description="Without mode and cells, shows them.",
        exclusive=NOT_WITH_CURRENT,
    ),
    Command(
        "cpu-stats",
        "processor time that a domain took",
        (
            DOMAIN,
            flag("total", "only the sum"),
            number("start", "the first host CPU to show"),
            number("count", "how many host CPUs to show at most"),
        ),
        cpu_stats,
        description="Shows each host CPU and the sum of all.",
    ),
]
