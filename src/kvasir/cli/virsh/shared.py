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


MOST = (1 << 64) - 1
BYTE_UNITS = ("b", "byte", "bytes")


def split_size(text: str) -> tuple[int | None, str]:
    """The natural number that a text begins with (None where there is none, or none that fits), and what follows it."""
    body = text.lstrip(" \t\n\v\f\r").removeprefix("+")
    suffix = body.lstrip("0123456789")
    digits = body.removesuffix(suffix) if suffix else body
    return (int(digits) if digits and int(digits) <= MOST else None), suffix


def unit_of(suffix: str, default: int) -> int | None:
    """The bytes of a unit; None when it is none."""
    if not suffix:
        return default
    if suffix.lower() in BYTE_UNITS:
        return 1
    power = "kmgtpe".find(suffix[0].lower()) + 1
    rest = suffix[1:].lower()
    if not power or rest not in ("", "ib", "b"):
        return None
    return int((1000 if rest == "b" else 1024) ** power)


def scaled(text: str, default: int, limit: int = MOST) -> int | None:
    """``10``, ``10M``, ``10MiB``, ``10MB`` as bytes; a number alone counts in ``default``. None when it is no size up to the limit."""
    value, suffix = split_size(text)
    unit = unit_of(suffix, default)
    if value is None or unit is None or value * unit > limit:
        return None
    return value * unit


def why_no_size(text: str) -> str:
    """The second line of errors about a size, "" where libvirt has none."""
    value, suffix = split_size(text)
    if value is None:
        return ""
    if unit_of(suffix, 1) is None:
        return f"\nerror: invalid argument: unknown suffix '{suffix}'"
    return f"\nerror: numerical overflow: value too large: {value}{suffix}"


def no_size(given: str, option: str) -> Fail:
    """libvirt's words for a value that is no size."""
    return Fail(
        f"Scaled numeric value '{given}' for <{option}> option is malformed or out of range{why_no_size(given)}"
    )


def passed_fds(args: Args) -> list[int]:
    """Numbers of ``--pass-fds N,N``."""
    given = args.text("pass-fds")
    found = []
    for word in given.split(",") if given else ():
        if not word.isdigit():
            raise Fail(f"Unable to parse FD number '{word}'")
        found.append(int(word))
    return found
