"""What can stand at the cursor: commands, options, names of objects, files. For the shell's Tab and for ``virsh complete``."""

from __future__ import annotations

import os

from kvasir.cli.virsh import names
from kvasir.cli.virsh.choices import COMMA, of_domain, of_host
from kvasir.cli.virsh.choices import words as choices
from kvasir.cli.virsh.grammar import ALIAS, FLAG, REST, Command, Option
from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kvasir.cli.virsh.shell import Shell

FILES = ("file", "xml", "config", "from-file")
LISTS: dict[str, Callable[[Any, int], list[Any]]] = {
    "domain": lambda conn, flags: conn.listAllDomains(flags),
    "network": lambda conn, flags: conn.listAllNetworks(flags),
    "pool": lambda conn, flags: conn.listAllStoragePools(flags),
    "inputpool": lambda conn, flags: conn.listAllStoragePools(flags),
    "secret": lambda conn, _: conn.listAllSecrets(0),
    "interface": lambda conn, flags: conn.listAllInterfaces(flags),
    "nwfilter": lambda conn, _: conn.listAllNWFilters(0),
    "binding": lambda conn, _: conn.listAllNWFilterBindings(0),
    "nodedev": lambda conn, _: conn.listAllDevices(0),
}
"""Objects of the connection by the option that names one."""
RUNNING = {
    **dict.fromkeys(("start", "iface-destroy", "net-destroy", "pool-destroy", "pool-refresh"), 2),
    **dict.fromkeys(
        ("destroy", "shutdown", "reboot", "reset", "suspend", "resume", "save", "managedsave", "console"), 1
    ),
    **dict.fromkeys(("iface-start", "net-start", "pool-start"), 1),
}
"""Commands for what runs, or for what does not: the filter of the list."""


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
        return [option for option in free(command, words) if option.startswith(text)]
    named = _awaits(command, words)
    before, comma, last = text.rpartition(",")
    option = wanted(command, words)
    if comma and option is not None and (command.name, option.name) in COMMA:
        taken = before.split(",")
        rest = [value for value in values(shell, command, words) if value.startswith(last) and value not in taken]
        return [f"{before},{value}" for value in rest]
    found = [value for value in values(shell, command, words) if value.startswith(text)]
    return found if found or text or named else free(command, words)


def free(command: Command, words: list[str]) -> list[str]:
    """The options that were not given yet, by name or by place."""
    taken = {*_named(command, words), *(word.removeprefix("--") for word in words if word.startswith("--"))}
    places = [one.name for one in command.options if one.positional and one.name not in _named(command, words)]
    taken.update(places[: len(_plain(command, words))])
    return [
        f"--{one.name}" for one in command.options if one.kind != ALIAS and (one.kind == REST or one.name not in taken)
    ]


def _awaits(command: Command, words: list[str]) -> Option | None:
    """The option that was named just now and wants its value."""
    named = words[-1].removeprefix("--") if words[-1].startswith("--") else ""
    return next((one for one in command.options if one.name == named and one.kind not in (FLAG, ALIAS)), None)


def wanted(command: Command, words: list[str]) -> Option | None:
    """The option whose value comes next: the one just named, else the next by its place."""
    option = _awaits(command, words)
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
    fixed = choices(command.name, option.name)
    if fixed:
        return fixed
    if option.name in FILES:
        return sorted(os.listdir("."))
    try:
        return sorted(dict.fromkeys(_objects(shell, command, words, option.name)))
    except (Error, OSError, ValueError):
        return []


def _objects(shell: Shell, command: Command, words: list[str], name: str) -> list[str]:
    if (command.name, name) == ("send-key", "keycode"):
        from kvasir.cli.virsh.keycodes import names as keys

        return list(keys(_given(command, words, "codeset") or "linux"))
    if found := of_host(shell, command.name, name):
        return found
    kind = "nodedev" if name == "device" and command.name.startswith("nodedev-") else name
    domain, pool = _given(command, words, "domain"), _given(command, words, "pool")
    if kind in LISTS and not (name == "interface" and domain):
        flags = RUNNING.get(command.name, 0) if command.name != "iface-name" else 0
        return [one.UUIDString() if kind == "secret" else str(one.name()) for one in LISTS[kind](shell.conn, flags)]
    if name in ("snapshotname", "from") and domain and command.name.startswith("snapshot"):
        return [str(one.name()) for one in shell.conn.lookupByName(domain).listAllSnapshots(0)]
    if name in ("checkpointname", "from") and domain:
        return [str(one.name()) for one in shell.conn.lookupByName(domain).listAllCheckpoints(0)]
    if name in ("vol", "inputvol") and pool:
        return [str(one.name()) for one in shell.conn.storagePoolLookupByName(pool).listAllVolumes(0)]
    return of_domain(shell, domain, command.name, name) if domain else []
