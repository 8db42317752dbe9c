"""Refusing flags and arguments that a procedure does not take, with libvirt's words.

libvirt names the C function that noticed; clients see it in the message.
"""

from __future__ import annotations

from collections.abc import Iterable

from kvasir.errors import Code, Error, InvalidArg, Origin
from kvasir.rpc.typed import Int, LLong, Params, UInt, ULLong


class BadArgument(Error):
    """An argument that cannot be; the message has no prefix."""

    code = Code.INVALID_ARG

    def __init__(self, message: str, function: str, argument: str, origin: Origin = Origin.NONE) -> None:
        super().__init__(message, origin=origin, int1=0, int2=0)
        self.str1, self.str2 = function, argument


def check_flags(flags: int, known: int, function: str, origin: Origin = Origin.NONE) -> None:
    """Raise when ``flags`` has bits that are not in ``known``; ``function`` is the C function that libvirt names."""
    unknown = flags & ~known
    if unknown:
        text = f"unsupported flags (0x{unknown:x}) in function {function}"
        raise BadArgument(text, function, "flags", origin)


def refuse_secure(readonly: bool, secure: int, function: str) -> None:
    """Secrets are not for connections that only look."""
    if readonly and secure:
        text = f"{function} with secure flag"
        raise Error(text, code=Code.OPERATION_DENIED, origin=Origin.NONE, message=f"operation forbidden: {text}")


def bad(function: str, argument: str, problem: str, origin: Origin = Origin.DOMAIN) -> BadArgument:
    """``bad("virNodeGetFreePages", "npages", "must not be zero")``."""
    return BadArgument(f"{argument} in {function} {problem}", function, argument, origin)


_NAMES: dict[type, str] = {
    Int: "int",
    UInt: "uint",
    LLong: "llong",
    ULLong: "ullong",
    float: "double",
    bool: "boolean",
    str: "string",
}


def check_params(params: Params, known: Iterable[tuple[str, type]], origin: Origin = Origin.NONE) -> None:
    """Raise for parameters that are unknown, of another type, or given twice; the first by name, as libvirt sorts them."""
    kinds = dict(known)
    seen: set[str] = set()
    for name, value in sorted(params, key=lambda one: one[0].encode()):
        kind = kinds.get(name)
        if kind is None:
            text = f"parameter '{name}' not supported"
            raise Error(text, code=Code.ARGUMENT_UNSUPPORTED, origin=origin, message=f"argument unsupported: {text}")
        if type(value) is not kind:
            text = f"invalid type '{_NAMES[type(value)]}' for parameter '{name}', expected '{_NAMES[kind]}'"
            raise InvalidArg(text, origin=origin)
        if name in seen:
            raise InvalidArg(f"parameter '{name}' occurs multiple times", origin=origin)
        seen.add(name)
