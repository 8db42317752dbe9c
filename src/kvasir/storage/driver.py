"""The storage driver: every pool by name and UUID, its file and its autostart link."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid as _uuid
from collections.abc import Iterator
from typing import Any

from kvasir.errors import Error, InternalError, OperationFailed, OperationInvalid, Origin, XmlError
from kvasir.events import Bus, PoolLifecycle, PoolRefresh
from kvasir.host.files import banner, discard, make_link, remove, remove_linked, write_file
from kvasir.model.storage import Pool
from kvasir.xml.form import STORED
from kvasir.xml.reader import read

from . import documents
from .errors import no_pool, no_volume
from .pool import StoragePool
from .pools.base import sanitize
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
        self._bearers: dict[bytes, StoragePool] = {}
        self._writing = asyncio.Lock()

    def publish(self, pool: StoragePool, event: int, detail: int = 0) -> None:
        self.bus.publish(PoolLifecycle(pool, event, detail))

    async def start(self) -> None:
        """Take up what ran, start what starts by itself."""
        self.load()
        await self.start_all()

    async def stop(self) -> None:
        """The daemon ends; pools stay as they are."""

    def secret(self, named: Any, kind: str) -> bytes:
        """The value of the secret that an ``auth`` or ``encryption`` element names."""
        driver = self.drivers.get("secret")
        if driver is None:
            raise Error("", code=66, origin=Origin.SECRET, message="Secret not found: this daemon has no secret driver")
        uuid = getattr(named, "secret_uuid", None) or getattr(named, "uuid", None)
        usage = getattr(named, "secret_usage", None) or getattr(named, "usage", None)
        value: bytes = driver.value_for(uuid, usage, kind)
        return value

    def _pool(self, document: Pool) -> StoragePool:
        return StoragePool(document, self.secret, self.state_dir)

    def _add(self, pool: StoragePool) -> None:
        self.pools[pool.name] = self._bearers[pool.uuid] = pool

    def _forget(self, pool: StoragePool) -> None:
        self.pools.pop(pool.name, None)
        self._bearers.pop(pool.uuid, None)

    # --- files

    def _file(self, name: str) -> str:
        return os.path.join(self.config_dir, f"{name}.xml")

    def _link(self, name: str) -> str:
        return os.path.join(self.config_dir, "autostart", f"{name}.xml")

    def _state(self, name: str) -> str:
        return os.path.join(self.state_dir, f"{name}.xml")

    def save(self, document: Pool) -> None:
        """Write a pool's configuration."""
        name = str(document.name)
        write_file(self._file(name), banner(f"virsh pool-edit {name}") + document.xml(STORED))

    def _save_state(self, pool: StoragePool) -> None:
        head, body = banner(f"virsh pool-edit {pool.name}"), pool.document.xml(STORED, pad="  ")
        write_file(self._state(pool.name), head + f"<poolstate>\n{body}</poolstate>\n", durable=False)

    def load(self) -> None:
        """Read the pools that ran and those that are defined. A broken file is reported and left as it is."""
        for path, name in self._xml_files(self.state_dir):
            pool = self._load(path, name, state=True)
            if pool is not None:
                pool.starting = True
                self._add(pool)
        for path, name in self._xml_files(self.config_dir):
            pool = self._load(path, name, state=False)
            if pool is None:
                continue
            running = self.pools.get(name)
            if running is not None and running.uuid == pool.uuid:
                if running.document.source != pool.document.source or running.document.type != pool.document.type:
                    running.new_document = pool.document
                pool = running
            pool.persistent = True
            pool.autostart = os.path.islink(self._link(name))
            self._add(pool)

    def _load(self, path: str, name: str, *, state: bool) -> StoragePool | None:
        try:
            with open(path, "rb") as file:
                text = file.read().decode("utf-8", "surrogateescape")
            if state:
                found = read(text, "(storage_pool_definition)").find("pool")
                if found is None:
                    raise XmlError(f"state file '{path}' has no pool", origin=Origin.STORAGE)
                from lxml import etree

                text = etree.tostring(found, encoding="unicode")
            pool = self._pool(documents.pool(text))
            if pool.name != name:
                raise XmlError(f"Storage pool config filename '{path}' does not match pool name '{pool.name}'")
        except (Error, OSError) as error:
            log.error("cannot load storage pool %s: %s", path, error)
            return None
        return pool

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
        await asyncio.gather(*(self._take_up(pool) for pool in list(self.pools.values())))

    async def _take_up(self, pool: StoragePool) -> None:
        ran, pool.starting = pool.starting, False
        try:
            if ran and not await pool.resume():
                log.warning("storage pool %s is no longer there", pool.name)
            if not pool.active and pool.autostart:
                await pool.start(0)
        except (Error, OSError) as error:
            log.error("cannot start storage pool %s: %s", pool.name, error)
        if pool.active:
            try:
                await asyncio.to_thread(self._save_state, pool)
            except Error as error:
                log.error("storage pool %s: %s", pool.name, error)
        elif ran:
            self._drop_state(pool)
            if not pool.persistent:
                self._forget(pool)

    def _drop_state(self, pool: StoragePool) -> None:
        discard(self._state(pool.name))

    # --- look-up

    def by_name(self, name: str) -> StoragePool:
        if name not in self.pools:
            raise no_pool(f"name '{name}'")
        return self.pools[name]

    def by_uuid(self, uuid: bytes) -> StoragePool:
        if uuid not in self._bearers:
            raise no_pool(f"uuid '{_uuid.UUID(bytes=uuid)}'")
        return self._bearers[uuid]

    def find(self, ref: Any) -> StoragePool:
        """The pool that a wire reference means (by UUID, as libvirt)."""
        if ref.uuid not in self._bearers:
            raise no_pool(f"uuid '{_uuid.UUID(bytes=ref.uuid)}' ({ref.name})")
        return self._bearers[ref.uuid]

    def volume(self, ref: Any) -> Vol:
        """The volume that a wire reference means."""
        return self.by_name(ref.pool).volume(ref.name)

    def volume_by_key(self, key: str) -> Vol:
        for pool in self.pools.values():
            for volume in pool.volumes.values() if pool.active else ():
                if volume.document.key == key:
                    return volume
        raise no_volume(f"key {key}")

    def volume_by_path(self, path: str) -> Vol:
        """By the path, as given or (for block devices) by another name of the same device."""
        clean = sanitize(path)
        for pool in self.pools.values():
            if not pool.active:
                continue
            target = pool.document.target_path
            found = pool.volumes.get(os.path.basename(clean))
            if found is not None and found.document.path == clean:
                return found
            if target and target != os.path.dirname(clean) and pool.kind.VOLUME_TYPE == "file":
                continue
            for volume in pool.volumes.values():
                if volume.document.path == clean:
                    return volume
        raise no_volume(f"path '{path}'" if path == clean else f"path '{path}' ({clean})")

    def by_target(self, path: str) -> StoragePool:
        clean = sanitize(path)
        for pool in self.pools.values():
            if pool.active and pool.document.target_path == clean:
                return pool
        raise no_pool(f"target path '{path}'" + ("" if clean == path else f" ({clean})"))

    # --- changes

    def _conflicts(self, document: Pool, *, live: bool) -> StoragePool | None:
        """The pool that this document redefines. Raises where name, UUID or source belong to another."""
        old = self._bearers.get(_uuid.UUID(document.uuid).bytes)
        if old is not None:
            if old.name != document.name:
                raise OperationFailed(
                    f"pool '{old.name}' is already defined with uuid {document.uuid}", origin=Origin.STORAGE
                )
            if live and old.active:
                raise OperationInvalid(f"pool is already active as '{old.name}'", origin=Origin.STORAGE)
        elif (same := self.pools.get(str(document.name))) is not None:
            raise OperationFailed(
                f"pool '{same.name}' already exists with uuid {same.document.uuid}", origin=Origin.STORAGE
            )
        kind = self._pool(document).kind
        for pool in self.pools.values():
            if pool is not old and pool.document.type == document.type and kind.same(pool.document):
                raise OperationFailed(f"Storage source conflict with pool: '{pool.name}'", origin=Origin.STORAGE)
        return old

    async def define(self, xml: str, flags: int = 0) -> StoragePool:
        """Keep a pool's document. Raises XmlError, OperationFailed (name, UUID or source taken)."""
        document = documents.pool(xml, validate=bool(flags & documents.VALIDATE_POOL))
        async with self._writing:
            pool = self._conflicts(document, live=False)
            await asyncio.to_thread(self.save, document)
            if pool is None:
                pool = self._pool(document)
            elif pool.active or pool.starting:
                pool.new_document = document
            else:
                pool.take(document)
            pool.persistent = True
            self._add(pool)
        self.publish(pool, DEFINED)
        return pool

    async def create(self, xml: str, flags: int) -> StoragePool:
        """Start a pool that is forgotten when it stops (or an inactive defined one)."""
        document = documents.pool(xml)
        async with self._writing:
            pool = self._conflicts(document, live=True)
            if pool is None:
                pool = self._pool(document)
                self._add(pool)
            elif pool.starting:
                pool.need_inactive()
            else:
                pool.new_document = pool.document if pool.persistent else None
                pool.take(document)
        try:
            await self.start_pool(pool, flags)
        except BaseException:
            if pool.persistent and pool.new_document is not None:
                pool.take(pool.new_document)
                pool.new_document = None
            elif not pool.persistent:
                self._forget(pool)
            raise
        return pool

    async def start_pool(self, pool: StoragePool, flags: int) -> None:
        """Start a pool. Raises OperationInvalid where it runs."""
        pool.need_inactive()
        await pool.start(flags, lambda: self._save_state(pool))
        self.publish(pool, STARTED)

    async def refresh(self, pool: StoragePool) -> None:
        """Read a pool's volumes anew; a pool that cannot be read is stopped."""
        pool.need_active()
        try:
            await pool.refresh()
        except Exception:
            if not pool.active:
                self._stopped(pool)
            raise
        self.bus.publish(PoolRefresh(pool))

    async def stop_pool(self, pool: StoragePool) -> None:
        """Stop a pool; what lies in it stays."""
        await pool.stop()
        self._stopped(pool)

    def _stopped(self, pool: StoragePool) -> None:
        self._drop_state(pool)
        self.publish(pool, STOPPED)
        if not pool.persistent:
            self._forget(pool)

    async def build(self, pool: StoragePool, flags: int) -> None:
        """Make the pool's storage (see the types)."""
        pool.need_inactive()
        await asyncio.to_thread(pool.kind.build, flags)
        self.publish(pool, CREATED)

    async def delete(self, pool: StoragePool, flags: int) -> None:
        """Remove the pool's storage."""
        self._need_stopped(pool)
        pool.need_idle()
        await asyncio.to_thread(pool.kind.delete, flags)
        self.publish(pool, DELETED)

    @staticmethod
    def _need_stopped(pool: StoragePool) -> None:
        if pool.active:
            raise OperationInvalid(f"storage pool '{pool.name}' is still active", origin=Origin.STORAGE)
        pool.need_inactive()

    async def undefine(self, pool: StoragePool) -> None:
        """Forget a pool that does not run."""
        async with self._writing:
            self._need_stopped(pool)
            await asyncio.to_thread(remove_linked, self._file(pool.name), self._link(pool.name))
            self._forget(pool)
        self.publish(pool, UNDEFINED)

    async def set_autostart(self, pool: StoragePool, on: bool) -> None:
        """Start the pool with the daemon, or no longer."""
        if not pool.persistent:
            raise InternalError("pool has no config file", origin=Origin.STORAGE)
        link = self._link(pool.name)
        async with self._writing:
            if on:
                await asyncio.to_thread(make_link, self._file(pool.name), link)
            else:
                await asyncio.to_thread(remove, link)
            pool.autostart = on
