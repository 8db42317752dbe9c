"""What dnsmasq is told of a network: its configuration, fixed addresses and names, in libvirt 9.0's own text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported, Origin
from kvasir.model.network_parts_check import socket_range

HEAD = """\
##WARNING:  THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
##OVERWRITTEN AND LOST.  Changes to this configuration should be made using:
##    virsh net-edit {name}
## or other application using the libvirt API.
##
## dnsmasq conf file created by libvirt
"""


def wants_dns(net: Any) -> bool:
    """Whether the network has a name server."""
    return net.dns is None or net.dns.enable is not False


def wants_dhcp(net: Any) -> bool:
    """Whether addresses are given out."""
    return any(ip.ranges or ip.hosts for ip in net.ips)


def wanted(net: Any) -> bool:
    """Whether the network has a dnsmasq at all."""
    if not net.own_bridge or not net.ips:
        return False
    router = any(ip.six for ip in net.ips)
    return wants_dns(net) or wants_dhcp(net) or router or any(ip.tftp for ip in net.ips)


def configuration(net: Any, pid_file: str, folder: str) -> str:
    """The configuration file. Raises ConfigUnsupported for a reverse zone that cannot be."""
    return HEAD.format(name=net.name) + "".join(f"{line}\n" for line in _lines(net, pid_file, folder))


def _lines(net: Any, pid_file: str, folder: str) -> Iterator[str]:
    yield "strict-order"
    dns = wants_dns(net)
    if not dns:
        yield "port=0"
    else:
        yield from _forwarders(net)
    if net.domain:
        if dns and net.domain_local:
            yield f"local=/{net.domain}/"
        yield f"domain={net.domain}"
        yield "expand-hosts"
    if dns:
        for ip in net.ips:
            if ip.local_ptr:
                yield f"local=/{reverse_zone(ip)}/"
        if net.dns is not None and net.dns.forward_plain is False:
            yield "domain-needed"
            yield "local=//"
    yield f"pid-file={pid_file}"
    yield "except-interface=lo"
    yield "bind-dynamic"
    yield f"interface={net.bridge}"
    if net.forward is None:
        yield "dhcp-option=3"
        yield "no-resolv"
        yield "ra-param=*,0,0"
    if dns and net.dns is not None:
        yield from _records(net.dns)
    yield from _dhcp(net, folder, dns)
    yield from (str(option.value) for option in net.options)


def _forwarders(net: Any) -> Iterator[str]:
    forwarders = net.dns.forwarders if net.dns is not None else []
    for one in forwarders:
        where = f"/{one.domain}/" if one.domain else ""
        yield f"server={where}{one.addr or '#'}"
    if any(not one.domain for one in forwarders):
        yield "no-resolv"


def _records(dns: Any) -> Iterator[str]:
    for txt in dns.txts:
        yield f"txt-record={txt.name},{txt.value}"
    for srv in dns.srvs:
        line = f"srv-host=_{srv.service}._{srv.protocol}"
        if srv.domain:
            line += f".{srv.domain}"
        if srv.target:
            line += f",{srv.target}"
            if srv.port or srv.priority or srv.weight:
                line += f",{srv.port or 1}"
            if srv.priority or srv.weight:
                line += f",{srv.priority or 0}"
            if srv.weight:
                line += f",{srv.weight}"
        yield line


def _dhcp(net: Any, folder: str, dns: bool) -> Iterator[str]:
    count = 0
    given: dict[bool, Any] = {
        six: next((ip for ip in net.ips if ip.six is six and (ip.ranges or ip.hosts)), None) for six in (False, True)
    }
    for ip in net.ips:
        if not ip.six and ip.tftp:
            yield "enable-tftp"
            yield f"tftp-root={ip.tftp}"
        if ip is given[ip.six]:
            yield from _given(ip)
            count += sum(socket_range(entry.start, entry.end, ip) for entry in ip.ranges)
    if count:
        yield f"dhcp-lease-max={count}"
    if given[False] or given[True]:
        yield f"dhcp-hostsfile={folder}/{net.name}.hostsfile"
    if dns:
        yield f"addn-hosts={folder}/{net.name}.addnhosts"
    if net.mtu and int(net.mtu):
        yield f"dhcp-option=option:mtu,{net.mtu}"
    if given[True]:
        yield "enable-ra"
    else:
        yield from (f"dhcp-range={ip.address},ra-only" for ip in net.ips if ip.six)


def _given(ip: Any) -> Iterator[str]:
    """What DHCP gives out at one address."""
    for entry in ip.ranges:
        yield _range(ip, entry)
    if not ip.ranges:
        yield f"dhcp-range={ip.address},static" + (f",{ip.length}" if ip.six else "")
    if not ip.six:
        yield "dhcp-no-override"
        yield "dhcp-authoritative"
        if ip.boot_file:
            yield f"dhcp-boot={ip.boot_file}" + (f",,{ip.boot_server}" if ip.boot_server else "")


def _range(ip: Any, entry: Any) -> str:
    from ipaddress import ip_network

    size = str(ip.length) if ip.six else str(ip_network(f"0.0.0.0/{ip.length}").netmask)
    line = f"dhcp-range={entry.start},{entry.end},{size}"
    return line + (f",{entry.lease.word}" if entry.lease is not None and entry.lease.expiry is not None else "")


def reverse_zone(ip: Any) -> str:
    """The zone of the network's reverse names. Raises ConfigUnsupported where the prefix is no whole label."""
    unit, most = (4, 128) if ip.six else (8, 32)
    length = ip.length
    if length <= 0 or length >= most or length % unit:
        family = "IPv6" if ip.six else "IPv4"
        raise ConfigUnsupported(f"PTR domain for {family} network with prefix {length} cannot be automatically created",
                                origin=Origin.NETWORK)  # fmt: skip
    zone = ip.net.network_address.reverse_pointer.split(".")
    return ".".join(zone[most // unit - length // unit :])


def hosts_file(net: Any) -> str:
    """Fixed addresses."""
    return "".join(host_line(host, ip.six) + "\n" for ip in net.ips for host in ip.hosts)


def host_line(host: Any, six: bool) -> str:
    """One fixed address as dnsmasq reads it."""
    words = []
    if six and host.id:
        words.append(f"id:{host.id}")
    elif six:
        words.append(host.name)
    elif host.mac:
        words.append(host.mac)
    if not six and not host.mac:
        words.append(host.name)
    if six and host.id and host.name:
        words.append(host.name)
    words.append(f"[{host.ip}]" if six else host.ip)
    if host.name and not six and host.mac:
        words.append(host.name)
    if host.lease is not None and host.lease.expiry is not None:
        words.append(host.lease.word)
    return ",".join(words)


def names_file(net: Any) -> str:
    """Additional names."""
    hosts = net.dns.hosts if net.dns is not None else []
    return "".join(f"{host.ip}\t" + "".join(f"{name}\t" for name in host.hostnames) + "\n" for host in hosts)
