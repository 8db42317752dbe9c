"""Let the user's editor change a document: fetch, edit, check that nobody else changed it, save, offer to try again."""

from __future__ import annotations

import os

from kvasir.cli.virsh.grammar import Fail
from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kvasir.cli.virsh.shell import Shell

PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/_.:@ \t")
"""Letters of an editor command that needs no shell."""


def edit(
    shell: Shell,
    fetch: Callable[[], str],
    save: Callable[[str], None],
    relaxed: Callable[[str], None] | None = None,
) -> bool:
    """False when nothing was changed; raises ``Fail`` or the daemon's error when it could not be saved.

    ``relaxed`` saves without validation, where the user may choose that.
    """
    import tempfile

    before = fetch()
    handle, path = tempfile.mkstemp(prefix="virsh", suffix=".xml")
    try:
        with open(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(before)
        while True:
            run_editor(path)
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                after = file.read()
            if after == before:
                return False
            if _saved(shell, fetch, save, relaxed, before, after):
                return True
    finally:
        os.unlink(path)


def _saved(
    shell: Shell,
    fetch: Callable[[], str],
    save: Callable[[str], None],
    relaxed: Callable[[str], None] | None,
    before: str,
    after: str,
) -> bool:
    """Save, or let the user choose what to do about the error; False: edit once more."""
    force = False
    while True:
        try:
            if not force and fetch() != before:
                raise Fail("ERROR: the XML configuration was changed by another user")
            save(after)
            return True
        except (Error, Fail) as problem:
            if isinstance(problem, Error):
                shell.report(problem)
            else:
                shell.error(str(problem))
        answer = ask(shell, relaxed is not None)
        if answer == "y":
            return False
        if answer == "i" and relaxed is not None:
            save = relaxed
        elif answer == "f":
            force = True
        else:
            raise Fail("")


def run_editor(path: str) -> None:
    """Run $VISUAL, $EDITOR or vi on a file."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    command = [*editor.split(), path] if set(editor) <= PLAIN else ["sh", "-c", f"{editor} {path}"]
    try:
        process = os.posix_spawnp(command[0], command, os.environ)
    except OSError as problem:
        raise Fail(f"Cannot find '{command[0]}' in path: {problem.strerror}") from None
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if status:
        words = f"exit status {status}" if status > 0 else f"fatal signal {-status}"
        raise Fail(f"internal error: Child process ({' '.join(command)}) unexpected {words}")


HELP = {
    "y": "y - yes, start editor again",
    "n": "n - no, throw away my changes",
    "i": "i - turn off validation and try to redefine again",
    "f": "f - force, try to redefine again",
    "?": "? - print this help",
}


def ask(shell: Shell, relaxed: bool) -> str:
    """What to do about an edit that was refused: y, n, i, f. Without a terminal nobody can answer: n."""
    import sys

    letters = "ynif?" if relaxed else "ynf?"
    if not sys.stdin.isatty():
        return "n"
    while True:
        shell.out(f"Failed. Try again? [{','.join(letters)}]: ")
        sys.stdout.flush()
        line = sys.stdin.readline()
        answer = line[:1].lower() if line else "n"
        if answer in letters.replace("?", ""):
            return answer
        if answer == "?":
            shell.out("".join(f"{HELP[letter]}\n" for letter in letters))
