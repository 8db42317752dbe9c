"""What libvirt refuses of a network's document and what it fills in, in its words."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Any

from kvasir.devices.interface_parts import Bandwidth
from kvasir.errors import InternalError, Origin, XmlDetail, XmlError

from .network_ip import NetworkIp, NetworkRoute, parse_address
from .network_parts_check import check_boot, check_dns, check_ranges, host_entry, socket_range

MACVTAP = ("private", "vepa", "passthrough")
POOLS = (*MACVTAP, "hostdev")


def xml_error(text: str) -> XmlError:
    return XmlError(text, origin=Origin.NETWORK)


def unsupported(text: str) -> Any:
    from .network import unsupported as fail

    return fail(text)


def detail(text: str) -> XmlDetail:
    """Error 35 of the network's document."""
    error = XmlDetail(text)
    error.origin = Origin.NETWORK
    return error


def read(net: Any, node: Any) -> None:
    """Checks of the reader, in its order; normalises what libvirt keeps in another form."""
    _name(net)
    if net.ipv6 not in (None, "yes", "no"):
        raise xml_error(f"Invalid ipv6 setting '{net.ipv6}' in network '{net.name}'")
    net.ipv6 = "yes" if net.ipv6 == "yes" else None
    _bandwidth(net)
    _bridge(net)
    if net.dns is not None:
        check_dns(net.dns, net.name)
        if not _said(net.dns):
            net.dns = None
    _ports(net)
    for ip in net.ips:
        read_ip(ip, net.name)
    for route in net.routes:
        read_route(route, net)
    _forward(net)
    _options_of_mode(net)


def _said(dns: Any) -> bool:
    return bool(dns.enable is not None or dns.forward_plain is not None or dns.forwarders or dns.txts or dns.srvs
                or dns.hosts)  # fmt: skip


def _name(net: Any) -> None:
    from .network import NoName

    if not net.name:
        raise NoName()
    if "/" in net.name:
        raise XmlDetailOf("invalid char in name: /")
    if "\n" in net.name:
        raise XmlDetailOf("invalid char in name: \\n")


