"""Ports of networks: what a guest's interface gets when it is plugged in, and how it is given back.

``Ports.allocate`` merges what the interface, its port group and the network say, as libvirt does.
"""

from __future__ import annotations

import asyncio
import logging
import uuid as _uuid
from typing import TYPE_CHECKING, Any

from kvasir.devices.interface_parts import Bandwidth
from kvasir.errors import ConfigUnsupported, Error, InvalidArg, OperationInvalid, Origin, XmlError
from kvasir.host.files import discard
from kvasir.model.network_port import Port
from kvasir.xml.form import INACTIVE

from .errors import port_exists
from .network import NetworkPort, VirtualNetwork

if TYPE_CHECKING:
    from .driver import NetworkDriver


log = logging.getLogger(__name__)


class Ports:
    """The ports of one driver's networks."""

    def __init__(self, driver: NetworkDriver) -> None:
        self.driver = driver

    async def create(self, net: VirtualNetwork, xml: str, flags: int = 0) -> NetworkPort:
        """Make a port from its document; flag 1 takes one up again whose plug is said."""
        document = Port.from_xml(xml, "(networkport_definition)")
        reclaim = bool(flags & 1)
        said = document.plug is not None and document.plug.type not in (None, "none")
        if reclaim and not said:
            raise InvalidArg("Port reclaim requested but plug type is none", origin=Origin.NETWORK)
        if said and not reclaim:
            raise InvalidArg("Port reclaim not requested but plug type is not none", origin=Origin.NETWORK)
        return await self.add(net, document)

    async def add(self, net: VirtualNetwork, document: Port) -> NetworkPort:
        """Plug a port into a running network. Raises kvasir errors."""
        async with net.lock:
            if not net.active:
                raise OperationInvalid(f"network '{net.name}' is not active", origin=Origin.NETWORK)
            if _uuid.UUID(document.uuid).bytes in net.ports:
                raise port_exists(str(document.uuid))
            merge(net, document)
            kind = self.driver.kind(net)
            if document.plug is None or document.plug.type in (None, "none"):
                document.plug = kind.plug(NetworkPort(net, document))
            port = NetworkPort(net, document)
            try:
                await asyncio.to_thread(self._made, net, kind, port)
            except BaseException:
                net.ports.pop(port.uuid, None)
                raise
        return port

    def _made(self, net: VirtualNetwork, kind: Any, port: NetworkPort) -> None:
        self.driver.hook(net, "port-created", "begin", port.document.xml(INACTIVE))
        net.ports[port.uuid] = port
        try:
            kind.plugged(port)
            self.driver.files.save_port(port)
            self.driver.files.save_status(net)
        except BaseException:
            net.ports.pop(port.uuid, None)
            self._unplug(net, port)
            raise

    async def delete(self, port: NetworkPort) -> None:
        """Unplug a port."""
        net = port.net
        async with net.lock:
            if net.ports.pop(port.uuid, None) is None:
                return
            await asyncio.to_thread(self._gone, net, port)

    def _gone(self, net: VirtualNetwork, port: NetworkPort) -> None:
        if net.active:
            self._unplug(net, port)
            try:
                self.driver.files.save_status(net)
            except Error as error:
                log.error("network %s: %s", net.name, error)

    def _unplug(self, net: VirtualNetwork, port: NetworkPort) -> None:
        """What can be undone of a port is; what its files refuse goes to the log."""
        discard(self.driver.files.port(net.name, str(port.document.uuid)))
        try:
            self.driver.kind(net).unplugged(port)
        except Error as error:
            log.error("network %s: %s", net.name, error)
        self.driver._hook_after(net, "port-deleted", "begin", port.document.xml(INACTIVE))

    # --- guests

    async def allocate(self, network: str, card: Any, owner: Any, portid: str | None = None) -> NetworkPort:
        """A port for a guest's interface (``card``); ``owner`` has name and uuid. Raises kvasir errors."""
        net = self.driver.by_name(network)
        if not net.active:
            raise OperationInvalid(f"network '{net.name}' is not active", origin=Origin.NETWORK,
                                   hint=f"virsh net-start {net.name}")  # fmt: skip
        uuid = owner.uuid if isinstance(owner.uuid, str) else str(_uuid.UUID(bytes=owner.uuid))
        document = Port(
            uuid=portid or str(_uuid.uuid4()), owner=owner.name, owner_uuid=uuid, group=card.source.portgroup, mac=card.mac,
            virtualport=card.virtualport.copy() if card.virtualport is not None else None,
            bandwidth=card.bandwidth.copy() if card.bandwidth is not None else None,
            vlan=card.vlan.copy() if card.vlan is not None else None, isolated=card.isolated,
            trust=card.trust_guest_rx_filters,
        )  # fmt: skip
        return await self.add(net, document)

    async def reclaim(self, network: str, card: Any, owner: Any) -> NetworkPort | None:
        """The port of an interface of a running guest after a restart of the daemon, or of the network."""
        net = self.driver.networks.get(network)
        if net is None or not net.active:
            return None
        wanted = card.source.portid
        if wanted and _uuid.UUID(wanted).bytes in net.ports:
            return net.ports[_uuid.UUID(wanted).bytes]
        try:
            port = await self.allocate(network, card, owner, wanted)
        except Error:
            return None
        card.source.portid = port.document.uuid
        return port

    async def release(self, network: str, portid: str | None) -> None:
        """Give an interface's port back; one that is gone is fine."""
        net = self.driver.networks.get(network)
        if net is not None and portid:
            port = net.ports.get(_uuid.UUID(portid).bytes)
            if port is not None:
                await self.delete(port)


