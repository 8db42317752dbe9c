"""The grammar of option strings: ``value,key=value,key='a,b'`` to an ordered table of words.

A word that comes twice counts once, with its last value. Words of some options may hold commas themselves: what follows
them, up to the next known word, is theirs (``description=one, two``).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

TRUE = ("y", "yes", "1", "true", "t", "on")
FALSE = ("n", "no", "0", "false", "f", "off")


class OptionError(ValueError):
    """A wrong option; the text names it."""


def split(value: str) -> list[tuple[str, str | None]]:
    """Split at commas outside of quotes into (key, value); a lone word has value None."""
    cutter = shlex.shlex(value, posix=True)
    cutter.commenters = ""
    cutter.whitespace = ","
    cutter.whitespace_split = True
    try:
        pieces = list(cutter)
    except ValueError as error:
        raise OptionError(f"{error} in {value!r}") from None
    out: list[tuple[str, str | None]] = []
    for piece in pieces:
        key, eq, rest = piece.partition("=")
        out.append((key, rest if eq else None))
    return out


def table(
    value: str, first: tuple[str, ...], known: Callable[[str], bool], commas: Callable[[str], bool]
) -> dict[str, str | None]:
    """The words of an option string. ``first`` names leading words without ``=``, in order."""
    pieces = split(value)
    for i, name in enumerate(first):
        if i >= len(pieces) or pieces[i][1] is not None:
            break
        pieces[i] = (name, pieces[i][0])
    out: dict[str, str | None] = {}
    i = 0
    while i < len(pieces):
        key, text = pieces[i]
        i += 1
        if known(key) and commas(key):
            while i < len(pieces) and not known(pieces[i][0]):
                word, more = pieces[i]
                text = f"{text or ''},{word}" + (f"={more}" if more else "")
                i += 1
        out[key] = text
    return out


def switch(key: str, value: str | None) -> bool | None:
    """What a yes/no word says; None where it is empty. Raises OptionError for any other word."""
    if not value:
        return None
    low = value.lower()
    if low in TRUE:
        return True
    if low in FALSE:
        return False
    raise OptionError(f"{key} must be 'yes' or 'no'")


def whole(key: str, value: str) -> int:
    """A whole number, decimal or with 0x. Raises OptionError that names the key."""
    try:
        return int(value, 16) if "0x" in value else int(value)
    except ValueError:
        raise OptionError(f"{key} must be a whole number, not '{value}'") from None


def number_of(word: str, name: str) -> int:
    """The number behind a name in a word: 2 of ``host2.name`` for ``host``, 0 where there is none."""
    found = re.search(rf"{re.escape(name)}(\d+)", word)
    return int(found[1]) if found else 0
