"""Load of the host: nodecpustats, nodememstats."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, flag, number
from kvasir.cli.virsh.shell import Shell

ALL = -1
FIELDS = ("user", "kernel", "idle", "iowait", "intr")
NAMES = {"user": "user:", "kernel": "system:", "idle": "idle:", "iowait": "iowait:", "intr": "intr:"}
MEMORY = ("total", "free", "buffers", "cached")


def nodecpustats(shell: Shell, args: Args) -> None:
    which = args.number("cpu")
    cpu = ALL if which is None else which
    first = shell.attempt("Unable to get node cpu stats", shell.conn.getCPUStats, cpu, 0)
    if not args.flag("percent"):
        for name in FIELDS:
            if name in first:
                shell.out(f"{NAMES[name]:<15} {first[name]:20d}\n")
        return
    if "utilization" in first:
        usage = float(first["utilization"])
        shell.out(f"{'usage:':<15} {usage:5.1f}%\n{'idle:':<15} {100 - usage:5.1f}%\n")
        return
    from time import sleep

    sleep(1)
    second = shell.attempt("Unable to get node cpu stats", shell.conn.getCPUStats, cpu, 0)
    spent = {name: second[name] - first[name] for name in FIELDS if name in second}
    total = sum(spent.values())
    rows = [("usage:", spent.get("user", 0) + spent.get("kernel", 0))]
    rows += [(NAMES[name], value) for name, value in spent.items()]
    for label, value in rows:
        shell.out(f"{label:<15} {f'{value / total * 100:.1f}' if total else '-nan':>5}%\n")


def nodememstats(shell: Shell, args: Args) -> None:
    which = args.number("cell", -1)
    values = shell.attempt(
        "Unable to get number of memory stats", shell.conn.getMemoryStats, ALL if which is None else which, 0
    )
    for name in MEMORY:
        if name in values:
            shell.out(f"{name:<7}: {values[name]:20d} KiB\n")


COMMANDS = [
    Command(
        "nodecpustats",
        "CPU load of the host",
        (number("cpu", "only this CPU"), flag("percent", "percents over the next second")),
        nodecpustats,
        description="Prints CPU times in ns, or percents.",
    ),
    Command(
        "nodememstats",
        "memory of the host",
        (number("cell", "only this NUMA cell"),),
        nodememstats,
        description="Prints sizes in KiB.",
    ),
]