class XmlDetailOf(XmlDetail):
    """Error 35 of the XML helpers."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.origin = Origin.XML


def _bandwidth(net: Any) -> None:
    for owner in (net, *net.portgroups):
        if owner.bandwidth == Bandwidth():
            owner.bandwidth = None
        if owner.bandwidth is not None and owner.bandwidth.inbound_floor is not None:
            from kvasir.errors import ConfigUnsupported

            raise ConfigUnsupported("floor attribute is not supported for this config", origin=Origin.NONE)


def _bridge(net: Any) -> None:
    if net.stp is not None:
        net.stp = "off" if net.stp == "off" else "on"
    elif net.delay is not None or net.bridge is not None:
        net.stp = None
    if net.mac_table not in (None, "kernel", "libvirt"):
        raise xml_error(f"Invalid macTableManager setting '{net.mac_table}' in network '{net.name}'")
    if net.delay is not None and not re.fullmatch(r"\s*\d+", net.delay):
        raise xml_error(f"Invalid delay value in network '{net.name}'")
    if net.mtu is not None and not re.fullmatch(r"\s*\d+", net.mtu):
        raise xml_error(f"Invalid mtu size '{net.mtu}' in network '{net.name}'")
    if net.mac is not None:
        net.mac = _mac(net.mac, net.name)


def _mac(value: str, name: str) -> str:
    from kvasir.xml.types import MAC

    try:
        mac: str = MAC.read(value)
    except ValueError:
        raise xml_error(f"Invalid bridge mac address '{value}' in network '{name}'") from None
    if int(mac[:2], 16) & 1:
        raise xml_error(f"Invalid multicast bridge mac address '{value}' in network '{name}'")
    return mac


def _ports(net: Any) -> None:
    for group in net.portgroups:
        if not group.name:
            raise xml_error("Missing required name attribute in portgroup")
        if group.default is False:
            group.default = None
    if net.virtualport is not None and net.virtualport.type is None:  # a port group may leave it to the network
        raise XmlError("missing required virtualport type", origin=Origin.NONE)


# --- addresses and routes


def _read_address(value: str, name: str) -> str:
    try:
        return str(parse_address(value))
    except Exception:
        raise xml_error(f"Invalid address '{value}' in network '{name}'") from None


def read_ip(ip: NetworkIp, name: str) -> None:
    """An address with what is given out there."""
    if not ip.address:
        raise xml_error(f"Missing required address attribute in network '{name}'")
    ip.address = _read_address(ip.address, name)
    if ip.prefix is not None and ip.netmask is not None:
        raise unsupported(f"Network '{name}' IP address cannot have both a prefix and a netmask")
    if ip.family not in (None, "ipv4", "ipv6"):
        raise xml_error(f"Unrecognized family '{ip.family}' in network '{name}'")
    (_read_six if ip.six else _read_four)(ip, name)
    if ip.prefix == 0:
        ip.prefix = None
    check_ranges(ip, name)
    for host in ip.hosts:
        host_entry(host, ip.six, name)
    check_boot(ip, name)


def _read_six(ip: NetworkIp, name: str) -> None:
    if ip.family is None:
        raise unsupported(f"no family specified for non-IPv4 address '{ip.address}' in network '{name}'")
    if ip.family == "ipv4":
        raise unsupported(f"ipv4 family specified for non-IPv4 address '{ip.address}' in network '{name}'")
    if ip.netmask is not None:
        raise unsupported(f"netmask not allowed for IPv6 address '{ip.address}' in network '{name}'")
    if ip.prefix is not None and ip.prefix > 128:
        raise unsupported(f"Invalid IPv6 prefix '{ip.prefix}' in network '{name}'")


def _read_four(ip: NetworkIp, name: str) -> None:
    if ip.family == "ipv6":
        raise unsupported(f"Family 'ipv6' specified for non-IPv6 address '{ip.address}' in network '{name}'")
    if ip.netmask is not None:
        try:
            ip.netmask = str(parse_address(ip.netmask))
        except Exception:
            raise xml_error(f"Invalid netmask '{ip.netmask}' in network '{name}'") from None
        if ":" in ip.netmask:
            raise unsupported(
                f"Invalid netmask '{ip.netmask}' for address '{ip.address}' in network '{name}' (both must be IPv4)"
            )
    if ip.prefix is not None and ip.prefix > 32:
        raise unsupported(f"Invalid IPv4 prefix '{ip.prefix}' in network '{name}'")


def read_route(route: NetworkRoute, net: Any) -> None:
    """A static route; its gateway must be reachable."""
    name = net.name
    if route.family not in (None, "ipv4", "ipv6"):
        raise xml_error(f"{name}: Unrecognized family '{route.family}' in route definition")
    if route.address is None:
        raise xml_error(f"{name}: Missing required address attribute in route definition")
    if route.gateway is None:
        raise xml_error(f"{name}: Missing required gateway attribute in route definition")
    address, gateway = _route_address(route.address, name, "network"), _route_address(route.gateway, name, "gateway")
    netmask = None if route.netmask is None else _route_address(route.netmask, name, "netmask")
    if address.version == 6 and route.family != "ipv6":
        said = "No family specified" if route.family is None else "IPv4 family specified"
        raise xml_error(f"{name}: {said} for non-IPv4 address '{route.address}' in route definition")
    if address.version == 4 and route.family == "ipv6":
        raise xml_error(f"{name}: ipv6 family specified for non-IPv6 address '{route.address}' in route definition")
    if gateway.version != address.version:
        raise xml_error(f"{name}: No family specified for non-IPv{address.version} gateway '{route.address}' in route "
                        "definition")  # fmt: skip
    most = 32 if address.version == 4 else 128
    if netmask is not None:
        _route_netmask(route, name, address, netmask)
    if route.prefix is not None and route.prefix > most:
        raise xml_error(f"{name}: Invalid prefix {route.prefix} specified in route definition, must be 0 - {most}")
    length = route.length
    if length < 0 or int(address) & ((1 << (most - length)) - 1):
        raise xml_error(f"{name}: Address '{route.address}' in route definition is not a network address")
    if not any(gateway in ip.net for ip in net.ips if ip.length >= 0):
        raise unsupported(f"unreachable static route gateway '{gateway}' specified for network '{name}'")
    route.address, route.gateway = str(address), str(gateway)


def _route_netmask(route: NetworkRoute, name: str, address: Any, netmask: Any) -> None:
    if address.version == 6:
        raise xml_error(f"{name}: Specifying netmask invalid for IPv6 address '{route.address}' in route definition")
    if netmask.version == 6:
        raise xml_error(f"{name}: Invalid netmask '{route.netmask}' for address '{route.address}' (both must be IPv4)")
    if route.prefix is not None:
        raise xml_error(f"{name}: Route definition cannot have both a prefix and a netmask")
    route.netmask = str(netmask)


def _route_address(value: str, name: str, what: str) -> Any:
    try:
        return parse_address(value)
    except Exception:
        raise xml_error(f"{name}: Bad {what} address '{value}' in route definition") from None


# --- forward


def _forward(net: Any) -> None:
    forward = net.forward
    if forward is None:
        return
    if forward.mode == "none":
        net.forward = None
        return
    forward.mode = forward.mode or "nat"
    name = net.name
    if forward.driver not in (None, "kvm", "vfio", "xen"):
        raise unsupported(f"Unknown forward <driver name='{forward.driver}'/> in network {name}")
    if forward.nats and forward.mode != "nat":
        raise xml_error(f"The <nat> element can only be used when <forward> 'mode' is 'nat' in network {name}")
    if len(forward.nats) > 1:
        raise xml_error(f"Only one <nat> element is allowed in <forward> of network {name}")
    for nat in forward.nats:
        _nat(nat, name)
    forward.nats = [nat for nat in forward.nats if nat.ipv6 is not None or nat.addresses or nat.ports]
    if len(forward.pfs) > 1:
        raise xml_error(f"Only one <pf> element is allowed in <forward> of network {name}")
    kinds = [word for word, many in (("interface", forward.interfaces), ("address", forward.addresses),
                                     ("pf", forward.pfs)) if many]  # fmt: skip
    if len(kinds) > 1 and kinds[0] == "interface":
        forward.addresses, forward.pfs = [], []
    _devices(forward, name)


def _devices(forward: Any, name: str) -> None:
    from .network import ForwardInterface

    if forward.interfaces and forward.dev and forward.interfaces[0].dev != forward.dev:
        raise xml_error(f"<forward dev='{forward.dev}'> must match first <interface dev='{forward.interfaces[0].dev}'/>"
                        f" in network {name}")  # fmt: skip
    if forward.dev and not forward.interfaces and not forward.pfs:
        forward.interfaces = [ForwardInterface(dev=forward.dev)]
    if forward.interfaces:
        forward.dev = forward.interfaces[0].dev
    elif not forward.pfs:
        forward.dev = None
    for address in forward.addresses:
        if address.type != "pci":
            raise unsupported(f"unknown address type '{address.type}' in network {name}")
    if forward.mode == "hostdev":
        forward.managed = bool(forward.managed)
    else:
        forward.managed = None


def _nat(nat: Any, name: str) -> None:
    where = f"<nat> in <forward> in network {name}"
    if len(nat.addresses) > 1:
        raise xml_error(f"Only one <address> element is allowed in {where}")
    if len(nat.ports) > 1:
        raise xml_error(f"Only one <port> element is allowed in {where}")
    for address in nat.addresses:
        for end in ("start", "end"):
            if not getattr(address, end):
                raise xml_error(f"missing '{end}' attribute in <address> element in {where}")
        for end in ("start", "end"):
            value = getattr(address, end)
            try:
                ipaddress.IPv4Address(value)
            except ValueError:
                raise xml_error(f"Bad ipv4 {end} address '{value}' in <nat> in <forward> in network '{name}'") from None
        socket_range(address.start, address.end)
    for port in nat.ports:
        for end in ("start", "end"):
            value = getattr(port, end)
            if value is None or not value.isdigit() or int(value) > 65535:
                raise detail(f"Missing or invalid '{end}' attribute in <port> in {where}")
        if int(port.start) > int(port.end):
            raise detail(f"Missing or invalid 'end' attribute in <port> in {where}")


# --- what fits the mode


def _options_of_mode(net: Any) -> None:
    mode, name = net.mode, net.name
    if mode in POOLS and net.bridge is not None:
        raise xml_error(f"bridge name not allowed in {mode} mode (network '{name}')")
    forward = net.forward
    if mode in ("nat", "route") and len(forward.interfaces) > 1:
        raise xml_error(f"multiple forwarding interfaces specified for network '{name}', only one is supported")
    if mode in ("nat", "route", "open") and not net.ips:
        raise xml_error(f"{mode} forwarding requested, but no IP address provided for network '{name}'")
    if mode == "open" and forward.interfaces:
        raise xml_error(f"forward dev not allowed for network '{name}' with forward mode='open'")
    if mode == "bridge" and net.bridge and forward.interfaces:
        raise xml_error("A network with forward mode='bridge' can specify a bridge name or a forward dev, but not "
                        f"both (network '{name}')")  # fmt: skip
    if not net.own_bridge and (net.stp is not None or net.delay is not None or net.zone is not None):
        raise xml_error(f"bridge delay/stp/zone options only allowed in route, nat, and isolated mode, not in {mode} "
                        f"(network '{name}')")  # fmt: skip
    if not net.own_bridge and net.mtu is not None:
        raise xml_error(f"mtu size only allowed in open, route, nat, and isolated mode, not in {mode} "
                        f"(network '{name}')")  # fmt: skip
    if net.own_bridge:
        net.stp, net.delay = net.stp or "on", str(int(net.delay or 0))


def validate(net: Any) -> None:
    """The driver's own rules (``networkValidate``). Raises ConfigUnsupported."""
    mode, name = net.mode, net.name
    if not net.own_bridge:
        for word, said in (("mac", net.mac), ("ip", net.ips), ("dns", net.dns), ("domain", net.domain)):
            if said:
                raise unsupported(f"Unsupported <{word}> element in network {name} with forward mode='{mode}'")
        if net.bandwidth is not None and net.pool:
            raise unsupported(f"Unsupported network-wide <bandwidth> element in network {name} with forward "
                              f"mode='{mode}'")  # fmt: skip
    for six in (False, True):
        if sum(bool(ip.ranges or ip.hosts) for ip in net.ips if ip.six is six) > 1:
            family = "IPv6" if six else "IPv4"
            raise unsupported(f"Multiple {family} dhcp sections found -- dhcp is supported only for a single {family} "
                              "address on each network")  # fmt: skip
    _validate_pool(net)
    _validate_groups(net)


