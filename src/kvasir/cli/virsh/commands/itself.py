"""Commands about virsh itself: cd, echo, exit, help, pwd, quit, connect."""

from __future__ import annotations

import os

from kvasir.cli.virsh.grammar import Args, Command, Fail, alias, flag, rest, text
from kvasir.cli.virsh.shell import Shell


def cd(shell: Shell, args: Args) -> None:
    if not shell.interactive:
        raise Fail("cd: command valid only in interactive mode")
    target = args.text("dir") or os.environ.get("HOME") or "/"
    try:
        os.chdir(target)
    except OSError as problem:
        raise Fail(f"cd: {problem.strerror}: {target}") from None


def pwd(shell: Shell, args: Args) -> None:
    shell.out(os.getcwd() + "\n")


def quit_shell(shell: Shell, args: Args) -> None:
    """The loop sees the name."""


def echo(shell: Shell, args: Args) -> None:
    words = args.rest("string")
    if not words:
        return
    if args.flag("xml"):
        for letter, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&apos;")):
            words = [word.replace(letter, entity) for word in words]
    if args.flag("shell"):
        words = [shell_quote(word) for word in words]
    if args.flag("split"):
        line = " ".join("".join(part + "\n" for part in split_commas(word)) for word in words)
    else:
        line = " ".join(words)
    if args.flag("err"):
        shell.error(line)
    else:
        shell.out(line)


def shell_quote(word: str) -> str:
    """A word that a shell reads back as it is."""
    safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-_."
    if word and all(letter in safe for letter in word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def split_commas(word: str) -> list[str]:
    """Parts between commas; two commas are one that does not split."""
    return [part.replace("\0", ",") for part in word.replace(",,", "\0").split(",")]


def connect(shell: Shell, args: Args) -> None:
    name = args.text("name")
    readonly = args.flag("readonly")
    shell.connect(name if name is not None else shell.uri or "", readonly)


def help_command(shell: Shell, args: Args) -> None:
    from kvasir.cli.virsh import about

    shell.out(about.help_text(args.text("command")))


COMMANDS = [
    Command(
        "cd",
        "go to another directory",
        (text("dir", "the directory, default: home"),),
        cd,
        description="Other relative file names of this session are then looked for from there.",
        offline=True,
    ),
    Command(
        "echo",
        "print the arguments",
        (
            flag("shell", "quote them for a shell"),
            flag("xml", "quote them for XML"),
            flag("split", "a line for each part between commas; ',,' is a comma"),
            flag("err", "print to standard error"),
            alias("str", "string"),
            rest("string", "what to print"),
        ),
        echo,
        description="Prints its arguments, quoted if asked.",
        exclusive=(("shell", "xml"), ("shell", "split"), ("xml", "split")),
        offline=True,
    ),
    Command("exit", "leave this shell", (), quit_shell, offline=True),
    Command(
        "help",
        "print help",
        (text("command", "a command, or the keyword of a group"),),
        help_command,
        description="Without argument all commands by group; with one, that command or group.",
        offline=True,
    ),
    Command("pwd", "print the current directory", (), pwd, description="Print the current directory.", offline=True),
    Command("quit", "leave this shell", (), quit_shell, offline=True),
    Command(
        "connect",
        "connect to a hypervisor (again)",
        (
            text("name", "connection URI of the hypervisor", empty=True),
            flag("readonly", "for looking only"),
        ),
        connect,
        description="Connects to another hypervisor, or again to the same one.",
        offline=True,
    ),
]
