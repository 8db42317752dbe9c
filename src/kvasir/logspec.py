"""What ``log_filters``, ``log_outputs`` and the variables ``LIBVIRT_DEBUG``, ``LIBVIRT_LOG_FILTERS``, ``LIBVIRT_LOG_OUTPUTS`` say.

Levels are 1 debug, 2 info, 3 warning, 4 error. What is wrong raises INVALID_ARG, in libvirt's words.
"""

from __future__ import annotations

import os

from kvasir.errors import InvalidArg, Origin

NAMES = ("", "debug", "info", "warning", "error")
VARIABLES = ("LIBVIRT_DEBUG", "LIBVIRT_LOG_FILTERS", "LIBVIRT_LOG_OUTPUTS")
DEFAULT = 3


def _bad(text: str) -> InvalidArg:
    return InvalidArg(text, origin=Origin.NONE)


def _level(text: str, whole: str, what: str) -> int:
    if text not in ("1", "2", "3", "4"):
        word = "log priority" if what.startswith("log") else "priority"
        raise _bad(f"Invalid {word} '{text}' for {what} '{whole}'")
    return int(text)


def filters(text: str) -> list[tuple[str, int]]:
    """``level:word ...`` as pairs of word and level."""
    found = []
    for one in text.split():
        level, colon, word = one.partition(":")
        if not colon:
            raise _bad(f"Malformed format for filter '{one}'")
        if not word:
            raise _bad("Invalid match string ''")
        found.append((word.lstrip("+").strip("*").removeprefix("libvirt").strip("."), _level(level, one, "filter")))
    return found


def output(text: str) -> tuple[int, str, str]:
    """``level:stderr``, ``level:file:PATH``, ``level:syslog:NAME``, ``level:journald``: level, kind, the rest."""
    level, colon, rest = text.partition(":")
    kind, _, data = rest.partition(":")
    if not colon:
        raise _bad(f"Malformed format for log output '{text}'")
    wanted = _level(level, text, "log output")
    if kind not in ("stderr", "file", "syslog", "journald"):
        raise _bad(f"Invalid log destination '{kind}' for log output '{text}'")
    if kind in ("file", "syslog") and not data:
        raise _bad(f"Log output '{text}' does not meet the format requirements for destination type '{kind}'")
    return wanted, kind, data


def environment() -> tuple[int | None, str, str] | None:
    """Level, filters and outputs that the variables want (None, "", "": not said); None where none of them is set."""
    said, words, outputs = (os.environ.get(name) or "" for name in VARIABLES)
    if not (said or words or outputs):
        return None
    level = None
    if said:
        if said not in (*NAMES[1:], "1", "2", "3", "4"):
            raise _bad(f"Failed to set logging priority, argument '{said}' is invalid")
        level = NAMES.index(said) if said in NAMES else int(said)
    return level, words, outputs
