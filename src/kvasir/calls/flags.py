"""Refusing flags that a procedure does not know, with libvirt's words."""

from __future__ import annotations

from kvasir.errors import Code, Error, Origin


class BadFlags(Error):
    """unsupported flags"""

    code = Code.INVALID_ARG


def check_flags(flags: int, known: int, function: str, origin: Origin = Origin.NONE) -> None:
    """Raise when ``flags`` has bits that are not in ``known``; ``function`` is the C function that libvirt names."""
    unknown = flags & ~known
    if unknown:
        raise BadFlags(f"unsupported flags (0x{unknown:x}) in function {function}", origin=origin, int1=0, int2=0)
