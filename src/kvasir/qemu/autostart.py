"""Guests that start with the host: once for each boot, however often the daemon is restarted."""

from __future__ import annotations

import logging
from typing import Any

from kvasir.errors import Error

log = logging.getLogger(__name__)


def boot_id() -> str:
    """What changes with each boot of the host."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def first_of_boot(marker: str) -> bool:
    """Whether no daemon ran since the boot; leaves the marker. The folder is gone after a boot, or names an older one."""
    now = boot_id()
    try:
        with open(marker, encoding="ascii") as stream:
            text = stream.read().strip()
        if not text or text == now:
            return False
    except OSError:
        pass
    try:
        with open(marker, "w", encoding="ascii") as stream:
            stream.write(now + "\n")
    except OSError as error:
        log.warning("cannot write %s: %s", marker, error.strerror)
    return True


async def autostart_all(driver: Any) -> None:
    """Start every guest with an autostart link that does not run. One that fails does not stop the others."""
    waiting = [guest for guest in driver.guests.by_uuid.values() if guest.autostart]
    if not waiting:
        return
    from . import startup

    for guest in sorted(waiting, key=lambda g: str(g.name)):
        if guest.active:
            continue
        try:
            await startup.start(guest, bypass_cache=bool(driver.config.auto_start_bypass_cache))
        except Error as error:
            log.error("Failed to autostart VM '%s': %s", guest.name, error.message)


def set_autostart(guest: Any, on: bool) -> None:
    """Make or remove the guest's link. Raises OperationInvalid, FileFailure."""
    from kvasir.errors import OperationInvalid

    if not guest.persistent:
        raise OperationInvalid("cannot set autostart for transient domain")
    if guest.autostart == on:
        return
    guest.driver.store.set_autostart(guest.name, on)
    guest.autostart = on
