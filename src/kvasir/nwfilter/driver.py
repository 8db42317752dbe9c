"""The network filter driver: filters by name and UUID, and the bindings through which guests' interfaces have them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import uuid as _uuid
from collections.abc import Coroutine
from typing import Any

from kvasir.errors import Code, Error, InternalError, OperationInvalid, Origin
from kvasir.events import Bus
from kvasir.host.files import banner, discard, remove, write_file
from kvasir.nwfilter import bindings, documents, shipped, tree
from kvasir.nwfilter.bindings import Binding
from kvasir.nwfilter.documents import Filter, Reference
from kvasir.nwfilter.engine import Engine, Rules
from kvasir.nwfilter.learn import FOREVER, Learner, Lease, meanwhile
from kvasir.xml.reader import read as read_xml

log = logging.getLogger(__name__)


class NamedFilter:
    """A defined filter. ``name`` and ``uuid`` are what the wire carries."""

    def __init__(self, document: Filter) -> None:
        self.document = document

    @property
    def name(self) -> str:
        return self.document.name

    @property
    def uuid(self) -> bytes:
        return _uuid.UUID(self.document.uuid).bytes


def no_filter(text: str) -> Error:
    return Error(text, code=Code.NO_NWFILTER, origin=Origin.NWFILTER, message=f"Network filter not found: {text}")


def no_binding(port: str) -> Error:
    text = f"no nwfilter binding for port dev '{port}'"
    return Error(
        text, code=Code.NO_NWFILTER_BINDING, origin=Origin.NWFILTER, message=f"Network filter binding not found: {text}"
    )


class NWFilterDriver:
    """Filters in ``etc/libvirt/nwfilter``, bindings in ``run/libvirt/nwfilter-binding``."""

    def __init__(self, paths: Any, config: Any = None) -> None:
        self.bus = Bus()
        self.drivers: dict[str, Any] = {}
        self.etc, self.run = f"{paths.etc}/nwfilter", f"{paths.run}/nwfilter-binding"
        self.is_session = paths.is_session
        self.filters: dict[str, NamedFilter] = {}
        self.bindings: dict[str, Binding] = {}
        self.engine = Engine()
        self._learners: dict[str, Learner] = {}
        self._expiry: dict[str, asyncio.TimerHandle] = {}
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    # --- the daemon's life

    async def start(self) -> None:
        """Read filters and bindings, and give every interface that is still there its rules."""
        if self.is_session:
            return
        await asyncio.to_thread(self._load)
        if self.bindings:
            await self._again(list(self.bindings.values()))

    async def stop(self) -> None:
        """The daemon ends; the rules stay."""
        for port in list(self._learners):
            self._forget_learner(port)

    def reload(self) -> None:
        """SIGHUP, or the firewall was restarted: all rules anew."""

        async def again() -> None:
            async with self._lock:
                await asyncio.to_thread(self.engine.apply_again)

        self._soon(again())

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it beside the rest; the task is kept until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _load(self) -> None:
        if not os.path.isdir(self.etc):
            try:
                for made in shipped.filters():
                    self._write(made)
            except Error as problem:
                log.error("cannot store the filters that come with this daemon: %s", problem.message)
        for name, text in _documents(self.etc):
            try:
                found = documents.read(text)
                if found.name != name:
                    raise InternalError(
                        f"network filter config filename '{name}.xml' does not match name '{found.name}'"
                    )
                self.filters[found.name] = NamedFilter(found)
            except Error as problem:
                log.error("cannot load network filter %s/%s.xml: %s", self.etc, name, problem.message)
        for name, text in _documents(self.run):
            try:
                node = read_xml(text, "(nwfilterbinding_status)").find("filterbinding")
                found_binding = bindings.read_node(node)
            except (Error, AttributeError) as problem:
                log.error("cannot load the binding %s/%s.xml: %s", self.run, name, problem)
                continue
            if _exists(found_binding.portdev):
                self.bindings[found_binding.portdev] = found_binding
            else:
                discard(self._status(found_binding.portdev))

    def _write(self, made: Filter) -> None:
        write_file(f"{self.etc}/{made.name}.xml", banner(f"virsh nwfilter-edit {made.name}") + documents.write(made))

    def _status(self, port: str) -> str:
        return f"{self.run}/{port}.xml"

    # --- filters

    def by_name(self, name: str) -> NamedFilter:
        if name not in self.filters:
            raise no_filter(f"no nwfilter with matching name '{name}'")
        return self.filters[name]

    def by_uuid(self, uuid: bytes) -> NamedFilter:
        for found in self.filters.values():
            if found.uuid == uuid:
                return found
        raise no_filter(f"no nwfilter with matching uuid '{_uuid.UUID(bytes=uuid)}'")

    def find(self, ref: Any) -> NamedFilter:
        """The filter that a wire reference means."""
        return self.by_uuid(ref.uuid)

    def _document(self, name: str) -> Filter | None:
        found = self.filters.get(name)
        return found.document if found else None

    async def define(self, text: str) -> NamedFilter:
        """Define or change a filter; guests that use it get the new rules, or all stays as it was."""
        if self.is_session:
            raise OperationInvalid("Can't define NWFilters in session mode", origin=Origin.NWFILTER)
        made = documents.read(text)
        async with self._lock:
            self._check(made, "<uuid>" in text)
            old = self.filters.get(made.name)
            if old is not None and documents.write(old.document) == documents.write(made):
                return old
            self.filters[made.name] = NamedFilter(made)
            applied = False
            try:
                await self._instantiate(self._users(made.name))
                applied = True
                await asyncio.to_thread(self._write, made)
            except BaseException:
                if old is None:
                    del self.filters[made.name]
                else:
                    self.filters[made.name] = old
                if applied:
                    await self._instantiate(self._users(made.name))
                raise
            return self.filters[made.name]

    def _check(self, made: Filter, has_uuid: bool) -> None:
        for found in self.filters.values():
            same_name, same_uuid = found.name == made.name, found.document.uuid == made.uuid
            if same_name and not same_uuid:
                if has_uuid:
                    raise documents.already(made.name, found.document.uuid)
                made.uuid = found.document.uuid
            if same_uuid and not same_name:
                text = f"filter with same UUID but different name ('{found.name}') already exists"
                raise Error(
                    text, code=Code.OPERATION_FAILED, origin=Origin.NWFILTER, message=f"operation failed: {text}"
                )
        below = {entry.filter for entry in made.entries if isinstance(entry, Reference)}
        if made.name in below or any(made.name in tree.referenced(name, self._document) for name in below):
            raise tree.loop()

    async def undefine(self, found: NamedFilter) -> None:
        """Forget a filter. Raises OperationInvalid where an interface uses it; filters that name it do not keep it, as in libvirt."""
        async with self._lock:
            if self._users(found.name):
                raise OperationInvalid("nwfilter is in use", origin=Origin.NWFILTER)
            await asyncio.to_thread(remove, f"{self.etc}/{found.name}.xml")
            del self.filters[found.name]

    def _users(self, name: str) -> list[Binding]:
        """Bindings whose rules have to do with a filter."""
        return [one for one in self.bindings.values() if name in tree.referenced(one.filtername, self._document)]

    # --- bindings

    def binding(self, port: str) -> Binding:
        if port not in self.bindings:
            raise no_binding(port)
        return self.bindings[port]

    async def bind(self, made: Binding) -> Binding:
        """Give an interface its filter. Raises InternalError where rules cannot be made of it; then nothing is left."""
        async with self._lock:
            if made.portdev in self.bindings:
                text = f"binding '{made.portdev}' already exists"
                raise Error(
                    text, code=Code.OPERATION_FAILED, origin=Origin.NWFILTER, message=f"operation failed: {text}"
                )
            self.bindings[made.portdev] = made
            try:
                await self._instantiate([made])
                await asyncio.to_thread(self._keep, made)
            except BaseException:
                await self._drop(made)
                raise
            return made

    async def unbind(self, port: str) -> None:
        """Take an interface's rules away."""
        async with self._lock:
            await self._drop(self.binding(port))

    async def _drop(self, made: Binding) -> None:
        self.bindings.pop(made.portdev, None)
        self._forget_learner(made.portdev)
        await asyncio.to_thread(discard, self._status(made.portdev))
        if made.portdev in self.engine.applied:
            await asyncio.to_thread(self.engine.change, {made.portdev: None})

    async def _again(self, found: list[Binding]) -> None:
        """After a restart: all at once, and one by one where that fails."""
        async with self._lock:
            try:
                await self._instantiate(found)
            except Error:
                for one in found:
                    try:
                        await self._instantiate([one])
                    except Error as problem:
                        log.error("cannot restore the filter of %s: %s", one.portdev, problem.message)

    async def _instantiate(self, found: list[Binding]) -> None:
        wanted: dict[str, Rules | None] = {}
        learning: dict[str, Binding] = {}
        found = [one for one in found if _exists(one.portdev)]
        for one in found:
            try:
                wanted[one.portdev] = tree.instances(one.ref, self._document, one.variables())
            except tree.MissingVariable as lacking:
                if lacking.names != {"IP"} or one.learning == "none":
                    raise
                learning[one.portdev] = one
                servers = [value for name, value in one.ref.parameters if name == "DHCPSERVER"]
                wanted[one.portdev] = meanwhile(one.mac, one.learning == "dhcp", servers)
        if wanted:
            await asyncio.to_thread(self.engine.change, wanted)
        for one in found:
            if one.portdev in learning:
                self._learn(one)
            elif one.learning != "dhcp":
                self._forget_learner(one.portdev)

    # --- learning

    def _learn(self, made: Binding) -> None:
        if made.portdev in self._learners:
            return
        servers = [value for name, value in made.ref.parameters if name == "DHCPSERVER"]

        def learned(lease: Lease) -> None:
            self._soon(self._learned(made, lease))

        try:
            self._learners[made.portdev] = Learner(made.portdev, made.mac, made.learning == "dhcp", servers, learned)
        except OSError as problem:
            raise InternalError(
                f"cannot listen on {made.portdev}: {problem.strerror}", origin=Origin.NWFILTER
            ) from None

    def _forget_learner(self, port: str) -> None:
        learner, timer = self._learners.pop(port, None), self._expiry.pop(port, None)
        if learner is not None:
            learner.close()
        if timer is not None:
            timer.cancel()

    async def _learned(self, made: Binding, lease: Lease) -> None:
        async with self._lock:
            if self.bindings.get(made.portdev) is not made:
                return
            wanted = [lease.address] if lease.seconds else []
            timer = self._expiry.pop(made.portdev, None)
            if timer is not None:
                timer.cancel()
            if lease.seconds not in (0, FOREVER) and made.learning == "dhcp":
                gone = Lease(lease.address, 0, lease.server)
                self._expiry[made.portdev] = asyncio.get_running_loop().call_later(
                    lease.seconds, lambda: self._expired(made, gone)
                )
            if wanted == made.learned:
                return
            log.info(
                "%s of %s has the address %s", made.portdev, made.owner_name, lease.address if wanted else "no longer"
            )
            made.learned = wanted
            try:
                await self._instantiate([made])
            except Error as problem:
                log.error("cannot give %s its filter: %s", made.portdev, problem.message)

    def _expired(self, made: Binding, gone: Lease) -> None:
        self._soon(self._learned(made, gone))

    # --- guests

    async def attach(self, net: Any, owner_name: str, owner_uuid: str) -> None:
        """A guest's interface (a model interface with target device, mac and filterref) gets its filter."""
        if self.is_session:
            raise InternalError(
                "unexpected nwfilter URI path '/session', try nwfilter:///system", origin=Origin.NWFILTER
            )
        ref = Reference(net.filterref.filter, [(one.name, one.value) for one in net.filterref.parameters or ()])
        made = Binding(owner_name, owner_uuid, net.target_dev, str(net.mac), ref)
        if net.target_dev in self.bindings:
            await self._replace(made)
        else:
            await self.bind(made)

    async def _replace(self, made: Binding) -> None:
        """Another filter for an interface that has one; when it fails, the old one stays in force."""
        async with self._lock:
            old = self.bindings[made.portdev]
            self._forget_learner(made.portdev)
            self.bindings[made.portdev] = made
            try:
                await self._instantiate([made])
                await asyncio.to_thread(self._keep, made)
            except BaseException:
                self.bindings[made.portdev] = old
                await self._instantiate([old])
                raise

    def _keep(self, made: Binding) -> None:
        head = banner(f"virsh nwfilter-binding-create {made.portdev}")
        write_file(self._status(made.portdev), head + bindings.status(made), durable=False)

    async def detach(self, port: str | None) -> None:
        """The interface is gone."""
        if port in self.bindings:
            await self.unbind(port or "")


def _exists(port: str) -> bool:
    """Whether the host has the interface; a binding to one that is not there waits, as in libvirt."""
    try:
        return bool(socket.if_nametoindex(port))
    except OSError:
        return False


def _documents(folder: str) -> list[tuple[str, str]]:
    """Name and text of each document in a folder."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(folder)):
            if name.endswith(".xml"):
                try:
                    with open(f"{folder}/{name}", encoding="utf-8", errors="surrogateescape") as file:
                        found.append((name.removesuffix(".xml"), file.read()))
                except OSError as problem:
                    log.error("cannot read %s/%s: %s", folder, name, problem.strerror)
    return found
