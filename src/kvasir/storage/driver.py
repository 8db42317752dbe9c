"""The storage driver: every pool by name and UUID, its file and its autostart link."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid as _uuid
from collections.abc import Iterator
from typing import Any

from kvasir.errors import Error, OperationFailed, OperationInvalid, Origin, XmlError
from kvasir.events import Bus, PoolLifecycle, PoolRefresh
from kvasir.host.files import banner, write_file
from kvasir.model.storage import Pool
from kvasir.xml.form import STORED

from .errors import no_pool, no_volume
from .pool import StoragePool
from .volume import Vol

log = logging.getLogger(__name__)

DEFINED, UNDEFINED, STARTED, STOPPED, CREATED, DELETED = range(6)


class StorageDriver:
    """Pools of one daemon: documents in ``etc/libvirt/storage``, those of running pools in ``run/libvirt/storage``."""

    def __init__(self, paths: Any, config: Any = None) -> None:
        self.config_dir, self.state_dir = f"{paths.etc}/storage", f"{paths.run}/storage"
        self.bus = Bus()
        self.drivers: dict[str, Any] = {}
        self.pools: dict[str, StoragePool] = {}

    def publish(self, pool: StoragePool, event: int, detail: int) -> None:
        self.bus.publish(PoolLifecycle(pool, event, detail))

    async def start(self) -> None:
        """Take up what ran, start what starts by itself."""
        self.load()
        await self.start_all()

    async def stop(self) -> None:
        """The daemon ends; pools stay as they are."""

    # --- files

    def _file(self, name: str) -> str:
        return os.path.join(self.config_dir, f"{name}.xml")

    def _link(self, name: str) -> str:
        return os.path.join(self.config_dir, "autostart", f"{name}.xml")

    def _state(self, name: str) -> str:
        return os.path.join(self.state_dir, f"{name}.xml")

    def save(self, pool: StoragePool) -> None:
        document = pool.new_document or pool.document
        write_file(self._file(pool.name), banner(f"virsh pool-edit {pool.name}") + document.xml(STORED))

    def load(self) -> None:
        """Read the pools that are defined. A broken file is reported and left as it is."""
        for path, name in self._xml_files(self.config_dir):
            try:
                with open(path, "rb") as file:
                    pool = StoragePool(self._read(file.read().decode("utf-8", "surrogateescape")))
                if pool.name != name:
                    raise XmlError(f"Storage pool config filename '{path}' does not match pool name '{pool.name}'")
            except (Error, OSError) as error:
                log.error("cannot load storage pool %s: %s", path, error)
                continue
            pool.persistent = True
            pool.autostart = os.path.islink(self._link(name))
            self.pools[pool.name] = pool

    @staticmethod
    def _xml_files(folder: str) -> Iterator[tuple[str, str]]:
        try:
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            return
        for name in names:
            if name.endswith(".xml"):
                yield os.path.join(folder, name), name.removesuffix(".xml")

    async def start_all(self) -> None:
        """Take up pools that ran before the restart, and start those marked for autostart."""
        running = {name for _, name in self._xml_files(self.state_dir)}
        for pool in list(self.pools.values()):
            if pool.active or not (pool.name in running or pool.autostart):
                continue
            try:
                await pool.start(0)
                write_file(self._state(pool.name), self._state_text(pool))
            except Error as error:
                log.error("cannot start storage pool %s: %s", pool.name, error)

    @staticmethod
    def _state_text(pool: StoragePool) -> str:
        body = pool.document.xml(STORED, pad="  ")
        return f"{banner(f'virsh pool-edit {pool.name}')}<poolstate>\n{body}</poolstate>\n"

    # --- look-up

    def by_name(self, name: str) -> StoragePool:
        if name not in self.pools:
            raise no_pool(f"name '{name}'")
        return self.pools[name]

    def by_uuid(self, uuid: bytes) -> StoragePool:
        for pool in self.pools.values():
            if pool.uuid == uuid:
                return pool
        raise no_pool(f"uuid '{_uuid.UUID(bytes=uuid)}'")

    def find(self, ref: Any) -> StoragePool:
        """The pool that a wire reference means (by UUID, as libvirt)."""
        for pool in self.pools.values():
            if pool.uuid == ref.uuid:
                return pool
        raise no_pool(f"uuid '{_uuid.UUID(bytes=ref.uuid)}' ({ref.name})")

    def volume(self, ref: Any) -> Vol:
        """The volume that a wire reference means."""
        return self.by_name(ref.pool).volume(ref.name)

    def volume_by_key(self, key: str) -> Vol:
        for pool in self.pools.values():
            for volume in pool.volumes.values():
                if volume.key == key:
                    return volume
        raise no_volume(f"key {key}")

    def volume_by_path(self, path: str) -> Vol:
        clean = os.path.normpath(path)
        for pool in self.pools.values():
            target = pool.document.target_path
            if target and os.path.dirname(clean) == os.path.normpath(target):
                found = pool.volumes.get(os.path.basename(clean))
                if found is not None:
                    return found
        for pool in self.pools.values():
            for volume in pool.volumes.values():
                if volume.path == clean:
                    return volume
        raise no_volume(f"path '{path}' ({clean})")

    def by_target(self, path: str) -> StoragePool:
        clean = os.path.normpath(path)
        for pool in self.pools.values():
            if pool.active and os.path.normpath(pool.document.target_path or "") == clean:
                return pool
        raise no_pool(f"target path '{path}' ({clean})")

    # --- changes

    @staticmethod
    def _read(xml: str) -> Pool:
        document = Pool.from_xml(xml, "(storage_pool_definition)")
        if not document.name and document.source is not None:
            document.name = document.source.name
        if not document.name:
            raise XmlError("missing pool source name element", origin=Origin.STORAGE)
        if "/" in document.name:
            raise XmlError(f"name {document.name} cannot contain '/'", origin=Origin.STORAGE)
        document.uuid = document.uuid or str(_uuid.uuid4())
        for size in ("capacity", "allocation", "available"):
            if getattr(document, size) is None:
                setattr(document, size, 0)
        from kvasir.model.storage import PoolSource

        document.source = document.source or PoolSource()
        if document.target_path:
            document.target_path = os.path.normpath(document.target_path)
        from .pools import KINDS

        if document.type in KINDS:
            KINDS[document.type](document).check()
        return document

    def _conflicts(self, document: Pool, *, live: bool) -> StoragePool | None:
        """The pool that this document redefines. Raises where name or UUID belong to another."""
        wanted = _uuid.UUID(document.uuid).bytes
        for pool in self.pools.values():
            if pool.uuid == wanted:
                if pool.name != document.name:
                    raise OperationFailed(
                        f"pool '{pool.name}' is already defined with uuid {document.uuid}", origin=Origin.STORAGE
                    )
                if live and pool.active:
                    raise OperationInvalid(f"pool is already active as '{pool.name}'", origin=Origin.STORAGE)
                return pool
        same = self.pools.get(str(document.name))
        if same is not None:
            raise OperationFailed(
                f"pool '{same.name}' already exists with uuid {same.document.uuid}", origin=Origin.STORAGE
            )
        for pool in self.pools.values():
            if (
                document.target_path
                and pool.document.target_path == document.target_path
                and pool.document.type == document.type
            ):
                raise OperationFailed(
                    f"Storage source conflict with pool: '{pool.name}'", origin=Origin.STORAGE,
                )  # fmt: skip
        return None

    def define(self, xml: str) -> StoragePool:
        """Keep a pool's document. Raises XmlError, OperationFailed (name, UUID or target taken)."""
        document = self._read(xml)
        pool = self._conflicts(document, live=False)
        if pool is None:
            pool = StoragePool(document)
            self.pools[pool.name] = pool
        elif pool.active:
            pool.new_document = document
        else:
            fresh = StoragePool(document)
            fresh.autostart = pool.autostart
            self.pools[fresh.name] = pool = fresh
        pool.persistent = True
        self.save(pool)
        self.publish(pool, DEFINED, 0)
        return pool

    async def create(self, xml: str, flags: int) -> StoragePool:
        """Start a pool that is forgotten when it stops (or an inactive defined one)."""
        document = self._read(xml)
        pool = self._conflicts(document, live=True)
        if pool is None:
            pool = StoragePool(document)
            self.pools[pool.name] = pool
        try:
            await self.start_pool(pool, flags)
        except BaseException:
            if not pool.persistent:
                self.pools.pop(pool.name, None)
            raise
        return pool

    async def start_pool(self, pool: StoragePool, flags: int) -> None:
        pool.need_inactive()
        await pool.start(flags)
        write_file(self._state(pool.name), self._state_text(pool))
        self.publish(pool, STARTED, 0)

    async def refresh(self, pool: StoragePool) -> None:
        pool.need_active()
        try:
            await pool.refresh()
        except Error:
            self._stopped(pool)
            raise
        self.bus.publish(PoolRefresh(pool))

    def stop_pool(self, pool: StoragePool) -> None:
        pool.stop()
        self._stopped(pool)

    def _stopped(self, pool: StoragePool) -> None:
        if os.path.exists(self._state(pool.name)):
            os.unlink(self._state(pool.name))
        self.publish(pool, STOPPED, 0)
        if not pool.persistent:
            self.pools.pop(pool.name, None)

    async def build(self, pool: StoragePool, flags: int) -> None:
        pool.need_inactive()
        await asyncio.to_thread(pool.backend().build, flags)
        self.publish(pool, CREATED, 0)

    async def delete(self, pool: StoragePool, flags: int) -> None:
        pool.need_inactive()
        await asyncio.to_thread(pool.backend().delete, flags)
        self.publish(pool, DELETED, 0)

    def undefine(self, pool: StoragePool) -> None:
        if pool.active:
            raise OperationInvalid(f"storage pool '{pool.name}' is still active", origin=Origin.STORAGE)
        for path in (self._link(pool.name), self._file(pool.name)):
            if os.path.lexists(path):
                os.unlink(path)
        self.pools.pop(pool.name, None)
        self.publish(pool, UNDEFINED, 0)

    def set_autostart(self, pool: StoragePool, on: bool) -> None:
        if not pool.persistent:
            raise OperationInvalid("pool has no config file", origin=Origin.STORAGE)
        link = self._link(pool.name)
        if on and not os.path.islink(link):
            os.makedirs(os.path.dirname(link), exist_ok=True)
            os.symlink(self._file(pool.name), link)
        elif not on and os.path.lexists(link):
            os.unlink(link)
        pool.autostart = on
