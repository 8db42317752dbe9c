"""Storage pools: finding sources, what the types can do, events."""

from __future__ import annotations

from kvasir.cli.virsh.commands.pools import find_pool
from kvasir.cli.virsh.grammar import Args, Command, Fail, data, text
from kvasir.cli.virsh.shared import read_file
from kvasir.cli.virsh.shell import Shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EVENTS = ("lifecycle", "refresh")
LIFECYCLE = ("Defined", "Undefined", "Started", "Stopped", "Created", "Deleted")


def _find(shell: Shell, kind: str, spec: str | None) -> None:
    failed = f"Failed to find any {kind} pool sources"
    shell.out(shell.attempt(failed, shell.conn.findStoragePoolSources, kind, spec, 0))


def find_sources(shell: Shell, args: Args) -> None:
    kind, path = args.need("type"), args.wanted("srcSpec")
    _find(shell, kind, read_file(path) if path is not None else None)


def find_sources_as(shell: Shell, args: Args) -> None:
    from kvasir.cli.virsh.xmltree import escape

    kind, host, initiator = args.need("type"), args.wanted("host"), args.wanted("initiator")
    if host is None:
        _find(shell, kind, None)
        return
    try:
        port = args.wanted("port")
    except Fail as problem:
        shell.error(str(problem))
        raise Fail("missing argument") from None
    spec = f"<source>\n  <host name='{escape(host, True)}'"
    spec += f" port='{escape(port, True)}'/>\n" if port is not None else "/>\n"
    if initiator is not None:
        spec += f"  <initiator>\n    <iqn name='{escape(initiator, True)}'/>\n  </initiator>\n"
    _find(shell, kind, spec + "</source>\n")


def pool_capabilities(shell: Shell, args: Args) -> None:
    found = shell.attempt("failed to get storage pool capabilities", shell.conn.getStoragePoolCapabilities, 0)
    shell.out(f"{found}\n")


def pool_event(shell: Shell, args: Args) -> bool:
    from kvasir.cli.virsh.commands.watching import watch

    pool = find_pool(shell, args) if not args.flag("list") and args.wanted("pool") is not None else None

    def describe(name: str, thing: Any, values: tuple[Any, ...]) -> str:
        head = f"event '{name}' for storage pool {thing.name()}"
        if name == "refresh":
            return head
        return f"{head}: {LIFECYCLE[values[0]] if values[0] < len(LIFECYCLE) else 'unknown'}"

    conn = shell.conn
    return watch(
        shell,
        args,
        EVENTS,
        lambda number, seen: conn.storagePoolEventRegisterAny(pool, number, seen, None),
        conn.storagePoolEventDeregisterAny,
        describe,
    )


def _options() -> tuple[Any, ...]:
    from kvasir.cli.virsh.commands.watching import options

    return options("pool", "only this pool, by name or UUID")


TYPE = data("type", "type of the pool that is wanted")
COMMANDS = [
    Command(
        "find-storage-pool-sources",
        "look what pools could be made of",
        (TYPE, text("srcSpec", "file with the XML of a source, to narrow the search")),
        find_sources,
    ),
    Command(
        "find-storage-pool-sources-as",
        "look what pools could be made of, by options",
        (
            TYPE,
            text("host", "server to ask"),
            text("port", "its port"),
            text("initiator", "IQN of the initiator"),
        ),
        find_sources_as,
    ),
    Command("pool-capabilities", "what pool types there are and what they can", (), pool_capabilities),
    Command("pool-event", "wait for events of pools", _options(), pool_event),
]
