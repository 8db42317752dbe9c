"""Disks of a running guest: block jobs, resize, write thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags, check_params
from kvasir.calls.guests import guest
from kvasir.errors import InvalidArg
from kvasir.qemu.blocks import copy, graph, operations
from kvasir.rpc.typed import UInt, ULLong

if TYPE_CHECKING:
    from kvasir.daemon.session import Session

BANDWIDTH_BYTES = 64
SHALLOW, REUSE, COPY_RAW, COPY, RELATIVE, COPY_DEV = 1, 2, 4, 8, 16, 32


async def domain_block_pull(session: Session, dom: Any, path: str, bandwidth: int, flags: int) -> None:
    """Copy the whole backing chain into the top image."""
    check_flags(flags, BANDWIDTH_BYTES, "qemuDomainBlockPull")
    speed = operations.bytes_of(bandwidth, bool(flags & BANDWIDTH_BYTES))
    await operations.pull(guest(session, dom), path, None, speed)


async def domain_block_rebase(
    session: Session, dom: Any, path: str, base: str | None, bandwidth: int, flags: int
) -> None:
    """Pull from the layers above ``base``, or with COPY begin a copy to the file ``base``."""
    known = BANDWIDTH_BYTES | SHALLOW | REUSE | COPY | COPY_RAW | RELATIVE | COPY_DEV
    check_flags(flags, known, "qemuDomainBlockRebase")
    found = guest(session, dom)
    speed = operations.bytes_of(bandwidth, bool(flags & BANDWIDTH_BYTES))
    if not flags & COPY:
        await operations.pull(found, path, base, speed, relative=bool(flags & RELATIVE))
        return
    if flags & RELATIVE:
        raise InvalidArg("Relative backing during copy not supported yet")
    image = graph.file_image(
        base or "", "raw" if flags & COPY_RAW else "", kind="block" if flags & COPY_DEV else "file"
    )
    await copy.copy(found, path, image, flags & (SHALLOW | REUSE), speed=speed)


PARAMETERS = (("bandwidth", ULLong), ("granularity", UInt), ("buf-size", ULLong))


async def domain_block_copy(
    session: Session, dom: Any, path: str, destxml: str, params: list[tuple[str, Any]], flags: int
) -> None:
    """Begin a copy of a disk to what a ``<disk>`` document names."""
    check_flags(flags, SHALLOW | REUSE | copy.TRANSIENT | copy.SYNCHRONOUS, "qemuDomainBlockCopy")
    found = guest(session, dom)
    check_params(params, PARAMETERS)
    given = dict(params)
    image = copy.destination(destxml)
    await copy.copy(
        found,
        path,
        image,
        flags,
        speed=int(given.get("bandwidth", 0)),
        granularity=int(given.get("granularity", 0)),
        buffer=int(given.get("buf-size", 0)),
    )


async def domain_block_commit(
    session: Session, dom: Any, disk: str, base: str | None, top: str | None, bandwidth: int, flags: int
) -> None:
    """Write layers into one below them."""
    check_flags(flags, 31, "qemuDomainBlockCommit")
    speed = operations.bytes_of(bandwidth, bool(flags & 16))
    found = guest(session, dom)
    known = graph.disk_by_name(found.current, disk)
    _layers_are_known(known, base, top, flags, found.active)
    await operations.commit(found, disk, base, top, speed, flags)


def _layers_are_known(disk: Any, base: str | None, top: str | None, flags: int, running: bool) -> None:
    """libvirt looks for both layers before all else, also in a guest that is off. Raises InvalidArg."""
    first = graph.of_disk(disk)
    upper = first if not top or top == disk.target else graph.find_layer(disk, top)[0]
    if base:
        graph.find_layer(disk, base, upper)
    elif not flags & operations.COMMIT_SHALLOW and upper.under() is None:
        raise InvalidArg(f"could not find base image in chain for '{disk.target}'")
    elif running and upper.under() is None and (upper is first) == bool(flags & operations.COMMIT_ACTIVE):
        raise InvalidArg(f"top '{upper.path}' in chain for '{first.path}' has no backing file")


async def domain_block_job_abort(session: Session, dom: Any, path: str, flags: int) -> None:
    """End a disk's job."""
    check_flags(flags, 3, "qemuDomainBlockJobAbort")
    await operations.abort(guest(session, dom), path, flags)


async def domain_get_block_job_info(
    session: Session, dom: Any, path: str, flags: int
) -> tuple[int, int, int, int, int]:
    """What a disk's job does."""
    check_flags(flags, 1, "qemuDomainGetBlockJobInfo")
    return await operations.info(guest(session, dom), path, bool(flags & 1))


async def domain_block_job_set_speed(session: Session, dom: Any, path: str, bandwidth: int, flags: int) -> None:
    """Limit a disk's job."""
    check_flags(flags, 1, "qemuDomainBlockJobSetSpeed")
    await operations.set_speed(guest(session, dom), path, operations.bytes_of(bandwidth, bool(flags & 1)))


async def domain_block_resize(session: Session, dom: Any, disk: str, size: int, flags: int) -> None:
    """Change a disk's size; KiB, or bytes with BYTES."""
    check_flags(flags, 1, "qemuDomainBlockResize")
    if not disk:
        raise InvalidArg("invalid path: ")
    await operations.resize(guest(session, dom), disk, size if flags & 1 else size * 1024)


async def domain_set_block_threshold(session: Session, dom: Any, dev: str, threshold: int, flags: int) -> None:
    """Tell when a layer is written beyond an offset."""
    check_flags(flags, 0, "qemuDomainSetBlockThreshold")
    await operations.set_threshold(guest(session, dom), dev, threshold)
