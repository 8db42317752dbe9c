"""Running a backup: its images, QEMU's jobs, the NBD server, and the end.

The guest's long job slot is held until the last disk is done; a restarted daemon takes the backup up from the status document.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from typing import Any

from kvasir.devices.disk_source import BackingStore
from kvasir.errors import (
    Code,
    ConfigUnsupported,
    Error,
    InvalidArg,
    OperationInvalid,
    OperationUnsupported,
    Origin,
    SystemFailure,
)
from kvasir.events import JobCompleted
from kvasir.qemu import jobstats, statusdoc
from kvasir.qemu.blocks import create, graph, labels
from kvasir.qemu.blocks.graph import Image
from kvasir.qemu.blocks.jobs import BlockJob, Phase, What, forget, register
from kvasir.qemu.checkpoints import bitmaps
from kvasir.qemu.checkpoints import create as checkpoints
from kvasir.qemu.checkpoints.tree import CheckpointTree, NoCheckpoint
from kvasir.qemu.jobs import DEFAULT_MASK, Async, Kind, Operation
from kvasir.qemu.monitor import MonitorError

from .document import Backup, Entry, align, parse

log = logging.getLogger(__name__)

REUSE = 1
MASK = DEFAULT_MASK | Kind.SUSPEND | Kind.MODIFY


class NoBackup(Error):
    """Error 104."""

    code, origin = Code.NO_DOMAIN_BACKUP, Origin.QEMU

    def __init__(self) -> None:
        text = "no domain backup job present"
        super().__init__(text, message=f"Domain backup job id not found: {text}")


async def begin(guest: Any, xml: str, checkpoint: str | None, flags: int) -> None:
    """Begin a backup, perhaps with a checkpoint of the same moment."""
    backup = parse(xml)
    guest.need_active()
    _server(backup)
    stack = contextlib.AsyncExitStack()
    await stack.enter_async_context(guest.jobs.long(Async.BACKUP, Operation.BACKUP, mask=MASK))
    backup.stack = stack
    try:
        async with guest.jobs.normal(Kind.MODIFY, nested=True):
            guest.need_active()
            point = await checkpoints.prepare(guest, checkpoint) if checkpoint else None
            align(backup, guest.live, point.name if point is not None else str(int(time.time())))
            await _begin(guest, backup, point, bool(flags & REUSE))
    except BaseException:
        if guest.run is not None:
            guest.run.backup = None
        await stack.aclose()
        raise


def _server(backup: Backup) -> None:
    from .document import Server

    if not backup.pull:
        return
    if backup.server is None:
        backup.server = Server(transport="tcp", name="localhost")
    if backup.server.transport == "tcp":
        backup.server.name = backup.server.name or "localhost"
        if not backup.server.port:
            raise OperationUnsupported("<domainbackup> must specify TCP port for now")
    elif not backup.server.socket:
        raise ConfigUnsupported("a unix server of a backup needs a socket")


class Part:
    """One disk under way."""

    def __init__(self, guest: Any, entry: Entry) -> None:
        self.entry = entry
        self.disk = next(disk for disk in guest.live.disks if disk.target == entry.name)
        self.top = graph.of_disk(self.disk)
        row = entry.disk
        self.image = Image(row.type or "file", row.format or "qcow2", entry.source)
        self.bitmap = f"backup-{entry.name}" if row.mode == "incremental" else ""
        self.made = False

    @property
    def job(self) -> str:
        return f"backup-{self.entry.name}-{self.top.node}"


async def _begin(guest: Any, backup: Backup, point: Any, reuse: bool) -> None:
    parts = [Part(guest, entry) for entry in backup.entries if entry.disk.backup]
    for part in parts:
        _check(guest, part, reuse)
    actions = checkpoints.actions(guest, point) if point is not None else []
    for part in parts:
        if part.bitmap:
            actions += await _changed(guest, part)
    vm = await create.vm_of(guest)
    done: list[Part] = []
    try:
        for part in parts:
            done.append(part)
            await _image(guest, vm, part, backup, reuse)
        guest.run.backup = backup
        if backup.pull:
            await guest.monitor().command("nbd-server-start", {"addr": _address(backup)})
        for part in parts:
            _register(guest, part, backup)
            actions.append(_action(part, backup))
        await bitmaps.transaction(guest, actions)
    except BaseException:
        await _undo(guest, backup, done)
        raise
    if point is not None:
        checkpoints.keep(guest, point)
    if backup.pull:
        for part in parts:
            await _export(guest, part)
    statusdoc.save(guest)


def _check(guest: Any, part: Part, reuse: bool) -> None:
    from kvasir.qemu.blocks.jobs import need_idle

    need_idle(guest, part.disk)
    image = part.image
    if image.format not in ("qcow2", "raw") or (image.format == "raw" and part.bitmap):
        raise ConfigUnsupported(f"backup format '{image.format}' of disk '{part.entry.name}' is not supported")
    exists = os.path.exists(image.path)
    if reuse and not exists:
        raise SystemFailure(f"missing target file for backup of disk '{part.entry.name}': '{image.path}'",
                            OSError(2, os.strerror(2)))  # fmt: skip
    if exists and not reuse and image.type == "file" and os.path.getsize(image.path):
        raise InvalidArg(f"store '{image.path}' for backup of '{part.entry.name}' exists")


async def _changed(guest: Any, part: Part) -> list[bitmaps.Action]:
    """A bitmap of all that changed since the checkpoint."""
    tree = CheckpointTree.of(guest)
    since = str(part.entry.disk.incremental)
    point = tree.known.get(since)
    if point is None:
        raise NoCheckpoint(f"Checkpoint '{since}' for incremental backup of disk '{part.entry.name}' not found")
    entry = next((one for one in point.disks if one.name == part.entry.name and one.checkpoint == "bitmap"), None)
    if entry is None:
        raise InvalidArg(f"disk '{part.entry.name}' was not part of checkpoint '{since}'")
    found = bitmaps.holders(await bitmaps.all_of(guest), part.disk, str(entry.bitmap))
    if not found:
        raise OperationInvalid(f"missing or broken bitmap '{entry.bitmap}' for disk '{part.entry.name}'")
    return [
        bitmaps.add(part.top.node, part.bitmap, persistent=False, disabled=True, granularity=found[0][2]),
        bitmaps.merge(part.top.node, part.bitmap, [(node, name) for node, name, _ in found]),
    ]


async def _image(guest: Any, vm: Any, part: Part, backup: Backup, reuse: bool) -> None:
    image = part.image
    image.index = graph.next_number(guest)
    part.entry.disk.index = image.index
    backing = part.top if (backup.pull or part.bitmap) and image.format == "qcow2" else None
    if reuse:
        await labels.own(guest, image, new=True)
        below = backing.node if backing is not None else None
        await graph.add(guest, vm, part.disk, image, readonly=False, backing=below, closed=below is None)
        return
    size = await create.size_of(guest, part.top)
    part.made = await create.image(guest, vm, part.disk, image, size, backing, part.top)


def _address(backup: Backup) -> dict[str, Any]:
    server = backup.server
    assert server is not None
    if server.transport == "unix":
        return {"type": "unix", "data": {"path": server.socket}}
    return {"type": "inet", "data": {"host": server.name, "port": str(server.port)}}


def _register(guest: Any, part: Part, backup: Backup) -> None:
    image = part.image
    store = {"type": image.type, "format": image.format, "path": image.path, "index": str(image.index),
             "made": str(int(part.made))}  # fmt: skip
    register(
        guest, BlockJob(part.job, What.BACKUP, part.entry.name, bitmap=part.bitmap, store=store, phase=Phase.RUNNING)
    )


def _action(part: Part, backup: Backup) -> bitmaps.Action:
    data: dict[str, Any] = {"device": part.top.node, "job-id": part.job, "target": part.image.node}
    if backup.pull:
        data["sync"] = "none"
    else:
        data["sync"] = "incremental" if part.bitmap else "full"
        if part.bitmap:
            data["bitmap"] = part.bitmap
    return {"type": "blockdev-backup", "data": {**data, "auto-finalize": True, "auto-dismiss": False}}


async def _export(guest: Any, part: Part) -> None:
    row = part.entry.disk
    arguments: dict[str, Any] = {
        "type": "nbd", "id": f"libvirt-nbd-{part.image.node}", "node-name": part.image.node, "writable": False,
        "name": row.exportname or part.entry.name,
    }  # fmt: skip
    if part.bitmap:
        name = row.exportbitmap or part.bitmap
        if row.exportbitmap:
            await bitmaps.transaction(
                guest,
                [
                    bitmaps.add(part.image.node, name, persistent=False, disabled=True),
                    bitmaps.merge(part.image.node, name, [(part.top.node, part.bitmap)]),
                ],
            )
            arguments["bitmaps"] = [name]
        else:
            arguments["bitmaps"] = [{"node": part.top.node, "name": name}]
    await guest.monitor().command("block-export-add", arguments)


async def _undo(guest: Any, backup: Backup, parts: list[Part]) -> None:
    if guest.run is None or not guest.active:
        return
    if backup.pull:
        with contextlib.suppress(MonitorError):
            await guest.monitor().command("nbd-server-stop")
    for part in parts:
        job = guest.run.blockjobs.get(part.job)
        if job is not None:
            forget(guest, job)
        if part.image.index is not None:
            await graph.remove(guest, part.image)
        labels.revoke(guest, part.image)
        if part.made:
            create.unlink(part.image)
        if part.bitmap:
            await _drop_bitmap(guest, part.top.node, part.bitmap)
    guest.run.backup = None
    statusdoc.save(guest)


async def _drop_bitmap(guest: Any, node: str, name: str) -> None:
    with contextlib.suppress(MonitorError):
        await guest.monitor().command("block-dirty-bitmap-remove", {"node": node, "name": name})


def document(guest: Any) -> str:
    """The backup that runs. Raises NoBackup."""
    if guest.run is None or not guest.active or guest.run.backup is None:
        raise NoBackup
    return str(guest.run.backup.xml())


async def abort(guest: Any) -> None:
    """End the backup that runs (a pulled one is ended so when its client is done)."""
    for job in list(guest.run.blockjobs.values()):
        if job.what is What.BACKUP and job.alive:
            job.phase = Phase.ABORTING
            with contextlib.suppress(MonitorError):
                await guest.monitor().command("block-job-cancel", {"device": job.name, "force": True})
    statusdoc.save(guest)


async def ended(guest: Any, job: BlockJob) -> None:
    """One disk is done; after the last one the backup is."""
    backup: Backup | None = guest.run.backup
    if backup is None:
        return
    backup.processed_before += job.done
    backup.total_before += job.whole
    if job.error and not backup.error:
        backup.error = job.error
    if job.phase is Phase.FAILED and not backup.pull:
        await _cancel_others(guest, job)
    others = [one for one in guest.run.blockjobs.values() if one.what is What.BACKUP and one is not job and one.alive]
    image = graph.file_image(job.store["path"], job.store["format"], kind=job.store["type"])
    image.index = int(job.store["index"])
    if backup.pull:
        with contextlib.suppress(MonitorError):
            await guest.monitor().command("block-export-del", {"id": f"libvirt-nbd-{image.node}", "mode": "hard"})
        if not others:
            with contextlib.suppress(MonitorError):
                await guest.monitor().command("nbd-server-stop")
    await graph.remove(guest, image)
    labels.revoke(guest, image)
    if (backup.pull or job.phase is not Phase.COMPLETED) and job.store.get("made") == "1":
        create.unlink(image)
    if job.bitmap:
        disk = next((disk for disk in guest.live.disks if disk.target == job.disk), None)
        if disk is not None:
            await _drop_bitmap(guest, graph.of_disk(disk).node, job.bitmap)
    if not others:
        await _end(guest, backup)


async def _cancel_others(guest: Any, job: BlockJob) -> None:
    for one in guest.run.blockjobs.values():
        if one.what is What.BACKUP and one is not job and one.alive:
            one.phase = Phase.ABORTING
            with contextlib.suppress(MonitorError):
                await guest.monitor().command("block-job-cancel", {"device": one.name, "force": True})


async def _end(guest: Any, backup: Backup) -> None:
    figures = guest.jobs.figures
    if not backup.pull:
        backup.total, backup.processed = backup.total_before, backup.processed_before
    guest.run.backup = None
    statusdoc.save(guest)
    if figures is not None:
        figures.backup = {"pull": backup.pull, "total": backup.total, "done": backup.processed, "error": backup.error}
        figures.errmsg = backup.error or None
        figures.end(jobstats.COMPLETED if not backup.error or backup.pull else jobstats.FAILED)
        guest.jobs.completed = figures
        guest.driver.bus.publish(JobCompleted(guest, jobstats.params(figures)))
    if backup.stack is not None:
        await backup.stack.aclose()


async def cut_off(guest: Any, backup: Backup) -> None:
    """The guest ended under its backup: the job ends too, so that the guest may be started again."""
    figures = guest.jobs.figures
    if figures is not None and backup.stack is not None:
        figures.backup = {"pull": backup.pull, "total": backup.total, "done": backup.processed, "error": backup.error}
        figures.end(jobstats.CANCELLED)
        guest.jobs.completed = figures
        guest.driver.bus.publish(JobCompleted(guest, jobstats.params(figures)))
    if backup.stack is not None:
        await backup.stack.aclose()


async def note_progress(guest: Any) -> None:
    """Bring the job's figures up to date. The caller holds a job."""
    backup, figures = guest.run.backup, guest.jobs.figures
    if backup is None or figures is None:
        return
    total, done = backup.total_before, backup.processed_before
    nodes = await graph.nodes(guest) if backup.pull else {}
    rows = {row.get("id"): row for row in await guest.monitor().command("query-jobs")}
    for job in guest.run.blockjobs.values():
        if job.what is not What.BACKUP or not job.alive:
            continue
        if backup.pull:
            image = (nodes.get(f"libvirt-{job.store['index']}-format") or {}).get("image") or {}
            total += int(image.get("virtual-size", 0))
        elif job.name in rows:
            total += int(rows[job.name].get("total-progress", 0))
            done += int(rows[job.name].get("current-progress", 0))
    backup.total, backup.processed = total, done if not backup.pull else 0
    figures.backup = {"pull": backup.pull, "total": backup.total, "done": backup.processed, "error": ""}


async def adopt(guest: Any) -> None:
    """A restarted daemon holds the long job again while the backup runs."""
    backup = guest.run.backup
    if backup is None:
        return
    stack = contextlib.AsyncExitStack()
    await stack.enter_async_context(guest.jobs.long(Async.BACKUP, Operation.BACKUP, mask=MASK))
    backup.stack = stack
    if not any(job.what is What.BACKUP for job in guest.run.blockjobs.values()):
        await _end(guest, backup)


__all__ = ["BackingStore", "begin", "document"]
