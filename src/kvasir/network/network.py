"""One virtual network as the driver knows it: its documents, whether it runs, its ports."""

from __future__ import annotations

import asyncio
import uuid as _uuid
from functools import lru_cache
from typing import Any

from kvasir.model.network import Network
from kvasir.model.network_port import Port
from kvasir.xml.form import INACTIVE, LIVE, Form

from .errors import NoPort, invalid

FIRST_CLASS = 3
"""Traffic classes 0 to 2 are the bridge's own."""


@lru_cache(1024)
def _bytes(uuid: str) -> bytes:
    return bytes.fromhex(uuid.replace("-", ""))


class NetworkPort:
    """A port; ``net`` and ``uuid`` are what the wire carries."""

    def __init__(self, net: VirtualNetwork, document: Port) -> None:
        self.net, self.document = net, document

    @property
    def uuid(self) -> bytes:
        return _bytes(str(self.document.uuid))


class VirtualNetwork:
    """A network. ``document`` is the running one; ``new_document`` what the next start takes, where they differ."""

    def __init__(self, document: Network) -> None:
        self.document = document
        self.new_document: Network | None = None
        self.active = self.persistent = self.autostart = False
        self.ports: dict[bytes, NetworkPort] = {}
        self.classes: set[int] = set()
        self.floor = 0
        self.lock = asyncio.Lock()

    @property
    def name(self) -> str:
        return str(self.document.name)

    @property
    def uuid(self) -> bytes:
        return _bytes(str(self.document.uuid))

    def need_active(self) -> None:
        if not self.active:
            raise invalid(f"network '{self.name}' is not active")

    def config(self) -> Network:
        """The document of the next start."""
        return self.new_document if self.new_document is not None else self.document

    def xml(self, inactive: bool = False) -> str:
        """The document; the running one tells how many guests are plugged in."""
        if inactive:
            return self.config().xml(INACTIVE)
        document = self.document
        if self.active:
            self._count(document)
            return document.xml(LIVE)
        return document.xml(INACTIVE)

    def _count(self, document: Network) -> None:
        document.connections = len(self.ports) or None
        if document.forward is not None:
            for pool in (document.forward.interfaces, document.forward.addresses):
                for one in pool:
                    one.connections = sum(self.uses(port, one) for port in self.ports.values()) or None

    @staticmethod
    def uses(port: NetworkPort, one: Any) -> bool:
        """Whether the port is plugged into that member of the pool."""
        plug = port.document.plug
        if plug is None or plug.to is None:
            return False
        if plug.type == "direct":
            return bool(getattr(one, "dev", None) == plug.to.dev)
        if plug.type == "hostdev-pci" and hasattr(one, "slot"):
            place = plug.to.address
            return all(getattr(place, part) == getattr(one, part) for part in ("domain", "bus", "slot", "function"))
        return False

    def port(self, uuid: bytes) -> NetworkPort:
        """The port of that UUID. Raises NoPort."""
        if uuid not in self.ports:
            text = f"Network port with UUID {_uuid.UUID(bytes=uuid)} does not exist"
            raise NoPort(text, message=f"network port not found: {text}", origin=19)
        return self.ports[uuid]

    def next_class(self) -> int:
        """A free traffic class."""
        number = FIRST_CLASS
        while number in self.classes:
            number += 1
        self.classes.add(number)
        return number

    def status(self, form: Form) -> str:
        """The document that is kept while the network runs."""
        from kvasir.xml.types import write_cpuset

        bits = write_cpuset({0, 1, 2, *self.classes})
        return (
            f"<networkstatus>\n  <class_id bitmap='{bits}'/>\n  <floor sum='{self.floor}'/>\n"
            f"{self.document.xml(form, pad='  ')}</networkstatus>\n"
        )
