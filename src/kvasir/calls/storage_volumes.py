"""Storage volumes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.storage.driver import StorageDriver
    from kvasir.storage.pool import StoragePool
    from kvasir.storage.volume import Vol


def _driver(session: Session) -> StorageDriver:
    driver: StorageDriver = session.other("storage")
    return driver


def _pool(session: Session, pool: Any) -> StoragePool:
    return _driver(session).find(pool)


def _vol(session: Session, vol: Any) -> Vol:
    return _driver(session).volume(vol)


async def storage_vol_create_xml(session: Session, pool: Any, xml: str, flags: int) -> Any:
    return await _pool(session, pool).create_volume(xml, flags)


async def storage_vol_create_xml_from(session: Session, pool: Any, xml: str, clonevol: Any, flags: int) -> Any:
    return await _pool(session, pool).create_volume(xml, flags, _vol(session, clonevol))


async def storage_vol_delete(session: Session, vol: Any, flags: int) -> None:
    found = _vol(session, vol)
    await found.owner.delete_volume(found, flags)


def storage_vol_lookup_by_name(session: Session, pool: Any, name: str) -> Any:
    return _pool(session, pool).volume(name)


def storage_vol_lookup_by_key(session: Session, key: str) -> Any:
    return _driver(session).volume_by_key(key)


def storage_vol_lookup_by_path(session: Session, path: str) -> Any:
    return _driver(session).volume_by_path(path)


async def _refreshed(session: Session, vol: Any) -> Vol:
    found = _vol(session, vol)
    if not found.building:
        await found.owner.look(found)
    return found


async def storage_vol_get_info(session: Session, vol: Any) -> tuple[int, int, int]:
    found = await _refreshed(session, vol)
    return found.kind, found.document.capacity or 0, found.document.allocation or 0


async def storage_vol_get_info_flags(session: Session, vol: Any, flags: int) -> tuple[int, int, int]:
    found = await _refreshed(session, vol)
    used = found.document.physical if flags & 1 else found.document.allocation
    return found.kind, found.document.capacity or 0, used or 0


async def storage_vol_get_xml_desc(session: Session, vol: Any, flags: int) -> str:
    return (await _refreshed(session, vol)).document.xml()


def storage_vol_get_path(session: Session, vol: Any) -> str:
    return _vol(session, vol).path


async def storage_vol_resize(session: Session, vol: Any, capacity: int, flags: int) -> None:
    found = _vol(session, vol)
    await found.owner.resize_volume(found, capacity, flags)


async def storage_vol_wipe(session: Session, vol: Any, flags: int) -> None:
    found = _vol(session, vol)
    await found.owner.wipe_volume(found, 0)


async def storage_vol_wipe_pattern(session: Session, vol: Any, algorithm: int, flags: int) -> None:
    found = _vol(session, vol)
    await found.owner.wipe_volume(found, algorithm)


async def storage_vol_upload(session: Session, vol: Any, offset: int, length: int, flags: int) -> None:
    """The client writes the volume's bytes; holes are punched where it says so."""
    from kvasir.storage import content

    found = _vol(session, vol)
    fd = await content.open_volume(found, os.O_WRONLY, offset)
    session.open_stream(lambda stream: content.receive(stream, found, fd, offset, length))


async def storage_vol_download(session: Session, vol: Any, offset: int, length: int, flags: int) -> None:
    """The client reads the volume's bytes; with the sparse flag, holes come as holes."""
    from kvasir.storage import content

    found = _vol(session, vol)
    fd = await content.open_volume(found, os.O_RDONLY, offset)
    session.open_stream(lambda stream: content.send(stream, found, fd, offset, length, flags))
