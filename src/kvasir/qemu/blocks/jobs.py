"""Block jobs of a running guest: what QEMU works on, how each ends, and what the disk looks like after it.

A job stands in the status document from its start until its outcome is in the live document, so that a daemon that is
killed in between takes it up (``adopt``). QEMU keeps an ended job until it is dismissed, which happens after its outcome
is written down: no end is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from kvasir import events as out
from kvasir.errors import Error, OperationFailed, OperationUnsupported
from kvasir.qemu import statusdoc
from kvasir.qemu.jobs import Async, Kind
from kvasir.qemu.monitor import MonitorError

log = logging.getLogger(__name__)

COMPLETED, FAILED, CANCELED, READY = 0, 1, 2, 3
"""What the block job events say."""


class What(Enum):
    """Kinds of jobs: the words of status documents."""

    PULL = "pull"
    COMMIT = "commit"
    ACTIVE_COMMIT = "active-commit"
    COPY = "copy"
    BACKUP = "backup"


NUMBERS = {What.PULL: 1, What.COPY: 2, What.COMMIT: 3, What.ACTIVE_COMMIT: 4, What.BACKUP: 5}


class Phase(Enum):
    """Where a job is: the words of status documents."""

    NEW = "new"
    RUNNING = "running"
    READY = "ready"
    PIVOTING = "pivoting"
    ABORTING = "aborting"
    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


LIVE = {Phase.NEW, Phase.RUNNING, Phase.READY, Phase.PIVOTING, Phase.ABORTING, Phase.PENDING}


@dataclass(slots=True)
class BlockJob:
    """One job. ``disk`` is the target (``vda``); nodes are named, not held, so that a restarted daemon knows them."""

    name: str
    what: What
    disk: str
    flags: int = 0
    phase: Phase = Phase.NEW
    error: str = ""
    base: str = ""
    top: str = ""
    topparent: str = ""
    delete: bool = False
    shallow: bool = False
    """A copy whose new top keeps the old chain below."""
    bitmap: str = ""
    store: dict[str, str] = field(default_factory=dict)
    """Backup: the image that is written (type, format, path, index)."""
    done: int = 0
    whole: int = 0
    """How much of it was done at its end (bytes)."""
    before: Phase = Phase.RUNNING
    """The last phase in which it lived: one that ended from ``PIVOTING`` has changed the disk's top."""
    waited: bool = False
    """Somebody who holds the guest's job takes the end himself."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when QEMU says that the job ended."""

    @property
    def alive(self) -> bool:
        return self.phase in LIVE


def of_disk(guest: Any, disk: Any) -> BlockJob | None:
    """The job that works on the disk, backups aside."""
    for job in guest.run.blockjobs.values():
        if job.disk == disk.target and job.what is not What.BACKUP:
            found: BlockJob = job
            return found
    return None


def need_idle(guest: Any, disk: Any) -> None:
    """Raises BLOCK_COPY_ACTIVE or OperationUnsupported when the disk has a job."""
    text, hint = f"disk '{disk.target}' already in active block job", "virsh blockjob shows it, --abort ends it"
    if disk.mirror is not None:
        raise Error(text, code=83, message=f"block copy still active: {text}", hint=hint)
    if of_disk(guest, disk) is not None:
        raise OperationUnsupported(text, hint=hint)


def register(guest: Any, job: BlockJob) -> BlockJob:
    """Write the job down before QEMU starts it."""
    guest.run.blockjobs[job.name] = job
    statusdoc.save(guest)
    return job


def forget(guest: Any, job: BlockJob) -> None:
    """The job is over, or never began."""
    guest.run.blockjobs.pop(job.name, None)
    statusdoc.save(guest)


async def start(guest: Any, job: BlockJob, command: str, arguments: dict[str, Any]) -> None:
    """Register the job and let QEMU begin; one that QEMU refuses is forgotten."""
    register(guest, job)
    try:
        await guest.monitor().command(command, {k: v for k, v in arguments.items() if v is not None})
    except BaseException:
        forget(guest, job)
        raise
    if job.phase is Phase.NEW:
        job.phase = Phase.RUNNING
    statusdoc.save(guest)


# -- what QEMU says


