"""Reading the files that a test driver's document lies in."""

from __future__ import annotations

from kvasir.errors import Origin, SystemFailure


def text_of(path: str) -> str:
    """The whole file. Raises SystemFailure."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(16 << 20)
    except OSError as error:
        raise SystemFailure(f"Failed to open file '{path}'", error, origin=Origin.NONE) from None
