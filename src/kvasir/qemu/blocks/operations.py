"""What users ask of a running guest's disks: pull, commit, copy, resize, thresholds; speed and end of the jobs."""

from __future__ import annotations

import errno
import logging
import os
from typing import Any

from kvasir.errors import (
    Error,
    InvalidArg,
    OperationFailed,
    OperationInvalid,
    OperationUnsupported,
    Origin,
    SystemFailure,
)
from kvasir.qemu import statusdoc
from kvasir.qemu.jobs import Kind
from kvasir.qemu.monitor import MonitorError

from . import graph, labels
from .jobs import NUMBERS, BlockJob, Phase, What, disk_of, need_idle, of_disk, start, wait

log = logging.getLogger(__name__)

MIB = 1 << 20
LIMIT = (1 << 63) - 1


def bytes_of(bandwidth: int, in_bytes: bool) -> int:
    """A bandwidth in bytes a second; without ``in_bytes`` it counts MiB. Raises OVERFLOW."""
    if in_bytes:
        return bandwidth
    if bandwidth > LIMIT >> 20:
        text = f"bandwidth must be less than {LIMIT >> 20}"
        raise Error(text, code=82, origin=Origin.QEMU, message=f"numerical overflow: {text}")
    return bandwidth * MIB


async def pull(guest: Any, path: str, base: str | None, speed: int, *, relative: bool = False) -> None:
    """Copy the layers above ``base`` (or all) into the top image."""
    if relative and not base:
        raise InvalidArg("flag VIR_DOMAIN_BLOCK_REBASE_RELATIVE is valid only with non-null base")
    guest.need_active()
    async with guest.jobs.normal(Kind.MODIFY):
        guest.need_active()
        disk = graph.disk_by_name(guest.live, path)
        if disk.empty:
            raise InvalidArg(f"disk {disk.target} has no source file to be rebased")
        need_idle(guest, disk)
        top = graph.of_disk(disk)
        below = graph.find_layer(disk, base, top)[0] if base else None
        job = BlockJob(f"pull-{disk.target}-{top.node}", What.PULL, disk.target, base=below.node if below else "")
        await start(
            guest, job, "block-stream",
            {
                "job-id": job.name, "device": top.node, "base-node": below.node if below else None,
                "backing-file": _backing_name(top, below, relative) if below else None, "speed": speed or None,
                "auto-finalize": True, "auto-dismiss": False,
            },
        )  # fmt: skip


def _backing_name(upper: graph.Image, lower: graph.Image, relative: bool) -> str:
    """How ``upper`` shall name ``lower``: its whole path, or relative to its own folder."""
    if not relative:
        return lower.path
    return os.path.relpath(lower.path, os.path.dirname(upper.path))


COMMIT_SHALLOW, COMMIT_DELETE, COMMIT_ACTIVE, COMMIT_RELATIVE = 1, 2, 4, 8


async def commit(guest: Any, path: str, base: str | None, top: str | None, speed: int, flags: int) -> None:
    """Write the layers from ``top`` down to ``base`` into ``base``."""
    graph.disk_by_name(guest.current, path)
    guest.need_active()
    async with guest.jobs.normal(Kind.MODIFY):
        guest.need_active()
        disk = graph.disk_by_name(guest.live, path)
        need_idle(guest, disk)
        await commit_layers(guest, disk, base, top, speed, flags, path=path)


def _ends(disk: Any, base: str | None, top: str | None, flags: int, path: str) -> tuple[Any, Any, Any]:
    """(top layer, the one above it, base layer) of a commit. Raises InvalidArg."""
    first = graph.of_disk(disk)
    above = None
    if not top or top == disk.target:
        upper = first
    else:
        upper, above = graph.find_layer(disk, top)
    if upper.index == first.index:
        if not flags & COMMIT_ACTIVE:
            raise InvalidArg(f"commit of '{disk.target}' active layer requires active flag")
    elif flags & COMMIT_ACTIVE:
        raise InvalidArg(f"active commit requested but '{upper.path}' is not active")
    next_ = upper.under()
    if next_ is None:
        raise InvalidArg(f"could not find base image in chain for '{path}'")
    default = next_ if flags & COMMIT_SHALLOW else upper.images()[-1]
    lower = graph.find_layer(disk, base, upper)[0] if base else default
    if flags & COMMIT_SHALLOW and lower.index != next_.index:
        raise InvalidArg(f"base '{base}' is not immediately below '{upper.path}' in chain for '{path}'")
    return upper, above, lower


