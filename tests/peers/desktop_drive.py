"""Drives virt-manager or a viewer on a virtual screen by AT-SPI, as a screen reader would. Run by desktop.py, inside the namespace.

    desktop_drive.py FOLDER STEPS      STEPS are (name, words ...) as JSON; the answers go to FOLDER/said.json

The program's windows are found by name; a step that does not succeed in a minute or two ends the run.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gi  # type: ignore[import-not-found]  # of the unpacked desktop, as the next one

gi.require_version("Atspi", "2.0")
import pyatspi  # type: ignore[import-not-found]  # noqa: E402

PATIENCE = 120.0


def walk(node: Any, depth: int = 0) -> Iterator[Any]:
    """All that is shown, from the top."""
    if node is None or depth > 18:
        return
    yield node
    for number in range(min(node.childCount, 60)):
        try:
            yield from walk(node.getChildAtIndex(number), depth + 1)
        except Exception:  # a widget went while it was looked at
            continue


def seen() -> list[tuple[str, str, Any]]:
    """(role, name, widget) of everything on the screen."""
    found = []
    desktop = pyatspi.Registry.getDesktop(0)
    for number in range(desktop.childCount):
        for node in walk(desktop.getChildAtIndex(number)):
            try:
                if node.getState().contains(pyatspi.STATE_SHOWING):
                    found.append((node.getRoleName(), node.name, node))
            except Exception:
                continue
    return found


def wait(what: Callable[[], Any], why: str) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.3)
    raise SystemExit(f"waited in vain for {why}; there is {[(role, name) for role, name, _ in seen() if name][:80]}")


def find(role: str, name: str) -> Any:
    def look() -> Any:
        return next((node for kind, text, node in seen() if kind == role and re.fullmatch(name, text)), None)

    return wait(look, f"{role} {name}")


class Steps:
    """What may be done, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs: list[subprocess.Popen[bytes]] = []

    def run(self, *command: str) -> None:
        log = open(self.folder / f"{command[0]}.log", "ab")  # noqa: SIM115  # closed with this process
        self.programs.append(subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL))

    def see(self, role: str, name: str) -> str:
        return str(find(role, name).name)

    def click(self, name: str) -> None:
        """Click on the cell of a list with the mouse."""
        box = find("table cell", name).queryComponent().getExtents(pyatspi.DESKTOP_COORDS)
        middle = (str(box.x + box.width // 2), str(box.y + box.height // 2))
        subprocess.run(["xdotool", "mousemove", *middle, "click", "1"], check=True)

    def press(self, role: str, name: str) -> None:
        """Press a button once it may be pressed."""

        def may() -> Any:
            node = find(role, name)
            return node if node.getState().contains(pyatspi.STATE_SENSITIVE) else None

        wait(may, f"{role} {name} to be sensitive").queryAction().doAction(0)

    def logged(self, program: str, text: str) -> None:
        wait(
            lambda: re.search(text, (self.folder / f"{program}.log").read_text(errors="replace")),
            f"'{text}' in the log",
        )

    def shot(self, name: str) -> None:
        subprocess.run(["import-im6.q16", "-window", "root", str(self.folder / name)], check=True)

    def names(self) -> list[tuple[str, str]]:
        return [(role, name) for role, name, _ in seen() if name]

    def wait_file(self, name: str) -> None:
        """Wait until the test says that it goes on."""
        wait((self.folder / name).exists, name)


def main(folder: Path, steps: list[list[str]]) -> None:
    said: list[Any] = []
    one = Steps(folder)
    try:
        for name, *words in steps:
            said.append(getattr(one, name)(*words))
            (folder / "said.json").write_text(json.dumps(said))
    finally:
        for program in one.programs:
            program.terminate()


if __name__ == "__main__":
    os.umask(0o022)
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
