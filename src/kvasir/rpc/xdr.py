"""XDR (RFC 4506) as far as libvirt's programs need it: codecs made of closures, one pair for each type, made on first use.

``record("dom:D flags:u")`` gives a ``Record`` with ``encode(values) -> bytes`` and ``decode(bytes, position) -> tuple``.
Structs are read as named tuples (``dom.name``); written from a tuple in field order or from anything that has the
attributes. Neighbouring numbers of a record travel through one ``struct.Struct``.

Everything that comes in is checked: a length beyond the packet, a string beyond 4 MiB, an array that cannot fit, an
optional that is neither 0 nor 1 raise ``Malformed`` and nothing else.
"""

from __future__ import annotations

import struct
from _operator import attrgetter

from kvasir.errors import Code, Error, Origin
from kvasir.rpc.typed import Int, LLong, UInt, ULLong

TYPE_CHECKING = False  # the typing module costs a client milliseconds; only the checker reads it
if TYPE_CHECKING:
    from collections import namedtuple
    from collections.abc import Callable, Sequence
    from typing import Any, Final, TypeAlias

    Out: TypeAlias = Callable[[bytes], None]
    Encoder: TypeAlias = Callable[[Out, Any], None]
    Decoder: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
    Codec: TypeAlias = tuple[Encoder, Decoder]
else:
    from kvasir.light import namedtuple

STRING_MAX: Final = 4 * 1024 * 1024
OPAQUE_MAX: Final = 8 * 1024 * 1024
ARRAY_MAX: Final = 1 << 20


U32 = struct.Struct(">I")
PAD = (b"", b"\0\0\0", b"\0\0", b"\0")
_SCALARS: dict[str, str] = {"i": "i", "u": "I", "l": "q", "L": "Q", "d": "d", "c": "i", "uc": "I", "h": "I", "U": "16s"}


class Malformed(Error):
    """A packet that is not what its procedure says (RPC error, code 39)."""

    code = Code.RPC

    def __init__(self, text: str) -> None:
        super().__init__(text, origin=Origin.RPC)


def too_long(size: int, limit: int) -> Malformed:
    return Malformed(f"value of {size} bytes is longer than the limit of {limit}")


def _put_bytes(out: Out, value: bytes, limit: int) -> None:
    size = len(value)
    if size > limit:
        raise too_long(size, limit)
    out(U32.pack(size) + value + PAD[size & 3])


def _take_bytes(buf: bytes, pos: int, limit: int) -> tuple[bytes, int]:
    (size,) = U32.unpack_from(buf, pos)
    pos += 4
    end = pos + size
    if size > limit:
        raise Malformed(f"value of {size} bytes is longer than the limit of {limit}")
    if end > len(buf):
        raise Malformed(f"value of {size} bytes runs past the end of the packet")
    return buf[pos:end], end + (-size & 3)


def put_string(out: Out, value: Any) -> None:
    """Write a string; ``bytes`` pass as they are."""
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    elif not isinstance(value, (bytes, bytearray)):
        raise TypeError(f"a string is wanted, not {value!r}")
    size = len(value)
    if size > STRING_MAX:
        raise too_long(size, STRING_MAX)
    out(U32.pack(size) + value + PAD[size & 3])


def take_string(buf: bytes, pos: int) -> tuple[str, int]:
    """Read a string; bytes that are no UTF-8 survive as surrogates."""
    raw, pos = _take_bytes(buf, pos, STRING_MAX)
    if b"\0" in raw:
        raise Malformed("a string holds a NUL byte")
    return raw.decode("utf-8", "surrogateescape"), pos


def _put_opaque(out: Out, value: Any) -> None:
    _put_bytes(out, bytes(value), OPAQUE_MAX)


def _take_opaque(buf: bytes, pos: int) -> tuple[bytes, int]:
    return _take_bytes(buf, pos, OPAQUE_MAX)


def _scalar(code: str) -> Codec:
    form = struct.Struct(">" + _SCALARS[code])
    pack, unpack, size = form.pack, form.unpack_from, form.size

    def put(out: Out, value: Any) -> None:
        out(pack(value))

    def take(buf: bytes, pos: int) -> tuple[Any, int]:
        return unpack(buf, pos)[0], pos + size

    return put, take


def _optional(inner: Codec) -> Codec:
    put_inner, take_inner = inner

    def put(out: Out, value: Any) -> None:
        if value is None:
            out(b"\0\0\0\0")
        else:
            out(b"\0\0\0\1")
            put_inner(out, value)

    def take(buf: bytes, pos: int) -> tuple[Any, int]:
        (there,) = U32.unpack_from(buf, pos)
        if there > 1:
            raise Malformed(f"presence flag is {there}")
        return take_inner(buf, pos + 4) if there else (None, pos + 4)

    return put, take


