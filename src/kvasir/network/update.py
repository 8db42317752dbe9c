"""``net-update``: one section of a network's document changed, in the running network, the kept document or both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kvasir.errors import Error, NoSupport, OperationInvalid, OperationUnsupported, Origin, XmlError
from kvasir.model import network_check
from kvasir.model.network import ForwardInterface, Network, PortGroup
from kvasir.model.network_dns import DnsHost, Srv, Txt
from kvasir.model.network_ip import DhcpHost, NetworkIp, Range
from kvasir.model.network_parts_check import dns_host, host_entry, range_entry, srv_record, txt_record

if TYPE_CHECKING:
    from .driver import NetworkDriver
    from .network import VirtualNetwork

log = logging.getLogger(__name__)

MODIFY, DELETE, ADD_LAST, ADD_FIRST = 1, 2, 3, 4
SECTIONS = (
    "none", "bridge", "domain", "ip", "ip-dhcp-host", "ip-dhcp-range", "forward", "forward-interface", "forward-pf",
    "portgroup", "dns-host", "dns-txt", "dns-srv",
)  # fmt: skip
LIVE, CONFIG = 1, 2


def invalid(text: str) -> OperationInvalid:
    return OperationInvalid(text, origin=Origin.NETWORK)


def fixed(text: str) -> OperationUnsupported:
    """What can never be changed so."""
    return OperationUnsupported(text, origin=Origin.NETWORK)


def _unknown(command: int) -> NoSupport:
    words = f"unrecognized network update command code {command}"
    return NoSupport(words, origin=Origin.NETWORK)


def _document(xml: str) -> Any:
    from kvasir.xml.reader import read

    return read(xml, "network_update_xml")


def _named(net: Network, xml: str, tag: str) -> Any:
    root = _document(xml)
    if root.tag != tag:
        raise XmlError(f"unexpected element <{root.tag}>, expecting <{tag}>, while updating network '{net.name}'",
                       origin=Origin.NETWORK)  # fmt: skip
    return root


def _parse(net: Network, model: Any, xml: str, tag: str) -> Any:
    return model.parse(_named(net, xml, tag))


def _put(many: list[Any], command: int, new: Any) -> None:
    many.insert(0 if command == ADD_FIRST else len(many), new)


def _ip(net: Network, index: int) -> NetworkIp:
    """The address that the index names; -1 is the first that gives addresses out, or the first of all."""
    if index >= 0:
        if index < len(net.ips):
            return net.ips[index]
    else:
        for ip in net.ips:
            if not ip.six and (ip.ranges or ip.hosts):
                return ip
        for ip in net.ips:
            if not ip.six:
                return ip
        if net.ips:
            return net.ips[0]
    where = f" at index {index}" if index >= 0 else ""
    raise invalid(f"couldn't update dhcp host entry - no <ip> element found{where} in network '{net.name}'")


def _only_dhcp(net: Network, ip: NetworkIp) -> None:
    for other in net.ips:
        if other is not ip and other.six is ip.six and (other.ranges or other.hosts):
            family = "IPv6" if ip.six else "IPv4"
            raise invalid(f"dhcp is supported only for a single {family} address on each network")


def _dhcp_host(net: Network, command: int, index: int, xml: str) -> None:
    new = _parse(net, DhcpHost, xml, "host")
    ip = _ip(net, index)
    host_entry(new, ip.six, net.name, partial=command == DELETE)
    _only_dhcp(net, ip)
    if command == MODIFY:
        for at, host in enumerate(ip.hosts):
            if _matches(host, new, ("mac", "ip", "id", "name"), some=True):
                ip.hosts[at] = new
                return
        raise invalid(f"couldn't locate an existing dhcp host entry with \"mac='{new.mac}'\" in network '{net.name}'")
    if command in (ADD_FIRST, ADD_LAST):
        for host in ip.hosts:
            if _matches(host, new, ("mac", "name", "ip", "id"), some=True):
                said = (
                    f"<host mac='{host.mac or '(null)'}' name='{host.name or '(null)'}' ip='{host.ip or 'unknown'}'/>"
                )
                raise invalid(f"there is an existing dhcp host entry in network '{net.name}' that matches "
                              f'"{_said(new) or said}"')  # fmt: skip
        _put(ip.hosts, command, new)
        return
    for host in ip.hosts:
        if _matches(host, new, ("mac", "name", "ip"), some=False):
            ip.hosts.remove(host)
            return
    raise invalid(f"couldn't locate a matching dhcp host entry in network '{net.name}'")


def _said(host: Any) -> str:
    return f"<host mac='{host.mac or '(null)'}' name='{host.name or '(null)'}' ip='{host.ip or 'unknown'}'/>"


def _matches(one: Any, other: Any, names: tuple[str, ...], *, some: bool) -> bool:
    """Whether two entries share a value of these names (``some``), or all that the second says."""
    found = []
    for name in names:
        mine, theirs = getattr(one, name), getattr(other, name)
        if theirs:
            found.append(bool(mine) and mine.lower() == theirs.lower())
    return any(found) if some else bool(found) and all(found)


def _dhcp_range(net: Network, command: int, index: int, xml: str) -> None:
    new = _parse(net, Range, xml, "range")
    ip = _ip(net, index)
    range_entry(new, ip, net.name)
    _only_dhcp(net, ip)
    if command == MODIFY:
        raise fixed("dhcp ranges cannot be modified, only added or deleted")
    known = next((one for one in ip.ranges if (one.start, one.end) == (new.start, new.end)), None)
    if command == DELETE:
        if known is None:
            raise invalid(f"couldn't locate a matching dhcp range entry in network '{net.name}'")
        ip.ranges.remove(known)
        return
    if known is not None:
        raise invalid(f"there is an existing dhcp range entry in network '{net.name}' that matches "
                      f"\"<range start='{new.start}' end='{new.end}'/>\"")  # fmt: skip
    _put(ip.ranges, command, new)


def _forward_interface(net: Network, command: int, index: int, xml: str) -> None:
    new = _parse(net, ForwardInterface, xml, "interface")
    if not new.dev:
        raise XmlError("Missing required dev attribute in forward interface element of network "
                       f"'{net.name}'", origin=Origin.NETWORK)  # fmt: skip
    if command == MODIFY:
        raise fixed("forward interface entries cannot be modified, only added or deleted")
    if net.forward is None:
        raise invalid(f"unable to update interface entries in network '{net.name}': it has no <forward>")
    pool = net.forward.interfaces
    known = next((one for one in pool if one.dev == new.dev), None)
    if command == DELETE:
        if known is None:
            raise invalid(
                f"couldn't find an interface entry in network '{net.name}' matching <interface dev='{new.dev}'>"
            )
        if known.connections:
            raise invalid(f"unable to delete interface '{new.dev}' in network '{net.name}'. It is currently being used  by "
                          f"{known.connections} domains.")  # fmt: skip
        pool.remove(known)
    elif known is not None:
        raise invalid(f"there is an existing interface entry in network '{net.name}' that matches "
                      f"\"<interface dev='{new.dev}'>\"")  # fmt: skip
    else:
        _put(pool, command, new)
    net.forward.dev = pool[0].dev if pool else None


def _portgroup(net: Network, command: int, index: int, xml: str) -> None:
    new = _parse(net, PortGroup, xml, "portgroup")
    if not new.name:
        raise XmlError("Missing required name attribute in portgroup", origin=Origin.NETWORK)
    known = next((one for one in net.portgroups if one.name == new.name), None)
    if command in (MODIFY, DELETE) and known is None:
        raise invalid(f"couldn't find a portgroup entry in network '{net.name}' matching <portgroup name='{new.name}'>")
    if command in (ADD_FIRST, ADD_LAST) and known is not None:
        raise invalid(f"there is an existing portgroup entry in network '{net.name}' that matches "
                      f"\"<portgroup name='{new.name}'>\"")  # fmt: skip
    if new.default is False:
        new.default = None
    others = any(one.default and one is not known for one in net.portgroups)
    if new.default and others and command != DELETE:
        raise invalid(f"a different portgroup entry in network '{net.name}' is already set as the default. Only one "
                      "default is allowed.")  # fmt: skip
    if command == DELETE:
        net.portgroups = [one for one in net.portgroups if one is not known]
    elif known is not None:
        net.portgroups[net.portgroups.index(known)] = new
    else:
        _put(net.portgroups, command, new)


def _dns(net: Network) -> Any:
    from kvasir.model.network_dns import Dns

    if net.dns is None:
        net.dns = Dns()
    return net.dns


def _record(net: Network, command: int, many: list[Any], same: list[Any], new: Any, what: str, exists: str, several: str
            ) -> None:  # fmt: skip
    if command == MODIFY:
        raise fixed(f"DNS {what} records cannot be modified, only added or deleted")
    if command in (ADD_FIRST, ADD_LAST):
        if same:
            raise invalid(exists)
        _put(many, command, new)
        return
    if not same:
        raise invalid(f"couldn't locate a matching DNS {what} record in network {net.name}")
    if len(same) > 1:
        raise invalid(several)
    many.remove(same[0])


def _dns_host(net: Network, command: int, index: int, xml: str) -> None:
    new = _parse(net, DnsHost, xml, "host")
    dns_host(new, net.name, partial=command == DELETE)
    many = _dns(net).hosts
    adds = command in (ADD_FIRST, ADD_LAST)
    same = [one for one in many if one.ip == new.ip or (not adds and set(one.hostnames) & set(new.hostnames))]
    _record(net, command, many, same, new, "HOST",
            f"there is already at least one DNS HOST record with a matching field in network {net.name}",
            f"multiple matching DNS HOST records were found in network {net.name}")  # fmt: skip


def _dns_srv(net: Network, command: int, index: int, xml: str) -> None:
    new = _parse(net, Srv, xml, "srv")
    srv_record(new, net.name, partial=command == DELETE)
    many = _dns(net).srvs
    names = ("service", "protocol", "domain", "target", "port", "priority", "weight")
    same = [one for one in many
            if all(getattr(new, name) is None or getattr(new, name) == getattr(one, name) for name in names)]  # fmt: skip
    _record(net, command, many, same, new, "SRV",
            f"there is already at least one DNS SRV record matching all specified fields in network {net.name}",
            f"multiple DNS SRV records matching all specified fields were found in network {net.name}")  # fmt: skip


def _dns_txt(net: Network, command: int, index: int, xml: str) -> None:
    new = _parse(net, Txt, xml, "txt")
    txt_record(new, net.name, partial=command == DELETE)
    many = _dns(net).txts
    same = [
        one
        for one in many
        if one.name == new.name and (new.value is None or command != DELETE or one.value == new.value)
    ]
    _record(net, command, many, same, new, "TXT",
            f"there is already a DNS TXT record with name '{new.name}' in network {net.name}",
            f"multiple matching DNS TXT records were found in network {net.name}")  # fmt: skip


HANDLERS: dict[str, Callable[[Network, int, int, str], None]] = {
    "ip-dhcp-host": _dhcp_host, "ip-dhcp-range": _dhcp_range, "forward-interface": _forward_interface,
    "portgroup": _portgroup, "dns-host": _dns_host, "dns-txt": _dns_txt, "dns-srv": _dns_srv,
}  # fmt: skip


TAGS = {
    "ip-dhcp-host": "host", "ip-dhcp-range": "range", "forward-interface": "interface", "dns-host": "host", "dns-txt": "txt",
    "dns-srv": "srv",
}  # fmt: skip
"""The element of a section, where it is not the section's own name."""


