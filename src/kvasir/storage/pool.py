"""One pool: its document, whether it runs, and its volumes."""

from __future__ import annotations

import asyncio
import uuid as _uuid
from typing import Any

from kvasir.errors import InternalError, InvalidArg, OperationInvalid, Origin, SystemFailure, XmlError
from kvasir.model.storage import Pool, Volume

from .errors import VolumeExists, no_volume
from .pools import KINDS
from .volume import Vol

INACTIVE, BUILDING, RUNNING, DEGRADED, INACCESSIBLE = range(5)
DELTA, SHRINK = 2, 4


class StoragePool:
    """A pool that the driver knows. ``name`` and ``uuid`` (16 bytes) are what the wire carries."""

    def __init__(self, document: Pool) -> None:
        self.document = document
        self.new_document: Pool | None = None
        self.active = self.persistent = self.autostart = False
        self.volumes: dict[str, Vol] = {}
        self.lock = asyncio.Lock()
        self.kind = KINDS[document.type](document) if document.type in KINDS else None

    @property
    def name(self) -> str:
        return str(self.document.name)

    @property
    def uuid(self) -> bytes:
        return _uuid.UUID(self.document.uuid).bytes

    def backend(self) -> Any:
        """The behaviour of the type. Raises InternalError for a type that is not built yet."""
        if self.kind is None:
            raise InternalError(
                f"missing backend for pool type {self.document.type} ({self.document.type}): not built yet in Kvasir",
                origin=Origin.STORAGE,
            )
        return self.kind

    def need_active(self) -> None:
        if not self.active:
            raise OperationInvalid(f"storage pool '{self.name}' is not active", origin=Origin.STORAGE)

    def need_inactive(self) -> None:
        if self.active:
            raise OperationInvalid(f"storage pool '{self.name}' is already active", origin=Origin.STORAGE)

    async def start(self, flags: int) -> None:
        """Start the pool and read its volumes; build it first where the flags ask."""
        kind = self.backend()
        if flags & 0b111:
            build = {1: 0, 2: 2, 4: 4}.get(flags & 0b111, flags & 0b110)
            await asyncio.to_thread(kind.build, build)
        await asyncio.to_thread(kind.start)
        await self.refresh()
        self.active = True

    async def refresh(self) -> None:
        """Read the volumes anew; a failure leaves the pool stopped, as in libvirt."""
        kind = self.backend()
        try:
            found = await asyncio.to_thread(kind.scan)
        except Exception:
            self.active = False
            self.volumes.clear()
            raise
        old = self.volumes
        self.volumes = {}
        for document in found:
            volume = old.get(str(document.name))
            if volume is None:
                volume = Vol(self, document)
            else:
                volume.document = document
            self.volumes[volume.name] = volume

    def stop(self) -> None:
        self.need_active()
        self.backend().stop()
        self.active = False
        self.volumes.clear()
        if self.new_document is not None:
            self.document, self.new_document = self.new_document, None
            self.kind = KINDS[self.document.type](self.document) if self.document.type in KINDS else None

    def volume(self, name: str) -> Vol:
        """Look a volume up by name. Raises NoVolume."""
        self.need_active()
        if name not in self.volumes:
            raise no_volume(f"name '{name}'")
        return self.volumes[name]

    async def create_volume(self, xml: str, flags: int, source: Vol | None = None) -> Vol:
        """Make a volume. Raises VolumeExists (90), XmlError, SystemFailure."""
        self.need_active()
        kind = self.backend()
        document = Volume.from_xml(xml, "(storage_volume_definition)")
        _complete(document, source)
        async with self.lock:
            if document.name in self.volumes:
                raise VolumeExists(f"'{document.name}'", origin=Origin.STORAGE)
            kind.prepare(document)
            await kind.create(document, source, flags)
            volume = Vol(self, document)
            await asyncio.to_thread(volume.refresh)
            self.volumes[volume.name] = volume
        await asyncio.to_thread(self._sizes)
        return volume

    def _sizes(self) -> None:
        import os

        if self.document.target_path and self.document.type in ("dir", "fs", "netfs"):
            space = os.statvfs(self.document.target_path)
            self.document.capacity = space.f_blocks * space.f_frsize
            self.document.available = space.f_bfree * space.f_frsize
            self.document.allocation = self.document.capacity - self.document.available

    async def delete_volume(self, volume: Vol, flags: int) -> None:
        self.need_active()
        if volume.in_use:
            raise OperationInvalid(f"volume '{volume.name}' is still in use.", origin=Origin.STORAGE)
        async with self.lock:
            await asyncio.to_thread(self.backend().remove, volume.document, flags)
            self.volumes.pop(volume.name, None)
        await asyncio.to_thread(self._sizes)

    async def resize_volume(self, volume: Vol, capacity: int, flags: int) -> None:
        self.need_active()
        document = volume.document
        now = document.capacity or 0
        wanted = now + (-capacity if flags & SHRINK else capacity) if flags & DELTA else capacity
        if wanted < (document.allocation or 0) and not flags & SHRINK:
            raise InvalidArg("can't shrink capacity below existing allocation", origin=Origin.STORAGE)
        if wanted < now and not flags & SHRINK:
            raise InvalidArg(
                "Can't shrink capacity below current capacity unless shrink flag explicitly specified",
                origin=Origin.STORAGE,
            )
        async with self.lock:
            try:
                await self.backend().resize(document, wanted, flags)
            except OSError as error:
                raise SystemFailure(f"Failed to truncate file '{volume.path}'", error, origin=Origin.STORAGE) from None
            await asyncio.to_thread(volume.refresh)


def _complete(document: Volume, source: Vol | None) -> None:
    if not document.name:
        raise XmlError("missing volume name element", origin=Origin.STORAGE)
    if document.capacity is None:
        if source is not None:
            document.capacity = source.document.capacity
        elif document.backing is None:
            raise XmlError("missing capacity element", origin=Origin.STORAGE)
        else:
            document.capacity = _capacity_of(str(document.backing.path))
    if source is not None and (document.capacity or 0) < (source.document.capacity or 0):
        document.capacity = source.document.capacity


def _capacity_of(path: str) -> int:
    import os

    from . import probe

    try:
        fd = probe.open_volume(path)
    except OSError as error:
        raise SystemFailure(f"cannot open volume '{path}'", error, origin=Origin.STORAGE) from None
    try:
        info, (length, _) = probe.probe(fd), probe.size_of(fd)
    finally:
        os.close(fd)
    return info.capacity if info.capacity is not None else length
