"""``--output json``, our addition to every command: what a command printed, read back as data.

Tables come as marked lines (``table.mark``). For the rest a command is of one form: ``Label: value`` lines unless ``FORMS`` says
otherwise. Events come as one line of JSON each, when they come; everything else is one document at the command's end.
"""

from __future__ import annotations

import io
import sys
from json import dumps, loads
from re import compile as pattern

from kvasir.cli.virsh.table import MARK, cell, key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kvasir.cli.virsh.grammar import Args

    Form = Callable[[list[str]], Any]

LABEL = pattern(r"([^\s<:][^:]*):(?:\s+|$)(.*)")
EVENT = pattern(r"(?:(\d{4}-\S+ \S+): )?event '(.*?)' for ([a-z ]+) '?(.*?)'?(?:: (.*))?\Z")


def fields(lines: list[str]) -> Any:
    """``Label: value`` lines as an object; a label that comes again begins another. Lines of another kind: all as they are."""
    found: list[Any] = [{}]
    for line in lines:
        label = LABEL.match(line)
        if label is None and line.startswith("  ") and "=" in line and found[-1]:
            name, _, value = line.strip().partition("=")
            found[-1][name] = value
        elif label is None:
            return plain(lines)
        else:
            name = key(label[1])
            if name in found[-1]:
                found.append({})
            found[-1][name] = cell(label[2])
    return found if len(found) > 1 else found[0]


def plain(lines: list[str]) -> Any:
    """The line, or all of them."""
    return lines[0] if len(lines) == 1 else lines


def always(lines: list[str]) -> Any:
    """A list also where there is one."""
    return [line.strip() for line in lines]


def text(lines: list[str]) -> Any:
    """One text, colons and all."""
    return "\n".join(lines)


def reply(lines: list[str]) -> Any:
    """What QEMU or the agent said is JSON already."""
    try:
        return loads("\n".join(lines))
    except ValueError:
        return text(lines)


def loose(lines: list[str]) -> Any:
    """Fields with space before them, and a ruler between."""
    return fields([line.strip() for line in lines if line.strip("- ")])


def pairs(lines: list[str]) -> Any:
    """``name value``."""
    return {name: value.strip() for name, _, value in (line.strip().partition(" ") for line in lines)}


def of_device(lines: list[str]) -> Any:
    """``vda rd_req 5``: the device once. With ``--human`` they are fields."""
    if not lines or lines[0].startswith("Device:"):
        return loose(lines)
    words = [line.split() for line in lines]
    return {"device": words[0][0]} | {name: value for _, name, value in words}


def blocks(lines: list[str]) -> Any:
    """``Title:`` and below it ``name value``, indented."""
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        if line[0].isspace():
            name, _, value = line.strip().partition(" ")
            found[next(reversed(found))][key(name)] = value.strip()
        else:
            found[key(line)] = {}
    return found


def nodes(lines: list[str]) -> Any:
    """``Node 0:`` and its pages, a list of nodes."""
    found: list[dict[str, str | None]] = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.startswith("Node "):
            found.append({"node": name.removeprefix("Node ")})
        elif not found:
            return fields(lines)
        else:
            found[-1][name] = cell(value)
    return found


def guests(lines: list[str]) -> Any:
    """Figures of guests: always a list, names without their quotes."""
    found = fields(lines)
    for one in (rows := found if isinstance(found, list) else [found] if found else []):
        one["domain"] = one["domain"].removeprefix("'").removesuffix("'")
    return rows


def rows(*names: str) -> Form:
    """Columns without a table."""

    def read(lines: list[str]) -> Any:
        return [dict(zip(names, map(cell, line.split(None, len(names) - 1)), strict=False)) for line in lines]

    return read


def counts(lines: list[str]) -> Any:
    """``maximum config 2``; the figure alone where one was asked for."""
    words = [line.split() for line in lines]
    if not words or len(words[0]) != 3:
        return plain(lines)
    return {
        first: {second: value for one, second, value in words if one == first}
        for first in dict.fromkeys(w[0] for w in words)
    }


def listed(form: Form) -> Form:
    """Of a form that gives an object or a list of them: a list."""

    def read(lines: list[str]) -> Any:
        found = form(lines)
        return found if isinstance(found, list) else [found] if found else []

    return read


