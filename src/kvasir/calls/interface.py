"""Network interfaces of the host."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.interface.driver import Card, InterfaceDriver

INACTIVE_LIST, ACTIVE_LIST = 1, 2
INACTIVE_XML = 1
VALIDATE = 1


def _driver(session: Session) -> InterfaceDriver:
    driver: InterfaceDriver = session.other("interface")
    return driver


async def _names(session: Session, active: bool) -> list[str]:
    cards = await asyncio.to_thread(_driver(session).listed)
    return [card.name for card in cards if card.active is active]


async def connect_num_of_interfaces(session: Session) -> int:
    """How many are active."""
    return len(await _names(session, True))


async def connect_list_interfaces(session: Session, maxnames: int) -> list[str]:
    """Names of the active ones."""
    return (await _names(session, True))[:maxnames]


async def connect_num_of_defined_interfaces(session: Session) -> int:
    """How many are not active."""
    return len(await _names(session, False))


async def connect_list_defined_interfaces(session: Session, maxnames: int) -> list[str]:
    """Names of those that are not active."""
    return (await _names(session, False))[:maxnames]


async def connect_list_all_interfaces(session: Session, need_results: int, flags: int) -> tuple[list[Card], int]:
    """Those that the filters let pass."""
    check_flags(flags, INACTIVE_LIST | ACTIVE_LIST, "udevConnectListAllInterfaces")
    cards = await asyncio.to_thread(_driver(session).listed)
    found = [card for card in cards if not flags or flags & (ACTIVE_LIST if card.active else INACTIVE_LIST)]
    return (found if need_results else []), len(found)


async def interface_lookup_by_name(session: Session, name: str) -> Card:
    """By name."""
    return await asyncio.to_thread(_driver(session).find, name)


async def interface_lookup_by_mac_string(session: Session, mac: str) -> Card:
    """By MAC address, when only one has it."""
    return await asyncio.to_thread(_driver(session).by_mac, mac)


async def interface_get_xml_desc(session: Session, iface: Any, flags: int) -> str:
    """Its document, live or as configured."""
    check_flags(flags, INACTIVE_XML, "udevInterfaceGetXMLDesc")
    return await asyncio.to_thread(_driver(session).xml, iface.name, bool(flags & INACTIVE_XML))


async def interface_is_active(session: Session, iface: Any) -> int:
    """Whether it is up."""
    return int((await asyncio.to_thread(_driver(session).find, iface.name)).active)


async def interface_define_xml(session: Session, xml: str, flags: int) -> Card:
    """Write it into the host's configuration."""
    check_flags(flags, VALIDATE, "netcfInterfaceDefineXML")
    return await _driver(session).define(xml, bool(flags & VALIDATE))


async def interface_undefine(session: Session, iface: Any) -> None:
    """Take it out of the host's configuration."""
    await _driver(session).undefine(iface.name)


async def interface_create(session: Session, iface: Any, flags: int) -> None:
    """Start it."""
    check_flags(flags, 0, "netcfInterfaceCreate")
    await _driver(session).start_interface(iface.name)


async def interface_destroy(session: Session, iface: Any, flags: int) -> None:
    """Stop it."""
    check_flags(flags, 0, "netcfInterfaceDestroy")
    await _driver(session).stop_interface(iface.name)


async def interface_change_begin(session: Session, flags: int) -> None:
    """Keep the configuration as it is, to go back to it."""
    check_flags(flags, 0, "netcfInterfaceChangeBegin")
    await _driver(session).begin()


async def interface_change_commit(session: Session, flags: int) -> None:
    """The changes since begin stay."""
    check_flags(flags, 0, "netcfInterfaceChangeCommit")
    await _driver(session).commit()


async def interface_change_rollback(session: Session, flags: int) -> None:
    """The changes since begin go."""
    check_flags(flags, 0, "netcfInterfaceChangeRollback")
    await _driver(session).rollback()
