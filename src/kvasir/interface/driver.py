"""The driver of the host's interfaces: those that are live, those that are configured, and transactions of changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Any

from kvasir.errors import Code, Error, NoSupport, OperationInvalid, Origin
from kvasir.events import Bus
from kvasir.host import links
from kvasir.host.files import failing
from kvasir.model.interface import Interface, read

from . import actions, live, manager
from .backends import Backend, choose
from .changes import Snapshot, whole
from .dhcp import Dhcp
from .entries import check, flatten, fold, port_names

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Card:
    """An interface as clients see it; ``name`` and ``mac`` are what the wire carries."""

    name: str
    mac: str
    active: bool


def no_interface(text: str) -> Error:
    return Error(text, code=Code.NO_INTERFACE, origin=Origin.INTERFACE, message=f"Interface not found: {text}")


def invalid(text: str) -> OperationInvalid:
    return OperationInvalid(text, origin=Origin.INTERFACE)


class InterfaceDriver:
    """Interfaces of the host."""

    def __init__(self, paths: Any, config: Any = None) -> None:
        self.root = paths.root
        self.bus = Bus()
        self.drivers: dict[str, Any] = {}
        self.snapshot = Snapshot(f"{paths.lib}/interface", f"{paths.run}/interface")
        self.dhcp = Dhcp(f"{paths.run}/interface", f"{paths.lib}/interface")
        self._lock = asyncio.Lock()
        self._ways: dict[str, actions.Gateways] = {}
        """Routes that a port gets back at its next start, as its bridge is gone."""

    # --- life

    async def start(self) -> None:
        """After a boot of the host in the middle of a transaction: back to what was before it."""
        if not await asyncio.to_thread(self.snapshot.booted_since):
            return
        log.warning("the host was started anew before iface-commit: the interfaces' settings are rolled back")
        try:
            async with self._lock:
                await self._rollback(booted=True)
        except (Error, OSError) as error:
            log.error("cannot roll back the interfaces' settings: %s", error)

    async def stop(self) -> None:
        """The daemon ends; interfaces stay."""

    # --- look-up

    def backend(self, function: str) -> Backend:
        """The host's configuration. Raises NoSupport, as Debian's libvirt, where there is none."""
        found = choose(self.root)
        if found is None:
            raise NoSupport(function, origin=Origin.INTERFACE,
                            hint="there is none of /etc/network/interfaces, NetworkManager and systemd-networkd here")  # fmt: skip
        return found

    def configured(self) -> dict[str, Interface]:
        """The configured interfaces by name."""
        found = choose(self.root)
        return fold(found.load()) if found is not None else {}

    def _card(self, name: str, link: links.Link | None, document: Interface | None) -> Card:
        mac = link.mac if link is not None else (document.mac or "" if document is not None else "")
        return Card(name, mac, live.is_active(link))

    def listed(self) -> list[Card]:
        """All, without ports of bridges and guests' taps."""
        found, documents = links.links(), self.configured()
        inside = {port for document in documents.values() for port in port_names(document)}
        names = [link.name for link in live.listed(found) if link.name not in inside]
        names += [name for name in documents if name not in names]
        return [self._card(name, found.get(name), documents.get(name)) for name in names]

    def find(self, name: str) -> Card:
        """By name. Raises error 57."""
        found, documents = links.links(), self.configured()
        if name not in found and name not in documents:
            raise no_interface(f"couldn't find interface named '{name}'")
        return self._card(name, found.get(name), documents.get(name))

    def by_mac(self, mac: str) -> Card:
        """By MAC address; a bridge and its port that share one are two. Raises errors 57 and 59."""
        found, documents = links.links(), self.configured()
        cards = [self._card(name, found.get(name), documents.get(name)) for name in {**found, **documents}]
        cards = [card for card in cards if card.mac.lower() == mac.lower()]
        if not cards:
            raise no_interface(f"couldn't find interface with MAC address '{mac}'")
        if len(cards) > 1:
            text = f"the MAC address '{mac}' matches multiple interfaces"
            raise Error(text, code=Code.MULTIPLE_INTERFACES, origin=Origin.INTERFACE,
                        message=f"multiple matching interfaces found: {text}")  # fmt: skip
        return cards[0]

    def xml(self, name: str, inactive: bool) -> str:
        """The document: as configured, live beside it, or live alone where nothing is configured."""
        self.find(name)
        found, document = links.links(), self.configured().get(name)
        link = found.get(name)
        if document is None:
            return live.document(found, link).xml() if link is not None else ""
        if not inactive and link is not None:
            now = live.document(found, link)
            document.mtu, document.link_speed, document.link_state = now.mtu, now.link_speed, now.link_state
            document.mac = now.mac
        return document.xml()

    # --- configuration

    def _changing(self, function: str) -> Backend:
        backend = self.backend(function)
        manager.refuse(self.root, backend)
        return backend

    async def define(self, xml: str, validate: bool = False) -> Card:
        """Write an interface into the configuration; ports that it takes lose what they had. Raises kvasir errors."""
        async with self._lock:
            return await asyncio.to_thread(self._define, xml, validate)

    def _define(self, xml: str, validate: bool) -> Card:
        backend = self._changing("virInterfaceDefineXML")
        document = read(xml, validate)
        check(document)
        known = fold(backend.load())
        name = str(document.name)
        for other, old in known.items():
            taken = set(port_names(old)) & {name, *port_names(document)}
            if other != name and taken:
                raise invalid(f"interface '{min(taken)}' belongs to '{other}', which is configured")
        entries = flatten(document)
        names = {entry.name for entry in entries}
        with whole(backend.paths()), failing(f"cannot write the configuration of interface '{name}'"):
            for port in port_names(known[name]) if name in known else []:
                if port not in names:
                    backend.remove(port)
            for entry in entries:
                backend.save(entry, [one.name for one in entries if one.controller == entry.name])
        return self.find(name)

    async def undefine(self, name: str) -> None:
        """Take an interface, and what is plugged into it, out of the configuration."""
        async with self._lock:
            await asyncio.to_thread(self._undefine, name)

    def _undefine(self, name: str) -> None:
        backend = self._changing("virInterfaceUndefine")
        document = fold(backend.load()).get(name)
        if document is None:
            raise invalid(f"interface '{name}' is not configured by {backend.title}")
        with whole(backend.paths()), failing(f"cannot remove the configuration of interface '{name}'"):
            for entry in reversed(flatten(document)):
                backend.remove(entry.name)

    # --- start and stop

    async def start_interface(self, name: str) -> None:
        """Bring it up by its configuration. Nothing stays half done. Raises kvasir errors."""
        async with self._lock:
            await asyncio.to_thread(self._changing, "virInterfaceCreate")
            await asyncio.to_thread(self.find, name)
            if await asyncio.to_thread(self._is_up, name):
                raise invalid("interface is already running")
            document = (await asyncio.to_thread(self.configured)).get(name)
            if document is None:
                await asyncio.to_thread(actions.switch, name, True)
            else:
                await self._start(document)

    @staticmethod
    def _is_up(name: str) -> bool:
        link = links.links().get(name)
        return link is not None and link.up

    async def _start(self, document: Interface) -> None:
        with contextlib.ExitStack() as undo:
            await asyncio.to_thread(actions.start, document, undo)
            await self.dhcp.start(document)
            undo.pop_all()
        ways = self._ways.pop(str(document.name), [])
        await asyncio.to_thread(actions.give, str(document.name), [], ways)

    async def stop_interface(self, name: str) -> None:
        """Take it down; its configuration stays. Raises kvasir errors."""
        async with self._lock:
            await asyncio.to_thread(self._changing, "virInterfaceDestroy")
            await asyncio.to_thread(self.find, name)
            if not await asyncio.to_thread(self._is_up, name):
                raise invalid("interface is not running")
            await self.dhcp.stop(name)
            document = (await asyncio.to_thread(self.configured)).get(name)
            if document is None:
                await asyncio.to_thread(actions.switch, name, False)
            else:
                self._ways |= await asyncio.to_thread(actions.stop, document)

    # --- transactions

    async def begin(self) -> None:
        """Keep the configuration, and what is up, as they are."""
        async with self._lock:
            backend = await asyncio.to_thread(self._changing, "virInterfaceChangeBegin")
            if self.snapshot.exists():
                raise invalid("there is another transaction running.")
            up = [name for name, link in links.links().items() if link.up]
            try:
                await asyncio.to_thread(self.snapshot.take, backend.paths(), {"up": up, "title": backend.title})
            except OSError as error:
                raise actions.failed("cannot keep the configuration", error) from None

    async def commit(self) -> None:
        """The changes stay."""
        async with self._lock:
            await asyncio.to_thread(self._changing, "virInterfaceChangeCommit")
            if not self.snapshot.exists():
                raise invalid("no transaction running, nothing to be committed.")
            await asyncio.to_thread(self.snapshot.drop)

    async def rollback(self) -> None:
        """The changes go: files as they were, changed interfaces down, those that were up started again."""
        async with self._lock:
            await asyncio.to_thread(self._changing, "virInterfaceChangeRollback")
            if not self.snapshot.exists():
                raise invalid("no transaction running, nothing to rollback.")
            try:
                await self._rollback()
            except OSError as error:
                raise actions.failed("cannot restore the configuration", error) from None

    async def _rollback(self, booted: bool = False) -> None:
        known = await asyncio.to_thread(self.snapshot.known)
        before = await asyncio.to_thread(self.configured)
        await asyncio.to_thread(self.snapshot.restore)
        await asyncio.to_thread(self.snapshot.drop)
        after = await asyncio.to_thread(self.configured)
        changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        for name in changed:
            if name in before and await asyncio.to_thread(self._is_up, name):
                await self._quietly(self.dhcp.stop(name))
                await self._quietly(asyncio.to_thread(actions.stop, before[name]))
        for name in changed:
            wanted = after[name].start in ("onboot", "hotplug") if booted and name in after else name in known["up"]
            if name in after and wanted and not await asyncio.to_thread(self._is_up, name):
                await self._quietly(self._start(after[name]))

    @staticmethod
    async def _quietly(step: Any) -> None:
        """A step of a rollback; the others go on where it fails."""
        try:
            await step
        except (Error, OSError) as error:
            log.warning("roll-back of the interfaces' settings: %s", error)
