"""The filters of list and statistics calls. No procedures."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kvasir.qemu.states import State

if TYPE_CHECKING:
    from kvasir.qemu.guest import Guest

ACTIVE, INACTIVE, PERSISTENT, TRANSIENT, RUNNING, PAUSED, SHUTOFF, OTHER = (1 << bit for bit in range(8))
SAVED, NOT_SAVED, AUTOSTART, NO_AUTOSTART, SNAPSHOT, NO_SNAPSHOT, CHECKPOINT, NO_CHECKPOINT = (
    1 << bit for bit in range(8, 16)
)
FILTERS = (1 << 16) - 1


def _has_files(folder: str) -> bool:
    try:
        return any(name.endswith(".xml") for name in os.listdir(folder))
    except OSError:
        return False


def passes(flags: int, *pairs: tuple[int, int, object]) -> bool:
    """Whether a thing passes filters that come in pairs: (flag of those with a property, flag of those without, whether it has it)."""
    return all(not flags & (yes | no) or bool(flags & (yes if state else no)) for yes, no, state in pairs)


def _matches(guest: Guest, flags: int) -> bool:
    if not passes(
        flags,
        (ACTIVE, INACTIVE, guest.active),
        (PERSISTENT, TRANSIENT, guest.persistent),
        (AUTOSTART, NO_AUTOSTART, guest.autostart),
    ):
        return False
    if flags & (RUNNING | PAUSED | SHUTOFF | OTHER):
        bit = {State.RUNNING: RUNNING, State.PAUSED: PAUSED, State.SHUTOFF: SHUTOFF}.get(guest.state, OTHER)
        if not flags & bit:
            return False
    paths = guest.driver.paths.qemu
    if flags & (SAVED | NOT_SAVED):
        saved = os.path.exists(f"{paths.save}/{guest.name}.save")
        if not passes(flags, (SAVED, NOT_SAVED, saved)):
            return False
    for yes, no, folder in ((SNAPSHOT, NO_SNAPSHOT, paths.snapshot), (CHECKPOINT, NO_CHECKPOINT, paths.checkpoint)):
        if flags & (yes | no) and not passes(flags, (yes, no, _has_files(f"{folder}/{guest.name}"))):
            return False
    return True


def select(driver: Any, flags: int) -> list[Guest]:
    """The guests that pass the filters of a list call."""
    guests = driver.guests.by_uuid.values()
    if not flags & FILTERS:
        return list(guests)
    return [guest for guest in guests if _matches(guest, flags)]
