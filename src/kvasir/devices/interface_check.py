"""What libvirt refuses of a network interface, in its words."""

from __future__ import annotations

import logging
from typing import Any

from kvasir.errors import ConfigUnsupported, InternalError, Origin, XmlError

from .virtio_options import not_virtio

log = logging.getLogger(__name__)

VIRTIO_OPTIONS = ("iommu", "ats", "packed", "page_per_vq")
TAPS = ("network", "bridge", "ethernet")
ZONES = ("none", None)


def unsupported(text: str, origin: Origin = Origin.QEMU) -> ConfigUnsupported:
    """Error 67 of that subsystem."""
    return ConfigUnsupported(text, origin=origin)


def check(net: Any, vm: Any) -> None:
    """Raise what libvirt raises for the interface."""
    _general(net)
    _virtualport(net)
    _qemu(net)
    _queues(net)


def check_actual(net: Any) -> None:
    """Raise what libvirt raises of an interface once it is known what it is plugged into."""
    kind, port = net.actual_type, net.effective("virtualport")
    mode = getattr(net.actual.source if net.actual is not None else net.source, "mode", None)
    switched = port is not None and port.type == "openvswitch"
    tagged = kind == "hostdev" or (kind == "direct" and mode == "passthrough") or (kind == "bridge" and switched)
    if net.effective("vlan") is not None and not tagged:
        raise unsupported(f"interface {net.mac} - vlan tag not supported for this connection type", Origin.NONE)
    if net.effective("bandwidth") is not None and kind == "hostdev":
        raise unsupported(
            f"interface {net.mac} - bandwidth settings are not supported for hostdev interfaces", Origin.NONE
        )
    for what, there in (("filterref", net.filterref is not None), ("custom tap device path", net.backend_tap is not None),
                        ("multiqueue", bool(net.queues) and net.is_virtio)):  # fmt: skip
        kinds = (*TAPS, "direct", "hostdev", "vhostuser", "vdpa") if what == "multiqueue" else TAPS
        if there and kind not in kinds:
            raise unsupported(
                f"interface {net.mac} - {what} is not supported for network interfaces of type {kind}", Origin.NONE
            )


def _general(net: Any) -> None:
    dom = Origin.DOMAIN
    if not net.is_virtio:
        for name in VIRTIO_OPTIONS:
            if getattr(net, name) is not None:
                raise not_virtio(name)
    if net.target_managed is False and net.type != "ethernet":
        raise unsupported(f"unmanaged target dev is not supported on interfaces of type '{net.type}'", dom)
    if net.type == "vhostuser" and not net.is_virtio:
        raise InternalError(
            "Wrong or no <model> 'type' attribute specified with <interface type='vhostuser'/>. "
            "vhostuser requires the virtio-net* frontend",
            origin=dom,
        )
    if net.isolated and net.virtualport is not None and net.virtualport.type not in ZONES:
        raise unsupported(
            f"interface {net.mac} - <port isolated='yes'/> is not supported for network interfaces with virtualport "
            f"type='{net.virtualport.type}'",
            dom,
        )
    if net.isolated and net.type not in ("network", "bridge"):
        raise unsupported(f"interface {net.mac} - <port isolated='yes'/> is not supported for network interfaces "
                          f"with type='{net.type}'", dom)  # fmt: skip
    if net.teaming == "transient" and net.type not in ("hostdev", "network"):
        raise unsupported(
            "teaming transient interface must be type='hostdev' or 'network', not "
            f"'{net.type}'", dom)  # fmt: skip
    bandwidth = net.bandwidth
    if bandwidth is not None and bandwidth.inbound_floor is not None and net.type != "network":
        raise unsupported("floor attribute is not supported for this config", Origin.NONE)


def _virtualport(net: Any) -> None:
    port = net.virtualport
    if port is None or net.type not in ("network", "bridge", "direct", "hostdev"):
        return
    if port.type in ZONES:
        if net.type != "network":
            raise XmlError("missing required virtualport type", origin=Origin.NONE)
        return
    if port.type == "802.1Qbg":
        for name in ("managerid", "typeid", "typeidversion"):
            if getattr(port, name) is None:
                raise XmlError(f"missing {name} in <virtualport type='{port.type}'>", origin=Origin.NET)
        if port.managerid == 0:
            log.warning("managerid 0 of a virtualport is reserved by 802.1Qbg")
    if port.type == "802.1Qbh" and port.profileid is None:
        raise XmlError(f"missing profileid in <virtualport type='{port.type}'>", origin=Origin.NET)
    if port.type == "midonet" and port.interfaceid is None:
        raise XmlError(f"missing interfaceid in <virtualport type='{port.type}'>", origin=Origin.NET)


def _qemu(net: Any) -> None:
    if net.teaming == "persistent" and not net.is_virtio:
        raise unsupported(
            f"virtio-net teaming persistent interface must be <model type='virtio'/>, not '{net.model or 'rtl8139'}'"
        )
    if net.mtu is not None and net.type not in (*TAPS, "vhostuser", "vdpa"):
        raise unsupported(f"setting MTU on interface type {net.type} is not supported yet")
    if net.coalesce is not None and net.type not in (*TAPS, "direct"):
        raise unsupported(f"coalesce settings on interface type {net.type} are not supported")
    if net.type != "user" and (net.ips or net.routes):
        raise unsupported("Invalid attempt to set network interface guest-side IP route and/or address info, "
                          "not supported by QEMU")  # fmt: skip
    if net.type == "user" and net.routes:
        raise unsupported("Invalid attempt to set network interface guest-side IP route, not supported by QEMU")
    if net.type == "user":
        for family in ("ipv4", "ipv6"):
            if sum(ip.family == family for ip in net.ips) > 1:
                raise unsupported("Only one IPv4 address per interface is allowed" if family == "ipv4" else
                                  "Only one IPv6 address per interface is allowed")  # fmt: skip


def _queues(net: Any) -> None:
    for name in ("rx_queue_size", "tx_queue_size"):
        size = getattr(net, name)
        if size is not None and size & (size - 1):
            raise unsupported(f"{name} has to be a power of two")
    if net.tx_queue_size is not None and net.type != "vhostuser":
        return
