"""``qemu-monitor-event``: wait for QEMU's own events and print them."""

from __future__ import annotations

import sys

from kvasir.cli.virsh.commands.event import Watch, stamp, timeout_of, wait
from kvasir.cli.virsh.grammar import Args, Command, flag, number, text
from kvasir.cli.virsh.shell import Shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REGEX, NO_CASE = 1, 2


def qemu_monitor_event(shell: Shell, args: Args) -> bool:
    flags = (REGEX if args.flag("regex") else 0) | (NO_CASE if args.flag("no-case") else 0)
    timeout = timeout_of(args)
    wanted = args.wanted("event")
    domain = shell.domain(args) if args.has("domain") else None
    watch = Watch(shell, args, 1)

    def seen(conn: Any, guest: Any, name: str, seconds: int, micros: int, details: str | None, _: Any) -> None:
        if not watch.loop and watch.count:
            return
        watch.count += 1
        if details and args.flag("pretty"):
            from kvasir.cli.virsh.commands.passthrough import pretty

            details = pretty(details)
        said = f"{details or '<null>'}\n"
        if watch.stamped:
            shell.out(f"{stamp()}: event {name} for domain '{guest.name()}': {said}")
        else:
            shell.out(f"event {name} at {seconds}.{micros:06d} for domain '{guest.name()}': {said}")
        sys.stdout.flush()

    callback = shell.conn.events.register_monitor(domain, wanted, seen, None, flags)
    wait(shell, watch, timeout)
    shell.out(f"events received: {watch.count}\n")
    shell.conn.events.deregister(callback)
    return watch.count > 0


COMMANDS = [
    Command(
        "qemu-monitor-event",
        "wait for QEMU's own events",
        (
            text("domain", "only this domain, by name, id or UUID"),
            text("event", "only this event"),
            flag("pretty", "print JSON with indents"),
            flag("loop", "go on until the time is over or ^C, not only for one"),
            number("timeout", "seconds to wait at most"),
            flag("regex", "the event is a regular expression"),
            flag("no-case", "upper and lower case are the same"),
            flag("timestamp", "print when each came"),
        ),
        qemu_monitor_event,
        description="For trying things out.",
    )
]
