"""Folders for files and huge pages that back a guest's memory: made for its start or for plugged memory, gone with it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from .args import Arg, Obj
from .argv.memory import hugepage_folder, hugepage_mounts
from .hostwork import remove_tree


def prepare(host: Any, vm: Any, args: Iterable[Arg]) -> None:
    """Make the folders in which the memory backends among these options have their files. Raises SystemFailure."""
    own = set(_places(vm))
    for arg in args:
        path = str(arg.props.get("mem-path", "")) if isinstance(arg, Obj) else ""
        for folder in (path, os.path.dirname(path)):
            if folder in own and not os.path.isdir(folder):
                host.make_folder(folder, 0o700)
                host.stack.callback(remove_tree, folder)


def remove(vm: Any) -> None:
    """Remove the folders of a guest that has ended."""
    for folder in _places(vm):
        remove_tree(folder)


def _places(vm: Any) -> list[str]:
    return [vm.memory_folder(), *(hugepage_folder(vm, mount) for mount, _ in hugepage_mounts())]
