"""Another name for a guest that is off: its definition, autostart link, snapshots and checkpoints follow."""

from __future__ import annotations

import contextlib
from typing import Any

from kvasir.errors import OperationInvalid

from .checkpoints.tree import CheckpointTree
from .driver import stored_text
from .guest import Guest
from .snapshots.tree import Tree
from .states import Detail
from .states import Lifecycle as L


async def rename(guest: Guest, name: str) -> None:
    """Give an inactive persistent guest another name, or change nothing. The caller holds a job of it.

    Raises OperationInvalid, FileFailure."""
    driver = guest.driver
    if name == guest.name:
        raise OperationInvalid("Can't rename domain to itself")
    async with driver.storing:
        _need_free(driver, name)
        domain = guest.config.copy()
        domain.name = name
        text = stored_text(domain)
        await driver.store.save_beside(name, text)
        with contextlib.ExitStack() as undo:
            undo.callback(driver.store.delete, name)
            _need_free(driver, name)  # a transient one started meanwhile
            for tree in (Tree.of(guest), CheckpointTree.of(guest)):
                tree.move(guest.name, name)
                undo.callback(tree.move, name, guest.name)
            if guest.autostart:
                driver.store.set_autostart(name, True)
            driver.store.delete(guest.name)
            undo.pop_all()
        driver.event(guest, L.UNDEFINED, Detail.UNDEFINED_RENAMED)
        driver.guests.rename(guest, name)
        guest.set_config(domain, text)
        driver.event(guest, L.DEFINED, Detail.DEFINED_RENAMED)


def _need_free(driver: Any, name: str) -> None:
    if name in driver.guests.by_name:
        raise OperationInvalid(f"domain with name '{name}' already exists")
