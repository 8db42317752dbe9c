"""``qemu-img`` as the engine of offline work on images: its exit codes and words kept, its progress as numbers. Blocks."""

from __future__ import annotations

import os
import re
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FOLDERS = ("/usr/bin", "/usr/local/bin", "/usr/libexec")
PROGRESS = re.compile(rb"\s*\((\d+\.\d+)/100%\)\r?")
WITH_PROGRESS = ("amend", "commit", "compare", "convert", "rebase", "resize")
"""Commands that take ``-p``; resize has it for growing with preallocation in newer ones only."""
NOT_FOUND = 127


def find() -> str | None:
    """Where it lies."""
    for folder in (*os.environ.get("PATH", "").split(":"), *FOLDERS):
        path = os.path.join(folder, "qemu-img")
        if os.access(path, os.X_OK):
            return path
    return None


def run(words: list[str], progress: Callable[[float], None] | None = None) -> tuple[int, str]:
    """Run ``qemu-img WORDS``; gives its exit status and what it complained of, which is printed as well.

    With ``progress``, ``-p`` is asked for where the command has it, and each step is told (0 to 100).
    """
    tool = find()
    if tool is None:
        return NOT_FOUND, "qemu-img is not installed"
    if progress is None or words[0] not in WITH_PROGRESS[:-1]:
        done = subprocess.run([tool, *words], stderr=subprocess.PIPE)
        return done.returncode, _tell(done.stderr)
    process = subprocess.Popen(
        [tool, words[0], "-p", *words[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    rest = b""
    while chunk := os.read(process.stdout.fileno(), 4096):
        rest += chunk
        for found in PROGRESS.finditer(rest):
            progress(float(found[1]))
        rest = PROGRESS.sub(b"", rest)
        cut = rest.rfind(b"\n") + 1
        sys.stdout.write(rest[:cut].decode("utf-8", "replace").lstrip("\r\n "))
        rest = rest[cut:]
    sys.stdout.write(rest.decode("utf-8", "replace").strip("\r "))
    sys.stdout.flush()
    problem = process.stderr.read()
    return process.wait(), _tell(problem)


def _tell(problem: bytes) -> str:
    text = problem.decode("utf-8", "replace")
    sys.stdout.flush()
    sys.stderr.write(text)
    return text
