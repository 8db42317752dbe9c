"""Disks of a domain: domblklist, domblkinfo, domblkstat, domblkerror."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, flag, text
from kvasir.cli.virsh.shared import DOMAIN, XML_INACTIVE, domain_xml, line, parameter_text
from kvasir.cli.virsh.shell import Shell
from kvasir.cli.virsh.table import table
from kvasir.errors import Code, Error, Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.cli.virsh.xmltree import Node
    from kvasir.client.objects import Domain

SOURCES = ("file", "dev", "dir", "name", "volume", "path")
STATS = (
    ("rd_operations", "rd_req", "number of read operations:"),
    ("rd_bytes", "rd_bytes", "number of bytes read:"),
    ("wr_operations", "wr_req", "number of write operations:"),
    ("wr_bytes", "wr_bytes", "number of bytes written:"),
    ("errs", "errs", "error count:"),
    ("flush_operations", "flush_operations", "number of flush operations:"),
    ("rd_total_times", "rd_total_times", "total duration of reads (ns):"),
    ("wr_total_times", "wr_total_times", "total duration of writes (ns):"),
    ("flush_total_times", "flush_total_times", "total duration of flushes (ns):"),
)
"""Statistics in the order of print: field, spelling, words for --human."""
OLD_STATS = ("rd_operations", "rd_bytes", "wr_operations", "wr_bytes", "errs")
"""What the oldest call gives."""
ERRORS = ("no error", "unspecified error", "no space")


def domblklist(shell: Shell, args: Args) -> None:
    root = domain_xml(shell, args, XML_INACTIVE if args.flag("inactive") else 0)
    rows = []
    for disk in root.all("devices/disk"):
        target = disk.get("target/@dev")
        if target is None:
            raise Fail("unable to query block list")
        row = [target, source_of(disk)]
        if args.flag("details"):
            row = [disk.get("@type") or "", disk.get("@device") or "", *row]
        rows.append(row)
    header = ["Target", "Source"]
    if args.flag("details"):
        header = ["Type", "Device", *header]
    shell.out(table(header, rows, not shell.quiet))


def source_of(disk: Node) -> str:
    """What a disk reads and writes, '-' for nothing."""
    if disk.get("@type") == "nvme":
        names = ("domain", "bus", "slot", "function")
        numbers = [int(disk.get(f"source/address/@{name}") or "0", 0) for name in names]
        return "nvme://{:04x}:{:02x}:{:02x}.{}/".format(*numbers) + (disk.get("source/@namespace") or "")
    return disk.first("source", SOURCES) or "-"


def domblkinfo(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    human = args.flag("human")
    if not args.flag("all"):
        device = args.text("device")
        if not device:
            raise Fail("command 'domblkinfo' requires <device> option")
        sizes = [size_text(value, human) for value in domain.blockInfo(device, 0)]
        for label, value in zip(("Capacity:", "Allocation:", "Physical:"), sizes, strict=True):
            shell.out(line(label, value))
        return
    active = domain.isActive() == 1
    rows = []
    for disk in domain_xml(shell, args).all("devices/disk"):
        target = disk.get("target/@dev") or ""
        values = sizes_of(domain, disk, target, active)
        rows.append([target, *(size_text(value, human) if values else "-" for value in values or (0, 0, 0))])
    shell.out(table(("Target", "Capacity", "Allocation", "Physical"), rows, not shell.quiet))


def sizes_of(domain: Domain, disk: Node, target: str, active: bool) -> list[int]:
    """Sizes of a disk; [] where there is nothing to measure."""
    if not list(disk.elements("source")):
        return []
    try:
        return domain.blockInfo(target, 0)
    except Error as problem:
        remote = disk.get("source/@protocol") is not None
        if remote and not active and problem.code == Code.INTERNAL_ERROR and problem.origin == Origin.STORAGE:
            return []
        raise


def size_text(value: int, human: bool) -> str:
    """Bytes, or with a unit."""
    if not human:
        return str(value)
    number, unit = float(value), "B"
    for step in ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if number < 1024:
            break
        number, unit = number / 1024, step
    return f"{number:.3f} {unit}"


def domblkstat(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    device = args.text("device") or ""
    try:
        values = domain.blockStatsFlags(device, 0)
    except Error as problem:
        if problem.code != Code.NO_SUPPORT:
            raise
        shown = shell.attempt(f"Failed to get block stats {args.need('domain')} {device}", domain.blockStats, device)
        values = dict(zip(OLD_STATS, shown, strict=True))
    human = args.flag("human")
    if human:
        shell.out(f"Device: {device}\n")
        device = ""
    for field, spelling, words in STATS:
        if field in values:
            shown = f"{words:<31}" if human else spelling
            shell.out(f"{device} {shown} {parameter_text(values.pop(field))}\n")
    for field, value in values.items():
        shell.out(f"{device} {field} {parameter_text(value)}\n")


def domblkerror(shell: Shell, args: Args) -> None:
    found = shell.domain(args).diskErrors(0)
    if not found:
        shell.out("No errors found\n")
    for disk, number in found.items():
        shell.out(f"{disk}: {ERRORS[number] if 0 <= number < len(ERRORS) else 'unknown error'}\n")


COMMANDS = [
    Command("domblkerror", "errors of a domain's disks", (DOMAIN,), domblkerror),
    Command(
        "domblkinfo",
        "sizes of a domain's disk",
        (
            DOMAIN,
            text("device", "the disk, by target or source"),
            flag("human", "sizes with units"),
            flag("all", "all disks"),
        ),
        domblkinfo,
        description="Prints capacity, allocation and physical size.",
        exclusive=(("all", "device"),),
    ),
    Command(
        "domblklist",
        "list a domain's disks",
        (
            DOMAIN,
            flag("inactive", "those of the configuration"),
            flag("details", "with type and kind of device"),
        ),
        domblklist,
    ),
    Command(
        "domblkstat",
        "statistics of a domain's disk",
        (DOMAIN, text("device", "the disk, by target or source; none: all", empty=True), flag("human", "with words")),
        domblkstat,
        description="Prints how much a running domain read and wrote.",
    ),
]
