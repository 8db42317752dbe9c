"""Networks of the test driver."""

from __future__ import annotations

from typing import Any

from kvasir.calls.filters import passes
from kvasir.calls.flags import check_flags
from kvasir.errors import Origin
from kvasir.testdriver.networks import Net, Networks


def _all(session: Any) -> Networks:
    found: Networks = session.driver.networks
    return found


def _net(session: Any, net: Any) -> Net:
    return _all(session).by_name(net.name)


def _same(session: Any, net: Any) -> Net:
    return _all(session).by_uuid(net.uuid)


def _wanted(net: Net, flags: int) -> bool:
    return passes(flags, (2, 1, net.active), (4, 8, net.persistent), (16, 32, net.autostart))


def connect_list_all_networks(session: Any, need_results: int, flags: int) -> tuple[list[Net], int]:
    found = [net for net in _all(session).known.values() if _wanted(net, flags)]
    return (found if need_results else []), len(found)


def connect_num_of_networks(session: Any) -> int:
    return sum(net.active for net in _all(session).known.values())


def connect_list_networks(session: Any, maxnames: int) -> list[str]:
    return [net.name for net in _all(session).known.values() if net.active][:maxnames]


def connect_num_of_defined_networks(session: Any) -> int:
    return sum(not net.active for net in _all(session).known.values())


def connect_list_defined_networks(session: Any, maxnames: int) -> list[str]:
    return [net.name for net in _all(session).known.values() if not net.active][:maxnames]


def network_lookup_by_name(session: Any, name: str) -> Net:
    return _all(session).by_name(name)


def network_lookup_by_uuid(session: Any, uuid: bytes) -> Net:
    return _all(session).by_uuid(uuid)


def network_define_xml(session: Any, xml: str) -> Net:
    return _all(session).define(xml, False)


def network_define_xml_flags(session: Any, xml: str, flags: int) -> Net:
    return _all(session).define(xml, False)


def network_create_xml(session: Any, xml: str) -> Net:
    return _all(session).define(xml, True)


def network_create_xml_flags(session: Any, xml: str, flags: int) -> Net:
    return _all(session).define(xml, True)


def network_create(session: Any, net: Any) -> None:
    _all(session).start(_net(session, net))


def network_destroy(session: Any, net: Any) -> None:
    _all(session).stop(_net(session, net))


def network_undefine(session: Any, net: Any) -> None:
    _all(session).undefine(_net(session, net))


def network_update(session: Any, net: Any, command: int, section: int, parentIndex: int, xml: str, flags: int) -> None:
    _all(session).update(_same(session, net), command, section, parentIndex, xml, flags)


def network_get_xml_desc(session: Any, net: Any, flags: int) -> str:
    check_flags(flags, 0, "testNetworkGetXMLDesc", Origin.TEST)
    return _net(session, net).now.xml()


def network_get_bridge_name(session: Any, net: Any) -> str:
    return str(_net(session, net).now.bridge)


def network_get_autostart(session: Any, net: Any) -> int:
    return int(_net(session, net).autostart)


def network_set_autostart(session: Any, net: Any, autostart: int) -> None:
    _net(session, net).autostart = bool(autostart)


def network_is_active(session: Any, net: Any) -> int:
    return int(_same(session, net).active)


def network_is_persistent(session: Any, net: Any) -> int:
    return int(_same(session, net).persistent)
