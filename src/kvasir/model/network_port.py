"""A port of a virtual network: who is plugged in where."""

from __future__ import annotations

from typing import Any

from kvasir.devices.interface_parts import Bandwidth, Vlan
from kvasir.devices.interface_source import SourceAddress
from kvasir.errors import InternalError, Origin, XmlError
from kvasir.xml import Element, attr, child, text, variant
from kvasir.xml.types import ENUM, UINT, UUID, YESNO

from .network import NetworkPortProfile


class NetworkPlug(Element):
    """A port of the network's own bridge, or of a bridge of the host."""

    bridge: str | None = attr("@bridge")
    mac_table: str | None = attr("@macTableManager", ENUM("kernel", "libvirt"))


class DirectPlug(Element):
    """A card of the host, through macvtap."""

    dev: str | None = attr("@dev")
    mode: str | None = attr("@mode", ENUM("vepa", "private", "bridge", "passthrough"))


class HostdevPlug(Element):
    """A virtual function of the host's card."""

    managed: bool | None = attr("@managed", YESNO)
    driver: str | None = attr("driver/@name")
    address: SourceAddress | None = child(SourceAddress)


PLUGS: dict[str, Any] = {
    "network": NetworkPlug,
    "bridge": NetworkPlug,
    "direct": DirectPlug,
    "hostdev-pci": HostdevPlug,
}


class Plug(Element, tag="plug"):
    """What the port is plugged into."""

    type: str | None = attr("@type", ENUM("none", *PLUGS))
    to: Any = variant("type", PLUGS)


class Port(Element, tag="networkport"):
    """The port."""

    uuid: str | None = text("uuid", UUID)
    owner: str | None = text("owner/name")
    owner_uuid: str | None = text("owner/uuid", UUID)
    group: str | None = text("group")
    mac: str | None = attr("mac/@address")
    virtualport: Any = child(NetworkPortProfile)
    bandwidth: Bandwidth | None = child(Bandwidth)
    class_id: int | None = attr("class/@id", UINT)
    vlan: Vlan | None = child(Vlan)
    isolated: bool | None = attr("port/@isolated", YESNO)
    trust: bool | None = attr("rxfilters/@trustGuest", YESNO)
    plug: Plug | None = child(Plug)

    def parsed(self, node: Any) -> None:
        """What libvirt checks while it reads."""
        if self.uuid is None:
            raise InternalError("network port has no uuid", origin=Origin.NETWORK)
        if not self.owner:
            raise InternalError("network port owner has no name", origin=Origin.NETWORK)
        if self.owner_uuid is None:
            raise InternalError("network port owner has no UUID", origin=Origin.NETWORK)
        if self.mac is None:
            raise InternalError("network port has no mac", origin=Origin.NETWORK)
        from kvasir.xml.types import MAC

        try:
            self.mac = MAC.read(self.mac)
        except ValueError:
            raise XmlError(f"unable to parse mac '{self.mac}'", origin=Origin.NETWORK) from None
