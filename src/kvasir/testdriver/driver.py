"""The test driver: one world for all who open ``test:///default`` at a time, one of its own for each ``test:///FILE``."""

from __future__ import annotations

import uuid as _uuid
from typing import Any, ClassVar

from kvasir.daemon.hub import Hub
from kvasir.errors import Code, Error, NoDomain, OperationInvalid, Origin, XmlError
from kvasir.events import Bus, Lifecycle
from kvasir.model import nodedev as nodedev_model
from kvasir.model.domain import Domain
from kvasir.qemu.snapshots.document import Snapshot
from kvasir.qemu.snapshots.tree import NoSnapshot, Tree
from kvasir.qemu.states import Running, State
from kvasir.xml.reader import read

from .guest import Guest, complete
from .interfaces import Interfaces
from .networks import Networks
from .pools import Pools
from .texts import text_of


class _NoSnapshot(NoSnapshot):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.origin = Origin.TEST


class Snapshots(Tree):
    """The snapshots of a guest, in memory."""

    MISSING = _NoSnapshot

    def _load(self) -> None:
        """There are none at first."""

    def save(self, snap: Snapshot) -> None:
        """Nothing is written."""

    def path(self, name: str) -> str:
        return "/nonexistent"


class _Trees(dict[Any, Snapshots]):
    def get(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = Snapshots(key)
        return self[key]


class _Guests:
    """The guests by id and by UUID, as other drivers keep them."""

    def __init__(self) -> None:
        self.by_uuid: dict[bytes, Guest] = {}

    @property
    def by_id(self) -> dict[int, Guest]:
        return {guest.id: guest for guest in self.by_uuid.values() if guest.active}


class TestDriver:
    """One world."""

    TYPE = "TEST"
    FEATURES: ClassVar[frozenset[int]] = frozenset({9, 16})
    __test__ = False

    def __init__(self, uri: str, document: str, calls: Any = None) -> None:
        self.uri = uri
        self.CALLS = calls
        """``CALLS(program)``: the procedures that it serves, by number."""
        self.bus, self.hub = Bus(), Hub()
        self.bus.subscribe(self.hub.deliver)
        self.guests = _Guests()
        self.snapshot_trees = _Trees()
        self.number = 0
        self.users = 0
        self.networks, self.pools, self.interfaces = Networks(self), Pools(self), Interfaces()
        self.devices: dict[str, Any] = {}
        self._fill(document)

    def _fill(self, document: str) -> None:
        try:
            root = read(document, "(test driver)")
        except Error:
            raise
        if root.tag != "node":
            raise XmlError("Root element is not 'node'", origin=Origin.TEST)
        for node in root:
            kind = node.tag if isinstance(node.tag, str) else ""
            where = node.get("file")
            if where is not None:
                node = read(text_of(where))
            if kind == "domain":
                self._first_guest(node)
            elif kind == "network":
                self.networks.add(node)
            elif kind == "pool":
                self.pools.add(node)
            elif kind == "interface":
                self.interfaces.add(node)
            elif kind == "device":
                device = nodedev_model.NodeDevice.parse(node)
                self.devices[str(device.name)] = device

    def _first_guest(self, node: Any) -> None:
        names = "{http://libvirt.org/schemas/domain/test/1.0}"
        state = int(node.findtext(f"{names}runstate") or State.RUNNING)
        transient = node.find(f"{names}transient") is not None
        saved = node.find(f"{names}hasmanagedsave") is not None
        guest = self.make(Domain.parse(node))
        guest.persistent, guest.saved = not transient, saved
        if state != State.SHUTOFF:
            guest.begin(Running.UNKNOWN)
            guest.state = State(state)
        else:
            guest.state, guest.reason = State.SHUTOFF, 0

    # --- what other drivers have too

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""

    def active_count(self) -> int:
        return 0

    # --- guests

    def lookup_uuid(self, uuid: bytes, name: str = "") -> Guest:
        guest = self.guests.by_uuid.get(bytes(uuid))
        if guest is None:
            raise NoDomain(
                f"no domain with matching uuid '{_uuid.UUID(bytes=bytes(uuid))}'" + (f" ({name})" if name else ""),
                origin=Origin.TEST,
            )
        return guest

    def lookup_name(self, name: str) -> Guest:
        for guest in self.guests.by_uuid.values():
            if guest.name == name:
                return guest
        raise NoDomain(origin=Origin.TEST)

    def lookup_id(self, number: int) -> Guest:
        guest = self.guests.by_id.get(number)
        if guest is None:
            raise NoDomain(origin=Origin.TEST)
        return guest

    def make(self, domain: Domain) -> Guest:
        complete(domain)
        guest = Guest(self, domain)
        self.guests.by_uuid[guest.uuid] = guest
        return guest

    def read_guest(self, xml: str) -> Domain:
        """A user's document, completed."""
        domain = Domain.from_xml(xml)
        complete(domain)
        return domain

    def admit(self, domain: Domain, *, live: bool) -> Guest | None:
        """The guest that the document redefines. Raises where name or UUID are another's, or it runs already."""
        wanted = _uuid.UUID(domain.uuid).bytes
        same = self.guests.by_uuid.get(wanted)
        if same is not None:
            if same.name != domain.name:
                raise _exists(f"domain '{same.name}' is already defined with uuid {domain.uuid}")
            if live and same.active:
                raise OperationInvalid(f"domain '{same.name}' is already active", origin=Origin.DOMAIN)
            return same
        for guest in self.guests.by_uuid.values():
            if guest.name == domain.name:
                raise _exists(f"domain '{guest.name}' already exists with uuid {guest.uuid_text}")
        return None

    def define(self, xml: str) -> Guest:
        domain = self.read_guest(xml)
        guest = self.admit(domain, live=False)
        known = guest is not None and guest.persistent
        if guest is None:
            guest = self.make(domain)
        else:
            guest.config = domain
            guest.persistent = True
        self.event(guest, 0, 1 if known else 0)
        return guest

    def create(self, xml: str) -> Guest:
        domain = self.read_guest(xml)
        guest = self.admit(domain, live=True)
        if guest is None:
            guest = self.make(domain)
            guest.persistent = False
        else:
            guest.live = domain
        guest.begin()
        self.event(guest, 2, 0)
        return guest

    def forget(self, guest: Guest) -> None:
        self.guests.by_uuid.pop(guest.uuid, None)
        self.snapshot_trees.pop(guest, None)

    def event(self, guest: Guest, event: int, detail: int) -> None:
        self.bus.publish(Lifecycle(guest, event, detail))


def _exists(text: str) -> Error:
    return Error(text, code=Code.OPERATION_FAILED, origin=Origin.DOMAIN, message=f"operation failed: {text}")
