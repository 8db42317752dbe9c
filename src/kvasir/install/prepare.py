"""What makes a clone a machine of its own inside: hooks that ``virt-clone --prepare`` runs on its images.

A hook is an executable of that name in ``$KVASIR_PREPARE_DIR``, ``~/.config/kvasir/prepare.d`` or
``/etc/kvasir/prepare.d``. It gets the clone's name and its images as arguments and the document on standard input; when it
fails, the clone is undone. The operations of virt-sysprep are hooks too: they are done together, in the appliance, on the copies;
``clone`` stands for those that guide 4.1 asks for.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from xml.etree import ElementTree as ET

from kvasir.disk import appliance, operations

from .grammar import OptionError

Hook = Callable[[str, str, list[str]], None]


def folders() -> list[str]:
    own = os.environ.get("KVASIR_PREPARE_DIR")
    return [*([own] if own else []), os.path.expanduser("~/.config/kvasir/prepare.d"), "/etc/kvasir/prepare.d"]


def find(name: str) -> Hook:
    """The hook of that name. Raises OptionError when there is none."""
    if "/" not in name:
        for folder in folders():
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK) and os.path.isfile(path):
                return _program(path)
    own = sorted({name for folder in folders() if os.path.isdir(folder) for name in os.listdir(folder)})
    known = [*own, "clone", *(one.name for one in operations.OPERATIONS if one.script)]
    raise OptionError(f"--prepare: no hook '{name}'; there are: {', '.join(known)} (looked in {', '.join(folders())})")


def _program(path: str) -> Hook:
    def run(name: str, document: str, images: list[str]) -> None:
        done = subprocess.run([path, name, *images], input=document, text=True, capture_output=True)
        if done.returncode:
            words = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[-1]
            raise OptionError(f"--prepare {os.path.basename(path)} failed: {words}")

    return run


def inside(names: list[str]) -> Hook:
    """The hook that does operations in the appliance. A Linux must be found on the copies."""

    def run(name: str, document: str, images: list[str]) -> None:
        formats = {}
        for node in ET.fromstring(document).findall("devices/disk"):
            source, driver = node.find("source"), node.find("driver")
            path = source.get("file") or source.get("dev") if source is not None else None
            formats[path] = (driver.get("type") if driver is not None else None) or "raw"
        disks = [appliance.Disk(path, formats.get(path, "raw")) for path in images]
        if not disks:
            raise OptionError("--prepare: no disk was copied, so there is none to prepare")
        todo = [operations.BY_NAME[one] for one in names]
        try:
            appliance.run(disks, operations.script(todo), after=operations.script(todo, unmounted=True))
        except appliance.DiskError as error:
            raise OptionError(f"--prepare failed: {error}") from None

    return run


def chain(names: list[str]) -> Hook:
    """One hook that runs all; every name is looked up before anything runs. Raises OptionError."""
    known: list[str] = []
    hooks: list[Hook] = []
    for name in names:
        if name == "clone":
            known += operations.CLONE
        elif name in operations.BY_NAME and operations.BY_NAME[name].script:
            known.append(name)
        else:
            hooks.append(find(name))
    if known:
        hooks.insert(0, inside(list(dict.fromkeys(known))))

    def run(name: str, document: str, images: list[str]) -> None:
        for hook in hooks:
            hook(name, document, images)

    return run