def _is_there(image: graph.Image) -> None:
    """An image whose file is gone is not written to: QEMU has it open still, and all of it goes with QEMU. Raises SystemFailure."""
    if image.local and not os.path.exists(image.path):
        raise SystemFailure(f"unable to stat: {image.path}", OSError(errno.ENOENT, os.strerror(errno.ENOENT)))


async def commit_layers(
    guest: Any, disk: Any, base: str | None, top: str | None, speed: int, flags: int, *, path: str = ""
) -> BlockJob:
    """Begin a commit; the caller holds the guest's job."""
    from kvasir.devices.disk import Mirror

    upper, above, lower = _ends(disk, base, top, flags, path or disk.target)
    _is_there(lower)
    await labels.own(guest, lower)
    if above is not None and above.index != graph.of_disk(disk).index:
        labels.allow(guest, above)
    what = What.ACTIVE_COMMIT if above is None else What.COMMIT
    job = BlockJob(
        f"commit-{disk.target}-{upper.node}", what, disk.target, flags, base=lower.node, top=upper.node,
        topparent=above.node if above is not None else "", delete=bool(flags & COMMIT_DELETE),
    )  # fmt: skip
    if what is What.ACTIVE_COMMIT:
        source = lower.source.copy()
        source.index = lower.index
        disk.mirror = Mirror(type=lower.type, job="active-commit", format=lower.format, source=source)
    try:
        await start(
            guest, job, "block-commit",
            {
                "device": graph.of_disk(disk).node, "job-id": job.name, "top-node": upper.node,
                "base-node": lower.node, "speed": speed or None,
                "backing-file": _backing_name(above, lower, True) if flags & COMMIT_RELATIVE and above else None,
                "auto-finalize": what is What.COMMIT, "auto-dismiss": False,
            },
        )  # fmt: skip
    except BaseException:
        disk.mirror = None
        raise
    return job


# -- the jobs themselves

ABORT_ASYNC, ABORT_PIVOT = 1, 2


def _job(guest: Any, path: str) -> tuple[Any, BlockJob]:
    disk = graph.disk_by_name(guest.live, path)
    job = of_disk(guest, disk)
    if job is None:
        raise InvalidArg(f"disk {disk.target} does not have an active block job")
    return disk, job


async def abort(guest: Any, path: str, flags: int) -> None:
    """End a job: cancel it, or with PIVOT let the guest go on with the copy. Without ASYNC the end is awaited."""
    guest.need_active()
    async with guest.jobs.normal(Kind.MODIFY):
        guest.need_active()
        disk, job = _job(guest, path)
        await end_job(guest, disk, job, pivot=bool(flags & ABORT_PIVOT), until_end=not flags & ABORT_ASYNC)


async def end_job(guest: Any, disk: Any, job: BlockJob, *, pivot: bool, until_end: bool) -> None:
    """``abort`` for a caller who holds the guest's job. Raises OperationFailed when a pivot fails."""
    if job.phase in (Phase.ABORTING, Phase.PIVOTING):
        raise OperationInvalid(f"block job on disk '{disk.target}' is still being ended")
    job.waited = until_end
    try:
        if pivot:
            await _pivot(guest, disk, job)
        else:
            before, job.phase = job.phase, Phase.ABORTING
            if disk.mirror is not None:
                disk.mirror.ready = "abort"
            statusdoc.save(guest)
            try:
                await guest.monitor().command("block-job-cancel", {"device": job.name})
            except MonitorError:
                job.phase = before
                raise
        if until_end:
            await wait(guest, job)
            if pivot and job.phase is Phase.FAILED:
                why = f": {job.error}" if job.error else ""
                raise OperationFailed(f"block job '{job.name}' failed while pivoting{why}")
    finally:
        job.waited = False


async def _pivot(guest: Any, disk: Any, job: BlockJob) -> None:
    if job.phase is not Phase.READY:
        text = f"block job '{job.name}' not ready for pivot yet"
        raise Error(text, code=83, message=f"block copy still active: {text}")
    job.phase = Phase.PIVOTING
    disk.mirror.ready = "pivot"
    statusdoc.save(guest)
    try:
        if job.what is What.COPY:
            from .copy import before_pivot

            await before_pivot(guest, disk, job)
        await _record_last_writes(guest, disk)
        await guest.monitor().command("job-complete", {"id": job.name})
    except BaseException:
        if guest.active:
            job.phase, disk.mirror.ready = Phase.READY, "yes"
            statusdoc.save(guest)
        raise