def changed(document: Network, command: int, section: int, index: int, xml: str) -> Network:
    """A copy of the document with the change in it. Raises kvasir errors."""
    _document(xml)
    word = SECTIONS[section] if 0 <= section < len(SECTIONS) else None
    if word in (None, "none"):
        raise fixed("can't update unrecognized section of network")
    handler = HANDLERS.get(str(word))
    if handler is None:
        said = "forward pf" if word == "forward-pf" else word
        raise fixed(f"can't update '{said}' section of network '{document.name}'")
    if command not in (MODIFY, DELETE, ADD_LAST, ADD_FIRST):
        _named(document, xml, TAGS.get(str(word), str(word)))
        raise _unknown(command)
    new = document.copy()
    handler(new, command, index, xml)
    network_check.validate(new)
    return new


async def update(driver: NetworkDriver, net: VirtualNetwork, command: int, section: int, index: int, xml: str, flags: int
                 ) -> None:  # fmt: skip
    """Change a section; the running network follows at once. Raises kvasir errors, and changes nothing then."""
    async with net.lock:
        if not flags & (LIVE | CONFIG):
            flags |= LIVE if net.active else CONFIG
        if flags & LIVE and not net.active:
            raise invalid("network is not running")
        if flags & CONFIG and not net.persistent:
            raise invalid("cannot change persistent config of a transient network")
        if net.active:
            net.xml()  # counts who uses what
        live = changed(net.document, command, section, index, xml) if flags & LIVE else None
        kept = changed(net.config(), command, section, index, xml) if flags & CONFIG else None
        if kept is not None:
            await asyncio.to_thread(driver.files.save, kept)
        if live is not None:
            try:
                await _apply(driver, net, live, SECTIONS[section])
            except BaseException:
                if kept is not None:
                    await asyncio.to_thread(_save_back, driver, net)
                raise
        if kept is not None:
            if net.active:
                net.new_document = kept
            else:
                net.document = kept


async def _apply(driver: NetworkDriver, net: VirtualNetwork, live: Network, section: str) -> None:
    old, net.document = net.document, live
    word = {"forward-interface": "interface", "portgroup": "portgroup"}.get(section, "dnsmasq")
    kind = driver.kind(net)
    try:
        await asyncio.to_thread(driver.hook, net, "updated", "begin")
        await asyncio.to_thread(kind.changed, word, old)
        await asyncio.to_thread(driver.files.save_status, net)
    except BaseException:
        net.document = old
        await asyncio.to_thread(_back, driver.kind(net), word, live)
        raise


def _back(kind: Any, word: str, wrong: Network) -> None:
    try:
        kind.changed(word, wrong)
    except Error as error:
        log.error("cannot restore network %s after a failed update: %s", kind.net.name, error)


def _save_back(driver: NetworkDriver, net: VirtualNetwork) -> None:
    try:
        driver.files.save(net.config())
    except Error as error:
        log.error("cannot restore network %s after a failed update: %s", net.name, error)
