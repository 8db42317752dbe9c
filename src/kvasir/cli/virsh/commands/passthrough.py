"""Raw commands: qemu-monitor-command, qemu-agent-command."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, flag, number, rest, text
from kvasir.cli.virsh.shared import DOMAIN, passed_fds
from kvasir.cli.virsh.shell import Shell

HMP = 1
BLOCK, NOWAIT = -2, 0


def joined(shell: Shell, args: Args) -> str:
    """The words of the command as one text."""
    return " ".join(args.rest("cmd"))


def pretty(text: str) -> str:
    """JSON indented as libvirt does, text that is none as it is."""
    import json

    return json.dumps(json.loads(text), indent=2, ensure_ascii=False)


def monitor(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    fds = passed_fds(args)
    command = joined(shell, args)
    if not args.flag("hmp") and not command.lstrip().startswith("{"):
        command = wrapped(args.rest("cmd"))
    flags = HMP if args.flag("hmp") else 0
    if fds:
        answer = domain.qemuMonitorCommandWithFiles(command, fds, flags)
    else:
        answer = domain.qemuMonitorCommand(command, flags)
    if args.flag("return-value"):
        import json

        document = json.loads(answer)
        if "return" not in document:
            raise Fail(f"unexpected reply of the monitor: {answer}")
        answer = json.dumps(document["return"], separators=(",", ":"), ensure_ascii=False)
    if args.flag("pretty"):
        answer = pretty(answer)
    shell.out(answer + ("" if args.flag("pretty") or args.flag("return-value") else "\n"))


def wrapped(words: list[str]) -> str:
    """``query-name`` or ``cmd --key value ...`` as QMP."""
    import json

    document: dict[str, object] = {"execute": words[0]}
    if len(words) > 1:
        try:
            document["arguments"] = json.loads(" ".join(words[1:]))
        except ValueError:
            raise Fail(f"failed to wrap arguments '{' '.join(words[1:])}' into a QMP command wrapper") from None
    return json.dumps(document)


def agent(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    command = joined(shell, args)
    timeout = args.number("timeout")
    if timeout is not None and timeout < 1:
        raise Fail("timeout must be positive")
    if sum(args.flag(name) for name in ("timeout", "async", "block")) > 1:
        raise Fail("timeout, async and block options are exclusive")
    wait = timeout if timeout is not None else NOWAIT if args.flag("async") else BLOCK
    answer = domain.qemuAgentCommand(command, wait, 0)
    if answer is not None:
        shell.out((pretty(answer) if args.flag("pretty") else answer) + "\n")


COMMANDS = [
    Command(
        "qemu-agent-command",
        "give a command to the guest agent",
        (
            DOMAIN,
            number("timeout", "seconds to wait", positional=False),
            flag("async", "do not wait"),
            flag("block", "wait as long as it takes"),
            flag("pretty", "print JSON with indents"),
            rest("cmd", "the command", required=True),
        ),
        agent,
        description="For trying things out; the daemon does not know what it does.",
    ),
    Command(
        "qemu-monitor-command",
        "give a command to QEMU's monitor",
        (
            DOMAIN,
            flag("hmp", "it is one for people, not JSON"),
            flag("pretty", "print JSON with indents"),
            flag("return-value", "print only what is returned"),
            text("pass-fds", "file descriptors for it, numbers with commas", positional=False),
            rest("cmd", "the command", required=True),
        ),
        monitor,
        description="For trying things out; the daemon does not know what it does.",
        exclusive=(("hmp", "pretty"), ("hmp", "return-value")),
    ),
]
