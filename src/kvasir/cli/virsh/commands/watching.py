"""What ``secret-event``, ``nodedev-event`` and their like share: options, and waiting for events of one kind."""

from __future__ import annotations

import sys

from kvasir.cli.virsh.commands.event import Watch, stamp, timeout_of, wait
from kvasir.cli.virsh.grammar import Args, Fail, Option, flag, number, text
from kvasir.cli.virsh.shell import Shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


def options(what: str, help: str) -> tuple[Option, ...]:
    """The options of such a command; ``what`` names the object's option."""
    return (
        text(what, help),
        text("event", "the event to wait for"),
        flag("loop", "go on until the time is over or ^C, not only for one"),
        number("timeout", "seconds to wait at most"),
        flag("list", "list the events there are"),
        flag("timestamp", "print when each came"),
    )


def watch(
    shell: Shell,
    args: Args,
    names: Sequence[str],
    register: Callable[[int, Callable[..., None]], int],
    deregister: Callable[[int], Any],
    describe: Callable[[str, Any, tuple[Any, ...]], str],
) -> bool:
    """Wait for one event and print it. ``describe(name, object, values)`` is what is said of it."""
    if args.flag("list"):
        shell.out("".join(f"{name}\n" for name in names))
        return True
    wanted = args.wanted("event")
    if wanted is None:
        raise Fail("either --list or --event <type> is required")
    if wanted not in names:
        raise Fail(f"unknown event type {wanted}")
    timeout = timeout_of(args)
    found = Watch(shell, args, 1)

    def seen(conn: Any, thing: Any, *values: Any) -> None:
        if found.count and not found.loop:
            return
        found.count += 1
        if found.stamped:
            shell.out(stamp() + ": ")
        shell.out(describe(wanted, thing, values[:-1]) + "\n")
        sys.stdout.flush()

    callback = register(names.index(wanted), seen)
    wait(shell, found, timeout)
    shell.out(f"events received: {found.count}\n")
    deregister(callback)
    return found.count > 0
