"""Single virtual CPUs: setvcpu (plug and unplug), guestvcpus (as the guest agent sees them)."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, text
from kvasir.cli.virsh.shared import CONFIG, CURRENT, DOMAIN, LIVE, NOT_WITH_CURRENT
from kvasir.cli.virsh.shell import Shell


def setvcpu(shell: Shell, args: Args) -> None:
    flags = shell.affect(args)
    if not args.flag("enable") and not args.flag("disable"):
        raise Fail("one of --enable, --disable is required")
    cpus = args.need("vcpulist")
    domain = shell.domain(args)
    domain.setVcpu(cpus, int(args.flag("enable")), flags)


def guestvcpus(shell: Shell, args: Args) -> None:
    cpus = args.wanted("cpulist")
    if cpus is not None and not (args.flag("enable") or args.flag("disable")):
        raise Fail("One of options --enable or --disable is required by option --cpulist")
    domain = shell.domain(args)
    if cpus is not None:
        domain.setGuestVcpus(cpus, int(args.flag("enable")), 0)
        return
    for name, value in domain.guestVcpus(0).items():
        shell.out(f"{name:<15}: {value}\n")


COMMANDS = [
    Command(
        "guestvcpus",
        "show or change which virtual CPUs the guest uses",
        (
            DOMAIN,
            text("cpulist", "the CPUs"),
            flag("enable", "use them"),
            flag("disable", "do not use them"),
        ),
        guestvcpus,
        description="Asks the guest agent.",
        exclusive=(("enable", "disable"),),
        needs=(("enable", "cpulist"), ("disable", "cpulist")),
    ),
    Command(
        "setvcpu",
        "plug or unplug single virtual CPUs",
        (
            DOMAIN,
            data("vcpulist", "the CPUs: 2-3,5"),
            flag("enable", "plug them"),
            flag("disable", "unplug them"),
            CONFIG,
            LIVE,
            CURRENT,
        ),
        setvcpu,
        exclusive=(("enable", "disable"), *NOT_WITH_CURRENT),
    ),
]