MANY = 32
"""Structs from which on an array is worth a function of its own."""


def _array(inner: Codec, together: Callable[[], Any] | None = None) -> Codec:
    """``together`` makes the function that writes many of them at once."""
    put_inner, take_inner = inner
    at_once: list[Any] = []

    def put(out: Out, value: Any) -> None:
        if len(value) > ARRAY_MAX:
            raise Malformed(f"array of {len(value)} is longer than the limit of {ARRAY_MAX}")
        out(U32.pack(len(value)))
        if together is not None and len(value) >= MANY and not isinstance(value[0], tuple):
            at_once[:] = at_once or [together()]
            data = at_once[0](value)
            if data is not None:
                out(data)
                return
        for item in value:
            put_inner(out, item)

    def take(buf: bytes, pos: int) -> tuple[Any, int]:
        (count,) = U32.unpack_from(buf, pos)
        pos += 4
        if count > ARRAY_MAX or count * 4 > len(buf) - pos:
            raise Malformed(f"array of {count} runs past the end of the packet")
        items = []
        for _ in range(count):
            item, pos = take_inner(buf, pos)
            items.append(item)
        return items, pos

    return put, take


def _numbers(code: str) -> Codec:
    """An array of plain numbers in one go."""
    letter, size = _SCALARS[code], struct.calcsize(">" + _SCALARS[code])

    def put(out: Out, value: Any) -> None:
        if len(value) > ARRAY_MAX:
            raise Malformed(f"array of {len(value)} is longer than the limit of {ARRAY_MAX}")
        out(struct.pack(f">I{len(value)}{letter}", len(value), *value))

    def take(buf: bytes, pos: int) -> tuple[Any, int]:
        (count,) = U32.unpack_from(buf, pos)
        pos += 4
        if count > ARRAY_MAX or count * size > len(buf) - pos:
            raise Malformed(f"array of {count} runs past the end of the packet")
        return list(struct.unpack_from(f">{count}{letter}", buf, pos)), pos + count * size

    return put, take


def _put_chars(out: Out, value: Any) -> None:
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
    out(struct.pack(f">I{len(raw)}I", len(raw), *raw))


def _take_chars(buf: bytes, pos: int) -> tuple[bytes, int]:
    (count,) = U32.unpack_from(buf, pos)
    pos += 4
    if count > OPAQUE_MAX or count * 4 > len(buf) - pos:
        raise Malformed(f"array of {count} runs past the end of the packet")
    return bytes(number & 255 for number in struct.unpack_from(f">{count}I", buf, pos)), pos + count * 4


def _char_vector(count: int) -> Codec:
    """``char name[n]``: each character is a number of four bytes; in Python a ``str`` without its padding."""
    form = struct.Struct(f">{count}I")

    def put(out: Out, value: Any) -> None:
        raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
        out(form.pack(*raw[: count - 1].ljust(count, b"\0")))

    def take(buf: bytes, pos: int) -> tuple[str, int]:
        raw = bytes(number & 255 for number in form.unpack_from(buf, pos))
        return raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape"), pos + form.size

    return put, take


_INT, _UINT = struct.Struct(">ii"), struct.Struct(">iI")
_LLONG, _ULLONG, _DOUBLE = struct.Struct(">iq"), struct.Struct(">iQ"), struct.Struct(">id")
_TYPED_PUT: dict[type, Callable[[Any], bytes]] = {
    Int: lambda v: _INT.pack(1, v),
    UInt: lambda v: _UINT.pack(2, v),
    LLong: lambda v: _LLONG.pack(3, v),
    ULLong: lambda v: _ULLONG.pack(4, v),
    float: lambda v: _DOUBLE.pack(5, v),
    bool: lambda v: _INT.pack(6, v),
}
_TYPED_TAKE: dict[int, tuple[struct.Struct, type]] = {
    1: (struct.Struct(">i"), Int),
    2: (U32, UInt),
    3: (struct.Struct(">q"), LLong),
    4: (struct.Struct(">Q"), ULLong),
    5: (struct.Struct(">d"), float),
    6: (struct.Struct(">i"), bool),
}
_names: dict[str, bytes] = {}


def _name_bytes(name: str) -> bytes:
    """A parameter's name as it travels, remembered: the same few hundred names travel over and over."""
    parts: list[bytes] = []
    put_string(parts.append, name)
    if len(_names) > 4096:
        _names.clear()
    _names[name] = parts[0]
    return parts[0]


def _put_typed(out: Out, pair: Any) -> None:
    name, value = pair
    key = _names.get(name) or _name_bytes(name)
    pack = _TYPED_PUT.get(value.__class__)
    if pack is not None:
        out(key + pack(value))
    elif isinstance(value, str):
        out(key + b"\0\0\0\7")
        put_string(out, value)
    else:
        raise TypeError(f"typed parameter {name} has the untyped value {value!r}")


