"""What the commands of snapshots and of checkpoints have in common; ``word`` is one of the two."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Fail
from kvasir.cli.virsh.shell import Shell
from kvasir.cli.virsh.table import table
from kvasir.errors import Code, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NOT_THERE = (Code.NO_DOMAIN_SNAPSHOT, Code.NO_DOMAIN_CHECKPOINT)
DELETE = {"children": 1, "metadata": 2, "children-only": 4}


def parent_of(found: Any) -> Any:
    """The one above, or None."""
    try:
        return found.parent(0)
    except Error as problem:
        if problem.code in NOT_THERE:
            return None
        raise


def created(shell: Shell, word: str, name: str, source: str | None) -> None:
    """Say so."""
    shell.extra(f"Domain {word} {name} created" + (f" from '{source}'" if source is not None else ""))


def document(args: Args, tag: str, disk: Callable[[str], str], more: str = "") -> str:
    """What create-as makes of its options: name, description, ``more``, disks."""
    from kvasir.cli.virsh.xmltree import escape

    parts = [f"<{tag}>\n"]
    for name in ("name", "description"):
        if (value := args.wanted(name)) is not None:
            parts.append(f"  <{name}>{escape(value)}</{name}>\n")
    parts.append(more)
    if disks := args.rest("diskspec"):
        parts += ["  <disks>\n", *(disk(spec) for spec in disks), "  </disks>\n"]
    return "".join(parts) + f"</{tag}>\n"


def delete(shell: Shell, args: Args, word: str, found: Any) -> None:
    flags = sum(bit for name, bit in DELETE.items() if args.flag(name))
    shell.attempt(f"Failed to delete {word} {found.name()}", found.delete, flags)
    shell.extra(f"Domain {word} {found.name()} {'children ' if args.flag('children-only') else ''}deleted\n")


def print_parent(shell: Shell, word: str, found: Any) -> None:
    parent = parent_of(found)
    if parent is None:
        raise Fail(f"{word} '{found.name()}' has no parent")
    shell.out(parent.name())


class Row:
    """One in a list, with its parent's name, asked when wanted."""

    def __init__(self, handle: Any) -> None:
        self.handle, self.name = handle, str(handle.name())
        self._parent: str | None = None
        self._asked = False

    @property
    def parent(self) -> str | None:
        if not self._asked:
            self._asked = True
            found = parent_of(self.handle)
            self._parent = str(found.name()) if found is not None else None
        return self._parent


def show(
    shell: Shell, args: Args, found: list[Any], start: Any, columns: list[str], cells: Callable[[Row], list[str]]
) -> None:
    """As a tree, as names, or as a table: the name, ``columns``, and perhaps the parent."""
    rows = [Row(one) for one in found]
    if not args.flag("topological"):
        rows.sort(key=lambda row: (row.name.lower(), row.name))
    if args.flag("tree"):
        draw_all(shell, rows, start)
    elif args.flag("name"):
        shell.out("".join(f"{row.name}\n" for row in rows))
    else:
        parents = ["Parent"] if args.flag("parent") else []
        lines = [[row.name, *cells(row), *([row.parent or ""] if parents else [])] for row in rows]
        shell.out(table(["Name", *columns, *parents], lines, not shell.quiet))


def draw_all(shell: Shell, rows: list[Row], start: Any) -> None:
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


def stamp(seconds: str | None) -> str:
    """A time as libvirt writes it in lists."""
    from time import localtime, strftime

    return strftime("%Y-%m-%d %H:%M:%S %z", localtime(int(seconds or 0)))
