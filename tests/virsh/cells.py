"""One script in the four cells {our virsh, the real virsh} x {kvasird, the real libvirtd}: the same bytes in each.

Each cell is one virsh that runs all lines; ``echo`` tells the lines' outputs apart. Lines that ask for a process of their
own begin with ``!``.
"""

from __future__ import annotations

import difflib
import re
import shlex
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.conftest import DaemonHandle
from tests.virsh.conftest import Both

Said = list[tuple[str, str]]


def lines_of(script: str) -> list[str]:
    """The lines that are commands."""
    return [line for line in script.strip().splitlines() if line and not line.startswith("#")]


def run(cell: Callable[..., subprocess.CompletedProcess[str]], script: str, folder: Path) -> Said:
    """What one virsh says to each line: output and errors together."""
    said: Said = []
    batch: list[str] = []

    def flush() -> None:
        if not batch:
            return
        text = "\n".join(f"echo '### {at}'\n{line}" for at, line in enumerate(batch))
        done = cell(text + "\n", merged=True)
        parts = re.split(r"^### (\d+)\n", done.stdout, flags=re.M)
        assert [int(number) for number in parts[1::2]] == list(range(len(batch))), done.stdout
        said.extend(zip(batch, parts[2::2], strict=True))
        batch.clear()

    for line in lines_of(script.replace("{folder}", str(folder))):
        if line.startswith("!"):
            flush()
            done = cell(*shlex.split(line[1:]))
            said.append((line, f"{done.stdout}|{done.stderr}|{done.returncode}"))
        else:
            batch.append(line)
    flush()
    return said


def four(
    daemons: Iterable[tuple[str, DaemonHandle]],
    script: str,
    mask: Callable[[str], str] = lambda text: text,
    prepare: Callable[[DaemonHandle], None] = lambda daemon: None,
    uri: Callable[[DaemonHandle], str] = lambda daemon: daemon.uri,
    prepare_each: bool = False,
) -> Said:
    """Run the script in the cells of these daemons; gives what was said, after checking that all cells agree.

    Each daemon is prepared once, or for each virsh.
    """
    first: Said | None = None
    for name, daemon in daemons:
        pair = Both(daemon, daemon.folder)
        for who in ("real", "ours"):
            if prepare_each or who == "real":
                prepare(daemon)

            def cell(
                *args: str, merged: bool = False, who: str = who, pair: Both = pair, daemon: DaemonHandle = daemon
            ) -> subprocess.CompletedProcess[str]:
                return getattr(pair, who)("-c", uri(daemon), *args, uri=False, merged=merged)  # type: ignore[no-any-return]

            said = [
                (line.replace(str(daemon.folder), "FOLDER"), mask(text.replace(str(daemon.folder), "FOLDER")))
                for line, text in run(cell, script, daemon.folder)
            ]
            first = first or said
            different = [
                "\n".join(
                    difflib.unified_diff(
                        theirs.splitlines(), mine.splitlines(), line, f"{who} virsh on {name}", lineterm=""
                    )
                )
                for (line, theirs), (_, mine) in zip(first, said, strict=True)
                if theirs != mine
            ]
            assert not different, "\n".join(different)
    assert first
    return first
