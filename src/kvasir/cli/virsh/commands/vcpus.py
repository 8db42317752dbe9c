"""Virtual CPUs of a domain: vcpucount, vcpuinfo."""

from __future__ import annotations

from kvasir.cli.virsh.commands.host import ranges
from kvasir.cli.virsh.grammar import Args, Command, Fail, flag
from kvasir.cli.virsh.shared import DOMAIN
from kvasir.cli.virsh.shell import Shell
from kvasir.errors import Code, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.client.objects import Domain

LIVE, CONFIG, MAXIMUM, GUEST = 1, 2, 4, 8
STATES = ("offline", "running", "blocked")


def vcpucount(shell: Shell, args: Args) -> None:
    if args.flag("current") and (args.flag("maximum") or args.flag("active")):
        for other in ("live", "config"):
            if args.flag(other):
                raise Fail(f"Options --current and --{other} are mutually exclusive")
    domain = shell.domain(args)
    bits = {"maximum": MAXIMUM, "guest": GUEST, "live": LIVE, "config": CONFIG}
    flags = sum(bit for name, bit in bits.items() if args.flag(name))
    if any(args.flag(name) for name in (*bits, "active", "current")):
        shell.out(f"{count(shell, domain, flags)}\n")
        return
    for label, base in (("maximum", MAXIMUM), ("current", 0)):
        for where, bit in (("config", CONFIG), ("live", LIVE)):
            there = domain.isPersistent() if bit == CONFIG else domain.isActive()
            if there:
                shell.out(f"{label:<12} {where:<12} {count(shell, domain, base | bit):3d}\n")


def count(shell: Shell, domain: Domain, flags: int) -> int:
    """One of the counts."""
    try:
        return int(domain.vcpusFlags(flags))
    except Error as problem:
        if problem.code in (Code.NO_SUPPORT, Code.INVALID_ARG) and flags & GUEST:
            shell.error("Failed to retrieve vCPU count from the guest")
        raise


def vcpuinfo(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    host = shell.conn.getCPUMap()[0]
    try:
        cards, maps = domain.vcpus()
    except Error as problem:
        if problem.code != Code.OPERATION_INVALID or domain.isActive() != 0:
            raise
        offline(shell, args, domain, host)
        return
    for at, (number, state, time, cpu) in enumerate(cards):
        shell.out(f"{'VCPU:':<15} {number}\n{'CPU:':<15} {cpu if cpu >= 0 else 'N/A'}\n")
        shell.out(f"{'State:':<15} {STATES[state] if 0 <= state < len(STATES) else 'no state'}\n")
        if time:
            shell.out(f"{'CPU time:':<15} {time / 1e9:.1f}s\n")
        affinity(shell, list(maps[at]), host, args.flag("pretty"))
        if at < len(cards) - 1:
            shell.out("\n")


def affinity(shell: Shell, bits: list[bool], host: int, pretty: bool) -> None:
    """The line about the host's CPUs."""
    shown = f"{ranges(bits)} (out of {host})" if pretty else "".join("y" if bit else "-" for bit in bits)
    shell.out(f"{'CPU Affinity:':<15} {shown}\n")


def offline(shell: Shell, args: Args, domain: Domain, host: int) -> None:
    """What the configuration of a domain that does not run says."""
    maps = domain.vcpuPinInfo(CONFIG)[: domain.vcpusFlags(CONFIG)]
    for at, bits in enumerate(maps):
        shell.out(f"{'VCPU:':<15} {at}\n{'CPU:':<15} N/A\n{'State:':<15} N/A\n{'CPU time':<15} N/A\n")
        affinity(shell, list(bits), host, args.flag("pretty"))
        if at < len(maps) - 1:
            shell.out("\n")


COMMANDS = [
    Command(
        "vcpucount",
        "number of a domain's virtual CPUs",
        (
            DOMAIN,
            flag("maximum", "how many it can have"),
            flag("active", "how many it has"),
            flag("live", "of the running domain"),
            flag("config", "of the configuration"),
            flag("current", "of the domain in its present state"),
            flag("guest", "as the guest agent counts them"),
        ),
        vcpucount,
        description="Prints one number, or without option all that apply.",
        exclusive=(
            ("live", "config"),
            ("active", "maximum"),
            ("guest", "config"),
        ),
    ),
    Command(
        "vcpuinfo",
        "state of a domain's virtual CPUs",
        (DOMAIN, flag("pretty", "host CPUs as ranges")),
        vcpuinfo,
        description="Prints where each virtual CPU runs and for how long it did.",
    ),
]
