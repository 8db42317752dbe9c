"""What a domain is and does: dominfo, domstate, domcontrol."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, flag
from kvasir.cli.virsh.shared import DOMAIN, line, state_text
from kvasir.cli.virsh.shell import Shell
from kvasir.errors import Code, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.client.objects import Domain

REASONS = (
    ("unknown",),
    (
        *("unknown", "booted", "migrated", "restored", "from snapshot", "unpaused", "migration canceled"),
        *("save canceled", "event wakeup", "crashed", "post-copy", "post-copy failed"),
    ),
    ("unknown",),
    (
        *("unknown", "user", "migrating", "saving", "dumping", "I/O error", "watchdog", "from snapshot"),
        *("shutting down", "creating snapshot", "crashed", "starting up", "post-copy", "post-copy failed"),
    ),
    ("unknown", "user"),
    (
        *("unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from snapshot"),
        "daemon",
    ),
    ("unknown", "panicked"),
    ("unknown",),
)
"""Why a domain is in a state, by state."""
CONTROL = ("ok", "background job", "occupied", "error")
CONTROL_OK, CONTROL_ERROR = 0, 3
CONTROL_REASONS = ("", "unknown", "monitor failure", "internal (locking) error")
NO_LIMIT = 0xFFFFFFFF


def domstate(shell: Shell, args: Args) -> None:
    state, reason = shell.domain(args).state(0)
    text = state_text(state)
    if args.flag("reason"):
        known = REASONS[state] if 0 <= state < len(REASONS) else ()
        text += f" ({known[reason] if 0 <= reason < len(known) else 'unknown'})"
    shell.out(text + "\n")


def domcontrol(shell: Shell, args: Args) -> None:
    state, details, time = shell.domain(args).controlInfo(0)
    text = CONTROL[state] if 0 <= state < len(CONTROL) else "unknown"
    if state not in (CONTROL_OK, CONTROL_ERROR):
        shell.out(f"{text} ({time / 1000:0.3f}s)\n")
    elif state == CONTROL_ERROR and details > 0:
        shell.out(f"{text}: {CONTROL_REASONS[details] if details < len(CONTROL_REASONS) else 'unknown'}\n")
    else:
        shell.out(text + "\n")


def dominfo(shell: Shell, args: Args) -> bool:
    domain = shell.domain(args)
    number = domain.ID()
    shell.out(line("Id:", number if number >= 0 else "-") + line("Name:", domain.name()))
    shell.out(line("UUID:", domain.UUIDString()))
    problem: Error | None = None
    try:  # noqa: SIM105  # contextlib is not worth its import
        shell.out(line("OS Type:", domain.OSType()))
    except Error:
        pass
    try:
        shell.out(numbers(domain))
    except Error as caught:
        problem = caught
    shell.out(line("Persistent:", asked(domain.isPersistent, "yes", "no") or "unknown"))
    started = asked(domain.autostart, "enable", "disable")
    if started:
        shell.out(line("Autostart:", started))
    shell.out(line("Managed save:", asked(domain.hasManagedSaveImage, "yes", "no") or "unknown"))
    security(shell, domain)
    try:
        messages = domain.messages(0)
    except Error:
        messages = []
    for at, message in enumerate(messages):
        shell.out(line("" if at else "Messages:", message))
    if problem:
        raise problem
    return True


def asked(question: object, yes: str, no: str) -> str:
    """The answer of a yes/no call as a word, "" when it failed."""
    try:
        return yes if question() else no  # type: ignore[operator]  # methods are made from the table
    except Error:
        return ""


def numbers(domain: Domain) -> str:
    """State, CPUs and memory."""
    state, maximum, memory, cpus, time = domain.info()
    text = line("State:", state_text(state)) + line("CPU(s):", cpus)
    if time:
        text += line("CPU time:", f"{time / 1e9:.1f}s")
    text += line("Max memory:", "no limit" if maximum == NO_LIMIT else f"{maximum} KiB")
    return text + line("Used memory:", f"{memory} KiB")


def security(shell: Shell, domain: Domain) -> None:
    """The security model, and the label of a running domain."""
    try:
        model, doi = shell.conn.getSecurityModel()
    except Error as problem:
        if problem.code == Code.NO_SUPPORT:
            return
        raise
    if not model:
        return
    shell.out(line("Security model:", model) + line("Security DOI:", doi))
    label, enforcing = domain.securityLabel()
    if label:
        shell.out(line("Security label:", f"{label} ({'enforcing' if enforcing else 'permissive'})"))


COMMANDS = [
    Command("domcontrol", "state of the way to control a domain", (DOMAIN,), domcontrol),
    Command("dominfo", "what a domain is", (DOMAIN,), dominfo, description="Prints the basic facts of a domain."),
    Command(
        "domstate",
        "state of a domain",
        (DOMAIN, flag("reason", "say why too")),
        domstate,
        description="Prints the state that a domain is in.",
    ),
]
