"""Options and small things that many commands share."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Fail, data, flag
from kvasir.cli.virsh.shell import Shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kvasir.cli.virsh.xmltree import Node

DOMAIN = data("domain", "name, id or UUID of the domain")
CONFIG = flag("config", "affect the configuration, used at the next start")
LIVE = flag("live", "affect the running domain")
CURRENT = flag("current", "affect the domain in its present state")
NOT_WITH_CURRENT = (("current", "live"), ("current", "config"))
XML_INACTIVE = 2

STATES = ("no state", "running", "idle", "paused", "in shutdown", "shut off", "crashed", "pmsuspended")


def state_text(number: int) -> str:
    """A state as virsh says it."""
    return STATES[number] if 0 <= number < len(STATES) else "no state"


def line(label: str, value: object) -> str:
    """``Label:          value`` with the label padded to 15."""
    return f"{label:<15} {value}\n"


def domain_xml(shell: Shell, args: Args, flags: int = 0) -> Node:
    """The document of the domain named on the command line."""
    from kvasir.cli.virsh.xmltree import parse

    domain = shell.domain(args)
    text = shell.attempt("Failed to get domain description xml", domain.XMLDesc, flags)
    try:
        return parse(text)
    except ValueError:
        raise Fail("Failed to get domain description xml") from None


def read_file(path: str, limit: int = 10 * 1024 * 1024) -> str:
    """A file's text, at most 10 MiB; fails with libvirt's words."""
    try:
        with open(path, "rb") as file:
            raw = file.read(limit + 1)
    except IsADirectoryError as problem:
        raise Fail(f"Failed to read file '{path}': {problem.strerror}") from None
    except OSError as problem:
        raise Fail(f"Failed to open file '{path}': {problem.strerror}") from None
    if len(raw) > limit:
        raise Fail(f"Failed to read file '{path}': Value too large for defined data type")
    return raw.decode("utf-8", "surrogateescape")


def set_autostart(shell: Shell, args: Args, what: str, thing: Any) -> None:
    """Have a thing started with the daemon, or with --disable not; ``what`` is its kind and name."""
    word = "unmark" if args.flag("disable") else "mark"
    shell.attempt(f"failed to {word} {what} as autostarted", thing.setAutostart, int(word == "mark"))
    shell.extra(f"{what[0].upper()}{what[1:]} {word}ed as autostarted\n")


def pretty_size(value: int) -> tuple[float, str]:
    """A size in the unit that suits it."""
    for power, unit in enumerate(("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")):
        if value < 1 << (10 * (power + 1)) or unit == "EiB":
            return value / (1 << (10 * power)), unit
    raise AssertionError(value)


def parameter_text(value: object) -> str:
    """A typed parameter as virsh prints it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:f}" if isinstance(value, float) else str(value)


UNITS = {"": None, "b": 1, "byte": 1, "bytes": 1}
"""Units that are no power of 1000 or 1024; None: whatever the default is."""


def known_unit(suffix: str) -> bool:
    """Whether it is a unit of sizes."""
    return suffix[:1].lower() in tuple("kmgtpe") and suffix[1:].lower() in ("", "b", "ib")


def no_size(given: str, option: str) -> Fail:
    """libvirt's words for a value that is no size; a second line names a unit that it does not know."""
    clean = given.strip()
    suffix = clean.lstrip("0123456789")
    why = ""
    if suffix and suffix != clean:
        unknown = f"invalid argument: unknown suffix '{suffix}'"
        why = f"\nerror: {f'numerical overflow: value too large: {clean}' if known_unit(suffix) else unknown}"
    return Fail(f"Scaled numeric value '{given}' for <{option}> option is malformed or out of range{why}")


def scaled(text: str, default: int, limit: int = 1 << 63) -> int | None:
    """``10``, ``10M``, ``10MiB``, ``10MB`` as bytes; a number alone counts in ``default``. None when it is no size below the limit."""
    body = text.strip()
    digits = body[: len(body) - len(body.lstrip("0123456789"))]
    unit = body[len(digits) :].lower()
    if not digits:
        return None
    if unit in UNITS:
        value = int(digits) * (UNITS[unit] or default)
        return value if value < 1 << 64 else None
    power = "kmgtpe".find(unit[0]) + 1
    rest = unit[1:]
    if not power or rest not in ("", "ib", "b"):
        return None
    value = int(digits) * (1000 if rest == "b" else 1024) ** power
    return value if value < limit else None


def passed_fds(args: Args) -> list[int]:
    """Numbers of ``--pass-fds N,N``."""
    given = args.text("pass-fds")
    found = []
    for word in given.split(",") if given else ():
        if not word.isdigit():
            raise Fail(f"Unable to parse FD number '{word}'")
        found.append(int(word))
    return found
