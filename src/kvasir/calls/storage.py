"""Storage pools and volumes."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from kvasir.errors import InvalidArg, Origin, SystemFailure

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.storage.driver import StorageDriver
    from kvasir.storage.pool import StoragePool
    from kvasir.storage.volume import Vol

TYPE_BITS = {
    "dir": 64, "fs": 128, "netfs": 256, "logical": 512, "disk": 1024, "iscsi": 2048, "scsi": 4096, "mpath": 8192,
    "rbd": 16384, "sheepdog": 32768, "gluster": 65536, "zfs": 1 << 17, "vstorage": 1 << 18, "iscsi-direct": 1 << 19,
}  # fmt: skip
INACTIVE, ACTIVE, PERSISTENT, TRANSIENT, AUTOSTART, NO_AUTOSTART = 1, 2, 4, 8, 16, 32
CHUNK = 256 * 1024


def _driver(session: Session) -> StorageDriver:
    driver: StorageDriver = session.other("storage")
    return driver


def _pool(session: Session, pool: Any) -> StoragePool:
    return _driver(session).find(pool)


def _vol(session: Session, vol: Any) -> Vol:
    return _driver(session).volume(vol)


def _wanted(pool: StoragePool, flags: int) -> bool:
    pairs = (
        (INACTIVE, ACTIVE, pool.active),
        (TRANSIENT, PERSISTENT, pool.persistent),
        (NO_AUTOSTART, AUTOSTART, pool.autostart),
    )
    for no, yes, state in pairs:
        if flags & (no | yes) and not flags & (yes if state else no):
            return False
    kinds = sum(TYPE_BITS.values())
    return not flags & kinds or bool(flags & TYPE_BITS.get(pool.document.type, 0))


def connect_num_of_storage_pools(session: Session) -> int:
    return sum(p.active for p in _driver(session).pools.values())


def connect_list_storage_pools(session: Session, maxnames: int) -> list[str]:
    return [p.name for p in _driver(session).pools.values() if p.active][:maxnames]


def connect_num_of_defined_storage_pools(session: Session) -> int:
    return sum(not p.active for p in _driver(session).pools.values())


def connect_list_defined_storage_pools(session: Session, maxnames: int) -> list[str]:
    return [p.name for p in _driver(session).pools.values() if not p.active][:maxnames]


def connect_list_all_storage_pools(session: Session, need_results: int, flags: int) -> tuple[list[Any], int]:
    found = [p for p in _driver(session).pools.values() if _wanted(p, flags)]
    return (found if need_results else []), len(found)


async def storage_pool_create_xml(session: Session, xml: str, flags: int) -> Any:
    return await _driver(session).create(xml, flags)


def storage_pool_define_xml(session: Session, xml: str, flags: int) -> Any:
    return _driver(session).define(xml)


async def storage_pool_create(session: Session, pool: Any, flags: int) -> None:
    driver = _driver(session)
    await driver.start_pool(driver.find(pool), flags)


async def storage_pool_build(session: Session, pool: Any, flags: int) -> None:
    driver = _driver(session)
    await driver.build(driver.find(pool), flags)


def storage_pool_destroy(session: Session, pool: Any) -> None:
    driver = _driver(session)
    driver.stop_pool(driver.find(pool))


async def storage_pool_delete(session: Session, pool: Any, flags: int) -> None:
    driver = _driver(session)
    await driver.delete(driver.find(pool), flags)


def storage_pool_undefine(session: Session, pool: Any) -> None:
    driver = _driver(session)
    driver.undefine(driver.find(pool))


async def storage_pool_refresh(session: Session, pool: Any, flags: int) -> None:
    driver = _driver(session)
    await driver.refresh(driver.find(pool))


def storage_pool_lookup_by_name(session: Session, name: str) -> Any:
    return _driver(session).by_name(name)


def storage_pool_lookup_by_uuid(session: Session, uuid: bytes) -> Any:
    return _driver(session).by_uuid(uuid)


def storage_pool_lookup_by_volume(session: Session, vol: Any) -> Any:
    return _driver(session).by_name(vol.pool)


def storage_pool_lookup_by_target_path(session: Session, path: str) -> Any:
    return _driver(session).by_target(path)


def storage_pool_get_info(session: Session, pool: Any) -> tuple[int, int, int, int]:
    found = _pool(session, pool)
    document = found.document
    return 2 if found.active else 0, document.capacity or 0, document.allocation or 0, document.available or 0


def storage_pool_get_xml_desc(session: Session, pool: Any, flags: int) -> str:
    found = _pool(session, pool)
    document = found.new_document if flags & 1 and found.new_document is not None else found.document
    return document.xml()


def storage_pool_get_autostart(session: Session, pool: Any) -> int:
    return int(_pool(session, pool).autostart)


def storage_pool_set_autostart(session: Session, pool: Any, autostart: int) -> None:
    driver = _driver(session)
    driver.set_autostart(driver.find(pool), bool(autostart))


def storage_pool_is_active(session: Session, pool: Any) -> int:
    return int(_pool(session, pool).active)


def storage_pool_is_persistent(session: Session, pool: Any) -> int:
    return int(_pool(session, pool).persistent)


def storage_pool_num_of_volumes(session: Session, pool: Any) -> int:
    found = _pool(session, pool)
    found.need_active()
    return len(found.volumes)


def storage_pool_list_volumes(session: Session, pool: Any, maxnames: int) -> list[str]:
    found = _pool(session, pool)
    found.need_active()
    return list(found.volumes)[:maxnames]


def storage_pool_list_all_volumes(session: Session, pool: Any, need_results: int, flags: int) -> tuple[list[Any], int]:
    found = _pool(session, pool)
    found.need_active()
    volumes = list(found.volumes.values())
    return (volumes if need_results else []), len(volumes)


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
    try:
        await asyncio.to_thread(found.refresh)
    except OSError as error:
        raise SystemFailure(f"cannot open volume '{found.path}'", error, origin=Origin.STORAGE) from None
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


def _open(found: Vol, flags: int) -> int:
    try:
        return os.open(found.path, flags | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise SystemFailure(f"Failed to open {found.path}", error, origin=Origin.STORAGE) from None


def storage_vol_upload(session: Session, vol: Any, offset: int, length: int, flags: int) -> None:
    """The client writes the volume's bytes; holes are punched where it says so."""
    from kvasir.daemon.streams import Hole

    found = _vol(session, vol)
    fd = _open(found, os.O_WRONLY)

    async def pump(stream: Any) -> None:
        place, end = offset, offset + length if length else None
        try:
            while (data := await stream.read()) is not None:
                size = data.length if isinstance(data, Hole) else len(data)
                if end is not None and place + size > end:
                    raise InvalidArg("too many bytes for the length of the upload", origin=Origin.STORAGE)
                if not isinstance(data, Hole):
                    await asyncio.to_thread(_write_all, fd, data, place)
                elif place + size > os.fstat(fd).st_size:
                    os.ftruncate(fd, place + size)
                place += size
        finally:
            os.close(fd)
            await asyncio.to_thread(found.refresh)

    session.open_stream(pump)


