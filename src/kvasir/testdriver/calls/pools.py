"""Storage of the test driver."""

from __future__ import annotations

from typing import Any

from kvasir.calls.filters import passes
from kvasir.calls.flags import check_flags
from kvasir.errors import Code, Error, InternalError, InvalidArg, OperationInvalid, Origin, XmlError
from kvasir.testdriver.pools import Data, Place, Pools, no_volume

TYPES = (
    *(
        "dir",
        "fs",
        "netfs",
        "logical",
        "disk",
        "iscsi",
        "scsi",
        "mpath",
        "rbd",
        "sheepdog",
        "gluster",
        "zfs",
        "vstorage",
    ),
    "iscsi-direct",
)
SOURCES = {
    "logical": "".join(
        f"  <source>\n    <device path='/dev/sda{20 + n}'/>\n    <name>testvg{1 + n}</name>\n    <format type='lvm2'/>\n  </source>\n"
        for n in range(2)
    ),
    "netfs": "".join(
        f"  <source>\n    <host name='{{host}}'/>\n    <dir path='{path}'/>\n    <format type='nfs'/>\n  </source>\n"
        for path in ("/testshare",)
    ),
}


def _all(session: Any) -> Pools:
    found: Pools = session.driver.pools
    return found


def _pool(session: Any, pool: Any) -> Place:
    return _all(session).by_name(pool.name)


def _same(session: Any, pool: Any) -> Place:
    return _all(session).by_uuid(pool.uuid)


def _wanted(place: Place, flags: int) -> bool:
    if not passes(flags, (2, 1, place.active), (4, 8, place.persistent), (16, 32, place.autostart)):
        return False
    kinds = flags >> 6
    return not kinds or bool(kinds >> TYPES.index(place.document.type) & 1)


def connect_list_all_storage_pools(session: Any, need_results: int, flags: int) -> tuple[list[Place], int]:
    if not need_results:
        return [], len(_all(session).known)  # libvirt's own driver counts without the filters
    found = [place for place in _all(session).known.values() if _wanted(place, flags)]
    return found, len(found)


def connect_num_of_storage_pools(session: Any) -> int:
    return sum(place.active for place in _all(session).known.values())


def connect_list_storage_pools(session: Any, maxnames: int) -> list[str]:
    return [place.name for place in _all(session).known.values() if place.active][:maxnames]


def connect_num_of_defined_storage_pools(session: Any) -> int:
    return sum(not place.active for place in _all(session).known.values())


def connect_list_defined_storage_pools(session: Any, maxnames: int) -> list[str]:
    return [place.name for place in _all(session).known.values() if not place.active][:maxnames]


def connect_find_storage_pool_sources(session: Any, type: str, srcSpec: str | None, flags: int) -> str:
    """What could be made a pool."""
    if type == "dir":
        raise InternalError("unknown storage pool type dir", origin=Origin.TEST)
    host = None if srcSpec is None else _host_of(type, srcSpec)
    if type not in SOURCES:
        text = f"pool type '{type}' does not support source discovery"
        message = f"this function is not supported by the connection driver: {text}"
        raise Error(text, code=Code.NO_SUPPORT, origin=Origin.TEST, message=message)
    if type == "netfs" and not host:
        raise InvalidArg("hostname must be specified for netfs sources", origin=Origin.TEST)
    return f"<sources>\n{SOURCES[type].format(host=host)}</sources>\n"


def _host_of(type: str, text: str) -> str | None:
    from kvasir.xml.reader import read

    root = read(text, "(storage_source_specification)")
    if root.tag != "source":
        raise XmlError(f"expecting root element of 'source', not '{root.tag}'", origin=Origin.XML)
    if type not in TYPES:
        raise InternalError("missing backend for pool type -1", origin=Origin.STORAGE)
    host = root.find("host")
    return host.get("name") if host is not None else None


def storage_pool_lookup_by_name(session: Any, name: str) -> Place:
    return _all(session).by_name(name)


def storage_pool_lookup_by_uuid(session: Any, uuid: bytes) -> Place:
    return _all(session).by_uuid(uuid)


def storage_pool_lookup_by_volume(session: Any, vol: Any) -> Place:
    return _all(session).by_name(vol.pool)


def storage_pool_define_xml(session: Any, xml: str, flags: int) -> Place:
    return _all(session).define(xml, False, bool(flags & 1))


