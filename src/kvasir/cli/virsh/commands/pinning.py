"""Where a domain's threads may run: vcpupin, emulatorpin, iothreadpin, iothreadinfo."""

from __future__ import annotations

from kvasir.cli.virsh.commands.host import ranges
from kvasir.cli.virsh.grammar import Args, Command, Fail, data, number, text
from kvasir.cli.virsh.shared import CONFIG, CURRENT, DOMAIN, LIVE, NOT_WITH_CURRENT
from kvasir.cli.virsh.shell import Shell
from kvasir.cli.virsh.table import table

MAXIMUM = 4
MOST = 1024
"""Host CPUs that a list may name."""


def cpu_bits(shell: Shell, given: str, host: int) -> list[bool]:
    """A list like ``0-3,^2``, or ``r`` for all, as a bool for each host CPU. Raises Fail."""
    from kvasir.errors import InvalidArg, Origin

    if given == "r":
        return [True] * host
    chosen: set[int] = set()
    for part in given.split(","):
        word = part.strip()
        away = word.startswith("^")
        first, dash, last = word.removeprefix("^").partition("-")
        good = first.isdigit() and word.isascii() and (not dash or (last.isdigit() and not away))
        if not good or int(last or first) < int(first) or int(last or first) >= MOST:
            shell.error(f"Invalid cpulist '{given}'")
            raise InvalidArg(f"Failed to parse bitmap '{given}'", origin=Origin.NONE)
        span = range(int(first), int(last or first) + 1)
        chosen = chosen - set(span) if away else chosen | set(span)
    if not chosen:
        raise Fail(f"Invalid cpulist '{given}'")
    if max(chosen) >= host:
        raise Fail(f"CPU {max(chosen)} in cpulist '{given}' exceed the maxcpu {host}")
    return [cpu in chosen for cpu in range(host)]


def vcpupin(shell: Shell, args: Args) -> None:
    flags = shell.affect(args)
    if not args.has("cpulist") and flags == 3:
        raise Fail("Options --live and --config are mutually exclusive")
    vcpu = args.unsigned("vcpu")
    if args.has("cpulist") and vcpu is None:
        raise Fail("vcpupin: Missing vCPU number in pin mode.")
    cpulist = args.wanted("cpulist")
    domain = shell.domain(args)
    host = shell.conn.getCPUMap()[0]
    if cpulist is not None:
        bits = cpu_bits(shell, cpulist, host)
        if not flags and not args.flag("current"):
            domain.pinVcpu(vcpu, bits)  # type: ignore[arg-type]  # there, as it was looked at above
        else:
            domain.pinVcpuFlags(vcpu, bits, flags)  # type: ignore[arg-type]  # as above
        return
    if flags & 1 and not domain.isActive():
        raise Fail("cannot get vcpupin for offline domain")
    if flags & 2 and not domain.isPersistent():
        raise Fail("cannot get vcpupin for transient domain")
    count = int(domain.vcpusFlags(flags | MAXIMUM))
    if vcpu is not None and vcpu >= count:
        vcpu -= vcpu >> 31 << 32  # printed as a signed number
        running = flags & 1 or (not flags & 2 and domain.isActive())
        raise Fail(f"vcpu {vcpu} is out of range of {'live' if running else 'persistent'} cpu count {count}")
    rows = [(str(at), ranges(list(row))) for at, row in enumerate(domain.vcpuPinInfo(flags)) if vcpu in (None, at)]
    shell.out(table(("VCPU", "CPU Affinity"), rows))


def emulatorpin(shell: Shell, args: Args) -> None:
    flags = shell.affect(args)
    domain = shell.domain(args)
    cpulist = args.wanted("cpulist")
    host = shell.conn.getCPUMap()[0]
    if cpulist is not None:
        bits = cpu_bits(shell, cpulist, host)
        domain.pinEmulator(bits, flags if flags or args.flag("current") else 1)
        return
    bits = list(domain.emulatorPinInfo(flags))
    shell.extra("emulator: CPU Affinity\n----------------------------------\n")
    shell.out(f"       *: {ranges(bits)}\n")


def iothreadpin(shell: Shell, args: Args) -> None:
    flags = shell.affect(args)
    domain = shell.domain(args)
    iothread, cpulist = args.unsigned("iothread"), args.need("cpulist")
    assert iothread is not None
    domain.pinIOThread(iothread, cpu_bits(shell, cpulist, shell.conn.getCPUMap()[0]), flags)


def iothreadinfo(shell: Shell, args: Args) -> None:
    flags = shell.affect(args)
    domain = shell.domain(args)
    rows = shell.attempt("Unable to get domain IOThreads information", domain.ioThreadInfo, flags)
    if not rows:
        shell.extra("No IOThreads found for the domain")
        return
    cells = [(str(name), ranges(list(bits))) for name, bits in rows]
    shell.out(table(("IOThread ID", "CPU Affinity"), cells))


WHERE = (CONFIG, LIVE, CURRENT)
LIST = "host CPUs, like 0-3,^2, or r for all; without it they are shown"
COMMANDS = [
    Command(
        "vcpupin",
        "show or set the host CPUs of a domain's virtual CPUs",
        (DOMAIN, number("vcpu", "which virtual CPU"), text("cpulist", LIST), *WHERE),
        vcpupin,
        exclusive=NOT_WITH_CURRENT,
    ),
    Command(
        "emulatorpin",
        "show or set the host CPUs of a domain's emulator",
        (DOMAIN, text("cpulist", LIST), *WHERE),
        emulatorpin,
        exclusive=NOT_WITH_CURRENT,
    ),
    Command(
        "iothreadpin",
        "set the host CPUs of an I/O thread",
        (
            DOMAIN,
            number("iothread", "which I/O thread", required=True),
            data("cpulist", "host CPUs, like 0-3,^2, or r for all"),
            *WHERE,
        ),
        iothreadpin,
        exclusive=NOT_WITH_CURRENT,
    ),
    Command("iothreadinfo", "a domain's I/O threads", (DOMAIN, *WHERE), iothreadinfo, exclusive=NOT_WITH_CURRENT),
]
