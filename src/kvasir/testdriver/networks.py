"""Networks of the test driver."""

from __future__ import annotations

import uuid as _uuid
from typing import Any

from kvasir.errors import Code, Error, OperationFailed, OperationInvalid, Origin
from kvasir.events import NetworkLifecycle
from kvasir.model.network import Network
from kvasir.network import documents, update

DEFINED, UNDEFINED, STARTED, STOPPED = range(4)
LIVE, CONFIG = 1, 2


class Net:
    """A network; ``name`` and ``uuid`` are what the wire carries."""

    def __init__(self, document: Network) -> None:
        self.document = document
        self.live: Network | None = None
        self.persistent = True
        self.autostart = False

    @property
    def name(self) -> str:
        return str(self.document.name)

    @property
    def uuid(self) -> bytes:
        return _uuid.UUID(self.document.uuid).bytes

    @property
    def active(self) -> bool:
        return self.live is not None

    @property
    def now(self) -> Network:
        return self.live if self.live is not None else self.document


def no_network(text: str) -> Error:
    return Error(text, code=Code.NO_NETWORK, origin=Origin.TEST, message=f"Network not found: {text}")


class Networks:
    """All of them."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self.known: dict[str, Net] = {}

    def add(self, node: Any) -> None:
        """One of the first document: it runs."""
        net = Net(self._complete(Network.parse(node)))
        net.live = net.document.copy()
        self.known[net.name] = net

    @staticmethod
    def _complete(document: Network) -> Network:
        document.uuid = document.uuid or str(_uuid.uuid4())
        document.mac = None
        return document

    def _say(self, net: Net, event: int) -> None:
        self.driver.bus.publish(NetworkLifecycle(net, event, 0))

    def by_name(self, name: str) -> Net:
        if name not in self.known:
            raise no_network(f"no network with matching name '{name}'")
        return self.known[name]

    def by_uuid(self, uuid: bytes) -> Net:
        for net in self.known.values():
            if net.uuid == bytes(uuid):
                return net
        raise no_network(f"no network with matching uuid '{_uuid.UUID(bytes=bytes(uuid))}'")

    def _admit(self, document: Network, live: bool) -> Net | None:
        for net in self.known.values():
            if net.document.uuid == document.uuid:
                if net.name != document.name:
                    raise OperationFailed(
                        f"network '{net.name}' is already defined with uuid {document.uuid}", origin=Origin.NETWORK
                    )
                if live and net.active:
                    raise OperationInvalid(f"network is already active as '{net.name}'", origin=Origin.NETWORK)
                return net
        if document.name in self.known:
            other = self.known[str(document.name)]
            raise OperationFailed(
                f"network '{other.name}' already exists with uuid {other.document.uuid}", origin=Origin.NETWORK
            )
        return None

    def define(self, xml: str, live: bool) -> Net:
        """Define one, or start one that is not kept."""
        document = self._complete(documents.read(xml))
        net = self._admit(document, live)
        if net is None:
            net = self.known[str(document.name)] = Net(document)
            net.persistent = not live
        else:
            net.document = document
            net.persistent = net.persistent or not live
        if live:
            net.live = document.copy()
        self._say(net, STARTED if live else DEFINED)
        return net

    def start(self, net: Net) -> None:
        if net.active:
            raise OperationInvalid(f"Network '{net.name}' is already running", origin=Origin.TEST)
        net.live = net.document.copy()
        self._say(net, STARTED)

    def stop(self, net: Net) -> None:
        net.live = None
        self._say(net, STOPPED)
        if not net.persistent:
            self.known.pop(net.name, None)

    def undefine(self, net: Net) -> None:
        if net.active:
            raise OperationInvalid(f"Network '{net.name}' is still running", origin=Origin.TEST)
        self.known.pop(net.name, None)
        self._say(net, UNDEFINED)

    def update(self, net: Net, command: int, section: int, index: int, xml: str, flags: int) -> None:
        """Change a section of the running network, of the kept one, or of both."""
        if not flags & (LIVE | CONFIG):
            flags |= LIVE if net.active else CONFIG
        if flags & LIVE and not net.active:
            raise OperationInvalid("network is not running", origin=Origin.NETWORK)
        live = update.changed(net.now, command, section, index, xml) if flags & LIVE else None
        if flags & CONFIG:
            net.document = update.changed(net.document, command, section, index, xml)
        if live is not None:
            net.live = live
