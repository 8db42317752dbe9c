"""The QEMU driver: knows every guest, defines and undefines them, and hands each to what works on it."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid as uuids
import weakref
from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any

from kvasir.errors import Error, InternalError, NoDomain, OperationFailed, OperationInvalid, Origin
from kvasir.events import Bus, Lifecycle

from . import autostart, identity, logrotate
from .capabilities import Store as CapsStore
from .capabilities import binaries, native
from .guest import Guest, Registry
from .states import Detail, Shutoff, State
from .states import Lifecycle as L
from .store import Status, Store

log = logging.getLogger(__name__)

REMEMBERED = 16
"""Parsed persistent definitions that are kept; the text of the others is parsed again when needed."""

FRESH = 2.0
"""Seconds for which an emulator counts as unchanged."""


class QemuDriver:
    """Guests of QEMU. ``paths`` is ``kvasir.daemon.paths.Paths``, ``config`` the keys of qemu.conf."""

    def __init__(self, paths: Any, config: Any) -> None:
        self.paths, self.config = paths, config
        self.uri = paths.uri
        self.privileged = not paths.is_session
        self.bus = Bus()
        self.guests = Registry()
        self.store = Store(paths.qemu.etc, paths.qemu.autostart)
        self.status = Status(paths.qemu.run)
        self.identity = identity.Identity.of(config, self.privileged, paths.root or paths.qemu.lib)
        from pathlib import Path

        self.caps = CapsStore(
            Path(paths.qemu.cache) / "capabilities", None, self.identity.probe_uid, self.identity.probe_gid
        )
        self._binaries: dict[str, str] | None = None
        self._seen: dict[str, tuple[float, Any]] = {}
        self._parsed: OrderedDict[int, Guest] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.storing = asyncio.Lock()
        """Held while a definition is written."""
        self.stopping = False
        self.lockspace: Any = None
        """sanlock's (``leases.Space``), once it is used."""
        self.trail: Any = None
        """Takes (kind, text, whether it worked) of records for the audit trail; None where nobody reads them."""
        self.drivers: dict[str, Any] = {}
        """All drivers of the daemon, by name."""
        self.snapshot_trees: weakref.WeakKeyDictionary[Guest, Any] = weakref.WeakKeyDictionary()
        """Snapshots of guests that were asked for (``snapshots.tree.Tree``)."""
        self.checkpoint_trees: weakref.WeakKeyDictionary[Guest, Any] = weakref.WeakKeyDictionary()
        """The same of checkpoints."""

    # -- life of the driver

    async def start(self) -> None:
        """Load the definitions, take up what runs, start what starts by itself."""
        self._make_folders()
        await self._learn_binaries()
        links = self.store.autostarts()
        for found in self.store.load():
            guest = Guest(self, found.name, found.uuid)
            if found.uuid in self.guests.by_uuid:
                log.error("%s has the uuid of %s; not loaded", found.name, self.guests.by_uuid[found.uuid].name)
                continue
            guest.persistent = True
            guest.autostart = found.name in links
            guest.set_config(None, found.text)
            self.guests.add(guest)
        if self.config.lock_manager:
            from . import locks

            locks.begin(self)
        if self._something_ran():
            from . import adopt

            await adopt.adopt_all(self)
        self.spawn(logrotate.watch(self), "log rotation")
        if autostart.first_of_boot(f"{self.paths.qemu.run}/autostarted"):
            self.spawn(autostart.autostart_all(self), "autostart")

    def _something_ran(self) -> bool:
        """Whether a guest left anything that says it ran when the last daemon ended."""
        p = self.paths.qemu
        return self.status.traces() or any(e.startswith("domain-") for at in (p.lib, p.channel) for e in os.listdir(at))

    def _make_folders(self) -> None:
        p = self.paths.qemu
        mine = (p.lib, p.cache, p.save, p.snapshot, p.checkpoint, p.dump, p.channel, p.nvram, p.ram)
        for path, mode in (
            (p.etc, 0o700), (p.autostart, 0o700), (p.run, 0o755), (p.lib, 0o751), (p.log, 0o750), (p.cache, 0o750),
            (p.save, 0o750), (p.snapshot, 0o750), (p.checkpoint, 0o750), (p.dump, 0o750), (p.channel, 0o755),
            (p.nvram, 0o755), (p.ram, 0o750),
        ):  # fmt: skip
            if not os.path.isdir(path):
                os.makedirs(path, 0o755, exist_ok=True)
                os.chmod(path, mode)
            if path in mine:
                self.identity.own(path)

    async def _learn_binaries(self) -> None:
        """Probe the host's own emulators that are not known yet, so that a definition finds them ready; others when asked for."""
        for arch, binary in native(self.binaries).items():
            try:
                await self.caps.learn(binary)
            except Exception as error:
                log.warning("%s (%s) cannot be probed: %s", binary, arch, error)

    @property
    def binaries(self) -> dict[str, str]:
        if self._binaries is None:
            self._binaries = binaries()
        return self._binaries

    async def capabilities(self, binary: str) -> Any:
        """The abilities of an emulator. Whether its file changed is looked at once in a while, not at each definition."""
        now = asyncio.get_running_loop().time()
        known = self._seen.get(binary)
        if known is None or now - known[0] > FRESH:
            known = self._seen[binary] = (now, await self.caps.get(binary))
        return known[1]

    async def stop(self) -> None:
        """The daemon ends; guests live on and are taken up by the next one."""
        self.stopping = True
        for guest in list(self.guests.by_id.values()):
            run = guest.run
            if run is None:
                continue
            if run.agent is not None:
                run.agent.close()
            if run.monitor is not None:
                await run.monitor.close()
            if run.watch is not None:
                run.watch.close()
        for task in list(self._tasks):
            task.cancel()

    def active_count(self) -> int:
        """How many guests run: what keeps a session's daemon from leaving."""
        return len(self.guests.by_id)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run something beside; its failure goes to the log."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._reap)
        return task

    def _reap(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: %s", task.get_name(), error, exc_info=None if isinstance(error, Error) else error)

    # -- finding

    def lookup_uuid(self, uuid: bytes, name: str = "") -> Guest:
        """Raises NoDomain."""
        guest = self.guests.by_uuid.get(bytes(uuid))
        if guest is None:
            text = str(uuids.UUID(bytes=bytes(uuid)))
            raise NoDomain(f"no domain with matching uuid '{text}'" + (f" ({name})" if name else ""))
        return guest

    def lookup_name(self, name: str) -> Guest:
        """Raises NoDomain."""
        guest = self.guests.by_name.get(name)
        if guest is None:
            raise NoDomain(f"no domain with matching name '{name}'")
        return guest

    def lookup_id(self, number: int) -> Guest:
        """Raises NoDomain."""
        guest = self.guests.by_id.get(number)
        if guest is None:
            raise NoDomain(f"no domain with matching id {number}")
        return guest

    # -- parsed definitions

    def parse_stored(self, text: str) -> Any:
        """A stored definition as an object: it was completed when it was stored."""
        from kvasir.model.domain import Domain

        return Domain.from_xml(text)

    def remembered(self, guest: Guest) -> Any:
        """Parse the guest's text; the definitions used last stay parsed."""
        assert guest.text is not None
        self._remember(guest)
        return self.parse_stored(guest.text)

    def keep(self, guest: Guest, domain: Any, text: str | None) -> None:
        """Put a definition in place of the one before, in memory only."""
        guest.set_config(domain, text)
        self._remember(guest)

    def _remember(self, guest: Guest) -> None:
        self._parsed[id(guest)] = guest
        while len(self._parsed) > REMEMBERED:
            _, old = self._parsed.popitem(last=False)
            old.drop_config()

    def forget(self, guest: Guest) -> None:
        self._parsed.pop(id(guest), None)

    def vm(self, domain: Any, caps: Any) -> Any:
        """What device hooks see."""
        from .context import Vm

        made = Vm(domain, caps, self.config, self.paths)
        made.secrets = self.drivers.get("secret")
        return made

    async def complete(self, text: str, flags_validate: bool = False) -> Any:
        """Parse a user's document and fill in all that libvirt fills in. Raises XmlError, ConfigUnsupported."""
        from .admit import from_user

        return await from_user(self, text, validate=flags_validate)

    # -- events

    def event(self, guest: Guest, event: L, detail: int) -> None:
        """Publish a lifecycle event."""
        log.info("guest %s: %s, detail %d", guest.name, event.name.lower(), detail)
        self.bus.publish(Lifecycle(guest, int(event), detail))

    # -- define and undefine

    def known(self, name: str, uuid: bytes, *, live: bool) -> Guest | None:
        """The guest of that uuid and name, if there is one. Raises when only one of them is the same."""
        known = self.guests.by_uuid.get(uuid)
        if known is not None:
            if known.name != name:
                raise OperationFailed(
                    f"domain '{known.name}' is already defined with uuid {known.uuid_text}", origin=Origin.DOMAIN
                )
            if live and known.active:
                raise OperationInvalid(f"domain '{name}' is already active", origin=Origin.DOMAIN)
            if live and not known.persistent:
                raise OperationInvalid(f"domain '{name}' is already being started", origin=Origin.DOMAIN)
            return known
        other = self.guests.by_name.get(name)
        if other is not None:
            raise OperationFailed(f"domain '{name}' already exists with uuid {other.uuid_text}", origin=Origin.DOMAIN)
        return None

    async def define(self, xml: str, *, validate: bool = False) -> Guest:
        """Make a guest persistent, or change its definition for the next start."""
        domain = await self.complete(xml, validate)
        name, uuid = str(domain.name), uuid_bytes(domain)
        text = stored_text(domain)
        async with self.storing:
            self.known(name, uuid, live=False)
            await self.store.save_beside(name, text)
            return self._defined(self.known(name, uuid, live=False), name, uuid, domain, text)

    def _defined(self, guest: Guest | None, name: str, uuid: bytes, domain: Any, text: str) -> Guest:
        new = guest is None or not guest.persistent
        if guest is None:
            guest = Guest(self, name, uuid)
            self.guests.add(guest)
        guest.persistent, guest.undefined = True, None
        self.keep(guest, domain, text)
        if guest.active:
            guest.updated = True
        self.event(guest, L.DEFINED, Detail.DEFINED_ADDED if new else Detail.DEFINED_UPDATED)
        return guest

    async def rewrite(self, guest: Guest, domain: Any) -> None:
        """Store a changed persistent definition (title, devices, limits ...). It counts at once; the disk is waited for without
        holding up others. The caller holds a job of the guest. Raises FileFailure, and all is as before then."""
        before, name, text = (guest.config, guest.text), guest.name, stored_text(domain)
        self.keep(guest, domain, text)
        try:
            async with self.storing:
                await self.store.save_beside(name, text)
        except BaseException:
            if guest.text == text:
                self.keep(guest, *before)
            raise
        if guest.text not in (text, None):  # a block job had its say meanwhile
            self.store.save(guest.name, guest.text)

    def rewrite_at_once(self, guest: Guest, domain: Any) -> None:
        """The same with nothing in between: for snapshots and block jobs, whose next step counts on the file."""
        text = stored_text(domain)
        self.store.save(guest.name, text)
        self.keep(guest, domain, text)

    def undefine(self, guest: Guest) -> None:
        """Forget the persistent definition; a running guest lives on as a transient one."""
        if not guest.persistent:
            raise OperationInvalid("cannot undefine transient domain")
        self.store.delete(guest.name)
        guest.persistent = guest.autostart = False
        self.event(guest, L.UNDEFINED, Detail.UNDEFINED_REMOVED)
        guest.undefined = guest.config if guest.active else None
        guest.set_config(None, None)
        if not guest.active:
            self._remove(guest)

    async def create(self, xml: str, **options: Any) -> Guest:
        """Start a transient guest from a document (or an inactive persistent one of that name and uuid)."""
        from . import startup

        domain = await self.complete(xml, options.pop("validate", False))
        name, uuid = str(domain.name), uuid_bytes(domain)
        guest = self.known(name, uuid, live=True)
        if guest is None:
            guest = Guest(self, name, uuid)
            self.guests.add(guest)
        try:
            await startup.start(guest, domain, **options)
        except BaseException:
            if not guest.persistent and not guest.active:
                self._remove(guest, ran=False)
            raise
        return guest

    def _remove(self, guest: Guest, *, ran: bool = True) -> None:
        """Know a guest no longer, nor its snapshots and checkpoints: the next one of this name has none of them."""
        from .checkpoints.tree import CheckpointTree
        from .snapshots.tree import Tree

        self.guests.remove(guest)
        for kind in (Tree, CheckpointTree) if ran else ():
            kind.of(guest).drop_all()
        self.snapshot_trees.pop(guest, None)
        self.checkpoint_trees.pop(guest, None)

    def gone(self, guest: Guest) -> None:
        """A guest ended; a transient one is known no longer."""
        if not guest.persistent and not guest.active:
            self._remove(guest)
        elif guest.state is not State.SHUTOFF and not guest.active:
            guest.set_state(State.SHUTOFF, Shutoff.UNKNOWN)


def uuid_bytes(domain: Any) -> bytes:
    """The uuid of a document as bytes."""
    value = domain.uuid
    if isinstance(value, bytes):
        return value
    if not value:
        raise InternalError("the document has no uuid")
    return uuids.UUID(str(value)).bytes


def stored_text(domain: Any) -> str:
    """The definition as it is stored: inactive, with secrets."""
    from kvasir.xml.form import STORED

    return str(domain.xml(STORED))
