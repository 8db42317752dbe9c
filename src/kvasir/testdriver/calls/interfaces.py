"""Interfaces of the host that the test driver plays."""

from __future__ import annotations

from typing import Any

from kvasir.calls.flags import check_flags
from kvasir.errors import Origin
from kvasir.testdriver.interfaces import Card, Interfaces


def _all(session: Any) -> Interfaces:
    found: Interfaces = session.driver.interfaces
    return found


def _names(session: Any, active: bool) -> list[str]:
    return [card.name for card in _all(session).known.values() if card.active is active]


def connect_num_of_interfaces(session: Any) -> int:
    return len(_names(session, True))


def connect_list_interfaces(session: Any, maxnames: int) -> list[str]:
    return _names(session, True)[:maxnames]


def connect_num_of_defined_interfaces(session: Any) -> int:
    return len(_names(session, False))


def connect_list_defined_interfaces(session: Any, maxnames: int) -> list[str]:
    return _names(session, False)[:maxnames]


def connect_list_all_interfaces(session: Any, need_results: int, flags: int) -> tuple[list[Card], int]:
    check_flags(flags, 3, "testConnectListAllInterfaces", Origin.TEST)
    found = [card for card in _all(session).known.values() if not flags or flags & (2 if card.active else 1)]
    return (found if need_results else []), len(found)


def interface_lookup_by_name(session: Any, name: str) -> Card:
    return _all(session).find(name)


def interface_lookup_by_mac_string(session: Any, mac: str) -> Card:
    return _all(session).by_mac(mac)


def interface_get_xml_desc(session: Any, iface: Any, flags: int) -> str:
    return _all(session).find(iface.name).document.xml()


def interface_define_xml(session: Any, xml: str, flags: int) -> Card:
    return _all(session).define(xml)


def interface_undefine(session: Any, iface: Any) -> None:
    card = _all(session).find(iface.name)
    _all(session).known.pop(card.name)


def interface_create(session: Any, iface: Any, flags: int) -> None:
    _all(session).start(_all(session).find(iface.name))


def interface_destroy(session: Any, iface: Any, flags: int) -> None:
    _all(session).stop(_all(session).find(iface.name))


def interface_is_active(session: Any, iface: Any) -> int:
    return int(_all(session).find(iface.name).active)


def interface_change_begin(session: Any, flags: int) -> None:
    _all(session).begin()


def interface_change_commit(session: Any, flags: int) -> None:
    _all(session).commit()


def interface_change_rollback(session: Any, flags: int) -> None:
    _all(session).rollback()
