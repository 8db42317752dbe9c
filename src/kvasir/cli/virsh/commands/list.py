"""``list``: the domains, with all its filters."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, flag
from kvasir.cli.virsh.shared import state_text
from kvasir.cli.virsh.shell import Shell
from kvasir.cli.virsh.table import table
from kvasir.errors import Error
from kvasir.rpc import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.client.connection import Connection
    from kvasir.client.objects import Domain

ACTIVE, INACTIVE = 1, 2
FILTERS = {
    "persistent": 4,
    "transient": 8,
    "with-managed-save": 256,
    "without-managed-save": 512,
    "autostart": 1024,
    "no-autostart": 2048,
    "with-snapshot": 4096,
    "without-snapshot": 8192,
    "with-checkpoint": 16384,
    "without-checkpoint": 32768,
    "state-running": 16,
    "state-paused": 32,
    "state-shutoff": 64,
    "state-other": 128,
}
SHUTOFF = 5
TITLE = 1


def order(domain: Domain) -> tuple[bool, int, str]:
    """Running ones first, by id; then the others by name."""
    number = domain.ID()
    return (number < 0, number, domain.name().lower() if number < 0 else "")


def list_domains(shell: Shell, args: Args) -> None:
    flags = INACTIVE if args.flag("inactive") or args.flag("state-shutoff") else ACTIVE
    if args.flag("all"):
        flags = ACTIVE | INACTIVE
    for name, bit in FILTERS.items():
        if args.flag(name):
            flags |= bit
    domains = sorted(shell.attempt("Failed to list domains", shell.conn.listAllDomains, flags), key=order)
    plain = [name for name in ("uuid", "id", "name") if args.flag(name)]
    if plain:
        shell.out(names(domains, plain))
        return
    known = states(shell.conn, domains)
    rows = [
        row(domain, state, args.flag("managed-save"), args.flag("title"))
        for domain, state in zip(domains, known, strict=True)
    ]
    header = ["Id", "Name", "State", *(["Title"] if args.flag("title") else [])]
    shell.out(table(header, rows, not shell.quiet))


def states(connection: Connection, domains: list[Domain]) -> list[int]:
    """Each one's state, 0 where it cannot be told."""
    answers = connection.link.call_all(programs.REMOTE["domain_get_state"], [(d.handle, 0) for d in domains])
    return [0 if isinstance(answer, Error) else answer[0] for answer in answers]


def row(domain: Domain, state: int, saved: bool, title: bool) -> list[str]:
    """A line of the table."""
    number = domain.ID()
    cells = [str(number) if number >= 0 else "-", domain.name()]
    if saved and state == SHUTOFF and domain.hasManagedSaveImage(0) == 1:
        cells.append("saved")
    else:
        cells.append(state_text(state))
    if title:
        try:
            cells.append(domain.metadata(TITLE, None, 0))
        except Error:
            cells.append("")
    return cells


def names(domains: list[Domain], wanted: list[str]) -> str:
    """A line for each domain with what was asked for and no more."""
    text = ""
    for domain in domains:
        number = domain.ID()
        if wanted == ["id"] and number < 0:
            continue
        values = {"uuid": domain.UUIDString(), "name": domain.name(), "id": str(number) if number >= 0 else "-"}
        text += " ".join(values[name] for name in wanted) + "\n"
    return text


COMMANDS = [
    Command(
        "list",
        "list domains",
        (
            flag("inactive", "those that do not run"),
            flag("all", "those that run and those that do not"),
            flag("transient", "those without configuration"),
            flag("persistent", "those with configuration"),
            flag("with-snapshot", "those that have a snapshot"),
            flag("without-snapshot", "those that have none"),
            flag("with-checkpoint", "those that have a checkpoint"),
            flag("without-checkpoint", "those that have none"),
            flag("state-running", "those that run"),
            flag("state-paused", "those that are paused"),
            flag("state-shutoff", "those that are shut off"),
            flag("state-other", "those in any other state"),
            flag("autostart", "those that start with the host"),
            flag("no-autostart", "those that do not"),
            flag("with-managed-save", "those with a managed save image"),
            flag("without-managed-save", "those without"),
            flag("uuid", "print UUIDs only"),
            flag("name", "print names only"),
            flag("id", "print ids only"),
            flag("table", "print a table (default)"),
            flag("managed-save", "say 'saved' of those with a managed save image"),
            flag("title", "print their titles too"),
        ),
        list_domains,
        description="Lists the domains of the connection, by default those that run.",
        exclusive=(("table", "name"), ("table", "uuid"), ("table", "id")),
    )
]