def storage_pool_create_xml(session: Any, xml: str, flags: int) -> Place:
    return _all(session).define(xml, True)


def storage_pool_create(session: Any, pool: Any, flags: int) -> None:
    _all(session).start(_pool(session, pool))


def storage_pool_build(session: Any, pool: Any, flags: int) -> None:
    place = _pool(session, pool)
    place.need_inactive()
    _all(session).say(place, 4)


def storage_pool_delete(session: Any, pool: Any, flags: int) -> None:
    place = _pool(session, pool)
    place.need_inactive()
    _all(session).say(place, 5)


def storage_pool_destroy(session: Any, pool: Any) -> None:
    _all(session).stop(_pool(session, pool))


def storage_pool_undefine(session: Any, pool: Any) -> None:
    _all(session).undefine(_pool(session, pool))


def storage_pool_refresh(session: Any, pool: Any, flags: int) -> None:
    place = _pool(session, pool)
    place.need_active()
    _all(session).refreshed(place)


def storage_pool_get_info(session: Any, pool: Any) -> tuple[int, int, int, int]:
    place = _pool(session, pool)
    document = place.document
    return (2 if place.active else 0), document.capacity, document.allocation, document.available


def storage_pool_get_xml_desc(session: Any, pool: Any, flags: int) -> str:
    return _pool(session, pool).document.xml()


def storage_pool_get_autostart(session: Any, pool: Any) -> int:
    return int(_pool(session, pool).autostart)


def storage_pool_set_autostart(session: Any, pool: Any, autostart: int) -> None:
    place = _pool(session, pool)
    if not place.persistent:
        raise OperationInvalid("pool has no config file", origin=Origin.TEST)
    place.autostart = bool(autostart)


def storage_pool_is_active(session: Any, pool: Any) -> int:
    return int(_same(session, pool).active)


def storage_pool_is_persistent(session: Any, pool: Any) -> int:
    return int(_same(session, pool).persistent)


def _active(session: Any, pool: Any) -> Place:
    place = _pool(session, pool)
    place.need_active()
    return place


def storage_pool_num_of_volumes(session: Any, pool: Any) -> int:
    return len(_active(session, pool).volumes)


def storage_pool_list_volumes(session: Any, pool: Any, maxnames: int) -> list[str]:
    return list(_active(session, pool).volumes)[:maxnames]


def storage_pool_list_all_volumes(session: Any, pool: Any, need_results: int, flags: int) -> tuple[list[Data], int]:
    place = _same(session, pool)
    if not place.active:
        raise OperationInvalid("storage pool is not active", origin=Origin.TEST)
    found = list(place.volumes.values())
    return (found if need_results else []), len(found)


def storage_vol_lookup_by_name(session: Any, pool: Any, name: str) -> Data:
    place = _pool(session, pool)
    place.need_active()
    if name not in place.volumes:
        raise no_volume(f"no storage vol with matching name '{name}'")
    return place.volumes[name]


def storage_vol_lookup_by_key(session: Any, key: str) -> Data:
    for data in _all(session).everywhere():
        if data.key == key:
            return data
    raise no_volume(f"no storage vol with matching key '{key}'")


def storage_vol_lookup_by_path(session: Any, path: str) -> Data:
    for data in _all(session).everywhere():
        if data.document.path == path:
            return data
    raise no_volume(f"no storage vol with matching path '{path}'")


def storage_vol_create_xml(session: Any, pool: Any, xml: str, flags: int) -> Data:
    return _all(session).create(_pool(session, pool), xml)


def storage_vol_create_xml_from(session: Any, pool: Any, xml: str, clonevol: Any, flags: int) -> Data:
    check_flags(flags, 4, "testStorageVolCreateXMLFrom", Origin.TEST)
    return _all(session).create(_pool(session, pool), xml, clonevol)


def storage_vol_delete(session: Any, vol: Any, flags: int) -> None:
    _all(session).remove(_all(session).volume(vol))


def storage_vol_get_info(session: Any, vol: Any) -> tuple[int, int, int]:
    document = _all(session).volume(vol).document
    return 0, document.capacity or 0, document.allocation or 0


def storage_vol_get_xml_desc(session: Any, vol: Any, flags: int) -> str:
    return _all(session).volume(vol).document.xml()


def storage_vol_get_path(session: Any, vol: Any) -> str:
    return str(_all(session).volume(vol).document.path)
