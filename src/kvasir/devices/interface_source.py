"""What a network interface is plugged into: one class for each ``type=``, and what a virtual network gave the port."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kvasir.errors import XmlError
from kvasir.xml import Element, Form, attr, child, children, variant
from kvasir.xml.types import ANYBASE, ENUM, HEX, INT, UINT, ULLONG, UUID, YESNO

from .interface_parts import Bandwidth, HostRoute, Ip, VirtualPort, Vlan, bad_value, missing


class Source(Element):
    """What sources of all interface types share: addresses and routes on the host's side."""

    ips: list[Ip] = children(Ip, "source/ip", last=True)
    routes: list[HostRoute] = children(HostRoute, "source/route", last=True)


def _not_status(source: Any, form: Form) -> bool:
    """The status document says it in ``<actual>``."""
    return not form.status


class NetworkSource(Source):
    """A virtual network of the daemon."""

    network: str | None = attr("source/@network")
    portgroup: str | None = attr("source/@portgroup")
    portid: str | None = attr("source/@portid", UUID, only="live")
    bridge: str | None = attr("source/@bridge", only="live", when=_not_status)
    mac_table: str | None = attr("source/@macTableManager", ENUM("kernel", "libvirt"), only="live", when=_not_status)

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            raise XmlError("interface type='network' requires a 'source' element")
        if not self.network:
            raise missing("network", "source")


class BridgeSource(Source):
    """A bridge of the host."""

    network: str | None = attr("source/@network", only="live")
    portgroup: str | None = attr("source/@portgroup", only="live")
    portid: str | None = attr("source/@portid", UUID, only="live")
    bridge: str | None = attr("source/@bridge")
    mac_table: str | None = attr("source/@macTableManager", ENUM("kernel", "libvirt"), only="live")

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            raise XmlError("interface type='bridge' requires a 'source' element")
        if not self.bridge:
            raise missing("bridge", "source")


MACVTAP_MODES = ("vepa", "private", "bridge", "passthrough")


class DirectSource(Source):
    """A network card of the host, through macvtap."""

    network: str | None = attr("source/@network", only="live")
    portgroup: str | None = attr("source/@portgroup", only="live")
    portid: str | None = attr("source/@portid", UUID, only="live")
    dev: str | None = attr("source/@dev")
    mode: str | None = attr("source/@mode")

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            raise XmlError("interface type='direct' requires a 'source' element")
        if not self.dev:
            raise missing("dev", "source")
        self.mode = self.mode or "vepa"
        if self.mode not in MACVTAP_MODES:
            raise bad_value("mode", "source", self.mode)


class UserSource(Source):
    """QEMU's own network stack, or passt."""

    dev: str | None = attr("source/@dev")


class EthernetSource(Source):
    """A tap device of the guest's own."""


class VhostUserSource(Source):
    """A switch in another process, over a vhost-user socket."""

    type: str | None = attr("source/@type", ENUM("unix"),
                            error="unsupported:Type='{value}' unsupported for <interface type='vhostuser'>")  # fmt: skip
    path: str | None = attr("source/@path")
    mode: str | None = attr("source/@mode", ENUM("server", "client"))
    reconnect: bool | None = attr("source/reconnect/@enabled", YESNO)
    reconnect_timeout: int | None = attr("source/reconnect/@timeout", UINT)

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            raise XmlError("interface type='vhostuser' requires a 'source' element")
        for name in ("type", "path", "mode"):
            if not getattr(self, name):
                raise missing(name, "source")


class SocketSource(Source):
    """A QEMU socket to another guest."""

    address: str | None = attr("source/@address")
    port: int | None = attr("source/@port", INT)
    local_address: str | None = attr("source/local/@address")
    local_port: int | None = attr("source/local/@port", INT)

    def parsed(self, node: Any) -> None:
        kind, source = node.get("type"), node.find("source")
        if source is None:
            raise XmlError(f"interface type='{kind}' requires a 'source' element")
        if kind != "server" and not self.address:
            raise missing("address", "source")
        if self.port is None:
            raise missing("port", "source")
        if kind == "udp":
            local = source.find("local")
            if local is None:
                raise XmlError("'<local>' element missing for 'udp' socket interface")
            if self.local_port is None:
                raise missing("port", "local")
            if not self.local_address:
                raise missing("address", "local")


