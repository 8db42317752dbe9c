"""What a block job leaves: the new chain in the live and the persistent document, the old nodes and labels gone."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import Any

from kvasir.devices.disk_source import BackingStore
from kvasir.errors import Error
from kvasir.qemu import statusdoc

from . import graph, labels
from .graph import Image
from .jobs import BlockJob, Phase, What

log = logging.getLogger(__name__)


async def apply(guest: Any, job: BlockJob, disk: Any, before: Phase) -> None:
    """Bring the documents to what QEMU has after the job; repeatable, for a daemon that was killed in the middle."""
    good = job.phase is Phase.COMPLETED
    if job.what is What.PULL:
        if good:
            await _pulled(guest, job, disk)
    elif job.what is What.COMMIT:
        if good:
            await _committed(guest, job, disk)
        else:
            _readonly_again(guest, job, disk)
    elif job.what is What.ACTIVE_COMMIT:
        if good and before is Phase.PIVOTING:
            await _active_committed(guest, job, disk)
        else:
            disk.mirror = None
            _readonly_again(guest, job, disk)
    elif job.what is What.COPY:
        await _copied(guest, job, disk, pivoted=good and before is Phase.PIVOTING)
    elif job.what is What.BACKUP:
        from kvasir.qemu.backups import run

        await run.ended(guest, job)
    statusdoc.save(guest)


def announce(guest: Any, job: BlockJob, disk: Any) -> None:
    """Let the persistent definition name the image that is about to take the disk's place."""
    if job.what is What.ACTIVE_COMMIT:
        chain = graph.of_disk(disk).images()
        image = next((image for image in chain if image.node == job.base), None)
    elif disk.mirror is not None:
        image = graph.of_mirror(disk.mirror)
    else:
        image = None
    if image is not None:
        new = image
        _config(guest, disk, disk.location(), lambda known: graph.put(known, graph.plain(new)))


def _readonly_again(guest: Any, job: BlockJob, disk: Any) -> None:
    base = next((image for image in graph.of_disk(disk).images() if image.node == job.base), None)
    if base is not None:
        labels.allow(guest, base, readonly=True)


async def drop(guest: Any, images: list[Image], *, top: bool = False, delete: bool = False) -> None:
    """Take layers out of QEMU; with ``top`` the first was a whole disk and is given back; ``delete`` removes the files."""
    for image in images:
        await graph.remove(guest, image)
        if top and image is images[0]:
            labels.revoke(guest, image)
        else:
            labels.close(guest, image)
        if delete and image.local:
            with contextlib.suppress(OSError):
                os.unlink(image.path)


async def _pulled(guest: Any, job: BlockJob, disk: Any) -> None:
    chain = graph.of_disk(disk).images()
    at = next((at for at, image in enumerate(chain) if image.node == job.base), len(chain)) if job.base else len(chain)
    gone = chain[1:at]
    below = chain[at - 1].below or BackingStore()
    disk.backing_store = below
    _config(guest, disk, disk.location(), lambda known: setattr(known, "backing_store", _config_below(known, below)))
    await _keep_bitmaps(guest, gone, chain[0])
    await drop(guest, gone)


def _config_below(known: Any, below: BackingStore) -> BackingStore | None:
    """The chain of a persistent definition that says nothing of it stays unsaid."""
    return None if known.backing_store is None else graph.bare(below)


async def _committed(guest: Any, job: BlockJob, disk: Any) -> None:
    """Layers from ``top`` down to just above ``base`` are in ``base`` now."""
    chain = graph.of_disk(disk).images()
    places = {image.node: at for at, image in enumerate(chain)}
    if job.base not in places or job.top not in places:
        return
    top, base = places[job.top], places[job.base]
    owner = _owner_of(disk, top)
    below = chain[base - 1].below
    if owner is disk:
        disk.backing_store = below
    else:
        owner.backing_store = below
    _config(guest, disk, disk.location(), lambda known: setattr(known, "backing_store",
                                                                _config_below(known, disk.backing_store)))  # fmt: skip
    await _keep_bitmaps(guest, chain[top:base], chain[base])
    labels.allow(guest, chain[base], readonly=True)
    await drop(guest, chain[top:base], delete=job.delete)


def _owner_of(disk: Any, place: int) -> Any:
    """What holds the layer at that place of the chain: the disk, or the layer above."""
    return disk if place == 1 else disk.backing_store.chain()[place - 2]


async def _active_committed(guest: Any, job: BlockJob, disk: Any) -> None:
    chain = graph.of_disk(disk).images()
    at = next((at for at, image in enumerate(chain) if image.node == job.base), None)
    disk.mirror = None
    if not at:
        return
    old = disk.location()
    base = chain[at]
    graph.put(disk, base)
    if disk.backing_store is None:
        disk.backing_store = BackingStore()
    _config(guest, disk, old, lambda known: graph.put(known, graph.plain(base)))
    await _keep_bitmaps(guest, chain[:at], base)
    labels.inherit(guest, chain[0], base)
    await drop(guest, chain[:at], top=True, delete=job.delete)


async def _copied(guest: Any, job: BlockJob, disk: Any, *, pivoted: bool) -> None:
    mirror = disk.mirror
    disk.mirror = None
    if mirror is None:
        return
    image, chain = graph.of_mirror(mirror), graph.of_disk(disk).images()
    if not pivoted:
        await drop(guest, image.images(), top=True)
        return
    old = disk.location()
    keep: list[Image] = []
    if job.shallow:
        image.below = disk.backing_store
        keep = chain[1:]
    elif image.below is None:
        image.below = BackingStore()
    graph.put(disk, image)
    disk.source.nodenames = image.named().source.nodenames
    _config(guest, disk, old, lambda known: graph.put(known, graph.plain(image)))
    gone = [each for each in chain if all(each.index != kept.index for kept in keep)]
    await _keep_bitmaps(guest, gone, image)
    await drop(guest, gone, top=True)


async def _keep_bitmaps(guest: Any, gone: list[Image], into: Image) -> None:
    """What checkpoints know of the layers that go stays known of the one that has their data now."""
    from kvasir.qemu.checkpoints import bitmaps

    try:
        await bitmaps.copy_down(guest, [image.node for image in gone], into.node, bitmaps.LAST_WRITES)
    except Error as error:
        log.warning("guest %s: bitmaps of %s are lost: %s", guest.name, into.path, error.message)


def _config(guest: Any, disk: Any, path: str | None, change: Any) -> None:
    """Change the same disk of the persistent definition, where it still has the same source."""
    if not guest.persistent or guest.config is None:
        return
    domain = guest.config.copy()
    for known in domain.disks:
        if known.target == disk.target and known.location() == path:
            change(known)
            guest.driver.rewrite_at_once(guest, domain)
            return


persist = _config
