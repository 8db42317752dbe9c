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


def edit(shell: Shell, fetch: Callable[[], str], save: Callable[[str], None]) -> bool:
    """False when nothing was changed; raises ``Fail`` or the daemon's error when it could not be saved."""
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
            if fetch() != before:
                raise Fail("ERROR: the XML configuration was changed by another user")
            try:
                save(after)
                return True
            except Error as problem:
                shell.report(problem)
                if not again(shell):
                    raise Fail("") from None
    finally:
        os.unlink(path)


def run_editor(path: str) -> None:
    """Run $VISUAL, $EDITOR or vi on a file."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    command = [*editor.split(), path] if set(editor) <= PLAIN else ["sh", "-c", f"{editor} {path}"]
    try:
        process = os.posix_spawnp(command[0], command, os.environ)
    except OSError as problem:
        raise Fail(f"unable to run {command[0]}: {problem.strerror}") from None
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if status:
        raise Fail(f"{command[0]}: exited with status {status}")


def again(shell: Shell) -> bool:
    """Ask whether to edit once more."""
    while True:
        shell.out("Failed. Try again? [y,n,?]: ")
        import sys

        sys.stdout.flush()
        answer = sys.stdin.readline()
        if not answer or answer[:1] in "nN":
            return False
        if answer[:1] in "yY":
            return True
        shell.out("y - yes, start editor again\nn - no, throw away the changes\n")
