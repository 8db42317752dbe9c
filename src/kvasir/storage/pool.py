"""One pool: its document, whether it runs, and its volumes."""

from __future__ import annotations

import asyncio
import contextlib
import uuid as _uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

from kvasir.errors import Error, InternalError, InvalidArg, OperationFailed, OperationInvalid, Origin, SystemFailure
from kvasir.model.storage import Pool

from . import documents, wiping
from .errors import VolumeExists, no_volume
from .pools import KINDS
from .pools.base import ALLOCATE, DELTA, SHRINK, PoolKind, no_support
from .volume import Vol

INACTIVE, BUILDING, RUNNING, DEGRADED, INACCESSIBLE = range(5)
BUILD_OF = {2: 8, 4: 4, 1: 0}
"""Flags of a start -> flags of the build before it; virsh sends the first bit beside either of the others."""


class StoragePool:
    """A pool that the driver knows. ``name`` and ``uuid`` (16 bytes) are what the wire carries."""

    def __init__(self, document: Pool, secret: Callable[[Any, str], bytes] | None = None, folder: str = "") -> None:
        self._secret, self._folder = secret, folder
        self.new_document: Pool | None = None
        self.active = self.persistent = self.autostart = self.starting = False
        self.volumes: dict[str, Vol] = {}
        self.jobs = 0
        """Volumes that are being made, copied or wiped; the pool may not stop or be refreshed meanwhile."""
        self.lock = asyncio.Lock()
        self.document = document
        self.kind: PoolKind
        self.take(document)

    def take(self, document: Pool) -> None:
        """Let a document be the pool's."""
        self.document = document
        self.kind = KINDS[document.type](document, self._secret)
        if self._folder:
            self.kind.secrets_folder = self._folder

    @property
    def name(self) -> str:
        return str(self.document.name)

    @property
    def uuid(self) -> bytes:
        return _uuid.UUID(self.document.uuid).bytes

    def backend(self) -> PoolKind:
        """The behaviour of the type."""
        return self.kind

    def need_active(self) -> None:
        if not self.active:
            raise OperationInvalid(f"storage pool '{self.name}' is not active", origin=Origin.STORAGE)

    def need_inactive(self) -> None:
        if self.active:
            raise OperationInvalid(f"storage pool '{self.name}' is already active", origin=Origin.STORAGE)
        if self.starting:
            raise OperationInvalid(f"storage pool '{self.name}' is starting up", origin=Origin.STORAGE)

    def need_idle(self) -> None:
        if self.jobs:
            raise InternalError(f"pool '{self.name}' has asynchronous jobs running.", origin=Origin.STORAGE)

    # --- the pool

    async def start(self, flags: int, keep: Callable[[], None] = lambda: None) -> None:
        """Start the pool, read its volumes, and ``keep`` that it runs; build it first where the flags ask. A failed start is undone."""
        kind = self.kind
        if flags & 2 and flags & 4:
            raise InvalidArg("Overwrite and no overwrite flags are mutually exclusive", origin=Origin.STORAGE)
        self.starting = True
        try:
            async with contextlib.AsyncExitStack() as undo:
                for bit, build in BUILD_OF.items():
                    if flags & bit:
                        await asyncio.to_thread(kind.build, build)
                        break
                await asyncio.to_thread(kind.start)
                undo.push_async_callback(self._halt)
                undo.callback(self.take, self.document.copy())  # without the sizes and owners that were found
                await self._read()
                await asyncio.to_thread(keep)
                undo.pop_all()
            self.active = True
        finally:
            self.starting = False

    async def _halt(self) -> None:
        with contextlib.suppress(Error, OSError):
            await asyncio.to_thread(self.kind.stop)
        self.volumes.clear()

    async def refresh(self) -> None:
        """Read the volumes anew; a failure leaves the pool stopped, as in libvirt."""
        self.need_idle()
        try:
            async with self.lock:
                await self._read()
        except Exception:
            self.active = False
            await self._halt()
            raise

    async def _read(self) -> None:
        try:
            found = await asyncio.to_thread(self.kind.scan)
        except OSError as error:
            raise SystemFailure(f"cannot read storage pool '{self.name}'", error, origin=Origin.STORAGE) from None
        old, self.volumes = self.volumes, {}
        for document in found:
            volume = old.get(str(document.name))
            if volume is None:
                volume = Vol(self, document)
            else:
                volume.document = document
            self.volumes[volume.name] = volume

    async def resume(self) -> bool:
        """Take up a pool that ran before the daemon's restart; False when its storage is gone."""
        if not await asyncio.to_thread(self.kind.active):
            return False
        await self._read()
        self.active = True
        return True

    async def stop(self) -> None:
        """Stop the pool; what lies in it stays."""
        self.need_active()
        self.need_idle()
        async with self.lock:
            await asyncio.to_thread(self.kind.stop)
            self.active = False
            self.volumes.clear()
        if self.new_document is not None:
            document, self.new_document = self.new_document, None
            self.take(document)

    # --- volumes

    def volume(self, name: str) -> Vol:
        """Look a volume up by name. Raises NoVolume."""
        self.need_active()
        if name not in self.volumes:
            raise no_volume(f"name '{name}'")
        return self.volumes[name]

    @contextlib.asynccontextmanager
    async def job(self, *volumes: Vol) -> AsyncIterator[None]:
        """Hold pool and volumes while something long runs on them."""
        for volume in volumes:
            if volume.building:
                raise OperationInvalid(f"volume '{volume.name}' is still being allocated.", origin=Origin.STORAGE)
        pools = {id(self): self, **{id(volume.owner): volume.owner for volume in volumes}}.values()
        for pool in pools:
            pool.jobs += 1
        for volume in volumes:
            volume.in_use += 1
        try:
            yield
        finally:
            for volume in volumes:
                volume.in_use -= 1
            for pool in pools:
                pool.jobs -= 1

    async def create_volume(self, xml: str, flags: int, source: Vol | None = None) -> Vol:
        """Make a volume. Raises VolumeExists (90), XmlError, SystemFailure."""
        self.need_active()
        kind = self.kind
        if type(kind).create is PoolKind.create:
            how = " from an existing volume" if source is not None else ""
            raise no_support(f"storage pool does not support volume creation{how}")
        document = documents.volume(xml, kind, flags, source.document if source is not None else None)
        if document.name in self.volumes:
            if source is not None:
                raise InternalError(f"storage volume name '{document.name}' already in use.", origin=Origin.STORAGE)
            raise VolumeExists(f"storage volume '{document.name}' exists already", origin=Origin.STORAGE)
        kind.prepare(document)
        volume = Vol(self, document)
        async with self.job(*([source] if source is not None else [])):
            volume.building = True
            self.volumes[volume.name] = volume
            try:
                await self._make(volume, source, flags)
            except BaseException:
                self.volumes.pop(volume.name, None)
                raise
            finally:
                volume.building = False
        return volume

    async def _make(self, volume: Vol, source: Vol | None, flags: int) -> None:
        below = source.document if source is not None else None

        def make() -> None:
            self.kind.create(volume.document, below, flags)
            volume.document.nocow = False
            self.kind.update(volume.document)
            self.kind.recount([v.document for v in self.volumes.values()])

        if self.kind.VOLUME_TYPE == "block":
            async with self.lock:
                await asyncio.to_thread(make)
        else:
            await asyncio.to_thread(make)

    async def delete_volume(self, volume: Vol, flags: int) -> None:
        self.need_active()
        if volume.in_use:
            raise OperationInvalid(f"volume '{volume.name}' is still in use.", origin=Origin.STORAGE)
        if volume.building:
            raise OperationInvalid(f"volume '{volume.name}' is still being allocated.", origin=Origin.STORAGE)
        async with self.lock:
            if self.volumes.get(volume.name) is not volume:  # another client was first
                raise no_volume(f"name '{volume.name}'")
            await asyncio.to_thread(self.kind.remove, volume.document, flags)
            self.volumes.pop(volume.name, None)
            await asyncio.to_thread(self.kind.recount, [v.document for v in self.volumes.values()])

    async def resize_volume(self, volume: Vol, capacity: int, flags: int) -> None:
        """Change a volume's capacity. Raises InvalidArg for a shrink that was not asked for."""
        self.need_active()
        if volume.in_use:
            raise OperationInvalid(f"volume '{volume.name}' is still in use.", origin=Origin.STORAGE)
        if not capacity and not flags & (DELTA | SHRINK):
            text = "capacity in virStorageVolResize cannot be zero without 'delta' or 'shrink' flags set"
            raise InvalidArg(text, origin=Origin.STORAGE, message=text)
        document = volume.document
        now = document.capacity or 0
        wanted = now + (-min(capacity, now) if flags & SHRINK else capacity) if flags & DELTA else capacity
        allocation = document.allocation or 0
        if wanted < allocation and (document.format == "raw" or not flags & SHRINK):
            raise InvalidArg("can't shrink capacity below existing allocation", origin=Origin.STORAGE)
        if wanted < now and not flags & SHRINK:
            raise InvalidArg(
                "Can't shrink capacity below current capacity unless shrink flag explicitly specified",
                origin=Origin.STORAGE,
            )
        if flags & ALLOCATE and wanted < allocation:
            raise InvalidArg("can't allocate less than is allocated", origin=Origin.STORAGE)
        if flags & ALLOCATE and wanted > allocation + (self.document.available or 0):
            raise OperationFailed("Not enough space left in storage pool", origin=Origin.STORAGE)
        if type(self.kind).resize is PoolKind.resize:
            raise no_support("storage pool does not support changing of volume capacity")
        async with self.job(volume):
            wanted = -(-wanted // 512) * 512 if document.format not in (None, "raw") else wanted
            await asyncio.to_thread(self.kind.resize, document, wanted, flags)
            document.capacity = wanted
            await self.look(volume)

    async def wipe_volume(self, volume: Vol, algorithm: int) -> None:
        """Overwrite a volume's content."""
        self.need_active()
        name = wiping.name_of(algorithm)
        if volume.in_use:
            raise OperationInvalid(f"volume '{volume.name}' is still in use.", origin=Origin.STORAGE)
        async with self.job(volume):
            await asyncio.to_thread(self.kind.wipe, volume.document, name)
            document = volume.document
            if document.format not in (None, "raw", "none"):
                document.format = "raw"
            await self.look(volume)

    async def look(self, volume: Vol) -> None:
        """Read a volume's sizes anew."""
        try:
            await asyncio.to_thread(volume.refresh)
        except FileNotFoundError:
            raise no_volume(f"path '{volume.path}'") from None
        except OSError as error:
            raise SystemFailure(f"cannot open volume '{volume.path}'", error, origin=Origin.STORAGE) from None