def status_changed(guest: Any, data: dict[str, Any]) -> None:
    """QEMU's JOB_STATUS_CHANGE."""
    name, status = str(data.get("id")), str(data.get("status"))
    waiter = guest.run.waiters.get(name)
    if waiter is not None and status in ("concluded", "aborting", "pending", "null"):
        if status == "concluded":
            waiter.set()
        return
    job: BlockJob | None = guest.run.blockjobs.get(name)
    if job is None:
        return
    if status == "ready":
        became_ready(guest, job)
    elif status in ("running", "created") and job.phase is Phase.NEW:
        job.phase = Phase.RUNNING
    elif status in ("concluded", "pending"):
        job.changed.set()
        if not job.waited:
            guest.driver.spawn(finish(guest, job), f"block job {job.name} of {guest.name}")


def became_ready(guest: Any, job: BlockJob) -> None:
    """Both sides of a copy are equal now."""
    if job.phase not in (Phase.NEW, Phase.RUNNING):
        return
    job.phase = Phase.READY
    disk = disk_of(guest, job)
    if disk is not None and disk.mirror is not None:
        disk.mirror.ready = "yes"
    statusdoc.save(guest)
    publish(guest, job, READY)


def disk_of(guest: Any, job: BlockJob) -> Any:
    """The disk that the job works on, or None when it left."""
    return next((disk for disk in guest.live.disks if disk.target == job.disk), None)


def publish(guest: Any, job: BlockJob, status: int) -> None:
    """Tell that a job ended or is ready, by source path and by target."""
    disk = disk_of(guest, job)
    number = NUMBERS[job.what]
    if disk is None:
        return
    path = disk.location() if disk.type in ("file", "block", "dir") else None
    if path:
        guest.driver.bus.publish(out.BlockJob(guest, path, number, status))
    guest.driver.bus.publish(out.BlockJob2(guest, disk.target, number, status))


async def finish(guest: Any, job: BlockJob) -> None:
    """Take the end of a job that nobody waits for."""
    run = guest.run
    nested = guest.has_jobs and guest.jobs.async_job is Async.BACKUP
    async with guest.jobs.normal(Kind.MODIFY, wait=3600, nested=nested):
        if guest.run is run and run is not None and job.name in run.blockjobs and not job.waited:
            await finalize(guest, job)
            await conclude(guest, job)


async def finalize(guest: Any, job: BlockJob) -> None:
    """A copy that QEMU is about to put in the disk's place waits, with the guest's writes held back, for our word.

    Both images are equal now. The persistent definition names the copy before QEMU goes over to it, so that no death of
    QEMU can leave a definition that lacks what the guest flushed.
    """
    from . import outcome

    rows = await guest.monitor().command("query-jobs")
    row = next((row for row in rows if row.get("id") == job.name), None)
    if row is None or row.get("status") != "pending":
        return
    disk = disk_of(guest, job)
    if disk is not None and job.phase is Phase.PIVOTING:
        outcome.announce(guest, job, disk)
    await guest.monitor().command("job-finalize", {"id": job.name})


async def conclude(guest: Any, job: BlockJob) -> None:
    """A job that ended: learn how, put it into the documents, tell. The caller holds a job of the guest."""
    from . import outcome

    monitor = guest.monitor()
    row = next((r for r in await monitor.command("query-jobs") if r.get("id") == job.name), None)
    if row is not None and row.get("status") != "concluded":
        return
    if row is not None:
        job.done, job.whole = int(row.get("current-progress", 0)), int(row.get("total-progress", 0))
    if job.phase in LIVE:
        job.before = job.phase
        job.error = str(row.get("error") or "") if row is not None else job.error
        if job.error:
            job.phase = Phase.CANCELLED if job.error == "Operation canceled" else Phase.FAILED
        elif job.phase is Phase.ABORTING or (row is not None and _short(row) and job.what is not What.BACKUP):
            job.phase = Phase.CANCELLED
        else:
            job.phase = Phase.COMPLETED
        statusdoc.save(guest)
    if row is not None:
        with contextlib.suppress(MonitorError):
            await monitor.command("job-dismiss", {"id": job.name})
    disk = disk_of(guest, job)
    number = {Phase.COMPLETED: COMPLETED, Phase.FAILED: FAILED, Phase.CANCELLED: CANCELED}[job.phase]
    if disk is not None:
        try:
            await outcome.apply(guest, job, disk, job.before)
        except Error as error:
            log.error("guest %s: end of block job %s: %s", guest.name, job.name, error.message)
        publish(guest, job, number)
    log.info("guest %s: block job %s %s %s", guest.name, job.name, job.phase.value, job.error)
    forget(guest, job)


