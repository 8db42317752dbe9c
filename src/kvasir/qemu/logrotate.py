"""Keeps guests' logs bounded, as virtlogd does: NAME.log.0, .1 ... in the sizes and number of ``virtlogd.conf``.

QEMU writes into its log itself, so that no word is lost while no daemon runs. A log that has grown too large is copied and then cut off:
QEMU appends, so it goes on at the new end. What is written between copy and cut is lost; virtlogd's own names and limits hold.
Guests whose output goes through virtlogd (``stdio_handler = "logd"``, or started by a libvirtd) are left to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import shutil
from typing import Any

from kvasir.host import virtlogd

log = logging.getLogger(__name__)

EVERY = 5.0
"""Seconds between looks at the sizes."""
SIZE, BACKUPS = 2 * 1024 * 1024, 3
"""virtlogd's defaults; a size of 0 means no limit."""
_KEY = re.compile(r"^[ \t]*(max_size|max_backups)[ \t]*=[ \t]*(\d+)", re.M)


def limits(path: str) -> tuple[int, int]:
    """(bytes, number of old files) of a virtlogd.conf, the defaults where it does not say."""
    found = {"max_size": SIZE, "max_backups": BACKUPS}
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as stream:
        found.update((key, int(value)) for key, value in _KEY.findall(stream.read()))
    return found["max_size"], found["max_backups"]


def rotate(path: str, size: int, backups: int) -> bool:
    """Cut the log off when it is larger than that, keeping so many old ones. Whether it was."""
    try:
        if not size or os.stat(path).st_size <= size:
            return False
        for number in range(backups - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{path}.{number - 1}", f"{path}.{number}")
        if backups:
            with (
                open(path, "rb") as old,
                open(os.open(f"{path}.0", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as new,
            ):
                shutil.copyfileobj(old, new)
        os.truncate(path, 0)
        return True
    except OSError as error:
        log.warning("%s cannot be rotated: %s", path, error.strerror)
        return False


async def watch(driver: Any) -> None:
    """Look at the logs of the guests that run, as long as the daemon does."""
    size, backups = limits(f"{driver.paths.etc}/virtlogd.conf")
    while True:
        await asyncio.sleep(EVERY)
        for guest in list(driver.guests.by_id.values()):
            path = f"{driver.paths.qemu.log}/{guest.name}.log"
            if guest.run is not None and not guest.run.starting and not virtlogd.writes_for(guest.run.pid):
                await asyncio.to_thread(rotate, path, size, backups)
