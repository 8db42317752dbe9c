"""Writes arrays of structs: one function for each struct, made on first use, in place of two calls for each field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.rpc.xdr import PAD, STRING_MAX, U32, put_string

if TYPE_CHECKING:
    from kvasir.rpc.xdr import Record


def make(record: Record, fetch: Any) -> Any:
    """A function that writes many objects of a struct at once, None where it has more than texts and numbers; it gives None
    for what must be looked at one by one (texts that are no UTF-8 or too long)."""
    names = [f"v{at}" for at in range(len(record.names))]
    env: dict[str, Any] = {"fetch": fetch, "size": U32.pack, "pad": PAD}
    parts, left = [], iter(names)
    for number, (width, first, _) in enumerate(record.steps):
        if width:
            env[f"k{number}"] = first.pack
            parts.append(f"k{number}({', '.join(next(left) for _ in range(width))})")
        elif first is put_string:
            parts.append(f"size(len(e := {next(left)}.encode())) + e + pad[len(e) & 3]")
        else:
            return lambda items: None
    exec(f"def put(items): return b''.join([{' + '.join(parts)} for {', '.join(names)} in map(fetch, items)])", env)

    def put(items: Any) -> bytes | None:
        try:
            data: bytes = env["put"](items)
        except (AttributeError, UnicodeError):
            return None
        return data if len(data) <= STRING_MAX else None

    return put
