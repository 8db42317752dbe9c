"""QEMU's migration into a descriptor and out of one: saved guests, memory of snapshots, core dumps.

await to_fd(guest, fd)                # inside the guest's async job, CPUs halted by the caller
await from_fd(guest, number)          # on a QEMU that was started with ``-incoming defer``
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from kvasir.errors import Code, Error, OperationFailed, Origin

from . import jobstats
from .jobs import Async
from .monitor import MonitorGone

log = logging.getLogger(__name__)

FASTEST = 9223372036853727232
"""Bytes a second: the most that QEMU takes, in whole MiB."""

NAMES = {
    Async.SAVE: "domain save job", Async.DUMP: "domain core dump job", Async.SNAPSHOT: "snapshot job",
    Async.MIGRATION_OUT: "migration out job", Async.MIGRATION_IN: "migration in job",
}  # fmt: skip
ENDS = ("completed", "failed", "cancelled")


class Progress:
    """What QEMU's events last said of the migration that runs."""

    def __init__(self) -> None:
        self.status = ""
        self.error = ""
        self.changed = asyncio.Event()

    def set(self, status: str) -> None:
        self.status = status
        self.changed.set()


def aborted(guest: Any) -> Error:
    """The error of a job that its user ended."""
    name = NAMES.get(guest.jobs.async_job, "job")
    return Error(
        f"{name}: canceled by client",
        code=Code.OPERATION_ABORTED,
        origin=Origin.QEMU,
        message=f"operation aborted: {name}: canceled by client",
    )


async def ended(monitor: Any, progress: Progress, query: str = "query-migrate") -> str:
    """Wait for the end of a migration or dump: by its event, or by asking each second. Raises MonitorGone when QEMU goes first."""
    while progress.status not in ENDS:
        progress.changed.clear()
        try:
            async with asyncio.timeout(1):
                await progress.changed.wait()
        except TimeoutError:
            if not monitor.alive:
                raise MonitorGone from None
            status = str((await monitor.command(query)).get("status", ""))
            if status in ENDS:
                progress.set(status)
    return progress.status


async def _events_on(guest: Any) -> None:
    await guest.monitor().command(
        "migrate-set-capabilities", {"capabilities": [{"capability": "events", "state": True}]}
    )


async def _settled(guest: Any) -> None:
    """QEMU says "completed" a little before it is halted for good; a ``cont`` in between would be undone by that."""
    monitor = guest.monitor()
    for _ in range(100):
        if (await monitor.command("query-status")).get("status") == "postmigrate":
            return
        await asyncio.sleep(0.02)


async def to_fd(guest: Any, fd: int) -> None:
    """Write the guest's state into a descriptor. Raises OperationFailed, Error 78 when aborted, MonitorGone.

    The speed is the greatest unless ``migrate-setspeed`` gave another while the job runs; figures go to the job.
    """
    run, jobs, monitor = guest.need_active(), guest.jobs, guest.monitor()
    await _events_on(guest)
    await monitor.command("migrate-set-parameters", {"max-bandwidth": FASTEST})
    if jobs.abort_wanted:
        raise aborted(guest)
    await monitor.get_fd(fd, "migrate")
    progress = run.migration = Progress()
    try:
        try:
            await monitor.command("migrate", {"detach": True, "uri": "fd:migrate"})
        except Error:
            await monitor.command("closefd", {"fdname": "migrate"})
            raise
        status = await ended(guest.monitor(), progress)
        answer = await monitor.command("query-migrate")
    finally:
        run.migration = None
    jobs.migrated(answer)
    if status == "completed":
        await _settled(guest)
        return
    if status == "cancelled" or jobs.abort_wanted:
        raise aborted(guest)
    reason = answer.get("error-desc") or "unexpectedly failed"
    raise OperationFailed(f"{NAMES.get(jobs.async_job, 'job')}: {reason}", origin=Origin.QEMU)


async def from_fd(guest: Any, number: int) -> None:
    """Let a QEMU that waits for a migration read it from its descriptor ``number``. Raises MonitorGone."""
    run, monitor = guest.run, guest.monitor()
    await _events_on(guest)
    progress = run.migration = Progress()
    try:
        await monitor.command("migrate-incoming", {"uri": f"fd:{number}"})
        status = await ended(guest.monitor(), progress)
    finally:
        run.migration = None
    if status != "completed":
        raise MonitorGone


async def cancel(guest: Any) -> None:
    """Ask QEMU to end the migration or dump that runs; the job's own code sees it end."""
    guest.jobs.abort_wanted = True
    await guest.monitor().command("migrate_cancel")
    if guest.jobs.abort_hook is not None:
        guest.jobs.abort_hook()


__all__ = ["FASTEST", "Progress", "aborted", "cancel", "from_fd", "jobstats", "to_fd"]
