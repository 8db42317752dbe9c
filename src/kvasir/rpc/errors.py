"""Errors on the wire: the error structure to and from ``kvasir.errors.Error``.

``encode_error(exception) -> payload`` (any exception; one that is no ``Error`` becomes an internal error),
``decode_error(payload) -> Error`` (of the subclass in ``kvasir.errors`` that has the code, so that clients can catch it).
``str1`` holds the message's pattern and ``str2`` the detail, as in libvirt; ``str3`` holds our hint.
"""

from __future__ import annotations

import kvasir.errors
from kvasir.errors import Code, Error, Origin
from kvasir.rpc.programs import _struct_fields
from kvasir.rpc.xdr import STRING_MAX, Record

TYPE_CHECKING = False  # the typing module costs a client milliseconds; only the checker reads it
if TYPE_CHECKING:
    from typing import Any, Final

LEVEL_ERROR: Final = 2
_RECORD: Final = Record(_struct_fields("remote_error"), _struct_fields)
_classes: dict[int, type[Error]] = {}


def encode_error(problem: BaseException) -> bytes:
    """The payload of a reply whose status is ERROR."""
    if isinstance(problem, Error):
        message, text, prefix = problem.message, problem.text, problem.prefix
        code, origin, hint = int(problem.code), int(problem.origin), problem.hint
        int1, int2 = problem.int1, problem.int2
        str1, str2 = getattr(problem, "str1", None), getattr(problem, "str2", None)
    else:
        text = f"{type(problem).__name__}: {problem}"
        message, prefix, hint = f"internal error: {text}", "internal error", ""
        code, origin, int1, int2 = int(Code.INTERNAL_ERROR), int(Origin.NONE), -1, -1
        str1 = str2 = None
    limit = STRING_MAX // 8
    pattern = message.removesuffix(text) + "%s" if text and message.endswith(text) else (prefix or "%s")
    return _RECORD.encode(
        (
            *(code, origin, _clean(message)[:limit], LEVEL_ERROR, None),
            *(
                str1 or pattern or None,
                _clean(str2 or text)[:limit] or None,
                _clean(hint)[:limit] or None,
                int1,
                int2,
                None,
            ),
        )
    )


def decode_error(payload: bytes) -> Error:
    """The error that a reply carries. ``level``, ``str1`` and ``str2`` are kept as attributes for libvirt-like clients."""
    code, origin, message, level, _dom, str1, str2, str3, int1, int2, _net = _RECORD.decode(payload)
    known: Any = code
    if code in Code._value2member_map_:
        known = Code(code)
    kind = _class_of(code)
    made = kind.__new__(kind)
    Error.__init__(
        made,
        str2 or message or "",
        code=known,
        origin=Origin(origin) if origin in Origin._value2member_map_ else origin,
        hint=str3 or "",
        int1=int1,
        int2=int2,
        message=message or "",
    )
    made.__dict__.update(level=level, str1=str1, str2=str2, str3=str3)
    return made


def _clean(text: str) -> str:
    return text.replace("\0", "\\0")


def _class_of(code: int) -> type[Error]:
    if not _classes:
        for name in vars(kvasir.errors):
            kind = getattr(kvasir.errors, name)
            if isinstance(kind, type) and issubclass(kind, Error) and kind is not Error:
                _classes.setdefault(int(kind.code), kind)
    return _classes.get(code, Error)