def merge(net: VirtualNetwork, port: Port) -> None:
    """Complete a port with what its group and the network say. Raises ConfigUnsupported, InternalError."""
    doc = net.document
    group = group_of(doc, port.group)
    if port.bandwidth is None and group is not None and group.bandwidth is not None:
        port.bandwidth = group.bandwidth.copy()
    if port.vlan is None:
        vlan = group.vlan if group is not None and group.vlan is not None else doc.vlan
        port.vlan = vlan.copy() if vlan is not None else None
    if port.trust is None:
        port.trust = group.trust if group is not None and group.trust is not None else doc.trust
    if port.isolated is None:
        port.isolated = doc.isolated
    port.virtualport = merged_profile(
        port.virtualport, doc.virtualport, group.virtualport if group is not None else None
    )
    if port.bandwidth == Bandwidth():
        port.bandwidth = None
    check(net, port)


def group_of(document: Any, name: str | None) -> Any:
    """The port group of that name, or the default one."""
    for group in document.portgroups:
        if group.name == name or (name is None and group.default):
            return group
    return None


def merged_profile(*parts: Any) -> Any:
    """One virtual port of several, the first that says a thing wins; they must not contradict."""
    result: Any = None
    for part in parts:
        if part is None:
            continue
        if result is None:
            result = part.copy()
            continue
        if result.type is not None and part.type is not None and result.type != part.type:
            raise XmlError(f"attempt to merge virtualports with mismatched types ({result.type} and {part.type})",
                                    origin=Origin.NETWORK)  # fmt: skip
        result.type = result.type or part.type
        for name in ("managerid", "typeid", "typeidversion", "instanceid", "interfaceid", "profileid"):
            mine, theirs = getattr(result, name), getattr(part, name)
            if mine is not None and theirs is not None and mine != theirs:
                raise XmlError(f"attempt to merge virtualports with mismatched {name}s ('{mine}' and '{theirs}')",
                                        origin=Origin.NETWORK)  # fmt: skip
            if mine is None:
                setattr(result, name, theirs)
    if result is not None:
        result.fill()
    return result


def check(net: VirtualNetwork, port: Port) -> None:
    """What a network of this kind cannot give to a port."""
    doc, name = net.document, net.name
    if port.virtualport is not None and port.virtualport.type not in (None, "none"):
        kind = port.virtualport.type
        fits = {"openvswitch": ("bridge",), "802.1Qbg": ("vepa",), "802.1Qbh": ("private", "passthrough", "hostdev")}
        if doc.mode in ("nat", "route", "open", None) or doc.mode not in fits.get(kind, ("bridge",)):
            raise ConfigUnsupported(f"<virtualport type='{kind}'> not supported for network '{name}' which uses "
                                    f"{'a bridge device' if doc.bridge else f'forward mode {doc.mode!r}'}",
                                    origin=Origin.NETWORK)  # fmt: skip
    floor = port.bandwidth.inbound_floor if port.bandwidth is not None else None
    if floor:
        own = doc.bandwidth
        if own is None or not own.inbound_average:
            raise ConfigUnsupported(f"Invalid use of 'floor' on interface with MAC address {port.mac} - network '{name}' has "
                                    "no inbound QoS set", origin=Origin.NETWORK)  # fmt: skip
        limit = own.inbound_peak or own.inbound_average
        if net.floor + floor > limit:
            raise ConfigUnsupported(
                f"Cannot plug '{port.mac}' interface into '{doc.bridge}' because it would overcommit "
                f"{'peak' if own.inbound_peak else 'average'} on network '{name}'", origin=Origin.NETWORK)  # fmt: skip
    if (
        port.vlan is not None
        and doc.mode not in ("hostdev", "passthrough")
        and not (port.virtualport is not None and port.virtualport.type == "openvswitch")
    ):
        raise ConfigUnsupported(f"an interface connecting to network '{name}' is requesting a vlan tag, but that is not "
                                "supported for this type of network", origin=Origin.NETWORK)  # fmt: skip
