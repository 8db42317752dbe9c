"""The host's memory and sleep: freepages, allocpages, node-memory-tune, nodesevinfo, nodesuspend."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, number
from kvasir.cli.virsh.shared import no_size, parameter_text, scaled
from kvasir.cli.virsh.shell import Shell

ADD, SET = 0, 1
TARGETS = ("mem", "disk", "hybrid")
TUNE = ("shm-pages-to-scan", "shm-sleep-millisecs", "shm-merge-across-nodes")


def cells(shell: Shell) -> list[int]:
    """The NUMA cells that the host's capabilities name."""
    from kvasir.cli.virsh.xmltree import parse

    document = parse(shell.attempt("unable to get node capabilities", shell.conn.getCapabilities))
    found = [int(cell.attributes["id"]) for cell in document.all("host/topology/cells/cell")]
    if not found:
        raise Fail("could not get information about NUMA topology")
    return found


def page_size(args: Args) -> int | None:
    """``--pagesize`` in KiB; a number alone counts in KiB."""
    given = args.raw("pagesize")
    if given is None:
        return None
    size = scaled(given, 1024, ((1 << 32) - 1) * 1024)
    if size is None:
        raise no_size(given, "pagesize")
    return size // 1024


def freepages(shell: Shell, args: Args) -> None:
    conn = shell.conn
    size, cell = page_size(args), args.number("cellno")
    if args.flag("all"):
        from kvasir.cli.virsh.xmltree import parse

        document = parse(shell.attempt("unable to get node capabilities", conn.getCapabilities))
        sizes = [size] if size else sorted({int(page.attributes["size"]) for page in document.all("host/cpu/pages")})
        for node in cells(shell):
            counts = list(conn.getFreePages(sizes, node, 1, 0)[node].values())
            shell.out(f"Node {node}:\n")
            for kib, count in zip(sizes, counts, strict=True):
                shell.out(f"{kib}KiB: {count}\n")
            shell.out("\n")
        return
    if cell is None:
        raise Fail("missing cellno argument")
    if size is None:
        raise Fail("missing pagesize argument")
    shell.out(f"{size}KiB: {conn.getFreePages([size], cell, 1, 0)[cell][size]}\n")


def allocpages(shell: Shell, args: Args) -> None:
    cell, size, count = args.number("cellno"), page_size(args), args.unsigned("pagecount", 64)
    flags = ADD if args.flag("add") else SET
    first, cover = (-1, 1) if cell is None else (cell, 1)
    if args.flag("all"):
        first, cover = 0, len(cells(shell))
    shell.conn.allocPages({size or 0: count or 0}, first, cover, flags)


def node_memory_tune(shell: Shell, args: Args) -> None:
    from kvasir.rpc.typed import UInt

    conn = shell.conn
    given = {name.replace("-", "_"): UInt(args.unsigned(name) or 0) for name in TUNE if args.has(name)}
    if given:
        shell.attempt("Unable to change memory parameters", conn.setMemoryParameters, list(given.items()), 0)
        return
    found = shell.attempt("Unable to get number of memory parameters", conn.getMemoryParameters, 0)
    if found:
        shell.out("Shared memory:\n")
    shell.out("".join(f"\t{name:<15} {parameter_text(value)}\n" for name, value in found.items()))


def nodesevinfo(shell: Shell, args: Args) -> None:
    found = shell.attempt("Unable to get host SEV information", shell.conn.getSEVInfo, 0)
    shell.out("".join(f"{name:<18}: {parameter_text(value)}\n" for name, value in found.items()))


def nodesuspend(shell: Shell, args: Args) -> None:
    target = args.need("target")
    duration = args.number("duration")
    if target not in TARGETS:
        raise Fail("Invalid target")
    shell.attempt("The host was not suspended", shell.conn.suspendForDuration, TARGETS.index(target), duration, 0)


CELL = number("cellno", "number of the NUMA cell")
COMMANDS = [
    Command(
        "allocpages",
        "change the host's pool of huge pages",
        (
            number("pagesize", "size of the pages, in KiB when no unit is said", required=True),
            number("pagecount", "how many", required=True),
            CELL,
            flag("add", "that many more, not that many in all"),
            flag("all", "in each NUMA cell"),
        ),
        allocpages,
        exclusive=(("all", "cellno"),),
    ),
    Command(
        "freepages",
        "free pages of the host's cells",
        (CELL, number("pagesize", "size of the pages, in KiB when no unit is said"), flag("all", "of each cell")),
        freepages,
        exclusive=(("all", "cellno"),),
    ),
    Command(
        "node-memory-tune",
        "how the kernel merges equal pages",
        (
            number(TUNE[0], "how many pages it looks at before it sleeps"),
            number(TUNE[1], "how long it sleeps, in milliseconds"),
            number(TUNE[2], "whether pages of different NUMA cells are merged: 0 or 1"),
        ),
        node_memory_tune,
        description="Without options it prints the settings.",
    ),
    Command("nodesevinfo", "what the host has of AMD SEV", (), nodesevinfo),
    Command(
        "nodesuspend",
        "let the host sleep for a while",
        (
            data("target", "mem (to RAM), disk (to disk) or hybrid"),
            number("duration", "for how many seconds, at least 60", required=True),
        ),
        nodesuspend,
    ),
]
