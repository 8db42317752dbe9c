"""Ranges, fixed addresses and records of a network: checked and normalised as libvirt's reader does."""

from __future__ import annotations

import ipaddress
from typing import Any

from kvasir.errors import ConfigUnsupported, InternalError, Origin, XmlDetail, XmlError

from .network_ip import DhcpHost, NetworkIp, parse_address

SRV_LIMIT = 65535


def _xml(text: str) -> XmlError:
    return XmlError(text, origin=Origin.NETWORK)


def _detail(text: str) -> XmlDetail:
    error = XmlDetail(text)
    error.origin = Origin.NETWORK
    return error


def _internal(text: str) -> InternalError:
    return InternalError(text, origin=Origin.NONE)


def socket_range(start: str, end: str, ip: NetworkIp | None = None) -> int:
    """The number of addresses from ``start`` to ``end``, inside of the network of ``ip``. Raises InternalError."""
    first, last = parse_address(start), parse_address(end)
    words = f"range {first} - {last}"
    if first.version != last.version:
        raise _internal(f"mismatch of address family in {words}")
    if ip is not None:
        own = ipaddress.ip_address(str(ip.address))
        if first.version != own.version:
            raise _internal(f"mismatch of address family in {words} for network {own}")
        length = ip.length
        if length < 0:
            raise _internal(f"bad prefix {length} for network {own} when checking {words}")
        net = ip.net
        if first not in net or last not in net:
            raise _internal(f"{words} is not entirely within network {own}/{length}")
        if net.version == 4 and first == net.network_address:
            raise _internal(f"start of {words} in network {own}/{length} is the network address")
        if net.version == 4 and last == net.broadcast_address:
            raise _internal(f"end of {words} in network {own}/{length} is the broadcast address")
    count = int(last) - int(first)
    if count < 0:
        raise _internal(f"{words} is reversed ")
    if count >= 65535 and ip is not None:
        raise _internal(f"{words} is too large (> 65535)")
    return count + 1


def range_entry(entry: Any, ip: NetworkIp, name: str) -> None:
    """One range of DHCP."""
    for end in ("start", "end"):
        if not getattr(entry, end):
            raise _xml(f"Missing '{end}' attribute in dhcp range for network '{name}'")
        setattr(entry, end, str(parse_address(getattr(entry, end))))
    socket_range(entry.start, entry.end, ip)


def check_ranges(ip: NetworkIp, name: str) -> None:
    """All ranges of an address."""
    for entry in ip.ranges:
        range_entry(entry, ip, name)


def check_boot(ip: NetworkIp, name: str) -> None:
    """What guests that boot are given: over IPv4 only."""
    if ip.six and ip.boots:
        text = f"Unsupported <tftp> element in an IPv6 element in network '{name}'"
        raise ConfigUnsupported(text, origin=Origin.NETWORK)
    if ip.six or ip.boot_file is None:
        ip.boot_file = ip.boot_server = None
    elif ip.boot_server is not None:
        ip.boot_server = str(parse_address(ip.boot_server))


def host_entry(host: DhcpHost, six: bool, name: str, partial: bool = False) -> None:
    """One fixed address; ``partial`` for what names an entry to be deleted."""
    from kvasir.xml.types import MAC

    if host.mac:
        try:
            mac = MAC.read(host.mac)
        except ValueError:
            raise _xml(f"Cannot parse MAC address '{host.mac}' in network '{name}'") from None
        if int(mac[:2], 16) & 1:
            raise _xml(f"expected unicast mac address, found multicast '{host.mac}' in network '{name}'")
    for letter in host.id or "":
        if letter not in "0123456789abcdefABCDEF:":
            raise _xml(f"Invalid character '{letter}' in id '{host.id}' of network '{name}'")
    if host.name and not host.name[0].isalpha() and not host.name[0].isdigit():
        raise _xml(f"Cannot use host name '{host.name}' in network '{name}'")
    if host.ip:
        try:
            host.ip = str(parse_address(host.ip))
        except Exception:
            raise _xml(f"Invalid IP address in static host definition for network '{name}'") from None
    if partial:
        if not (host.mac or host.name or host.ip):
            raise _xml(f"At least one of name, mac, or ip attribute must be specified for static host definition in "
                       f"network '{name}' ")  # fmt: skip
        return
    _host_complete(host, six, name)