def _write_all(fd: int, data: bytes, place: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(fd, view, place)
        view, place = view[count:], place + count


def storage_vol_download(session: Session, vol: Any, offset: int, length: int, flags: int) -> None:
    """The client reads the volume's bytes; with the sparse flag, holes come as holes."""
    fd = _open(_vol(session, vol), os.O_RDONLY)
    sparse = bool(flags & 1)

    async def pump(stream: Any) -> None:
        try:
            size = os.lseek(fd, 0, os.SEEK_END)
            place, end = offset, min(size, offset + length) if length else size
            while place < end:
                hole = _hole_at(fd, place, end) if sparse else 0
                if hole:
                    await stream.write_hole(hole)
                    place += hole
                    continue
                stop = _data_end(fd, place, end) if sparse else end
                data = await asyncio.to_thread(os.pread, fd, min(CHUNK, stop - place), place)
                if not data:
                    break
                await stream.write(data)
                place += len(data)
        finally:
            os.close(fd)

    session.open_stream(pump)


def _hole_at(fd: int, place: int, end: int) -> int:
    try:
        return min(os.lseek(fd, place, os.SEEK_DATA), end) - place
    except OSError:
        return end - place


def _data_end(fd: int, place: int, end: int) -> int:
    try:
        return min(os.lseek(fd, place, os.SEEK_HOLE), end)
    except OSError:
        return end
