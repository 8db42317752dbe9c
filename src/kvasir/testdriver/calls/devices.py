"""Devices of the host that the test driver plays."""

from __future__ import annotations

from typing import Any

from kvasir.calls.flags import check_flags
from kvasir.errors import InternalError, Origin, XmlError
from kvasir.events import NodeDeviceLifecycle
from kvasir.model.nodedev import WORDS, NodeDevice
from kvasir.nodedev.device import NoDevice

KINDS = (1 << len(WORDS)) - 1


def _find(session: Any, name: str) -> NodeDevice:
    found: NodeDevice | None = session.driver.devices.get(name)
    if found is None:
        raise NoDevice(f"no node device with matching name '{name}'", origin=Origin.TEST)
    return found


def connect_list_all_node_devices(session: Any, need_results: int, flags: int) -> tuple[list[NodeDevice], int]:
    check_flags(flags, KINDS, "testConnectListAllNodeDevices", Origin.TEST)
    found = [
        one
        for one in session.driver.devices.values()
        if not flags or any(flags >> bit & 1 and word in one.words() for bit, word in enumerate(WORDS))
    ]
    return (found if need_results else []), len(found)


def node_num_of_devices(session: Any, cap: str | None, flags: int) -> int:
    return len([one for one in session.driver.devices.values() if cap is None or cap in one.words()])


def node_list_devices(session: Any, cap: str | None, maxnames: int, flags: int) -> list[str]:
    return [str(one.name) for one in session.driver.devices.values() if cap is None or cap in one.words()][:maxnames]


def node_device_lookup_by_name(session: Any, name: str) -> NodeDevice:
    return _find(session, name)


def node_device_get_xml_desc(session: Any, name: str, flags: int) -> str:
    return _find(session, name).xml()


def node_device_get_parent(session: Any, name: str) -> str | None:
    return _find(session, name).parent


def node_device_num_of_caps(session: Any, name: str) -> int:
    return len(_find(session, name).capabilities)


def node_device_list_caps(session: Any, name: str, maxnames: int) -> list[str]:
    return [str(one.type) for one in _find(session, name).capabilities][:maxnames]


def node_device_create_xml(session: Any, xml_desc: str, flags: int) -> NodeDevice:
    """A virtual adapter, made after the first one that there is."""
    document = NodeDevice.from_xml(xml_desc, "(node_device_definition)")
    host = document.data("scsi_host")
    port = next((part for part in getattr(host, "parts", ()) if part.type == "fc_host"), None)
    if port is None or not port.wwnn or not port.wwpn:
        raise XmlError("no WWN in the document of the new device", origin=Origin.NODEDEV)
    if not document.parent or document.parent not in session.driver.devices:
        raise InternalError("Could not find parent device for 'new device'", origin=Origin.NODEDEV)
    made = _find(session, "scsi_host11").copy() if "scsi_host11" in session.driver.devices else document
    number = 1 + max(int(name[9:]) for name in session.driver.devices if name.startswith("scsi_host"))
    made.name, made.parent = f"scsi_host{number}", document.parent
    for part in made.data("scsi_host").parts:
        if part.type == "fc_host":
            part.wwnn, part.wwpn = port.wwnn, port.wwpn
    session.driver.devices[made.name] = made
    session.driver.bus.publish(NodeDeviceLifecycle(made, 0, 0))
    return made


def node_device_destroy(session: Any, name: str) -> None:
    found = _find(session, name)
    if found.parent not in session.driver.devices:
        return
    session.driver.devices.pop(name)
    session.driver.bus.publish(NodeDeviceLifecycle(found, 1, 0))
