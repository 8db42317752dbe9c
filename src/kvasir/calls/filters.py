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


def _pair(flags: int, yes: int, no: int, value: bool) -> bool:
    wanted = flags & (yes | no)
    return not wanted or wanted == (yes | no) or bool(wanted & (yes if value else no))


def _matches(guest: Guest, flags: int) -> bool:
    if not _pair(flags, ACTIVE, INACTIVE, guest.active) or not _pair(flags, PERSISTENT, TRANSIENT, guest.persistent):
        return False
    if flags & (RUNNING | PAUSED | SHUTOFF | OTHER):
        bit = {State.RUNNING: RUNNING, State.PAUSED: PAUSED, State.SHUTOFF: SHUTOFF}.get(guest.state, OTHER)
        if not flags & bit:
            return False
    if not _pair(flags, AUTOSTART, NO_AUTOSTART, guest.autostart):
        return False
    paths = guest.driver.paths.qemu
    if flags & (SAVED | NOT_SAVED) and not _pair(
        flags, SAVED, NOT_SAVED, os.path.exists(f"{paths.save}/{guest.name}.save")
    ):
        return False
    if flags & (SNAPSHOT | NO_SNAPSHOT) and not _pair(
        flags, SNAPSHOT, NO_SNAPSHOT, _has_files(f"{paths.snapshot}/{guest.name}")
    ):
        return False
    return not flags & (CHECKPOINT | NO_CHECKPOINT) or _pair(
        flags, CHECKPOINT, NO_CHECKPOINT, _has_files(f"{paths.checkpoint}/{guest.name}")
    )


def select(driver: Any, flags: int) -> list[Guest]:
    """The guests that pass the filters of a list call."""
    guests = driver.guests.by_uuid.values()
    if not flags & FILTERS:
        return list(guests)
    return [guest for guest in guests if _matches(guest, flags)]
