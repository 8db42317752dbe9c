"""Limits of disks: blkdeviotune."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, Option, alias, data, number, text
from kvasir.cli.virsh.shared import CONFIG, CURRENT, DOMAIN, LIVE, NOT_WITH_CURRENT, parameter_text, scaled, why_no_size
from kvasir.cli.virsh.shell import Shell
from kvasir.errors import Error

SIDES = ("total", "read", "write")
BYTES = tuple(f"{side}-bytes-sec{tail}" for tail in ("", "-max") for side in SIDES)
IOPS = tuple(f"{side}-iops-sec{tail}" for tail in ("", "-max") for side in SIDES)
LENGTHS = tuple(f"{side}-{kind}-sec-max-length" for kind in ("bytes", "iops") for side in SIDES)
STRING_OKAY = 4


def show(shell: Shell, rows: dict[str, object]) -> None:
    for name, value in rows.items():
        shell.out(f"{name:<15}: {parameter_text(value)}\n")


def limit(shell: Shell, args: Args, name: str) -> int | None:
    """One limit; sizes may have units. Raises Fail in libvirt's words."""
    if not args.flag(name):
        return None
    given = args.raw(name) or ""
    if name in BYTES:
        found = scaled(given, 1)
        if found is None:
            shell.error(f"Scaled numeric value '{given}' for <{name}> option is malformed or out of range")
            raise Fail(f"Unable to parse integer parameter{why_no_size(given)}")
        return found
    try:
        return args.unsigned(name, 64)
    except Fail as problem:
        shell.error(str(problem))
        raise Fail("Unable to parse integer parameter") from None


def blkdeviotune(shell: Shell, args: Args) -> None:
    from kvasir.rpc.typed import ULLong

    flags = shell.affect(args)
    domain = shell.domain(args)
    device = args.need("device")
    wanted: list[tuple[str, object]] = []
    for name in (*BYTES, *IOPS, "size-iops-sec", *LENGTHS):
        value = limit(shell, args, name)
        if value is not None:
            wanted.append((name.replace("-", "_"), ULLong(value)))
    try:
        group = args.wanted("group-name")
    except Fail as problem:
        shell.error(str(problem))
        raise Fail("Unable to parse group-name parameter") from None
    if group is not None:
        wanted.append(("group_name", group))
    if wanted:
        shell.attempt("Unable to change block I/O throttle", domain.setBlockIoTune, device, wanted, flags)
        return
    try:
        found = domain.blockIoTune(device, flags)
    except Error as problem:
        shell.error(f"Unable to get {'number of ' if problem.counting else ''}block I/O throttle parameters")
        raise
    show(shell, found)


def limits(names: tuple[str, ...], what: str) -> list[Option]:
    """Options with the older spelling of each."""
    found: list[Option] = []
    for name in names:
        found += [
            alias(name.replace("-", "_"), name),
            number(name, f"{what}: {name.replace('-', ' ')}"),
        ]
    return found


WHERE = (CONFIG, LIVE, CURRENT)
SIZE = number("size-iops-sec", "bytes that count as one operation")
GROUP = text("group-name", "disks of one group share the limits")
COMMANDS = [
    Command(
        "blkdeviotune",
        "show or set the limits of a disk",
        (
            DOMAIN,
            data("device", "the disk, by target or source"),
            *limits(BYTES[:3], "bytes a second"),
            *limits(IOPS[:3], "operations a second"),
            *limits(BYTES[3:], "bytes a second in a burst"),
            *limits(IOPS[3:], "operations a second in a burst"),
            alias("size_iops_sec", "size-iops-sec"),
            SIZE,
            alias("group_name", "group-name"),
            GROUP,
            *limits(LENGTHS, "seconds that a burst may last"),
            *WHERE,
        ),
        blkdeviotune,
        description="Without a limit, shows them all; 0 takes a limit away.",
        exclusive=NOT_WITH_CURRENT,
    ),
]
