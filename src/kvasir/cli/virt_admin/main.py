"""virt-admin's own options, and its two ways to run."""

from __future__ import annotations

import os
import sys

from kvasir.cli.virsh import about
from kvasir.cli.virsh.grammar import Args, ArgvWords, Command, Fail, Parser, StringWords, Syntax
from kvasir.cli.virsh.shell import Shell
from kvasir.cli.virt_admin import commands
from kvasir.client.admin import AdminConnection, open_admin
from kvasir.errors import Error

VERSION = "9.0.0"
USAGE = """
virt-admin [options]... [<command_string>]
virt-admin [options]... <command> [args...]

  options:
    -c | --connect=URI      the daemon's admin server
    -d | --debug=NUM        debug level, 0 (all) to 4 (errors only)
    -h | --help             this text
    -l | --log=FILE         write a log
    -q | --quiet            print less
    -v                      version, short
    -V                      version, long
         --version[=TYPE]   version, TYPE is short (default) or long
"""


class AdminShell(Shell):
    """One virt-admin."""

    _admin: AdminConnection | None = None

    @property
    def admin(self) -> AdminConnection:
        """The connection; made when first wanted."""
        if self._admin is None:
            self.reconnect(None)
        assert self._admin is not None
        return self._admin

    @property
    def conn(self) -> AdminConnection:  # type: ignore[override]  # what run_one opens before a command
        return self.admin

    def reconnect(self, uri: str | None) -> str:
        """Connect, or connect again; which of them it was."""
        word = "connect" if self._admin is None else "reconnect"
        self.disconnect()
        try:
            self._admin = open_admin(uri or self.uri)
        except Error as problem:
            self.error(f"Failed to {word} to the admin server")
            self.report(problem)
            raise Fail("") from None
        return word

    def disconnect(self) -> None:
        if self._admin is not None:
            self._admin.close()
            self._admin = None

    def parse(self, source: StringWords | ArgvWords) -> list[Args] | None:
        try:
            return Parser(source, find, self.debug).parse()
        except Syntax as problem:
            for line in str(problem).split("\n"):
                self.error(line)
            return None


def find(name: str) -> Command | None:
    """The command of a name, with a help of our own."""
    found = commands.find(name)
    if found is not None and name == "help":
        return Command("help", found.help, found.options, show_help, offline=True)
    return found


def show_help(shell: Shell, args: Args) -> None:
    """Groups, a group, or a command."""
    subject = args.text("command")
    command = commands.find(subject) if subject else None
    if command is not None:
        shell.out(about.command_help(command))
        return
    chosen = [group for group in commands.GROUPS if not subject or subject in group[:2]]
    if not chosen:
        raise Fail(f"command or command group '{subject}' doesn't exist")
    head = "" if subject else "Grouped commands:\n\n"
    for keyword, title, members in chosen:
        head += f" {title} (help keyword '{keyword}'):\n"
        head += "".join(f"    {one.name:<30} {one.help}\n" for one in members) + "\n"
    shell.out(head)


LETTERS = {"connect": "c", "debug": "d", "help": "h", "log": "l", "quiet": "q", "version": "v"}


def options(shell: AdminShell, words: list[str]) -> list[str] | int:
    """Apply the options; gives the words behind them, or the exit status of one that did all there was to do."""
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "--":
        word = rest.pop(0)
        name, _, value = word.lstrip("-").partition("=")
        letter = LETTERS.get(name, "?") if word.startswith("--") else word[1:2]
        if not word.startswith("--"):
            value = word[2:]
        if letter in "cdl" and not value:
            if not rest:
                shell.error(f"option '{word}' requires an argument")
                return 1
            value = rest.pop(0)
        if letter == "c":
            shell.uri, shell.named = value, True
        elif letter == "q":
            shell.quiet = True
        elif letter == "h":
            shell.out(USAGE)
            return 0
        elif letter in "vV":
            shell.out(
                f"{VERSION}\n"
                if letter == "v" and value != "long"
                else f"Virt-admin command line tool of libvirt {VERSION}\n"
            )
            return 0
        elif letter not in "dl":
            shell.error(f"unsupported option '{word}'. See --help.")
            return 1
    return rest[1:] if rest[:1] == ["--"] else rest


def loop(shell: AdminShell) -> int:
    """Read and run lines until quit or the end."""
    shell.interactive = True
    if shell.uri is not None:
        _ = shell.admin
    if not shell.quiet:
        shell.out("Welcome to virt-admin, the administrating virtualization interactive terminal.\n\n")
        shell.out("Type:  'help' for help with commands\n       'quit' to quit\n\n")
    while True:
        shell.out("virt-admin # ")
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not sys.stdin.isatty() and line:
            shell.out(line)  # as a terminal would show it
        if not line:
            shell.out("\n")
            return 0
        parsed = shell.parse(StringWords(line))
        if parsed is not None:
            shell.run(parsed)
            if any(args.command.name in ("quit", "exit") for args in parsed):
                shell.out("\n")
                return 0


def run(words: list[str]) -> int:
    """The whole program; gives the exit status."""
    shell = AdminShell()
    shell.uri = os.environ.get("LIBVIRT_ADMIN_DEFAULT_URI") or None
    try:
        rest = options(shell, words)
        if isinstance(rest, int):
            return rest
        if not rest:
            return loop(shell)
        parsed = shell.parse(StringWords(rest[0]) if len(rest) == 1 else ArgvWords(rest))
        if parsed is None:
            return 1
        if shell.named:
            _ = shell.admin
        return 0 if shell.run(parsed) else 1
    except Fail:
        return 1
    finally:
        shell.disconnect()


def main() -> int:
    """Entry point."""
    try:
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