class InternalSource(Source):
    """A named network inside the hypervisor (not QEMU)."""

    name: str | None = attr("source/@name")

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            raise XmlError("interface type='internal' requires a 'source' element")
        if not self.name:
            raise missing("name", "source")


class SourceAddress(Element, tag="address"):
    """The host's device."""

    type: str | None = attr("@type", ENUM("pci", "usb"))
    domain: int | None = attr("@domain", HEX(4, 0xFFFFFFFF))
    usb_bus: int | None = attr("@bus", ANYBASE, parse=False)
    bus: int | None = attr("@bus", HEX(2), when=lambda address, form: address.type != "usb")
    slot: int | None = attr("@slot", HEX(2, 0x1F))
    function: int | None = attr("@function", HEX(1, 7))
    device: int | None = attr("@device", ANYBASE)

    def parsed(self, node: Any) -> None:
        if self.type == "pci":
            self.domain, self.slot, self.function = self.domain or 0, self.slot or 0, self.function or 0
        elif self.type == "usb":
            self.usb_bus = self.bus


class HostdevSource(Source):
    """A function of an SR-IOV card, given to the guest."""

    driver: str | None = attr("driver/@name", ENUM("kvm", "vfio", "xen"))
    missing: bool | None = attr("source/@missing", YESNO, only="live")
    address: SourceAddress | None = child(SourceAddress, "source/address")

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            raise XmlError("interface type='hostdev' requires a 'source' element")
        if self.address is None:
            raise XmlError("missing source address type")


class VdpaSource(Source):
    """A vDPA device of the host."""

    dev: str | None = attr("source/@dev")

    def parsed(self, node: Any) -> None:
        if node.find("source") is None:
            raise XmlError("interface type='vdpa' requires a 'source' element")
        if not self.dev:
            raise missing("dev", "source")


class VdsSource(Source):
    """A port of a VMware distributed switch (not QEMU)."""

    switchid: str | None = attr("source/@switchid", replace(UUID, expected="Expected UUID"))
    portid: int | None = attr("source/@portid", ULLONG)
    portgroupid: str | None = attr("source/@portgroupid")
    connectionid: int | None = attr("source/@connectionid", ULLONG)


class NullSource(Source):
    """No network at all."""


SOURCES: dict[str, Any] = {
    "network": NetworkSource, "bridge": BridgeSource, "direct": DirectSource, "user": UserSource,
    "ethernet": EthernetSource, "vhostuser": VhostUserSource, "server": SocketSource, "client": SocketSource,
    "mcast": SocketSource, "udp": SocketSource, "internal": InternalSource, "hostdev": HostdevSource,
    "vdpa": VdpaSource, "null": NullSource, "vds": VdsSource,
}  # fmt: skip


class ActualBridge(Element):
    """The bridge that a virtual network has."""

    bridge: str | None = attr("source/@bridge")
    mac_table: str | None = attr("source/@macTableManager", ENUM("kernel", "libvirt"))


class ActualDirect(Element):
    """The network card that a virtual network chose from its pool."""

    dev: str | None = attr("source/@dev")
    mode: str | None = attr("source/@mode")


class ActualHostdev(Element):
    """The virtual function that a virtual network chose from its pool."""

    driver: str | None = attr("driver/@name")
    address: SourceAddress | None = child(SourceAddress, "source/address")


ACTUAL: dict[str, Any] = {
    "network": ActualBridge,
    "bridge": ActualBridge,
    "direct": ActualDirect,
    "hostdev": ActualHostdev,
}


class ActualSource(Element, tag="actual"):
    """What a virtual network gave the port; only in the daemon's own status documents."""

    type: str | None = attr("@type")
    managed: bool | None = attr("@managed", YESNO)
    trust_guest_rx_filters: bool | None = attr("@trustGuestRxFilters", YESNO)
    source: Any = variant("type", ACTUAL)
    virtualport: VirtualPort | None = child(VirtualPort)
    bandwidth: Bandwidth | None = child(Bandwidth)
    vlan: Vlan | None = child(Vlan)
    isolated: bool | None = attr("port/@isolated", YESNO)

    def written(self, form: Form) -> Element | None:
        return self if form.status else None