def _short(row: dict[str, Any]) -> bool:
    """Whether the job ended before its work was done, which a cancelled one may do without an error."""
    return int(row.get("current-progress", 0)) < int(row.get("total-progress", 0))


async def wait(guest: Any, job: BlockJob) -> None:
    """Until QEMU says that a job ended; then its outcome is taken here. The caller holds the guest's job."""
    run = guest.run
    job.waited = True
    ended = asyncio.ensure_future(run.ended.wait())
    try:
        while job.alive and guest.run is run:
            job.changed.clear()
            rows = {row["id"]: row for row in await guest.monitor().command("query-jobs")}
            if job.name not in rows or rows[job.name].get("status") == "concluded":
                await conclude(guest, job)
                return
            if rows[job.name].get("status") == "pending":
                await finalize(guest, job)
                continue
            changed = asyncio.ensure_future(job.changed.wait())
            await asyncio.wait({ended, changed}, timeout=1, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
        if guest.run is not run:
            raise OperationFailed("domain is no longer running")
    finally:
        job.waited = False
        ended.cancel()


async def until_ready(guest: Any, job: BlockJob) -> None:
    """Until a mirroring job is ready. Raises OperationFailed when it ends first."""
    run = guest.run
    while job.phase in (Phase.NEW, Phase.RUNNING) and guest.run is run:
        rows = {row["id"]: row for row in await guest.monitor().command("query-jobs")}
        status = rows[job.name].get("status") if job.name in rows else "concluded"
        if status == "ready":
            became_ready(guest, job)
        elif status == "concluded":
            await conclude(guest, job)
            raise OperationFailed(f"block job '{job.name}' failed: {job.error or 'it ended before it was ready'}")
        else:
            job.changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(job.changed.wait(), 0.2)


async def run_job(guest: Any, command: str, arguments: dict[str, Any]) -> None:
    """Run a job of QEMU's to its end (``blockdev-create``, ``snapshot-save`` ...). Raises OperationFailed."""
    name, monitor = str(arguments["job-id"]), guest.monitor()
    run = guest.run
    waiter = run.waiters[name] = asyncio.Event()
    try:
        await monitor.command(command, arguments)
        while True:
            row = next((r for r in await monitor.command("query-jobs") if r.get("id") == name), None)
            if row is None or row.get("status") == "concluded":
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(waiter.wait(), 1)
        if row is not None:
            await monitor.command("job-dismiss", {"id": name})
            if row.get("error"):
                raise OperationFailed(str(row["error"]))
    finally:
        run.waiters.pop(name, None)


# -- after a restart of the daemon


async def adopt(guest: Any) -> None:
    """Take up the jobs that the status document names; end those of QEMU's that nobody knows."""
    run = guest.run
    try:
        rows = {row["id"]: row for row in await guest.monitor().command("query-jobs")}
    except MonitorError:
        return
    for job in list(run.blockjobs.values()):
        row = rows.pop(job.name, None)
        if row is None or row.get("status") == "concluded":
            await conclude(guest, job)
        elif job.phase in (Phase.PIVOTING, Phase.ABORTING) and row.get("status") != "pending":
            from .operations import order_again

            await order_again(guest, job)
        elif row.get("status") == "ready":
            became_ready(guest, job)
        elif row.get("status") == "pending":
            guest.driver.spawn(finish(guest, job), f"block job {job.name} of {guest.name}")
        elif job.phase is Phase.NEW:
            job.phase = Phase.RUNNING
    for name, row in rows.items():
        log.warning("guest %s: QEMU's job %s is nobody's: ended", guest.name, name)
        with contextlib.suppress(MonitorError):
            if row.get("status") not in ("concluded", "null"):
                await guest.monitor().command("job-cancel", {"id": name})
                await asyncio.sleep(0.1)
            await guest.monitor().command("job-dismiss", {"id": name})
