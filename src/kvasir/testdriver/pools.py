"""Storage pools and volumes of the test driver: each pool has 100 GiB of nothing."""

from __future__ import annotations

import uuid as _uuid
from typing import Any

from kvasir.errors import Code, Error, InternalError, OperationFailed, OperationInvalid, Origin, XmlError
from kvasir.events import PoolLifecycle, PoolRefresh
from kvasir.model.storage import Pool, PoolSource, Volume
from kvasir.storage import documents

SIZE = 100 << 30
DEFINED, UNDEFINED, STARTED, STOPPED, CREATED, DELETED = range(6)


class Place:
    """A pool; ``name`` and ``uuid`` are what the wire carries."""

    def __init__(self, document: Pool) -> None:
        self.document = document
        self.active, self.persistent, self.autostart = False, True, False
        self.volumes: dict[str, Data] = {}

    @property
    def name(self) -> str:
        return str(self.document.name)

    @property
    def uuid(self) -> bytes:
        return _uuid.UUID(self.document.uuid).bytes

    def need_active(self) -> None:
        if not self.active:
            raise OperationInvalid(f"storage pool '{self.name}' is not active", origin=Origin.TEST)

    def need_inactive(self) -> None:
        if self.active:
            raise OperationInvalid(f"storage pool '{self.name}' is active", origin=Origin.TEST)


class Data:
    """A volume; ``pool``, ``name`` and ``key`` are what the wire carries."""

    def __init__(self, place: Place, document: Volume) -> None:
        self.place, self.document = place, document

    @property
    def pool(self) -> str:
        return self.place.name

    @property
    def name(self) -> str:
        return str(self.document.name)

    @property
    def key(self) -> str:
        return str(self.document.key)


def no_pool(text: str) -> Error:
    return Error(text, code=Code.NO_STORAGE_POOL, origin=Origin.TEST, message=f"Storage pool not found: {text}")


def no_volume(text: str) -> Error:
    return Error(text, code=Code.NO_STORAGE_VOL, origin=Origin.TEST, message=f"Storage volume not found: {text}")


class Pools:
    """All of them."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self.known: dict[str, Place] = {}

    def say(self, place: Place, event: int) -> None:
        self.driver.bus.publish(PoolLifecycle(place, event, 0))

    def refreshed(self, place: Place) -> None:
        self.driver.bus.publish(PoolRefresh(place))

    def add(self, node: Any) -> None:
        """One of the first document: it runs."""
        volumes = [Volume.parse(one) for one in node.findall("volume")]
        place = Place(self._complete(Pool.parse(node)))
        place.active = True
        self.known[place.name] = place
        for document in volumes:
            self._put(place, document)

    @staticmethod
    def _complete(document: Pool) -> Pool:
        if not document.name:
            raise XmlError("missing pool source name element", origin=Origin.STORAGE)
        document.uuid = document.uuid or str(_uuid.uuid4())
        document.source = document.source or PoolSource()
        document.capacity, document.allocation, document.available = SIZE, 0, SIZE
        return document

    def by_name(self, name: str) -> Place:
        if name not in self.known:
            raise no_pool(f"no storage pool with matching name '{name}'")
        return self.known[name]

    def by_uuid(self, uuid: bytes) -> Place:
        for place in self.known.values():
            if place.uuid == bytes(uuid):
                return place
        raise no_pool(f"no storage pool with matching uuid '{_uuid.UUID(bytes=bytes(uuid))}'")

    def define(self, xml: str, live: bool, validate: bool = False) -> Place:
        """Define one, or start one that is not kept."""
        document = self._complete(documents.pool(xml, validate=validate, served=False))
        for place in self.known.values():
            if place.document.uuid == document.uuid and place.name != document.name:
                raise OperationFailed(
                    f"pool '{place.name}' is already defined with uuid {document.uuid}", origin=Origin.STORAGE
                )
            if place.name == document.name and place.document.uuid != document.uuid:
                raise OperationFailed(
                    f"pool '{place.name}' already exists with uuid {place.document.uuid}", origin=Origin.STORAGE
                )
        place = self.known.get(str(document.name)) or Place(document)
        if live:
            if place.active:
                raise OperationInvalid(f"pool is already active as '{place.name}'", origin=Origin.STORAGE)
            place.persistent = str(document.name) in self.known
            place.active = True
        place.document = document
        self.known[place.name] = place
        self.say(place, STARTED if live else DEFINED)
        return place

    def start(self, place: Place) -> None:
        place.need_inactive()
        place.active = True
        self.say(place, STARTED)

    def stop(self, place: Place) -> None:
        place.need_active()
        place.active = False
        self.say(place, STOPPED)
        if not place.persistent:
            self.known.pop(place.name, None)

    def undefine(self, place: Place) -> None:
        place.need_inactive()
        self.known.pop(place.name, None)
        self.say(place, UNDEFINED)

    # --- volumes

    def _put(self, place: Place, document: Volume) -> Data:
        document.path = f"{place.document.target_path}/{document.name}"
        document.key = document.path
        document.type = document.type or "file"
        document.capacity = document.capacity or 0
        if document.allocation is None:
            document.allocation = document.capacity
        document.format = document.format or "raw"
        document.physical = None
        made = place.volumes[str(document.name)] = Data(place, document)
        place.document.allocation += document.allocation
        place.document.available = place.document.capacity - place.document.allocation
        return made

    def create(self, place: Place, xml: str, original: Any = None) -> Data:
        """Make a volume, as big as its original (a handle) if there is one."""
        place.need_active()
        document = Volume.from_xml(xml, "(storage_volume_definition)")
        if document.name in place.volumes:
            raise OperationFailed("storage vol already exists", origin=Origin.TEST)
        if original is not None:
            if document.allocation is None:
                document.allocation = document.capacity or 0
            source = self.volume(original)
            document.capacity = max(document.capacity or 0, source.document.capacity or 0)
        wanted = document.allocation if document.allocation is not None else document.capacity or 0
        if place.document.allocation + wanted > place.document.capacity:
            raise InternalError(f"Not enough free space in pool for volume '{document.name}'", origin=Origin.TEST)
        return self._put(place, document)

    def volume(self, ref: Any) -> Data:
        place = self.by_name(ref.pool)
        place.need_active()
        if ref.name not in place.volumes:
            raise no_volume(f"no storage vol with matching name '{ref.name}'")
        return place.volumes[ref.name]

    def everywhere(self) -> list[Data]:
        return [data for place in self.known.values() if place.active for data in place.volumes.values()]

    def remove(self, data: Data) -> None:
        place = data.place
        place.volumes.pop(data.name, None)
        place.document.allocation -= data.document.allocation or 0
        place.document.available = place.document.capacity - place.document.allocation
