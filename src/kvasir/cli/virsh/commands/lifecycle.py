"""Starting, stopping and what lies between: start, shutdown, destroy, reboot, suspend, autostart, ..."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, number, text
from kvasir.cli.virsh.shared import CONFIG, CURRENT, DOMAIN, LIVE, NOT_WITH_CURRENT, passed_fds
from kvasir.cli.virsh.shell import Shell
from kvasir.errors import Code, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kvasir.client.objects import Domain

MODES = {"acpi": 1, "agent": 2, "initctl": 4, "signal": 8, "paravirt": 16}
START_FLAGS = {"paused": 1, "autodestroy": 2, "bypass-cache": 4, "force-boot": 8, "reset-nvram": 32}
FORCE_BOOT = START_FLAGS["force-boot"]
SUSPEND_TARGETS = ("mem", "disk", "hybrid")
LIFECYCLE_TYPES = ("poweroff", "reboot", "crash")
LIFECYCLE_ACTIONS = ("destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart")


def autostart(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    name, off = args.need("domain"), args.flag("disable")
    word = "unmark" if off else "mark"
    shell.attempt(f"Failed to {word} domain '{name}' as autostarted", domain.setAutostart, 0 if off else 1)
    shell.extra(f"Domain '{name}' {word}ed as autostarted\n")


def destroy(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    flags = (1 if args.flag("graceful") else 0) | (2 if args.flag("remove-logs") else 0)
    name = args.need("domain")
    call = (domain.destroyFlags, flags) if flags else (domain.destroy,)
    shell.attempt(f"Failed to destroy domain '{name}'", *call)
    shell.extra(f"Domain '{name}' destroyed\n")


def modes(args: Args, last: str) -> int:
    """Flags of ``--mode``; ``last`` stands before the last word of the hint."""
    flags = 0
    given = args.wanted("mode")
    for mode in given.split(",") if given is not None else ():
        if mode not in MODES:
            known = ", ".join(f"'{name}'" for name in list(MODES)[:-1]) + f"{last} or 'paravirt'"
            raise Fail(f"Unknown mode {mode} value, expecting {known}")
        flags |= MODES[mode]
    return flags


def shutdown(shell: Shell, args: Args) -> None:
    flags = modes(args, ",")
    domain, name = shell.domain(args), args.need("domain")
    call = (domain.shutdownFlags, flags) if flags else (domain.shutdown,)
    shell.attempt(f"Failed to shutdown domain '{name}'", *call)
    shell.extra(f"Domain '{name}' is being shutdown\n")


def reboot(shell: Shell, args: Args) -> None:
    flags = modes(args, "")
    domain, name = shell.domain(args), args.need("domain")
    shell.attempt(f"Failed to reboot domain '{name}'", domain.reboot, flags)
    shell.extra(f"Domain '{name}' is being rebooted\n")


def reset(shell: Shell, args: Args) -> None:
    domain, name = shell.domain(args), args.need("domain")
    shell.attempt(f"Failed to reset domain '{name}'", domain.reset, 0)
    shell.extra(f"Domain '{name}' was reset\n")


def suspend(shell: Shell, args: Args) -> None:
    domain, name = shell.domain(args), args.need("domain")
    shell.attempt(f"Failed to suspend domain '{name}'", domain.suspend)
    shell.extra(f"Domain '{name}' suspended\n")


def resume(shell: Shell, args: Args) -> None:
    domain, name = shell.domain(args), args.need("domain")
    shell.attempt(f"Failed to resume domain '{name}'", domain.resume)
    shell.extra(f"Domain '{name}' resumed\n")


def start(shell: Shell, args: Args) -> None:
    domain = shell.domain(args, "un")
    if domain.ID() >= 0:
        raise Fail("Domain is already active")
    fds = passed_fds(args)
    flags = sum(bit for name, bit in START_FLAGS.items() if args.flag(name))
    name = domain.name()
    if fds or not (flags & FORCE_BOOT and force_booted(shell, domain, flags)):
        if not fds:
            flags &= ~FORCE_BOOT
        call: tuple[Any, ...] = (domain.createWithFlags, flags) if flags else (domain.create,)
        shell.attempt(f"Failed to start domain '{name}'", *((domain.createWithFiles, fds, flags) if fds else call))
    shell.extra(f"Domain '{name}' started\n")
    if args.flag("console"):
        from kvasir.cli.virsh.commands.console import run_console

        run_console(shell, domain, None, 0)


def force_booted(shell: Shell, domain: Domain, flags: int) -> bool:
    """Start it anew; False where the driver knows no such start: what was saved is removed then."""
    words = f"Failed to start domain '{domain.name()}'"
    try:
        domain.createWithFlags(flags)
        return True
    except Error as problem:
        if problem.code not in (Code.NO_SUPPORT, Code.INVALID_ARG):
            shell.error(words)
            raise
    if domain.hasManagedSaveImage(0):
        shell.attempt(words, domain.managedSaveRemove, 0)
    return False


def dompmsuspend(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    duration = args.unsigned("duration", 64) or 0
    target = args.need("target")
    if target not in SUSPEND_TARGETS:
        raise Fail("Invalid target")
    name = domain.name()
    shell.attempt(
        f"Domain '{name}' could not be suspended",
        domain.PMSuspendForDuration,
        SUSPEND_TARGETS.index(target),
        duration,
        0,
    )
    shell.extra(f"Domain '{name}' successfully suspended\n")


def dompmwakeup(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    name = domain.name()
    shell.attempt(f"Domain '{name}' could not be woken up", domain.pMWakeup, 0)
    shell.extra(f"Domain '{name}' successfully woken up\n")


def set_lifecycle_action(shell: Shell, args: Args) -> None:
    kind, action = args.need("type"), args.need("action")
    flags = shell.affect(args)
    if kind not in LIFECYCLE_TYPES:
        raise Fail(f"Invalid lifecycle type '{kind}'.")
    if action not in LIFECYCLE_ACTIONS:
        raise Fail(f"Invalid lifecycle action '{action}'.")
    domain = shell.domain(args)
    try:
        domain.setLifecycleAction(LIFECYCLE_TYPES.index(kind), LIFECYCLE_ACTIONS.index(action), flags)
    except Error as problem:
        shell.error("Unable to change lifecycle action.")
        if problem.code != Code.OK:
            raise


COMMANDS = [
    Command(
        "autostart",
        "start a domain with the host",
        (DOMAIN, flag("disable", "no longer")),
        autostart,
        description="Has a domain started when the host boots, or no longer.",
    ),
    Command(
        "destroy",
        "end a domain at once",
        (DOMAIN, flag("graceful", "give it time to end by itself"), flag("remove-logs", "remove its logs too")),
        destroy,
        description="Like pulling the plug; the configuration stays.",
    ),
    Command(
        "dompmsuspend",
        "put a domain's system to sleep",
        (
            DOMAIN,
            data("target", "mem, disk or hybrid"),
            number("duration", "seconds", positional=False),
        ),
        dompmsuspend,
        description="The guest agent puts the system to sleep.",
    ),
    Command("dompmwakeup", "wake a sleeping domain", (DOMAIN,), dompmwakeup),
    Command(
        "reboot",
        "boot a domain again",
        (DOMAIN, text("mode", "how: acpi|agent|initctl|signal|paravirt, several with commas")),
        reboot,
        description="Asks the domain's system to boot again.",
    ),
    Command("reset", "push a domain's reset button", (DOMAIN,), reset, description="The system is not asked."),
    Command("resume", "let a suspended domain run", (DOMAIN,), resume),
    Command(
        "set-lifecycle-action",
        "say what follows poweroff, reboot or crash",
        (
            DOMAIN,
            data("type", "poweroff, reboot or crash"),
            data("action", "destroy, restart, rename-restart, preserve, ..."),
            CONFIG,
            LIVE,
            CURRENT,
        ),
        set_lifecycle_action,
        exclusive=NOT_WITH_CURRENT,
    ),
    Command(
        "shutdown",
        "ask a domain to shut down",
        (DOMAIN, text("mode", "how: acpi|agent|initctl|signal|paravirt, several with commas")),
        shutdown,
        description="The system shuts down by itself, if it listens.",
    ),
    Command(
        "start",
        "start a domain",
        (
            data("domain", "name or UUID of the domain"),
            flag("console", "attach to its console"),
            flag("paused", "leave it paused"),
            flag("autodestroy", "destroy it when virsh goes"),
            flag("bypass-cache", "load a saved state past the cache"),
            flag("force-boot", "boot anew, whatever was saved"),
            text("pass-fds", "file descriptors for it, numbers with commas"),
            flag("reset-nvram", "make its NVRAM anew from the template"),
        ),
        start,
        description="Starts a defined domain, from its managed save image if it has one.",
    ),
    Command("suspend", "suspend a domain", (DOMAIN,), suspend, description="It stays in memory and does not run."),
]
