"""The interactive shell: prompt, history and completion."""

from __future__ import annotations

import os
import sys

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
        from kvasir.cli.virsh.completion import candidates

        return candidates(self._shell, before.rpartition(";")[2].split(), text)
