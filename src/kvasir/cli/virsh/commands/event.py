"""``event``: wait for events of domains and print them."""

from __future__ import annotations

import sys

from kvasir.cli.virsh.grammar import Args, Command, Fail, flag, number, text
from kvasir.cli.virsh.shared import parameter_text
from kvasir.cli.virsh.shell import Shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

EVENTS = (
    *("lifecycle", "reboot", "rtc-change", "watchdog", "io-error", "graphics", "io-error-reason", "control-error"),
    *("block-job", "disk-change", "tray-change", "pm-wakeup", "pm-suspend", "balloon-change", "pm-suspend-disk"),
    *("device-removed", "block-job-2", "tunable", "agent-lifecycle", "device-added", "migration-iteration"),
    *("job-completed", "device-removal-failed", "metadata-change", "block-threshold", "memory-failure"),
    "memory-device-size-change",
)
"""Names of the events, by number."""
LIFECYCLE = (
    ("Defined", ("Added", "Updated", "Renamed", "Snapshot")),
    ("Undefined", ("Removed", "Renamed")),
    ("Started", ("Booted", "Migrated", "Restored", "Snapshot", "Event wakeup")),
    (
        "Suspended",
        (
            "Paused",
            "Migrated",
            "I/O Error",
            "Watchdog",
            "Restored",
            "Snapshot",
            "API error",
            "Post-copy",
            "Post-copy Error",
        ),
    ),
    ("Resumed", ("Unpaused", "Migrated", "Snapshot", "Post-copy", "Post-copy Error")),
    ("Stopped", ("Shutdown", "Destroyed", "Crashed", "Migrated", "Saved", "Failed", "Snapshot")),
    ("Shutdown", ("Finished", "Finished after guest request", "Finished after host request")),
    ("PMSuspended", ("Memory", "Disk")),
    ("Crashed", ("Panicked", "Crashloaded")),
)
"""What happened, and how, of lifecycle events."""
WATCHDOG = ("none", "pause", "reset", "poweroff", "shutdown", "debug", "inject-nmi")
IO_ERROR = ("none", "pause", "report")
PHASE = ("connect", "initialize", "disconnect")
FAMILY = ("IPv4", "IPv6", "unix")
JOB = ("unknown", "pull", "copy", "commit", "active commit", "backup")
JOB_STATUS = ("completed", "failed", "canceled", "ready")
DISK_CHANGE = ("changed", "dropped")
TRAY = ("opened", "closed")
AGENT_STATE = ("unknown", "connected", "disconnected")
AGENT_REASON = ("unknown", "domain started", "channel event")
METADATA = ("description", "title", "element")
RECIPIENT = ("hypervisor", "guest")
FAILURE = ("ignore", "inject", "fatal", "reset")


def word(words: tuple[str, ...], at: int) -> str:
    """The word of a number."""
    return words[at] if 0 <= at < len(words) else "unknown"


def lifecycle(event: int, detail: int) -> str:
    name, details = LIFECYCLE[event] if 0 <= event < len(LIFECYCLE) else ("unknown", ())
    return f"{name} {word(details, detail)}"


def graphics(phase: int, local: Any, remote: Any, scheme: str, subject: Any) -> str:
    ends = [f"{word(FAMILY, end['family'])} {end['node']} {end['service']}" for end in (local, remote)]
    text = f"{word(PHASE, phase)} local[{ends[0]}] remote[{ends[1]}] {scheme}\n"
    return text + "".join(f"\t{kind}: {name}\n" for kind, name in subject)


def memory_failure(recipient: int, action: int, flags: int) -> str:
    return (
        f"\nrecipient: {word(RECIPIENT, recipient)}\naction: {word(FAILURE, action)}\nflags:\n"
        f"\taction required: {flags & 1}\n\trecursive: {flags >> 1 & 1}\n"
    )


def parameters(values: dict[str, Any]) -> str:
    return "\n" + "".join(f"\t{name}={parameter_text(value)}\n" for name, value in values.items())


def block_job(path: str, kind: int, status: int) -> str:
    return f"{word(JOB, kind)} for {path} {word(JOB_STATUS, status)}"