def _host_complete(host: DhcpHost, six: bool, name: str) -> None:
    if six:
        if host.mac:
            raise _xml(f"Invalid to specify MAC address '{host.mac}' in network '{name}' IPv6 static host definition")
        if not (host.id or host.name):
            raise _xml(f"Static host definition in IPv6 network '{name}' must have id or name attribute")
    elif not (host.mac or host.name):
        raise _xml(f"Static host definition in IPv4 network '{name}' must have mac or name attribute")
    if not host.ip:
        raise _xml(f"Missing IP address in static host definition for network '{name}'")
    if not six:
        host.id = None


# --- records


def check_dns(dns: Any, name: str) -> None:
    """The name server's part of a document."""
    if dns.enable is False and (dns.forwarders or dns.txts or dns.srvs or dns.hosts or dns.forward_plain is not None):
        raise _xml(f"Extra data in disabled network '{name}'")
    for forwarder in dns.forwarders:
        if not forwarder.addr and not forwarder.domain:
            raise _xml("Invalid forwarder element, must contain at least one of addr or domain")
        if forwarder.addr:
            try:
                forwarder.addr = str(parse_address(forwarder.addr))
            except Exception:
                raise _xml(f"Invalid forwarder IP address '{forwarder.addr}' in network '{name}'") from None
    for txt in dns.txts:
        txt_record(txt, name)
    for srv in dns.srvs:
        srv_record(srv, name)
    for host in dns.hosts:
        dns_host(host, name)


def txt_record(txt: Any, name: str, partial: bool = False) -> None:
    """A TXT record."""
    if not txt.name:
        raise _detail(f"missing required name attribute in DNS TXT record of network {name}")
    if any(letter in txt.name for letter in (" ", ",")):
        raise _detail(f"prohibited character in DNS TXT record name '{txt.name}' of network {name}")
    if txt.value is None and not partial:
        raise _detail(f"missing required value attribute in DNS TXT record named '{txt.name}' of network {name}")


def srv_record(srv: Any, name: str, partial: bool = False) -> None:
    """An SRV record; numbers that are zero are left out."""
    if not srv.service and not partial:
        raise _detail(f"missing required service attribute in DNS SRV record of network '{name}'")
    if not srv.protocol and not partial:
        raise _detail(f"missing required protocol attribute in DNS SRV record '{srv.service}' of network '{name}'")
    for word, least in (("port", 1), ("priority", 0), ("weight", 0)):
        value = getattr(srv, word)
        if value is None:
            continue
        if not srv.target:
            raise _detail(f"DNS SRV {word} attribute not permitted without target for service '{srv.service}' in "
                          f"network '{name}'")  # fmt: skip
        if not value.isdigit() or not least <= int(value) <= SRV_LIMIT:
            said = "Invalid" if word == "priority" else "invalid"
            raise _detail(f"{said} DNS SRV {word} attribute for service '{srv.service}' in network '{name}'")
        setattr(srv, word, str(int(value)) if int(value) else None)


def dns_host(host: Any, name: str, partial: bool = False) -> None:
    """Names of an address."""
    if not host.ip and not partial:
        raise _detail(f"Missing IP address in network '{name}' DNS HOST record")
    if host.ip:
        try:
            host.ip = str(parse_address(host.ip))
        except Exception:
            raise _detail(f"Invalid IP address in network '{name}' DNS HOST record") from None
    if any(not word for word in host.hostnames) or (not host.hostnames and not partial):
        raise _detail(f"Missing hostname in network '{name}' DNS HOST record")