def _take_typed(buf: bytes, pos: int) -> tuple[Any, int]:
    name, pos = take_string(buf, pos)
    (kind,) = U32.unpack_from(buf, pos)
    pos += 4
    if kind == 7:
        text, pos = take_string(buf, pos)
        return (name, text), pos
    known = _TYPED_TAKE.get(kind)
    if known is None:
        raise Malformed(f"typed parameter {name!r} has the unknown type {kind}")
    form, make = known
    return (name, make(form.unpack_from(buf, pos)[0])), pos + form.size


class Record:
    """A row of fields. ``encode`` takes the values in order, ``decode`` gives them as a tuple."""

    __slots__ = ("names", "steps")

    def __init__(self, fields: str, structs: Callable[[str], str]) -> None:
        pairs = [field.split(":", 1) for field in fields.split()]
        self.names: tuple[str, ...] = tuple(name for name, _ in pairs)
        steps: list[tuple[int, Any, Any]] = []
        run = ""
        for _, kind in pairs:
            if kind in _SCALARS:
                run += _SCALARS[kind]
                continue
            if run:
                steps.append(_run(run))
                run = ""
            steps.append((0, *codec(kind, structs)))
        if run:
            steps.append(_run(run))
        self.steps = steps

    def put(self, out: Out, values: Sequence[Any]) -> None:
        """Write the values, in order, through ``out``."""
        if len(values) != len(self.names):
            raise TypeError(f"{len(self.names)} values are wanted ({' '.join(self.names)}), not {len(values)}")
        at = 0
        for width, first, _ in self.steps:
            if width:
                out(first.pack(*values[at : at + width]))
                at += width
            else:
                first(out, values[at])
                at += 1

    def take(self, buf: bytes, pos: int) -> tuple[list[Any], int]:
        """Read the values and the position after them."""
        values: list[Any] = []
        for width, first, second in self.steps:
            if width:
                values += first.unpack_from(buf, pos)
                pos += first.size
            else:
                value, pos = second(buf, pos)
                values.append(value)
        return values, pos

    def encode(self, values: Sequence[Any]) -> bytes:
        """All values as one payload."""
        parts: list[bytes] = []
        self.put(parts.append, values)
        return b"".join(parts)

    def decode(self, buf: bytes, pos: int = 0) -> tuple[Any, ...]:
        """A whole payload from ``pos`` on; what is too short or too long is ``Malformed``."""
        try:
            values, pos = self.take(buf, pos)
        except struct.error:
            raise Malformed("the packet ends in the middle of a value") from None
        if pos != len(buf):
            raise Malformed(f"{len(buf) - pos} bytes follow the last value" if pos < len(buf) else "the packet is cut")
        return tuple(values)


def _run(letters: str) -> tuple[int, Any, Any]:
    return len(letters.replace("16", "")), struct.Struct(">" + letters), None


def together(record: Record, fetch: Any) -> Any:
    """The function of ``kvasir.rpc.together``, which a client never needs."""
    from kvasir.rpc.together import make

    return make(record, fetch)


def _record_codec(name: str, structs: Callable[[str], str]) -> Codec:
    record = Record(structs(name), structs)
    kind = namedtuple(name, record.names)  # type: ignore[misc]  # made from the table, not written down
    single, fetch = len(record.names) == 1, attrgetter(*record.names)
    if not single:
        _many[name] = lambda: together(record, fetch)

    def put(out: Out, value: Any) -> None:
        if isinstance(value, tuple):
            record.put(out, value)
        else:
            record.put(out, (fetch(value),) if single else fetch(value))

    def take(buf: bytes, pos: int) -> tuple[Any, int]:
        values, pos = record.take(buf, pos)
        return kind._make(values), pos

    return put, take


_codecs: dict[str, Codec] = {
    "s": (put_string, take_string),
    "o[]": (_put_opaque, _take_opaque),
    "c[]": (_put_chars, _take_chars),
    "P": (_put_typed, _take_typed),
}


_many: dict[str, Callable[[], Any]] = {}


def codec(kind: str, structs: Callable[[str], str]) -> Codec:
    """The codec of a type; ``structs`` gives the fields of a struct by its name."""
    found = _codecs.get(kind)
    if found is not None:
        return found
    if kind in _SCALARS:
        made = _scalar(kind)
    elif kind.endswith("?"):
        made = _optional(codec(kind[:-1], structs))
    elif kind.endswith("[]"):
        inner = kind[:-2]
        numbers = inner in _SCALARS and inner != "U"
        made = _numbers(inner) if numbers else _array(codec(inner, structs), _many.get(inner))
    elif kind.startswith("c["):
        made = _char_vector(int(kind[2:-1]))
    else:
        made = _record_codec(kind, structs)
    _codecs[kind] = made
    return made
