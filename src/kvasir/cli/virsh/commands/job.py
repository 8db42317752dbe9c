"""What a domain's long job does and how fast it may: domjobinfo, dump, migrate-setspeed and its like."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, number, text
from kvasir.cli.virsh.shared import DOMAIN, parameter_text, pretty_size
from kvasir.cli.virsh.shell import Shell
from kvasir.errors import Code, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TYPES = ("None", "Bounded", "Unbounded", "Completed", "Failed", "Cancelled")
OPERATIONS = (
    "Unknown", "Start", "Save", "Restore", "Incoming migration", "Outgoing migration", "Snapshot", "Snapshot revert",
    "Dump", "Backup", "Snapshot delete",
)  # fmt: skip
BOUNDED = 1
MOST = (1 << 64) - 1
COMPLETED, KEEP = 1, 2

SIZE, SPEED, COUNT, MS, PAGES, BYTES, SHORT = "size", "speed", "count", "ms", "pages", "bytes", "short"
ROWS: tuple[tuple[str, str, str, str], ...] = (
    # figure, label, kind, group: a group is shown where one of its figures is not zero
    ("data_processed", "Data processed:", SIZE, "data"),
    ("data_remaining", "Data remaining:", SIZE, "data"),
    ("data_total", "Data total:", SIZE, "data"),
    ("memory_processed", "Memory processed:", SIZE, "memory"),
    ("memory_remaining", "Memory remaining:", SIZE, "memory"),
    ("memory_total", "Memory total:", SIZE, "memory"),
    ("memory_bps", "Memory bandwidth:", SPEED, "memory"),
    ("memory_dirty_rate", "Dirty rate:", PAGES, "memory"),
    ("memory_page_size", "Page size:", BYTES, "memory"),
    ("memory_iteration", "Iteration:", COUNT, "memory"),
    ("memory_postcopy_requests", "Postcopy requests:", COUNT, "memory"),
    ("disk_processed", "File processed:", SIZE, "disk"),
    ("disk_remaining", "File remaining:", SIZE, "disk"),
    ("disk_total", "File total:", SIZE, "disk"),
    ("disk_bps", "File bandwidth:", SPEED, "disk"),
    ("memory_constant", "Constant pages:", COUNT, ""),
    ("memory_normal", "Normal pages:", COUNT, ""),
    ("memory_normal_bytes", "Normal data:", SIZE, ""),
    ("downtime", "Total downtime:", MS, ""),
    ("downtime_net", "Downtime w/o network:", MS, ""),
    ("setup_time", "Setup time:", MS, ""),
    ("compression_cache", "Compression cache:", SIZE, ""),
    ("compression_bytes", "Compressed data:", SIZE, ""),
    ("compression_pages", "Compressed pages:", SHORT, ""),
    ("compression_cache_misses", "Compression cache misses:", SHORT, ""),
    ("compression_overflow", "Compression overflows:", SHORT, ""),
    ("auto_converge_throttle", "Auto converge throttle:", SHORT, ""),
    ("disk_temp_used", "Temporary disk space use:", SIZE, ""),
    ("disk_temp_total", "Temporary disk space total:", SIZE, ""),
)  # fmt: skip


def domjobinfo(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    flags = (COMPLETED if args.flag("completed") else 0) | (KEEP if args.flag("keep-completed") else 0)
    try:
        figures = domain.jobStats(flags)
        kind = figures.pop("type")
    except Error as problem:
        if problem.code != Code.NO_SUPPORT:
            raise
        if flags or args.flag("rawstats"):
            shell.error("Optional flags or --rawstats are not supported by the daemon")
            raise
        kind, figures = domain.jobInfo()[0], {}
    if args.flag("rawstats"):
        shell.out(f"Job type: {kind}\n\n")
        shell.out("".join(f"{name}: {parameter_text(value)}\n" for name, value in figures.items()))
        return
    word = TYPES[kind] if 0 <= kind < len(TYPES) else "unknown"
    shell.out(f"{'Job type:':<17} {word:<12}\n")
    if "operation" in figures and (kind or args.flag("anystats")):
        at = figures["operation"]
        operation = OPERATIONS[at] if 0 <= at < len(OPERATIONS) else "unknown"
        shell.out(f"{'Operation:':<17} {operation:<12}\n")
    if kind in (1, 2, 3) or (args.flag("anystats") and kind):
        _lines(shell, kind, figures)


def _lines(shell: Shell, kind: int, figures: dict[str, Any]) -> None:
    times = [("time_elapsed", "Time elapsed:"), ("time_elapsed_net", "Time elapsed w/o network:")]
    if kind == BOUNDED:
        times.append(("time_remaining", "Time remaining:"))
    for name, label in times:
        if name in figures or name == "time_remaining":
            shell.out(f"{label:<17} {figures.get(name, 0):<12} ms\n")
    groups = {
        group for name, _, _, group in ROWS[:3] + ROWS[3:6] + ROWS[11:14] if group and figures.get(name)
    } | {""}  # fmt: skip
    for name, label, form, group in ROWS:
        if name not in figures or group not in groups:
            continue
        if name == "downtime" and kind != 3:
            label = "Expected downtime:"
        shell.out(f"{label:<17} {_figure(figures[name], form)}\n")
    if "errmsg" in figures:
        shell.out(f"{'Error message:':<17} {figures['errmsg']}\n")


def _figure(value: int, form: str) -> str:
    if form in (SIZE, SPEED):
        size, unit = pretty_size(value)
        return f"{size:.3f} {unit}" + ("/s" if form == SPEED else "")
    if form == SHORT:
        return f"{value:<13}"
    return f"{value:<12}" + {MS: " ms", PAGES: " pages/s", BYTES: " bytes"}.get(form, "")


DUMP_FLAGS = {"crash": 1, "live": 2, "bypass-cache": 4, "reset": 8, "memory-only": 16}
FORMATS = ("elf", "kdump-zlib", "kdump-lzo", "kdump-snappy", "win-dmp")


def dump(shell: Shell, args: Args) -> None:
    from kvasir.cli.virsh.commands.saving import absolute
    from kvasir.cli.virsh.progress import attempt

    domain, name = shell.domain(args), args.need("domain")
    path = args.need("file")
    flags = sum(bit for word, bit in DUMP_FLAGS.items() if args.flag(word))
    form = 0
    if (wanted := args.wanted("format")) is not None:
        if not args.flag("memory-only"):
            raise Fail("--format only works with --memory-only")
        if wanted not in FORMATS:
            known = "expecting 'kdump-zlib', 'kdump-lzo', 'kdump-snappy', 'win-dmp' or 'elf'"
            raise Fail(f"format '{wanted}' is not supported, {known}")
        form = FORMATS.index(wanted)
    where = absolute(path)
    call: str = "domain_core_dump"
    values: list[Any] = [where, flags]
    if form:
        call, values = "domain_core_dump_with_format", [where, form, flags]
    attempt(shell, args, "Dump", f"Failed to core dump domain '{name}' to {path}", domain, call, values)
    shell.extra(f"\nDomain '{name}' dumped to {path}\n")


def setspeed(shell: Shell, args: Args) -> None:
    shell.domain(args).migrateSetMaxSpeed(args.number("bandwidth", 0, MOST) or 0, 1 if args.flag("postcopy") else 0)


def getspeed(shell: Shell, args: Args) -> None:
    shell.out(f"{shell.domain(args).migrateGetMaxSpeed(1 if args.flag('postcopy') else 0)}\n")


def setmaxdowntime(shell: Shell, args: Args) -> None:
    downtime = args.number("downtime", 0, MOST) or 0
    if downtime < 1:
        raise Fail("migrate: Invalid downtime")
    shell.domain(args).migrateSetMaxDowntime(downtime, 0)


def getmaxdowntime(shell: Shell, args: Args) -> None:
    shell.out(f"{shell.domain(args).migrateGetMaxDowntime(0)}\n")


POSTCOPY = flag("postcopy", "the speed in the post-copy phase")
COMMANDS = [
    Command(
        "domjobinfo",
        "what a domain's job does",
        (
            DOMAIN,
            flag("completed", "the figures of the job that ended last"),
            flag("keep-completed", "keep those figures for another call"),
            flag("anystats", "figures of jobs that failed, too"),
            flag("rawstats", "the figures as they come"),
        ),
        domjobinfo,
        description="Shows how far a save, dump, migration, backup ... is.",
        needs=(("keep-completed", "completed"),),
    ),
    Command(
        "dump",
        "write a domain's memory to a file",
        (
            DOMAIN,
            data("file", "where to write"),
            flag("live", "the domain runs meanwhile"),
            flag("crash", "the domain ends afterwards, as crashed"),
            flag("bypass-cache", "past the file system cache"),
            flag("reset", "the domain is reset afterwards"),
            flag("verbose", "show how far it is"),
            flag("memory-only", "memory and registers only, as crash tools want it"),
            text("format", "elf, kdump-zlib, kdump-lzo, kdump-snappy or win-dmp"),
        ),
        dump,
        description="For analysis of a guest's kernel.",
    ),
    Command("migrate-getmaxdowntime", "how long a migration may halt a domain", (DOMAIN,), getmaxdowntime),
    Command("migrate-getspeed", "how fast a domain may be migrated (MiB/s)", (DOMAIN, POSTCOPY), getspeed),
    Command(
        "migrate-setmaxdowntime",
        "set how long a migration may halt a domain",
        (DOMAIN, number("downtime", "in milliseconds", required=True)),
        setmaxdowntime,
    ),
    Command(
        "migrate-setspeed",
        "set how fast a domain may be migrated",
        (DOMAIN, number("bandwidth", "in MiB/s", required=True), POSTCOPY),
        setspeed,
    ),
]
