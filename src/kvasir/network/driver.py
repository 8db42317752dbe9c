"""The network driver: every network by name and UUID, started, stopped, taken up again after a restart of the daemon."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import uuid as _uuid
from typing import Any

from kvasir.errors import Error, InternalError, OperationFailed, Origin
from kvasir.events import Bus, NetworkLifecycle
from kvasir.host import firewalld, hooks
from kvasir.host.files import write_file
from kvasir.model.network import Network
from kvasir.xml.form import INACTIVE

from . import documents, first
from .errors import invalid, no_network
from .files import Files
from .kinds import KINDS
from .network import VirtualNetwork
from .ports import Ports

log = logging.getLogger(__name__)
DEFINED, UNDEFINED, STARTED, STOPPED = range(4)


class NetworkDriver:
    """Networks of one daemon."""

    def __init__(self, paths: Any, config: Any = None) -> None:
        self.paths, self.files = paths, Files(paths)
        self.bus = Bus()
        self.networks: dict[str, VirtualNetwork] = {}
        self.ports = Ports(self)
        self.drivers: dict[str, Any] = {}
        self._reloading: Any = None
        self._firewalld = firewalld.Watch(self.reload)
        self._writing = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    # --- the daemon's life

    async def start(self) -> None:
        """Take up what runs, start what starts by itself (once after a boot of the host)."""
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._load)
        for net in list(self.networks.values()):
            if net.active:
                await self._adopt(net)
        await self._autostart()
        if not self.paths.is_session:
            await self._firewalld.start()

    async def stop(self) -> None:
        """The daemon ends; networks run on."""
        self._firewalld.stop()

    def _load(self) -> None:
        if not self.paths.is_session:
            try:
                first.default_network(self.files)
            except Error as error:
                log.error("cannot define the network 'default': %s", error)
        for net in self.files.stored():
            self.networks[net.name] = net
        for running in self.files.running():
            known = self.networks.get(running.name)
            if known is not None and known.uuid == running.uuid:
                running.new_document = known.document
                running.persistent, running.autostart = True, known.autostart
            self.networks[running.name] = running

    async def _adopt(self, net: VirtualNetwork) -> None:
        kind = self.kind(net)
        try:
            there = await asyncio.to_thread(kind.adopt)
        except Error as error:
            log.error("cannot look for network %s: %s", net.name, error)
            there = False
        if not there:
            log.warning("network %s is gone: its bridge is no longer there", net.name)
            net.active = False
            self.files.forget_status(net)
            self._settle(net)
            if not net.persistent:
                self.networks.pop(net.name, None)
            return
        try:
            await asyncio.to_thread(kind.refresh)
        except Error as error:
            log.error("cannot restore network %s: %s", net.name, error)

    async def _autostart(self) -> None:
        mark = f"{self.files.run}/autostarted"
        if os.path.exists(mark):
            return
        for net in list(self.networks.values()):
            if net.autostart and not net.active:
                try:
                    await self.start_network(net)
                except Error as error:
                    log.error("cannot start network %s: %s", net.name, error)
        if any(net.autostart for net in self.networks.values()) or os.path.isdir(self.files.run):
            try:
                await asyncio.to_thread(write_file, mark, "")
            except Error as error:
                log.error("%s", error)

    def reload(self) -> None:
        """SIGHUP, or the firewall was restarted."""
        self._reloading = asyncio.get_running_loop().create_task(self.refresh())

    async def refresh(self) -> None:
        """Rules and helpers of all running networks anew."""
        for net in list(self.networks.values()):
            if net.active:
                async with net.lock:
                    try:
                        await asyncio.to_thread(self.kind(net).refresh)
                    except Error as error:
                        log.error("cannot restore network %s: %s", net.name, error)

    # --- look-up

    def by_name(self, name: str) -> VirtualNetwork:
        if name not in self.networks:
            raise no_network(f"name '{name}'")
        return self.networks[name]

    def by_uuid(self, uuid: bytes) -> VirtualNetwork:
        for net in self.networks.values():
            if net.uuid == uuid:
                return net
        raise no_network(f"uuid '{_uuid.UUID(bytes=uuid)}'")

    def find(self, ref: Any) -> VirtualNetwork:
        """The network that a wire reference means (by UUID, as libvirt)."""
        for net in self.networks.values():
            if net.uuid == ref.uuid:
                return net
        raise no_network(f"uuid '{_uuid.UUID(bytes=ref.uuid)}' ({ref.name})")

    def kind(self, net: VirtualNetwork) -> Any:
        """The behaviour of the network's forward mode."""
        return KINDS[net.document.mode](net, self.files)

    def publish(self, net: VirtualNetwork, event: int) -> None:
        self.bus.publish(NetworkLifecycle(net, event, 0))

    # --- define, undefine

    def _conflicts(self, document: Network, *, live: bool) -> VirtualNetwork | None:
        """The network that this document redefines. Raises where name, UUID or bridge belong to another."""
        wanted = _uuid.UUID(document.uuid).bytes
        for net in self.networks.values():
            if net.uuid == wanted:
                if net.name != document.name:
                    raise OperationFailed(f"network '{net.name}' is already defined with uuid {document.uuid}",
                                          origin=Origin.NETWORK)  # fmt: skip
                if live and net.active:
                    raise invalid(f"network is already active as '{net.name}'")
                return net
        same = self.networks.get(str(document.name))
        if same is not None:
            raise OperationFailed(f"network '{same.name}' already exists with uuid {same.document.uuid}",
                                  origin=Origin.NETWORK)  # fmt: skip
        return None

    def _name_bridge(self, document: Network) -> None:
        """A bridge name of its own, made up where the document has none or a pattern."""
        from kvasir.host import netlink

        if not document.own_bridge:
            return
        others = [net for net in self.networks.values() if net.name != document.name]
        taken = {one.bridge for net in others for one in (net.document, net.config())}
        if document.bridge and "%d" not in document.bridge:
            if document.bridge in taken:
                raise InternalError(f"bridge name '{document.bridge}' already in use.", origin=Origin.NETWORK)
            return
        pattern = document.bridge or "virbr%d"
        for number in range(256):
            name = pattern.replace("%d", str(number), 1)
            if name not in taken and not netlink.exists(name):
                document.bridge = name
                return
        raise InternalError("Bridge generation exceeded max id 255", origin=Origin.NETWORK)

    def _read(self, xml: str, flags: int) -> Network:
        document = documents.read(xml, validate=bool(flags & 1), sys=self.files.sys)
        if document.uuid is None:
            document.uuid = str(_uuid.uuid4())
        return document

    async def define(self, xml: str, flags: int = 0) -> VirtualNetwork:
        """Keep a network's document. Raises kvasir errors."""
        document = self._read(xml, flags)
        async with self._writing:
            self._name_bridge(document)
            net = self._conflicts(document, live=False)
            await asyncio.to_thread(self.files.save, document)
            if net is None:
                net = VirtualNetwork(document)
            elif net.active:
                net.new_document = document
            else:
                net.document, net.new_document = document, None
            net.persistent = True
            self.networks[net.name] = net
        self.publish(net, DEFINED)
        return net

    async def undefine(self, net: VirtualNetwork) -> None:
        """Forget the document; a running network goes when it stops."""
        if not net.persistent:
            raise invalid("can't undefine transient network")
        async with self._writing:
            await asyncio.to_thread(self.files.delete, net.name)
            net.persistent = net.autostart = False
            net.new_document = None
            if not net.active:
                self.networks.pop(net.name, None)
                await asyncio.to_thread(self.kind(net).forget)
        self.publish(net, UNDEFINED)

    async def set_autostart(self, net: VirtualNetwork, on: bool) -> None:
        """Start the network with the daemon, or do not."""
        if not net.persistent:
            raise invalid("cannot set autostart for transient network")
        async with self._writing:
            await asyncio.to_thread(self.files.set_link, net.name, on)
        net.autostart = on

    # --- start, stop

    async def create(self, xml: str, flags: int = 0) -> VirtualNetwork:
        """Start a network that is forgotten when it stops (or an inactive defined one)."""
        document = self._read(xml, flags)
        async with self._writing:
            net = self._conflicts(document, live=True)
            self._name_bridge(document)
            if net is None:
                net = VirtualNetwork(document)
                self.networks[net.name] = net
            else:
                net.new_document, net.document = net.document, document
        try:
            await self.start_network(net)
        except BaseException:
            if not net.persistent:
                self.networks.pop(net.name, None)
                await asyncio.to_thread(self.kind(net).forget)
            else:
                self._settle(net)
            raise
        return net

    def hook(self, net: VirtualNetwork, operation: str, step: str, port: str = "") -> None:
        """Run the administrator's scripts and wait for them; called outside of the loop's thread. Raises HookFailed."""
        if self._loop is None or not hooks.present(self.paths, "network"):
            return
        data = hooks.network_data(net.document.xml(INACTIVE), port)
        call = hooks.run(self.paths, "network", net.name, operation, step, xml=data)
        asyncio.run_coroutine_threadsafe(call, self._loop).result()

    def _hook_after(self, net: VirtualNetwork, operation: str, step: str, more: str = "") -> None:
        """A script whose failure changes nothing any more."""
        try:
            self.hook(net, operation, step, more)
        except Error as error:
            log.warning("%s", error)

    async def start_network(self, net: VirtualNetwork) -> None:
        """Make a network real. Raises kvasir errors; nothing is left behind then."""
        async with net.lock:
            if net.active:
                raise invalid("network is already active")
            await asyncio.to_thread(self._start, net)
            net.active = True
        self.publish(net, STARTED)
        await self._guests_again(net)

    async def _guests_again(self, net: VirtualNetwork) -> None:
        """Guests that run on while their network was away get their ports and bridge back."""
        from kvasir.devices.interface_host import attach_again

        qemu = self.drivers.get("qemu")
        for guest in list(qemu.guests.by_id.values()) if qemu is not None else []:
            for card in getattr(guest.live, "interfaces", []):
                if card.type == "network" and card.source.network == net.name and card.target_dev:
                    try:
                        await attach_again(card, self, guest)
                    except (Error, OSError) as error:
                        log.warning("guest %s: card %s cannot be plugged in again: %s", guest.name, card.mac, error)

    def _start(self, net: VirtualNetwork) -> None:
        if net.new_document is None:
            net.new_document = net.document
        net.document = net.document.copy()
        kind = self.kind(net)
        try:
            with contextlib.ExitStack() as undo:
                self.hook(net, "start", "begin")
                undo.callback(self._hook_after, net, "stopped", "end")
                kind.fill()
                kind.start(undo)
                self.hook(net, "started", "begin")
                undo.callback(self.files.forget_status, net)
                self.files.save_status(net)
                undo.pop_all()
        except BaseException:
            self._settle(net)
            raise

    @staticmethod
    def _settle(net: VirtualNetwork) -> None:
        """Back to the document of the next start."""
        if net.new_document is not None:
            net.document, net.new_document = net.new_document, None
        net.ports.clear()
        net.classes.clear()
        net.floor = 0

    async def stop_network(self, net: VirtualNetwork) -> None:
        """Take a running network down; guests keep their taps, without a bridge."""
        async with net.lock:
            net.need_active()
            await asyncio.to_thread(self.kind(net).stop)
            net.active = False
            await asyncio.to_thread(self.files.forget_status, net)
            await asyncio.to_thread(self._hook_after, net, "stopped", "end")
            if not net.persistent:
                self.networks.pop(net.name, None)
                await asyncio.to_thread(self.kind(net).forget)
            self._settle(net)
        self.publish(net, STOPPED)
