"""``console``: the terminal becomes the domain's console until the escape sequence."""

from __future__ import annotations

import os

from kvasir.cli.virsh.grammar import Args, Command, Fail, flag, text
from kvasir.cli.virsh.shared import DOMAIN
from kvasir.cli.virsh.shell import Shell
from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.client.objects import Domain
    from kvasir.client.stream import Stream

SHUTOFF, CRASHED = 5, 6
FORCE, SAFE = 1, 2


def console(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    flags = (FORCE if args.flag("force") else 0) | (SAFE if args.flag("safe") else 0)
    run_console(shell, domain, args.wanted("devname"), flags)


def run_console(shell: Shell, domain: Domain, name: str | None, flags: int) -> None:
    """Attach the terminal to a domain's console."""
    state = shell.attempt("Unable to get domain status", domain.state, 0)[0]
    if state in (SHUTOFF, CRASHED):
        raise Fail("The domain is not running")
    if not os.isatty(0):
        raise Fail("Cannot run interactive console without a controlling TTY")
    key = escape_byte(shell.escape)
    shell.out(f"Connected to domain '{domain.name()}'\n")
    shell.out(f"Escape character is {shell.escape}{f' (Ctrl + {shell.escape[1]})' if len(shell.escape) > 1 else ''}\n")
    import sys

    sys.stdout.flush()
    stream = shell.conn.newStream(1)
    domain.openConsole(name, stream, flags)
    attach(shell, stream, key)


def escape_byte(text: str) -> int:
    """``^]`` as the byte that the terminal sends."""
    return ord(text[1].upper()) ^ 0x40 if len(text) == 2 and text[0] == "^" else ord(text[0])


def attach(shell: Shell, stream: Stream, key: int) -> None:
    """Raw terminal and stream, both ways, until the escape key or the end of either."""
    import signal
    import termios
    import tty

    before = termios.tcgetattr(0)
    tty.setraw(0)
    kept = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGQUIT, signal.SIGINT, signal.SIGPIPE)}
    ended = False
    try:
        ended = relay(shell, stream, key)
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
        termios.tcsetattr(0, termios.TCSAFLUSH, before)
        shell.out("\n")
        if not ended:
            stream.close()


def relay(shell: Shell, stream: Stream, key: int) -> bool:
    """Carry bytes; True when the stream ended by itself."""
    from select import POLLIN, poll

    link = shell.conn.link
    poller = poll()
    poller.register(0, POLLIN)
    poller.register(link.channel.fileno(), POLLIN)
    while True:
        try:
            if drain(stream):
                return True
        except Error as problem:
            os.write(1, b"\r\n")
            shell.report(problem)
            return True
        ready = dict(poller.poll())
        if 0 in ready:
            typed = os.read(0, 1024)
            if not typed:
                return False
            at = typed.find(key)
            if at != 0:
                stream.send(typed if at < 0 else typed[:at])
            if at >= 0:
                return False


def drain(stream: Stream) -> bool:
    """Print what has come; True at the end."""
    while True:
        data = stream.recv(65536)
        if not isinstance(data, bytes):
            return False
        if not data:
            return True
        while data:
            data = data[os.write(1, data) :]


COMMANDS = [
    Command(
        "console",
        "attach to a domain's console",
        (
            DOMAIN,
            text("devname", "alias of the serial or console device"),
            flag("force", "take it from whoever has it"),
            flag("safe", "only if nobody else can take it meanwhile"),
        ),
        console,
        description="Attaches the terminal to the domain's console; ^] leaves it.",
    )
]
