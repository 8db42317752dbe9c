"""Tables as virsh prints them: columns padded to the widest cell, three spaces between, a line of dashes below the header."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def safe(text: str) -> str:
    """Control characters and bytes that are no text as ``\\xNN``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return "".join(f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape"))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], with_header: bool = True) -> str:
    """The whole table; ``with_header`` false leaves header and line out."""
    if as_data:
        return mark(header, rows)
    lines = list(rows) if not with_header else [header, *rows]
    if not lines:
        return ""
    cells = [[safe(cell) for cell in row] for row in lines]
    sizes = [[width(cell) for cell in row] for row in cells]
    widths = [max(column) for column in zip(*sizes, strict=True)]
    last = len(widths) - 1
    out = []
    for row, size in zip(cells, sizes, strict=True):
        line = " "
        for at, cell in enumerate(row):
            line += cell if at == last else cell + " " * (widths[at] - size[at] + 3)
        out.append(line + "\n")
    if with_header:
        out.insert(1, "-" * (sum(widths) + 3 * len(widths)) + "\n")
    return "".join(out)


# --- the same as JSON (``--output json``, our addition)

as_data = False
"""True while a command runs whose output is wanted as data: tables are then printed as marked lines of JSON."""
MARK = "\0table "


def mark(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as one line that ``data`` knows again."""
    from json import dumps

    keys = [key(name) for name in header]
    return MARK + dumps([{name: cell(text) for name, text in zip(keys, row, strict=False)} for row in rows]) + "\n"


def key(label: str) -> str:
    """``MAC address:`` as ``mac_address``."""
    words = "".join(letter.lower() if letter.isalnum() else " " for letter in label.replace("(s)", "s")).split()
    return "_".join(words)


def cell(text: str) -> str | None:
    """A text; None for the dash that stands for nothing."""
    clean = text.strip()
    return None if clean == "-" else clean
