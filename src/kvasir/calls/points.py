"""What snapshots and checkpoints of guests have in common on the wire: looked up by name, listed by filters, one above the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kvasir.calls.flags import check_flags
from kvasir.calls.guests import guest

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.qemu.guest import Guest
    from kvasir.qemu.snapshots.tree import Tree


class Handle(NamedTuple):
    """A snapshot or checkpoint as the wire names it."""

    name: str
    dom: Any


class Points(NamedTuple):
    """One of the two: the class of its tree, and the flags of lists."""

    tree: type[Tree]
    list_flags: int

    def found(self, session: Session, point: Any) -> tuple[Guest, Any, Any]:
        """The guest, its tree and the point that a handle means."""
        who = guest(session, point.dom)
        tree = self.tree.of(who)
        return who, tree, tree.find(point.name)

    def selected(self, session: Session, dom: Any, flags: int, function: str) -> tuple[Guest, list[Any]]:
        """Those of a guest that pass the filters."""
        check_flags(flags, self.list_flags, function)
        who = guest(session, dom)
        return who, self.tree.of(who).select(None, flags)

    def below(self, session: Session, point: Any, flags: int, function: str) -> tuple[Guest, list[Any]]:
        """Those below one that pass the filters."""
        check_flags(flags, self.list_flags, function)
        who, tree, start = self.found(session, point)
        return who, tree.select(start, flags)

    def lookup(self, session: Session, dom: Any, name: str, flags: int, function: str) -> Handle:
        """The one of that name."""
        check_flags(flags, 0, function)
        who = guest(session, dom)
        return Handle(self.tree.of(who).find(name).name, who)

    def parent(self, session: Session, point: Any, flags: int, function: str) -> Handle:
        """The one above. Raises the error of what is missing."""
        check_flags(flags, 0, function)
        who, tree, found = self.found(session, point)
        parent = tree.parent(found)
        if parent is None:
            raise tree.MISSING(f"{tree.WHAT} '{found.name}' does not have a parent")
        return Handle(parent.name, who)


def handles(found: tuple[Guest, list[Any]], wanted: int) -> tuple[list[Handle], int]:
    """The answer of a list: the handles if they are wanted, and their number."""
    who, points = found
    return ([Handle(point.name, who) for point in points] if wanted else []), len(points)
