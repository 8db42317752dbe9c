"""Lists of snapshots: snapshot-list."""

from __future__ import annotations

from kvasir.cli.virsh.commands.points import Row, show, stamp
from kvasir.cli.virsh.commands.snapshots import find
from kvasir.cli.virsh.grammar import Args, Command, Fail, flag, text
from kvasir.cli.virsh.shared import DOMAIN
from kvasir.cli.virsh.shell import Shell

TREELESS = {
    "leaves": 4, "no-leaves": 8, "inactive": 32, "active": 64, "disk-only": 128, "internal": 256, "external": 512,
}  # fmt: skip
FILTERS = {"metadata": 2, "no-metadata": 16, "topological": 1024}
ROOTS = DESCENDANTS = 1


def snapshot_list(shell: Shell, args: Args) -> None:
    tree, start_named = args.flag("tree"), args.flag("from") or args.flag("current")
    flags = ROOTS if args.flag("roots") else 0
    for name, bit in TREELESS.items():
        if args.flag(name):
            if tree:
                raise Fail(f"--{name} and --tree are mutually exclusive")
            flags |= bit
    flags |= sum(bit for name, bit in FILTERS.items() if args.flag(name))
    if args.flag("descendants"):
        if not start_named:
            raise Fail("--descendants requires either --from or --current")
        flags |= DESCENDANTS
    domain = shell.domain(args)
    start = find(shell, args, domain, "from") if start_named else None
    if start is None:
        found = domain.listAllSnapshots(flags)
    else:
        found = start.listAllChildren(flags | (DESCENDANTS if tree else 0))
    show(shell, args, found, start, ["Creation Time", "State"], _cells)


def _cells(row: Row) -> list[str]:
    """Time and state."""
    from kvasir.cli.virsh.xmltree import parse

    root = parse(row.handle.XMLDesc(0))
    return [stamp(root.get("creationTime")), root.get("state") or ""]


COMMANDS = [
    Command(
        "snapshot-list",
        "list the snapshots of a domain",
        (
            DOMAIN,
            flag("parent", "with the name of the one above"),
            flag("roots", "those without one above"),
            flag("leaves", "those without any below"),
            flag("no-leaves", "those with some below"),
            flag("metadata", "those that keep a domain from being undefined"),
            flag("no-metadata", "those that do not"),
            flag("inactive", "made while the domain was off"),
            flag("active", "made while it ran, with memory"),
            flag("disk-only", "made of disks alone"),
            flag("internal", "inside the images"),
            flag("external", "in images of their own"),
            flag("tree", "as a tree"),
            text("from", "those below this one"),
            flag("current", "those below the current one"),
            flag("descendants", "with --from: all below, not only the next"),
            flag("name", "names only"),
            flag("topological", "those above first"),
        ),
        snapshot_list,
        exclusive=(("tree", "name"), ("parent", "roots"), ("parent", "tree"), ("roots", "tree"), ("roots", "from"),
                   ("roots", "current")),
    ),
]  # fmt: skip