SHOW: dict[str, Callable[..., str]] = {
    "lifecycle": lifecycle,
    "rtc-change": lambda offset: str(offset),
    "watchdog": lambda action: word(WATCHDOG, action),
    "io-error": lambda path, alias, action: f"{path} ({alias}) {word(IO_ERROR, action)}",
    "graphics": graphics,
    "io-error-reason": lambda path, alias, action, reason: f"{path} ({alias}) {word(IO_ERROR, action)} due to {reason}",
    "block-job": block_job,
    "block-job-2": block_job,
    "disk-change": lambda old, new, alias, reason: f"disk {alias}: {old} -> {new}: {word(DISK_CHANGE, reason)}",
    "tray-change": lambda alias, reason: f"disk {alias}: {word(TRAY, reason)}",
    "balloon-change": lambda actual: f"{actual}KiB",
    "device-removed": str,
    "device-added": str,
    "device-removal-failed": str,
    "tunable": parameters,
    "job-completed": parameters,
    "agent-lifecycle": lambda state, reason: (
        f"state: '{word(AGENT_STATE, state)}' reason: '{word(AGENT_REASON, reason)}'"
    ),
    "migration-iteration": lambda iteration: f"iteration: '{iteration}'",
    "metadata-change": lambda kind, uri: f"type {word(METADATA, kind)}, uri {uri if uri else '<null>'}",
    "block-threshold": lambda dev, path, limit, excess: f"dev: {dev}({path if path else '<null>'}) {limit} {excess}",
    "memory-failure": memory_failure,
    "memory-device-size-change": lambda alias, size: f"\nalias: {alias}\nsize: {size}\n",
}
"""How each event's values are said; events without entry are said by their name alone."""
ON_DISK = ("disk-change", "tray-change")


def describe(name: str, domain: str, values: tuple[Any, ...]) -> str:
    """A line (or more) for an event."""
    head = f"event '{name}' for domain '{domain}'"
    show = SHOW.get(name)
    if show is None or name in ("pm-wakeup", "pm-suspend", "pm-suspend-disk"):
        return head + "\n"
    said = show(*values)
    if name in ON_DISK:
        return f"{head} {said}\n"
    return f"{head}:{said}" if said.startswith("\n") else f"{head}: {said}" + ("" if said.endswith("\n") else "\n")


class Watch:
    """What one ``event`` command waits for."""

    def __init__(self, shell: Shell, args: Args, enough: int) -> None:
        self.shell = shell
        self.stamped = args.flag("timestamp")
        self.loop = args.flag("loop")
        self.left = enough
        self.count = 0

    def seen(self, name: str) -> Callable[..., None]:
        """The callback of an event."""

        def callback(conn: Any, domain: Any, *values: Any) -> None:
            if not self.loop and self.count:
                return
            self.count += 1
            if self.stamped:
                self.shell.out(stamp() + ": ")
            self.shell.out(describe(name, domain.name(), values[:-1]))
            sys.stdout.flush()

        return callback

    @property
    def done(self) -> bool:
        return self.count > 0 and not self.loop


def stamp() -> str:
    """The time now, as libvirt writes it."""
    from time import gmtime, strftime, time_ns

    now = time_ns()
    return strftime("%Y-%m-%d %H:%M:%S", gmtime(now // 10**9)) + f".{now // 10**6 % 1000:03d}+0000"


def event(shell: Shell, args: Args) -> bool:
    if args.flag("list"):
        shell.out("".join(f"{name}\n" for name in EVENTS))
        return True
    wanted = args.wanted("event")
    if wanted is None and not args.flag("all"):
        raise Fail("one of --list, --all, or --event <type> is required")
    if wanted is not None and wanted not in EVENTS:
        raise Fail(f"unknown event type {wanted}")
    timeout = timeout_of(args)
    domain = shell.domain(args) if args.has("domain") else None
    watch = Watch(shell, args, 1)
    numbers = [EVENTS.index(wanted)] if wanted else list(range(len(EVENTS)))
    conn = shell.conn
    callbacks = [conn.domainEventRegisterAny(domain, number, watch.seen(EVENTS[number]), None) for number in numbers]
    wait(shell, watch, timeout)
    shell.out(f"events received: {watch.count}\n")
    for callback in callbacks:
        conn.domainEventDeregisterAny(callback)
    return watch.count > 0


def timeout_of(args: Args) -> float | None:
    """``--timeout`` in seconds, None for ever."""
    timeout = args.number("timeout")
    if timeout is not None and timeout < 1:
        given = next(value for option, value in args.values if option.name == "timeout")
        raise Fail(f"Numeric value '{given}' for <timeout> option is malformed or out of range")
    return timeout


def wait(shell: Shell, watch: Watch, timeout: float | None) -> None:
    """Until there is enough, the time is over or ^C comes."""
    from time import monotonic

    end = None if timeout is None else monotonic() + timeout
    try:
        while not watch.done:
            left = None if end is None else end - monotonic()
            if left is not None and left <= 0:
                shell.out("event loop timed out\n")
                return
            shell.conn.dispatch(left)
    except KeyboardInterrupt:
        shell.out("event loop interrupted\n")


COMMANDS = [
    Command(
        "event",
        "wait for events of domains",
        (
            text("domain", "only this domain, by name, id or UUID"),
            text("event", "the event to wait for"),
            flag("all", "wait for every event"),
            flag("loop", "go on until the time is over or ^C, not only for one"),
            number("timeout", "seconds to wait at most"),
            flag("list", "list the events there are"),
            flag("timestamp", "print when each came"),
        ),
        event,
        description="Waits for an event and prints it.",
        exclusive=(("all", "event"), ("list", "all"), ("list", "event")),
    )
]
