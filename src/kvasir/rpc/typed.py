"""Typed parameters: a list of ``(name, value)`` pairs in which the class of the value is its type on the wire.

``Int UInt LLong ULLong`` are ``int`` with a wire type; ``bool``, ``float`` and ``str`` (``Bool Double String`` are other
names for them) say theirs themselves. A bare ``int`` is refused when written: clients see the type, so it is never guessed.
What is read has the same classes, so a reader may take every value as the plain Python value that it is.

    [("state.state", Int(1)), ("balloon.current", ULLong(262144)), ("title", "x")]
"""

from __future__ import annotations

TYPE_CHECKING = False  # the typing module costs a client milliseconds; only the checker reads it
if TYPE_CHECKING:
    from typing import TypeAlias


class Int(int):
    """int32, wire type 1."""

    __slots__ = ()


class UInt(int):
    """uint32, wire type 2."""

    __slots__ = ()


class LLong(int):
    """int64, wire type 3."""

    __slots__ = ()


class ULLong(int):
    """uint64, wire type 4."""

    __slots__ = ()


Double = float
Bool = bool
String = str

Value: TypeAlias = "Int | UInt | LLong | ULLong | float | bool | str"
Params: TypeAlias = "list[tuple[str, Value]]"

BY_NAME: dict[str, type] = {
    "int": Int,
    "uint": UInt,
    "llong": LLong,
    "ullong": ULLong,
    "double": float,
    "bool": bool,
    "string": str,
}
"""Type names as libvirt's documentation says them, for tables that name a type."""
