"""libvirt's public constants by name, from lines ``PREFIX NAME=value NAME='text'``; names without value count on.

Numbers and words of a public interface (they travel on the wire), found in ``constants.txt`` as they are asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def find(name: str) -> Any:
    """The value of a constant, a number or a text; AttributeError when it is not known."""
    for known, value in _table(name):
        if known == name:
            return value
    if name.startswith("VIR_ERR_"):
        from kvasir.errors import Code

        if name.removeprefix("VIR_ERR_") in Code.__members__:
            return int(Code[name.removeprefix("VIR_ERR_")])
    raise AttributeError(f"no constant {name}")


def names() -> list[str]:
    """All of them."""
    from kvasir.errors import Code

    return [name for name, _ in _table()] + [f"VIR_ERR_{name}" for name in Code.__members__]


def _table(only: str | None = None) -> Iterator[tuple[str, Any]]:
    """Names and values; with ``only`` but those of lines where it may stand."""
    with open(__file__.rpartition("/")[0] + "/constants.txt", encoding="ascii") as file:
        for line in file:
            prefix, *words = line.split()
            if only is not None and not only.startswith(prefix):
                continue
            last = -1
            for word in words:
                label, mark, given = word.partition("=")
                if given[:1] == "'":
                    yield prefix + label, given.strip("'")
                    continue
                last = int(given) if mark else last + 1
                yield prefix + label, last
