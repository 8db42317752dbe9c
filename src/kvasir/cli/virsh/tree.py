"""Trees as virsh draws them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def draw(names: Sequence[str], parent: Callable[[int], str | None], root: int) -> str:
    """The tree below one of ``names``; ``parent`` gives the name above the one at a place."""
    out: list[str] = []
    _draw(names, parent, root, root, "", True, out)
    return "".join(out)


def _draw(
    names: Sequence[str],
    parent: Callable[[int], str | None],
    at: int,
    last: int,
    indent: str,
    is_root: bool,
    out: list[str],
) -> None:
    name = names[at]
    out.append(f"{indent}{'' if is_root else '+- '}{name}\n")
    if not is_root:
        indent += "  " if at == last else "| "
    below = [place for place in range(len(names)) if parent(place) == name]
    if below:
        out.append(f"{indent}  |\n")
    for place in below:
        _draw(names, parent, place, below[-1], indent + "  ", False, out)
    if not below and at == last:
        out.append(f"{indent}\n")
