"""Virtual networks and their ports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .filters import passes
from .flags import check_flags

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.network.driver import NetworkDriver
    from kvasir.network.network import VirtualNetwork

INACTIVE, ACTIVE, PERSISTENT, TRANSIENT, AUTOSTART, NO_AUTOSTART = 1, 2, 4, 8, 16, 32
XML_INACTIVE = 1


def _driver(session: Session) -> NetworkDriver:
    driver: NetworkDriver = session.other("network")
    return driver


def _net(session: Session, net: Any) -> VirtualNetwork:
    return _driver(session).find(net)


def _wanted(net: VirtualNetwork, flags: int) -> bool:
    return passes(
        flags,
        (ACTIVE, INACTIVE, net.active),
        (PERSISTENT, TRANSIENT, net.persistent),
        (AUTOSTART, NO_AUTOSTART, net.autostart),
    )


def connect_num_of_networks(session: Session) -> int:
    return sum(net.active for net in _driver(session).networks.values())


def connect_list_networks(session: Session, maxnames: int) -> list[str]:
    return [net.name for net in _driver(session).networks.values() if net.active][:maxnames]


def connect_num_of_defined_networks(session: Session) -> int:
    return sum(not net.active for net in _driver(session).networks.values())


def connect_list_defined_networks(session: Session, maxnames: int) -> list[str]:
    return [net.name for net in _driver(session).networks.values() if not net.active][:maxnames]


def connect_list_all_networks(session: Session, need_results: int, flags: int) -> tuple[list[Any], int]:
    check_flags(flags, 63, "networkConnectListAllNetworks")
    every = _driver(session).networks.values()
    found = [net for net in every if _wanted(net, flags)] if flags else list(every)
    return (found if need_results else []), len(found)


def network_lookup_by_name(session: Session, name: str) -> Any:
    return _driver(session).by_name(name)


def network_lookup_by_uuid(session: Session, uuid: bytes) -> Any:
    return _driver(session).by_uuid(uuid)


async def network_define_xml(session: Session, xml: str) -> Any:
    return await _driver(session).define(xml)


async def network_define_xml_flags(session: Session, xml: str, flags: int) -> Any:
    check_flags(flags, 1, "networkDefineXMLFlags")
    return await _driver(session).define(xml, flags)


async def network_create_xml(session: Session, xml: str) -> Any:
    return await _driver(session).create(xml)


async def network_create_xml_flags(session: Session, xml: str, flags: int) -> Any:
    check_flags(flags, 1, "networkCreateXMLFlags")
    return await _driver(session).create(xml, flags)


async def network_create(session: Session, net: Any) -> None:
    driver = _driver(session)
    await driver.start_network(driver.find(net))


async def network_destroy(session: Session, net: Any) -> None:
    driver = _driver(session)
    await driver.stop_network(driver.find(net))


async def network_undefine(session: Session, net: Any) -> None:
    driver = _driver(session)
    await driver.undefine(driver.find(net))


def network_get_xml_desc(session: Session, net: Any, flags: int) -> str:
    check_flags(flags, XML_INACTIVE, "networkGetXMLDesc")
    return _net(session, net).xml(bool(flags & XML_INACTIVE))


def network_get_bridge_name(session: Session, net: Any) -> str:
    found = _net(session, net)
    if not found.document.bridge:
        from kvasir.errors import InternalError, Origin

        raise InternalError(f"network '{found.name}' does not have a bridge name.", origin=Origin.NETWORK)
    return found.document.bridge


def network_get_autostart(session: Session, net: Any) -> int:
    return int(_net(session, net).autostart)


async def network_set_autostart(session: Session, net: Any, autostart: int) -> None:
    driver = _driver(session)
    await driver.set_autostart(driver.find(net), bool(autostart))


def network_is_active(session: Session, net: Any) -> int:
    return int(_net(session, net).active)


def network_is_persistent(session: Session, net: Any) -> int:
    return int(_net(session, net).persistent)


async def network_update(
    session: Session, net: Any, command: int, section: int, parentIndex: int, xml: str, flags: int
) -> None:
    from kvasir.network.update import update

    check_flags(flags, 3, "networkUpdate")
    driver = _driver(session)
    await update(driver, driver.find(net), command, section, parentIndex, xml, flags)


def network_get_dhcp_leases(
    session: Session, net: Any, mac: str | None, need_results: int, flags: int
) -> tuple[list[Any], int]:
    """The leases that the network gave out and that have not ended, of one MAC address or all."""
    from types import SimpleNamespace

    from kvasir.errors import Code, Error, Origin
    from kvasir.network.leases import leases, row
    from kvasir.xml.types import MAC

    check_flags(flags, 0, "networkGetDHCPLeases")
    driver = _driver(session)
    found = driver.find(net)
    if mac is not None:
        try:
            mac = MAC.read(mac)
        except ValueError:
            text = f"invalid MAC address: {mac}"
            raise Error(text, code=Code.INVALID_MAC, origin=Origin.NETWORK, message=text) from None
    rows = leases(driver.files.dnsmasq, found.document, mac)
    shown = [SimpleNamespace(**row(found.document, one)) for one in rows] if need_results else []
    return shown, len(rows)


# --- ports


def network_list_all_ports(session: Session, network: Any, need_results: int, flags: int) -> tuple[list[Any], int]:
    check_flags(flags, 0, "networkListAllPorts")
    found = _net(session, network)
    found.need_active()
    ports = list(found.ports.values())
    return (ports if need_results else []), len(ports)


def network_port_lookup_by_uuid(session: Session, network: Any, uuid: bytes) -> Any:
    return _net(session, network).port(uuid)


async def network_port_create_xml(session: Session, network: Any, xml: str, flags: int) -> Any:
    check_flags(flags, 3, "networkPortCreateXML")
    driver = _driver(session)
    return await driver.ports.create(driver.find(network), xml, flags)


def network_port_get_xml_desc(session: Session, port: Any, flags: int) -> str:
    check_flags(flags, 0, "networkPortGetXMLDesc")
    return _net(session, port.net).port(port.uuid).document.xml()


async def network_port_delete(session: Session, port: Any, flags: int) -> None:
    check_flags(flags, 0, "networkPortDelete")
    driver = _driver(session)
    await driver.ports.delete(driver.find(port.net).port(port.uuid))


def network_port_get_parameters(session: Session, port: Any, nparams: int, flags: int) -> tuple[list[Any], int]:
    """The port's bandwidth."""
    from kvasir.network.bandwidth import parameters

    check_flags(flags, 4, "networkPortGetParameters")
    found = parameters(_net(session, port.net).port(port.uuid).document.bandwidth)
    return (found if nparams else []), len(found)


async def network_port_set_parameters(session: Session, port: Any, params: Any, flags: int) -> None:
    """Change the port's bandwidth."""
    from kvasir.network.bandwidth import set_parameters

    check_flags(flags, 0, "networkPortSetParameters")
    driver = _driver(session)
    await set_parameters(driver, driver.find(port.net).port(port.uuid), params)
