"""What makes a clone a machine of its own inside: hooks that ``virt-clone --prepare`` runs on its images.

A hook is an executable of that name in ``$KVASIR_PREPARE_DIR``, ``~/.config/kvasir/prepare.d`` or
``/etc/kvasir/prepare.d``. It gets the clone's name and its images as arguments and the document on standard input; when it
fails, the clone is undone. ``HOOKS`` holds those that come with Kvasir.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

from .grammar import OptionError

Hook = Callable[[str, str, list[str]], None]
HOOKS: dict[str, Hook] = {}


def folders() -> list[str]:
    own = os.environ.get("KVASIR_PREPARE_DIR")
    return [*([own] if own else []), os.path.expanduser("~/.config/kvasir/prepare.d"), "/etc/kvasir/prepare.d"]


def find(name: str) -> Hook:
    """The hook of that name. Raises OptionError when there is none."""
    if name in HOOKS:
        return HOOKS[name]
    if "/" not in name:
        for folder in folders():
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK) and os.path.isfile(path):
                return _program(path)
    known = sorted({*HOOKS, *(n for f in folders() if os.path.isdir(f) for n in os.listdir(f))})
    raise OptionError(
        f"--prepare: no hook '{name}'; there are: {', '.join(known) or 'none'} (looked in {', '.join(folders())})"
    )


def _program(path: str) -> Hook:
    def run(name: str, document: str, images: list[str]) -> None:
        done = subprocess.run([path, name, *images], input=document, text=True, capture_output=True)
        if done.returncode:
            words = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[-1]
            raise OptionError(f"--prepare {os.path.basename(path)} failed: {words}")

    return run


def chain(names: list[str]) -> Hook:
    """One hook that runs all; every name is looked up before anything runs. Raises OptionError."""
    hooks = [find(name) for name in names]

    def run(name: str, document: str, images: list[str]) -> None:
        for hook in hooks:
            hook(name, document, images)

    return run
