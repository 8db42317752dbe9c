"""The interactive shell: prompt, history and completion."""

from __future__ import annotations

import os
import sys

from kvasir.cli.virsh import names
from kvasir.cli.virsh.grammar import ALIAS, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.cli.virsh.shell import Shell

HISTORY_SIZE = 500


def loop(shell: Shell) -> int:
    """Read and run lines until quit or the end; gives the exit status."""
    if shell.uri is not None:
        _ = shell.conn
    if not shell.quiet:
        shell.out("Welcome to virsh, the virtualization interactive terminal.\n\n")
        shell.out("Type:  'help' for help with commands\n       'quit' to quit\n\n")
    terminal = sys.stdin.isatty()
    history = start_readline(shell) if terminal else None
    try:
        while True:
            line = read(shell, terminal)
            if line is None or (line.strip() and run_line(shell, line)):
                shell.out("\n")
                return 0
    finally:
        if history:
            save_history(history)


def run_line(shell: Shell, line: str) -> bool:
    """Run a line; True when it says to leave."""
    from kvasir.cli.virsh.grammar import StringWords

    commands = shell.parse(StringWords(line))
    if commands is None:
        return False
    try:
        shell.run(commands)
    except KeyboardInterrupt:
        shell.out("\n")
    return any(args.command.name in ("quit", "exit") for args in commands)


def prompt(shell: Shell) -> str:
    """``virsh # `` where things can be changed, ``virsh > `` where not."""
    return "virsh > " if shell.readonly else "virsh # "


def read(shell: Shell, terminal: bool) -> str | None:
    """The next line, None at the end."""
    if not terminal:
        shell.out(prompt(shell))
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            return None
        shell.out(line if line.endswith("\n") else line + "\n")
        return line.rstrip("\n")
    while True:
        try:
            return input(prompt(shell))
        except EOFError:
            return None
        except KeyboardInterrupt:
            shell.out("\n")


def history_path() -> str:
    """Where the history is kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return f"{cache}/libvirt/virsh/history"


def start_readline(shell: Shell) -> str | None:
    """Editing, history and completion; the history's path."""
    try:
        import readline
    except ImportError:
        return None
    path = history_path()
    try:
        size = int(os.environ.get("VIRSH_HISTSIZE") or HISTORY_SIZE)
    except ValueError:
        size = HISTORY_SIZE
    readline.set_history_length(size)
    try:  # noqa: SIM105  # contextlib is not worth its import
        readline.read_history_file(path)
    except OSError:
        pass
    readline.set_completer_delims(" \t\n;\"'")
    readline.set_completer(Completer(shell).complete)
    readline.parse_and_bind("tab: complete")
    return path


def save_history(path: str) -> None:
    """Write the history; not being able to is no error."""
    import readline

    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        readline.write_history_file(path)
    except OSError:
        pass


class Completer:
    """What can stand at the cursor: commands, options, names of domains, files."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._found: list[str] = []

    def complete(self, text: str, state: int) -> str | None:
        """Readline's question: the state-th way to go on."""
        if state == 0:
            import readline

            before = readline.get_line_buffer()[: readline.get_begidx()]
            self._found = [word + " " for word in self.candidates(before, text)]
        return self._found[state] if state < len(self._found) else None

    def candidates(self, before: str, text: str) -> list[str]:
        """All words that begin with ``text`` after ``before``."""
        words = before.rpartition(";")[2].split()
        if not words:
            known = [name for group in names.groups() for name, file in group.commands if file]
            return sorted(name for name in known if name.startswith(text))
        command = names.find(words[0])
        if command is None:
            return []
        if words[0] == "help":
            known = [name for group in names.groups() for name, _ in (*group.commands, (group.keyword, ""))]
            return sorted(name for name in known if name.startswith(text))
        if text.startswith("-"):
            options = [f"--{option.name}" for option in command.options if option.kind != ALIAS]
            return [option for option in options if option.startswith(text) and option not in words]
        return [name for name in self.values(command, words) if name.startswith(text)]

    def values(self, command: Command, words: list[str]) -> list[str]:
        """Values for the option that comes next."""
        previous = words[-1].removeprefix("--") if words[-1].startswith("--") else ""
        wanted = next((option for option in command.options if option.name == previous and option.positional), None)
        if wanted is None:
            given = sum(1 for word in words[1:] if not word.startswith("-"))
            places = [option for option in command.options if option.positional]
            wanted = places[given] if given < len(places) else places[-1] if places else None
        if wanted is None:
            return []
        if wanted.name == "domain":
            return sorted(domain.name() for domain in self._shell.conn.listAllDomains(0))
        if wanted.name in ("file", "xml", "config"):
            return sorted(os.listdir("."))
        return []
