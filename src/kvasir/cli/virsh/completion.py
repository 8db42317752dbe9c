"""What can stand at the cursor: commands, options, names of objects, files. For the shell's Tab and for ``virsh complete``."""

from __future__ import annotations

import os

from kvasir.cli.virsh import names
from kvasir.cli.virsh.grammar import ALIAS, FLAG, Command, Option
from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kvasir.cli.virsh.shell import Shell

FILES = ("file", "xml", "config", "from-file")
LISTS: dict[str, Callable[[Any], list[Any]]] = {
    "domain": lambda conn: conn.listAllDomains(0),
    "network": lambda conn: conn.listAllNetworks(0),
    "pool": lambda conn: conn.listAllStoragePools(0),
    "inputpool": lambda conn: conn.listAllStoragePools(0),
    "secret": lambda conn: conn.listAllSecrets(0),
    "interface": lambda conn: conn.listAllInterfaces(0),
    "nwfilter": lambda conn: conn.listAllNWFilters(0),
    "binding": lambda conn: conn.listAllNWFilterBindings(0),
    "nodedev": lambda conn: conn.listAllDevices(0),
}
"""Objects of the connection by the option that names one."""


def candidates(shell: Shell, words: list[str], text: str) -> list[str]:
    """All words that begin with ``text`` after ``words`` (command and options so far)."""
    if not words:
        known = [name for group in names.groups() for name, file in group.commands if file]
        return sorted(name for name in known if name.startswith(text))
    command = names.find(words[0])
    if command is None:
        return []
    if words[0] == "help":
        known = [name for group in names.groups() for name, _ in (*group.commands, (group.keyword, ""))]
        return sorted(name for name in known if name.startswith(text))
    if text.startswith("-"):
        options = [f"--{option.name}" for option in command.options if option.kind != ALIAS]
        return [option for option in options if option.startswith(text) and option not in words]
    found = [value for value in values(shell, command, words) if value.startswith(text)]
    if not text and not found:
        return [
            f"--{option.name}" for option in command.options if option.kind != ALIAS and f"--{option.name}" not in words
        ]
    return found


def wanted(command: Command, words: list[str]) -> Option | None:
    """The option whose value comes next: the one just named, else the next by its place."""
    named = words[-1].removeprefix("--") if words[-1].startswith("--") else ""
    option = next((one for one in command.options if one.name == named and one.kind not in (FLAG, ALIAS)), None)
    if option is not None:
        return option
    given = _named(command, words)
    places = [one for one in command.options if one.positional and one.name not in given]
    return places[len(_plain(command, words))] if len(_plain(command, words)) < len(places) else None


def _named(command: Command, words: list[str]) -> dict[str, str]:
    """Values of the options that were named."""
    takes = {one.name for one in command.options if one.kind not in (FLAG, ALIAS)}
    found: dict[str, str] = {}
    for at, word in enumerate(words[1:], 1):
        name, mark, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and name in takes:
            found[name] = value if mark else words[at + 1] if at + 1 < len(words) else ""
    return found


def _plain(command: Command, words: list[str]) -> list[str]:
    """The words that stand by their place."""
    takes = {f"--{one.name}" for one in command.options if one.kind not in (FLAG, ALIAS)}
    return [word for at, word in enumerate(words) if at and not word.startswith("-") and words[at - 1] not in takes]


def _given(command: Command, words: list[str], name: str) -> str | None:
    """The value that an option has already."""
    named = _named(command, words)
    if name in named:
        return named[name]
    places = [one.name for one in command.options if one.positional and one.name not in named]
    plain = _plain(command, words)
    return plain[places.index(name)] if name in places and places.index(name) < len(plain) else None


def values(shell: Shell, command: Command, words: list[str]) -> list[str]:
    """What is known for the option that comes next; [] where nothing is, or nobody can be asked."""
    option = wanted(command, words)
    if option is None:
        return []
    if option.name in FILES:
        return sorted(os.listdir("."))
    try:
        return sorted(_objects(shell, command, words, option.name))
    except (Error, OSError):
        return []


def _objects(shell: Shell, command: Command, words: list[str], name: str) -> list[str]:
    kind = "nodedev" if name == "device" and command.name.startswith("nodedev-") else name
    domain, pool = _given(command, words, "domain"), _given(command, words, "pool")
    if kind in LISTS and not (name == "interface" and domain):
        return [one.UUIDString() if kind == "secret" else str(one.name()) for one in LISTS[kind](shell.conn)]
    if name in ("snapshotname", "from") and domain:
        return [str(one.name()) for one in shell.conn.lookupByName(domain).listAllSnapshots(0)]
    if name == "checkpointname" and domain:
        return [str(one.name()) for one in shell.conn.lookupByName(domain).listAllCheckpoints(0)]
    if name in ("vol", "inputvol") and pool:
        return [str(one.name()) for one in shell.conn.storagePoolLookupByName(pool).listAllVolumes(0)]
    if domain and name in ("device", "path", "disk", "interface", "alias"):
        return _parts(shell, domain, command.name)
    return []


def _parts(shell: Shell, domain: str, command: str) -> list[str]:
    """Names of disks, or of network cards for the commands about those."""
    from kvasir.cli.virsh.xmltree import parse

    document = parse(shell.conn.lookupByName(domain).XMLDesc(0))
    if command.startswith("domif"):
        cards = document.all("devices/interface")
        return [name for card in cards for name in (card.get("target/@dev"), card.get("mac/@address")) if name]
    return [name for disk in document.all("devices/disk") if (name := disk.get("target/@dev"))]
