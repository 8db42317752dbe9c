"""Lists of snapshots: snapshot-list."""

from __future__ import annotations

from kvasir.cli.virsh.commands.snapshots import find
from kvasir.cli.virsh.grammar import Args, Command, Fail, flag, text
from kvasir.cli.virsh.shared import DOMAIN
from kvasir.cli.virsh.shell import Shell
from kvasir.cli.virsh.table import table
from kvasir.errors import Code, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
    domain = shell.domain(args)
    start = find(shell, args, domain, "from") if start_named else None
    if args.flag("descendants"):
        if start is None:
            raise Fail("--descendants requires either --from or --current")
        flags |= DESCENDANTS
    if start is None:
        found = domain.listAllSnapshots(flags)
    else:
        found = start.listAllChildren(flags | (DESCENDANTS if tree else 0))
    rows = [Row(one) for one in found]
    if not args.flag("topological"):
        rows.sort(key=lambda row: (row.name.lower(), row.name))
    show(shell, args, rows, start)


class Row:
    """A snapshot with its parent's name, asked when wanted."""

    def __init__(self, handle: Any) -> None:
        self.handle, self.name = handle, str(handle.name())
        self._parent: str | None = None
        self._asked = False

    @property
    def parent(self) -> str | None:
        if not self._asked:
            self._asked = True
            try:
                self._parent = str(self.handle.parent(0).name())
            except Error as problem:
                if problem.code != Code.NO_DOMAIN_SNAPSHOT:
                    raise
        return self._parent


def show(shell: Shell, args: Args, rows: list[Row], start: Any) -> None:
    """As a tree, as names, or as a table."""
    if args.flag("tree"):
        draw_all(shell, rows, start)
    elif args.flag("name"):
        shell.out("".join(f"{row.name}\n" for row in rows))
    else:
        shell.out(as_table(args, rows, not shell.quiet))


def draw_all(shell: Shell, rows: list[Any], start: Any) -> None:
    """Every tree among the rows; below ``start`` where that is given."""
    from kvasir.cli.virsh.tree import draw

    names = [row.name for row in rows]
    parents = [row.parent for row in rows]
    if start is not None:
        names.append(start.name())
        parents.append(None)
    for at, parent in enumerate(parents):
        if parent is None:
            shell.out(draw(names, lambda place: parents[place], at))


def as_table(args: Args, rows: list[Row], header: bool) -> str:
    """Name, time, state and perhaps the parent."""
    from kvasir.cli.virsh.xmltree import parse

    with_parent = args.flag("parent")
    lines = []
    for row in rows:
        root = parse(row.handle.XMLDesc(0))
        cells = [row.name, stamp(root.get("creationTime")), root.get("state") or ""]
        lines.append([*cells, row.parent or ""] if with_parent else cells)
    head = ["Name", "Creation Time", "State", *(["Parent"] if with_parent else [])]
    return table(head, lines, header)


def stamp(seconds: str | None) -> str:
    """A time as libvirt writes it in lists."""
    from time import localtime, strftime

    return strftime("%Y-%m-%d %H:%M:%S %z", localtime(int(seconds or 0)))


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
