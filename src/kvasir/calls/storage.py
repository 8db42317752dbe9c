"""Storage pools."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kvasir.calls.filters import passes
from kvasir.errors import InternalError, Origin

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


def _driver(session: Session) -> StorageDriver:
    driver: StorageDriver = session.other("storage")
    return driver


def _pool(session: Session, pool: Any) -> StoragePool:
    return _driver(session).find(pool)


def _wanted(pool: StoragePool, flags: int) -> bool:
    pairs = (
        (ACTIVE, INACTIVE, pool.active),
        (PERSISTENT, TRANSIENT, pool.persistent),
        (AUTOSTART, NO_AUTOSTART, pool.autostart),
    )
    if not passes(flags, *pairs):
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


async def connect_find_storage_pool_sources(session: Session, type: str, srcSpec: str | None, flags: int) -> str:
    """What pools of a type could be made of."""
    from kvasir.storage import documents
    from kvasir.storage.pools import KINDS
    from kvasir.storage.pools.base import PoolKind

    _driver(session)
    if type not in KINDS:
        raise InternalError(f"unknown storage pool type {type}", origin=Origin.STORAGE)
    kind = KINDS[type]
    if not kind.BUILT:
        raise InternalError(f"missing backend for pool type {kind.NUMBER} ({type})", origin=Origin.STORAGE)
    if kind.find_sources.__qualname__ == PoolKind.find_sources.__qualname__:
        kind.find_sources(None)  # says that there is no such search, whatever the document
    spec = documents.source(srcSpec)
    return documents.sources_xml(await asyncio.to_thread(kind.find_sources, spec))


def connect_get_storage_pool_capabilities(session: Session, flags: int) -> str:
    from kvasir.storage import capabilities

    _driver(session)
    return capabilities.xml()


async def storage_pool_create_xml(session: Session, xml: str, flags: int) -> Any:
    return await _driver(session).create(xml, flags)


async def storage_pool_define_xml(session: Session, xml: str, flags: int) -> Any:
    return await _driver(session).define(xml, flags)


async def storage_pool_create(session: Session, pool: Any, flags: int) -> None:
    driver = _driver(session)
    await driver.start_pool(driver.find(pool), flags)


async def storage_pool_build(session: Session, pool: Any, flags: int) -> None:
    driver = _driver(session)
    await driver.build(driver.find(pool), flags)


async def storage_pool_destroy(session: Session, pool: Any) -> None:
    driver = _driver(session)
    await driver.stop_pool(driver.find(pool))


async def storage_pool_delete(session: Session, pool: Any, flags: int) -> None:
    driver = _driver(session)
    await driver.delete(driver.find(pool), flags)


async def storage_pool_undefine(session: Session, pool: Any) -> None:
    driver = _driver(session)
    await driver.undefine(driver.find(pool))


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


async def storage_pool_set_autostart(session: Session, pool: Any, autostart: int) -> None:
    driver = _driver(session)
    await driver.set_autostart(driver.find(pool), bool(autostart))


def storage_pool_is_active(session: Session, pool: Any) -> int:
    return int(_pool(session, pool).active)


def storage_pool_is_persistent(session: Session, pool: Any) -> int:
    return int(_pool(session, pool).persistent)


def _ready(pool: StoragePool) -> list[Vol]:
    return list(pool.volumes.values())


def storage_pool_num_of_volumes(session: Session, pool: Any) -> int:
    found = _pool(session, pool)
    found.need_active()
    return len(_ready(found))


def storage_pool_list_volumes(session: Session, pool: Any, maxnames: int) -> list[str]:
    found = _pool(session, pool)
    found.need_active()
    return [volume.name for volume in _ready(found)][:maxnames]


def storage_pool_list_all_volumes(session: Session, pool: Any, need_results: int, flags: int) -> tuple[list[Any], int]:
    found = _pool(session, pool)
    found.need_active()
    volumes = _ready(found)
    return (volumes if need_results else []), len(volumes)