FORMS: dict[str, Form] = {
    "cpu-models": always,
    "cpu-stats": blocks,
    "domblkstat": of_device,
    "domif-getlink": lambda lines: rows("interface", "state")(lines)[0],
    "domifaddr": rows("name", "mac_address", "protocol", "address"),
    "domifstat": of_device,
    "dommemstat": pairs,
    "domstats": guests,
    "emulatorpin": lambda lines: {"emulator": lines[0].split()[-1]},
    "freecell": loose,
    "freepages": nodes,
    "get-user-sshkeys": always,
    "node-memory-tune": blocks,
    "nodedev-list": always,
    "qemu-agent-command": reply,
    "qemu-monitor-command": reply,
    "vcpucount": counts,
    "vcpuinfo": listed(fields),
} | dict.fromkeys(
    (
        *(
            "desc",
            "net-desc",
            "metadata",
            "net-metadata",
            "uri",
            "iface-mac",
            "iface-name",
            "domdisplay",
            "vncdisplay",
            "ttyconsole",
        ),
        *(
            "domxml-to-native",
            "hostname",
            "domhostname",
            "echo",
            "pwd",
            "vol-path",
            "vol-key",
            "vol-name",
            "vol-pool",
            "help",
        ),
        *(
            "domname",
            "net-name",
            "pool-name",
            "snapshot-current",
            "snapshot-parent",
            "checkpoint-parent",
            "secret-get-value",
        ),
    ),
    text,
)
HEADED = ("domifaddr", "emulatorpin", "freepages", "iothreadinfo")
"""Commands that print a heading which ``--quiet`` leaves out."""
LISTING = ("name", "uuid", "id", "tree")
"""Flags that make of a table a list of names."""


def data(command: str, flags: tuple[str, ...], printed: str) -> str:
    """What a command printed, as JSON."""
    lines = printed.splitlines()
    tables = [loads(line[len(MARK) :]) for line in lines if line.startswith(MARK)]
    rest = [line for line in lines if line.strip() and not line.startswith(MARK)]
    if printed.lstrip().startswith("<"):
        return dumps(printed.strip(), indent=2) + "\n"
    if not rest:
        found: Any = tables[0] if len(tables) == 1 else tables
    elif "list" in flags or (command.endswith("list") and not tables and any(name in LISTING for name in flags)):
        found = [line.rstrip() for line in rest]
    else:
        found = FORMS.get(command, fields)(rest)
        if tables:
            found = [*tables, found]
    return dumps(found, indent=2) + "\n"


class Events(io.StringIO):
    """Standard output of a command that waits for events: each goes out as a line of JSON as soon as it is flushed."""

    def __init__(self, out: Any) -> None:
        super().__init__()
        self.shown = out

    def flush(self) -> None:
        said = self.getvalue()
        self.seek(0)
        self.truncate()
        if not said.strip():
            return
        found = EVENT.match(said.strip().replace("\n\t", "; ").replace(":; ", ": ", 1))
        if found is None:
            for line in said.splitlines():
                self.shown.write(dumps(line) + "\n" if line else "")
        else:
            names = ("time", "event", "kind", "object", "detail")
            values = zip(names, found.groups(), strict=True)
            self.shown.write(dumps({name: value for name, value in values if value is not None}) + "\n")
        self.shown.flush()


def waits(args: Args) -> bool:
    """Whether it is a command that prints events as they come."""
    name = args.command.name
    return (name == "event" or name.endswith("-event")) and not args.has("list")


def run(command: Callable[[], bool], args: Args) -> bool:
    """Run a command and print what it printed as JSON."""
    from kvasir.cli.virsh import table

    shown = sys.stdout
    caught = Events(shown) if waits(args) else io.StringIO()
    sys.stdout, table.as_data = caught, True
    try:
        good = command()
        if isinstance(caught, Events):
            caught.flush()
    finally:
        sys.stdout, table.as_data = shown, False
    if not isinstance(caught, Events) and (good or caught.getvalue()):
        given = tuple(option.name for option, _ in args.values)
        shown.write(data(args.command.name, given, caught.getvalue()))
    return good
