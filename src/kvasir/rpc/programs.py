"""The programs (remote, qemu, lxc, admin) and their procedures, found by name or number in the table, compiled on first use.

    p = programs.REMOTE["domain_get_info"]        # KeyError when there is none
    p = programs.REMOTE.number(16)                # None when there is none
    payload = p.encode_args((dom, ...))           # positional, in the table's order (p.args.names)
    values  = p.decode_args(payload)              # tuple
    payload = p.encode_result(value)              # None | the single result | a sequence in the table's order
    value   = p.decode_result(payload)            # None | the single result | a named tuple in the table's order

Messages (events) have ``args`` only. Everything that cannot be read raises ``kvasir.errors.Error`` (code 39); what cannot
be written raises the same, naming procedure and problem.
"""

from __future__ import annotations

import struct

from kvasir.rpc import table
from kvasir.rpc.xdr import Malformed, Record

TYPE_CHECKING = False  # the typing module costs a client milliseconds; only the checker reads it
if TYPE_CHECKING:
    from collections import namedtuple
    from collections.abc import Iterator, Sequence
    from functools import cached_property
    from typing import Any, Final
else:
    from kvasir.light import cached_property, namedtuple

_ROWS: Final = "\n" + table.ROWS


def _struct_fields(name: str) -> str:
    at = _ROWS.find(f"\nstruct {name} ")
    if at < 0:
        raise KeyError(name)
    at += len(name) + 9
    return _ROWS[at : _ROWS.index("\n", at)]


class Procedure:
    """One row of the table."""

    def __init__(self, program: Program, row: str) -> None:
        self.program = program
        self.event = row.startswith("! ")
        words = row.removeprefix("! ").split(" ", 2)
        marks = words[0].lstrip("0123456789")
        self.number = int(words[0].removesuffix(marks))
        self.name = words[1]
        self.high = "H" in marks
        """True when the call never waits for a monitor: the priority workers serve it."""
        self.stream = marks[-1] if marks[-1:] in ("R", "W") else ""
        """'R' the client reads a stream after the reply, 'W' it writes one, '' none."""
        layout, _, rights = (words[2] if len(words) > 2 else "").partition(" @")
        self._args, _, self._result = layout.partition("->")
        marks, _, found = rights.partition(" %")
        self.rights: tuple[str, ...] = tuple(marks.split(",")) if marks else ()
        """Access rights, ``object:permission[:FLAG]``."""
        self.filter = found
        """The right that every entry of a returned list needs."""

    def __repr__(self) -> str:
        return f"<{self.program.name} {self.number} {self.name}>"

    @cached_property
    def args(self) -> Record:
        return Record(self._args, _struct_fields)

    @cached_property
    def result(self) -> Record:
        return Record(self._result, _struct_fields)

    @cached_property
    def _result_type(self) -> Any:
        return namedtuple(self.name, self.result.names)  # made from the table

    def encode_args(self, values: Sequence[Any]) -> bytes:
        return self._encode(self.args, values)

    def decode_args(self, payload: bytes, pos: int = 0) -> tuple[Any, ...]:
        try:
            return self.args.decode(payload, pos)
        except Malformed as problem:
            raise Malformed(f"Unable to decode message payload: {self.name}: {problem.text}") from None

    def encode_result(self, value: Any) -> bytes:
        count = len(self.result.names)
        if count == 0:
            return b""
        return self._encode(self.result, (value,) if count == 1 else value)

    def decode_result(self, payload: bytes, pos: int = 0) -> Any:
        try:
            values = self.result.decode(payload, pos)
        except Malformed as problem:
            raise Malformed(f"Unable to decode message payload: {self.name}: {problem.text}") from None
        if not values:
            return None
        return values[0] if len(values) == 1 else self._result_type._make(values)

    def _encode(self, record: Record, values: Sequence[Any]) -> bytes:
        try:
            return record.encode(values)
        except (struct.error, TypeError, AttributeError, ValueError, Malformed) as problem:
            raise Malformed(f"Unable to encode message payload: {self.name}: {problem}") from problem


class Program:
    """A section of the table. Rows are searched as text when asked for, so that nothing is parsed that is not used."""

    def __init__(self, name: str) -> None:
        self.name = name
        head = f"\nprog {name} 0x"
        at = _ROWS.index(head)
        self._start = _ROWS.index("\n", at + 1)
        end = _ROWS.find("\nprog ", self._start)
        self._end = len(_ROWS) if end < 0 else end + 1
        self.id = int(_ROWS[at + len(head) : self._start], 16)
        self.version = 1
        self._by_name: dict[str, Procedure] = {}
        self._by_number: dict[int, Procedure | None] = {}

    def __repr__(self) -> str:
        return f"<program {self.name} {self.id:#x}>"

    def __getitem__(self, name: str) -> Procedure:
        found = self._by_name.get(name)
        if found is None:
            at = _ROWS.find(f" {name} ", self._start, self._end)
            if at < 0:
                raise KeyError(name)
            start = _ROWS.rindex("\n", 0, at) + 1
            found = self._add(_ROWS[start : _ROWS.index("\n", at)])
            if found.name != name:
                raise KeyError(name)
        return found

    def __contains__(self, name: str) -> bool:
        try:
            return bool(self[name])
        except (KeyError, ValueError):
            return False

    def number(self, number: int) -> Procedure | None:
        """The procedure or message of that number, or None."""
        if number in self._by_number:
            return self._by_number[number]
        for ending in (" ", "H", "R", "W"):
            for start in ("\n", "\n! "):
                at = _ROWS.find(f"{start}{number}{ending}", self._start, self._end) if number > 0 else -1
                if at >= 0:
                    return self._add(_ROWS[at + 1 : _ROWS.index("\n", at + 1)])
        if len(self._by_number) < 1024:
            self._by_number[number] = None
        return None

    def _add(self, row: str) -> Procedure:
        made = Procedure(self, row)
        made = self._by_name.setdefault(made.name, made)
        self._by_number[made.number] = made
        return made

    def __iter__(self) -> Iterator[Procedure]:
        """Every procedure and message, by number."""
        rows = _ROWS[self._start + 1 : self._end].split("\n")
        found = [self._add(row) for row in rows if row and not row.startswith("struct ")]
        return iter(sorted(found, key=lambda procedure: procedure.number))


REMOTE: Final = Program("remote")
QEMU: Final = Program("qemu")
LXC: Final = Program("lxc")
ADMIN: Final = Program("admin")
ALL: Final = (REMOTE, QEMU, LXC, ADMIN)
BY_ID: Final = {program.id: program for program in ALL}

KEEPALIVE: Final = 0x6B656570
"""Program of the keepalive messages: version 1, PING 1, PONG 2, no payload, serial 0."""
PING: Final = 1
PONG: Final = 2
