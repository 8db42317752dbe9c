"""What the words of ``kvasir`` share: messages, the connection, guests by name, output as table, JSON or YAML."""

from __future__ import annotations

import os
import sys

from kvasir.cli.virsh.table import width
from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any, NoReturn

STATES = ("no state", "running", "idle", "paused", "in shutdown", "shut off", "crashed", "pmsuspended")
NO_DOMAIN = 42
SECURE, INACTIVE = 1, 2
NAMESPACE = "https://kvasir.invalid/machine/1"
"""Of the element that a launched guest keeps in its metadata: the login user of its image."""


def fail(text: str, hint: str = "") -> NoReturn:
    """Print an error and what repairs it, end with 1."""
    print(f"kvasir: {text}", file=sys.stderr)
    if hint:
        print(f"kvasir: try: {hint}", file=sys.stderr)
    raise SystemExit(1)


def home() -> str:
    """Where images, the trash and a key of our own lie: ``KVASIR_HOME``, /var/lib/kvasir for root, else the user's data folder."""
    said = os.environ.get("KVASIR_HOME")
    if said:
        return said
    if os.geteuid() == 0:
        return "/var/lib/kvasir"
    return os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"), "kvasir")


def connect(options: argparse.Namespace) -> Any:
    """The daemon that ``--connect`` names, else the default one."""
    import kvasir.client as client

    return client.open(options.connect)


def session(connection: Any) -> bool:
    """Whether it is an ordinary user's daemon."""
    return str(connection.getURI()).partition("?")[0].endswith("/session")


def find(connection: Any, name: str) -> Any:
    """The guest of that name, with the list of names when there is none."""
    try:
        return connection.lookupByName(name)
    except Error as error:
        if int(error.code) != NO_DOMAIN:
            raise
        names = ", ".join(sorted(d.name() for d in connection.listAllDomains(0))) or "none"
        fail(f"no guest {name!r}; there are: {names}")


UNITS = {"k": 1 / (1 << 20), "m": 1 / 1024, "g": 1.0, "t": 1024.0}
"""A unit's first letter -> GiB."""


def gibibytes(text: str, unit: str = "g") -> float:
    """A size such as ``20``, ``512M`` or ``1.5G``; a bare number is in ``unit``. For argparse."""
    import argparse

    word = text.strip().lower().removesuffix("b").removesuffix("i")
    number, unit = (word[:-1], word[-1]) if word[-1:] in UNITS else (word, unit)
    try:
        size = float(number) * UNITS[unit]
    except ValueError:
        size = 0.0
    if not 0 < size < 1 << 30:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: a number, or one with a unit, such as 512M or 2G")
    return size


def mebibytes(text: str) -> int:
    """The same in whole MiB, which is also what a bare number means."""
    return max(1, round(gibibytes(text, "m") * 1024))


def count(text: str) -> int:
    """A whole number from 1 on. For argparse."""
    import argparse

    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def guest_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="GUEST")


def format_option(parser: argparse.ArgumentParser) -> None:
    """``--format``, ``--json``, ``--yaml``."""
    parser.add_argument("--format", choices=("table", "json", "yaml"), default="table", help="of the output (table)")
    for word in ("json", "yaml"):
        parser.add_argument(
            f"--{word}", dest="format", action="store_const", const=word, help=f"same as --format {word}"
        )


def show(options: argparse.Namespace, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    """Print rows: the named columns as a table, or all that is known as JSON or YAML."""
    if options.format == "json":
        import json

        print(json.dumps(rows, indent=2))
    elif options.format == "yaml":
        from .words import yaml

        print(yaml(rows), end="")
    else:
        table(rows, columns)


def table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    """Columns as wide as their longest word, two blanks between them."""
    lines = [tuple(c.upper() for c in columns), *(tuple(str(row.get(c, "")) for c in columns) for row in rows)]
    widths = [max(width(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        print("  ".join(word + " " * (most - width(word)) for word, most in zip(line, widths, strict=True)).rstrip())


def disks(text: str) -> list[str]:
    """Paths of the images that a document names as its disks."""
    import xml.etree.ElementTree as ET

    found = [s.get("file") or s.get("dev") for s in ET.fromstring(text).findall("devices/disk[@device='disk']/source")]
    return [path for path in found if path]