async def order_again(guest: Any, job: BlockJob) -> None:
    """The daemon died while it ended a job, and QEMU may not have heard of it: say it once more."""
    disk = disk_of(guest, job)
    monitor = guest.monitor()
    try:
        if job.phase is Phase.ABORTING:
            await monitor.command("block-job-cancel", {"device": job.name})
            return
        image = graph.of_mirror(disk.mirror) if disk is not None and disk.mirror is not None else None
        below = image.under() if image is not None and job.what is What.COPY and not job.shallow else None
        if image is not None and below is not None:
            nodes = await graph.nodes(guest)
            if not int((nodes.get(image.node) or {}).get("backing_file_depth", 0)):
                for each in below.images():
                    await graph.remove(guest, each)
                job.phase, disk.mirror.ready = Phase.READY, "yes"
                return
        await monitor.command("job-complete", {"id": job.name})
    except MonitorError as error:
        log.warning("guest %s: block job %s: %s", guest.name, job.name, error.message)


async def _record_last_writes(guest: Any, disk: Any) -> None:
    """Where checkpoints watch the disk, the copy records what is written until it takes the disk's place."""
    from kvasir.qemu.checkpoints import bitmaps

    found = await bitmaps.all_of(guest)
    watched = any(
        bitmap.get("persistent")
        for image in graph.of_disk(disk).images()
        for bitmap in found.get(image.node, {}).values()
    )
    node = f"libvirt-{disk.mirror.source.index}-format"
    if watched and bitmaps.LAST_WRITES not in found.get(node, {}):
        await bitmaps.transaction(guest, [bitmaps.add(node, bitmaps.LAST_WRITES, persistent=False)])


async def info(guest: Any, path: str, in_bytes: bool) -> tuple[int, int, int, int, int]:
    """(found, type, bandwidth, done, whole) of a disk's job."""
    guest.need_active()
    async with guest.jobs.normal(Kind.QUERY):
        guest.need_active()
        disk = graph.disk_by_name(guest.live, path)
        job = of_disk(guest, disk)
        if job is None:
            return 0, 0, 0, 0, 0
        rows = await guest.monitor().command("query-block-jobs")
        row = next((row for row in rows if row.get("device") == job.name), None)
        if row is None:
            return 0, 0, 0, 0, 0
        done, whole, ready = int(row["offset"]), int(row["len"]), bool(row.get("ready"))
        if not ready and done == whole:
            done, whole = (done - 1, whole) if done else (done, whole + 1)
        if ready and not done and not whole:
            done = whole = 1
        speed = int(row.get("speed", 0))
        return 1, NUMBERS[job.what], speed if in_bytes else -(-speed // MIB), done, whole


async def set_speed(guest: Any, path: str, speed: int) -> None:
    """Limit a job (bytes a second, 0 for no limit)."""
    guest.need_active()
    async with guest.jobs.normal(Kind.MODIFY):
        guest.need_active()
        _, job = _job(guest, path)
        await guest.monitor().command("block-job-set-speed", {"device": job.name, "speed": speed})


# -- size and threshold


async def resize(guest: Any, path: str, size: int) -> None:
    """Change the size of a disk (bytes); the guest sees it at once where its device can tell."""
    guest.need_active()
    async with guest.jobs.normal(Kind.MODIFY):
        guest.need_active()
        disk = next((d for d in guest.live.disks if path and path in (d.target, d.location())), None)
        if disk is None:
            raise InvalidArg(f"disk '{path}' was not found in the domain config")
        if disk.empty or disk.readonly:
            raise OperationUnsupported(f"can't resize empty or readonly disk '{disk.target}'")
        if disk.format in ("qcow2", "qed"):
            size = -(-size // 512) * 512
        await guest.monitor().command("block_resize", {"node-name": graph.of_disk(disk).node, "size": size})


async def set_threshold(guest: Any, device: str, threshold: int) -> None:
    """Tell when a layer's file is written beyond an offset (bytes)."""
    guest.need_active()
    async with guest.jobs.normal(Kind.MODIFY):
        guest.need_active()
        image = layer_of(guest.live, device)
        if image is None or image.index is None:
            raise InvalidArg(f"failed to find disk '{device}'")
        await guest.monitor().command(
            "block-set-write-threshold", {"node-name": image.storage, "write-threshold": threshold}
        )


def layer_of(domain: Any, device: str) -> graph.Image | None:
    """The layer of ``vda`` or ``vda[3]``."""
    found = graph.INDEXED.match(device)
    target, number = (found[1], int(found[2])) if found else (device, 0)
    disk = next((disk for disk in domain.disks if disk.target == target), None)
    if disk is None or disk.empty:
        return None
    return next((image for image in graph.of_disk(disk).images() if not number or image.index == number), None)