def _validate_pool(net: Any) -> None:
    if net.mode == "hostdev":
        for one in net.forward.interfaces:
            raise unsupported(
                f"hostdev network '{net.name}' lists '{one.dev}' in the device pool, but hostdev networks require all "
                "devices to be listed by PCI address, not network device name"
            )


def _validate_groups(net: Any) -> None:
    mode, name = net.mode, net.name
    vlan_ok = mode in ("hostdev", "passthrough")
    ovs = net.virtualport is not None and net.virtualport.type == "openvswitch"
    default, known = None, set()
    for group in net.portgroups:
        if group.name in known:
            raise unsupported(f"multiple <portgroup> elements with the same name ({group.name}) in network '{name}'")
        known.add(group.name)
        if group.default:
            if default:
                raise unsupported(f"network '{name}' has multiple default <portgroup> elements ({default} and "
                                  f"{group.name}), but only one default is allowed")  # fmt: skip
            default = group.name
        own = group.virtualport is not None and group.virtualport.type == "openvswitch"
        if group.vlan is not None and not (vlan_ok or (mode == "bridge" and (ovs or own))):
            raise unsupported(f"<vlan> element specified for network {name}, whose type doesn't support vlan "
                              "configuration")  # fmt: skip
        if group.bandwidth is not None and net.pool:
            raise unsupported(f"Unsupported <bandwidth> element in network '{name}' in portgroup '{group.name}' with "
                              f"forward mode='{mode}'")  # fmt: skip
    if net.vlan is not None and not (vlan_ok or (mode == "bridge" and ovs)):
        raise unsupported(f"<vlan> element specified for network {name}, whose type doesn't support vlan configuration")


def random_mac() -> str:
    """A bridge's MAC address with QEMU's prefix."""
    return "52:54:00:" + os.urandom(3).hex(":")


def no_range(name: str) -> InternalError:
    return InternalError(f"bridge '{name}' has an invalid netmask or IP address", origin=Origin.NETWORK)
