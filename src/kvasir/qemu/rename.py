"""Another name for a guest that is off: its definition, autostart link, snapshots and checkpoints follow."""

from __future__ import annotations

import os
from typing import Any

from kvasir.errors import OperationInvalid, SystemFailure

from .checkpoints.tree import CheckpointTree
from .driver import stored_text
from .guest import Guest
from .snapshots.tree import Tree
from .states import Detail
from .states import Lifecycle as L


async def rename(guest: Guest, name: str) -> None:
    """Give an inactive persistent guest another name. The caller holds a job of it. Raises OperationInvalid, SystemFailure."""
    driver = guest.driver
    if name == guest.name:
        raise OperationInvalid("Can't rename domain to itself")
    async with driver.storing:
        _need_free(driver, name)
        domain = guest.config.copy()
        domain.name = name
        text = stored_text(domain)
        try:
            await driver.store.save_beside(name, text)
            if name in driver.guests.by_name:  # a transient one started meanwhile
                driver.store.delete(name)
                _need_free(driver, name)
            if guest.autostart:
                driver.store.set_autostart(name, True)
        except OSError as error:
            raise SystemFailure(f"cannot write config file '{driver.store.path(name)}'", error) from error
        _renamed(guest, domain, text)


def _need_free(driver: Any, name: str) -> None:
    if name in driver.guests.by_name:
        raise OperationInvalid(f"domain with name '{name}' already exists")


def _renamed(guest: Guest, domain: Any, text: str) -> None:
    driver, old, trees = guest.driver, guest.name, (Tree.of(guest), CheckpointTree.of(guest))
    folders = [tree.folder for tree in trees]
    driver.event(guest, L.UNDEFINED, Detail.UNDEFINED_RENAMED)
    driver.guests.rename(guest, domain.name)
    guest.set_config(domain, text)
    driver.store.delete(old)
    driver.event(guest, L.DEFINED, Detail.DEFINED_RENAMED)
    for tree, folder in zip(trees, folders, strict=True):
        if os.path.isdir(folder):
            os.rename(folder, tree.folder)
