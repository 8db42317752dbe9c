"""Devices of the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.filters import passes
from kvasir.calls.flags import check_flags
from kvasir.errors import Error, Origin
from kvasir.model.nodedev import WORDS

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.nodedev.device import Device

KINDS = (1 << len(WORDS)) - 1
INACTIVE, ACTIVE = 1 << 30, 1 << 31
VALIDATE = 1


async def _driver(session: Session) -> Any:
    driver = session.other("nodedev")
    await driver.ready()
    return driver


def _wanted(device: Device, flags: int) -> bool:
    if not passes(flags, (ACTIVE, INACTIVE, device.active)):
        return False
    if not flags & KINDS:
        return True
    words = device.document.words()
    return any(flags >> bit & 1 and word in words for bit, word in enumerate(WORDS))


async def connect_list_all_node_devices(session: Session, need_results: int, flags: int) -> tuple[list[Any], int]:
    """Those that the filters let pass."""
    check_flags(flags, KINDS | ACTIVE | INACTIVE, "nodeConnectListAllNodeDevices")
    found = [device for device in (await _driver(session)).devices.values() if _wanted(device, flags)]
    return (found if need_results else []), len(found)


async def node_num_of_devices(session: Session, cap: str | None, flags: int) -> int:
    """How many there are, of a kind or of all."""
    check_flags(flags, 0, "nodeNumOfDevices")
    return len(await _names(session, cap))


async def node_list_devices(session: Session, cap: str | None, maxnames: int, flags: int) -> list[str]:
    """Their names."""
    check_flags(flags, 0, "nodeListDevices")
    return (await _names(session, cap))[:maxnames]


async def _names(session: Session, cap: str | None) -> list[str]:
    devices = (await _driver(session)).devices.values()
    return [one.name for one in devices if one.active and (cap is None or cap in one.document.words())]


async def node_device_lookup_by_name(session: Session, name: str) -> Any:
    """By name."""
    return (await _driver(session)).find(name)


async def node_device_lookup_scsi_host_by_wwn(session: Session, wwnn: str, wwpn: str, flags: int) -> Any:
    """The Fibre Channel adapter of these names."""
    found = (await _driver(session)).by_wwn(wwnn, wwpn)
    if found is None:
        raise Error("", origin=Origin.NONE, message="An error occurred, but the cause is unknown")
    return found


async def node_device_get_xml_desc(session: Session, name: str, flags: int) -> str:
    """Its document."""
    check_flags(flags, 0, "nodeDeviceGetXMLDesc")
    found: str = (await _driver(session)).find(name).document.xml()
    return found


async def node_device_get_parent(session: Session, name: str) -> str | None:
    """The name of the device above it."""
    found: str | None = (await _driver(session)).find(name).document.parent
    return found


async def node_device_num_of_caps(session: Session, name: str) -> int:
    """How much it can."""
    return len((await _driver(session)).find(name).document.words())


async def node_device_list_caps(session: Session, name: str, maxnames: int) -> list[str]:
    """What it can."""
    words = (await _driver(session)).find(name).document.words()
    return sorted(words, key=WORDS.index)[:maxnames]


async def node_device_dettach(session: Session, name: str) -> None:
    """Take it from the host for guests."""
    driver = await _driver(session)
    await driver.detach(driver.find(name), None)


async def node_device_detach_flags(session: Session, name: str, driverName: str | None, flags: int) -> None:
    """The same, naming the driver."""
    check_flags(flags, 0, "qemuNodeDeviceDetachFlags", Origin.QEMU)
    driver = await _driver(session)
    await driver.detach(driver.find(name), driverName)


async def node_device_re_attach(session: Session, name: str) -> None:
    """Give it back to the host."""
    driver = await _driver(session)
    await driver.reattach(driver.find(name))


async def node_device_reset(session: Session, name: str) -> None:
    """Reset it."""
    driver = await _driver(session)
    await driver.reset(driver.find(name))


async def node_device_create_xml(session: Session, xml_desc: str, flags: int) -> Any:
    """Make a virtual adapter or a mediated device that is not kept."""
    check_flags(flags, VALIDATE, "nodeDeviceCreateXML")
    return await session.other("nodedev").create(xml_desc, bool(flags & VALIDATE))


async def node_device_define_xml(session: Session, xml_desc: str, flags: int) -> Any:
    """Keep a mediated device's definition."""
    check_flags(flags, VALIDATE, "nodeDeviceDefineXML")
    return await session.other("nodedev").define(xml_desc, bool(flags & VALIDATE))


async def node_device_destroy(session: Session, name: str) -> None:
    """Remove or stop it."""
    driver = await _driver(session)
    await driver.destroy(driver.find(name))


async def node_device_undefine(session: Session, name: str, flags: int) -> None:
    """Forget its definition."""
    check_flags(flags, 0, "nodeDeviceUndefine")
    driver = await _driver(session)
    await driver.undefine(driver.find(name))


async def node_device_create(session: Session, name: str, flags: int) -> None:
    """Start one that is defined."""
    check_flags(flags, 0, "nodeDeviceCreate")
    driver = await _driver(session)
    await driver.begin(driver.find(name))


async def node_device_get_autostart(session: Session, name: str) -> int:
    """Whether it starts with its parent."""
    return int((await _driver(session)).find(name).autostart)


async def node_device_set_autostart(session: Session, name: str, autostart: int) -> None:
    """Change that."""
    driver = await _driver(session)
    await driver.set_autostart(driver.find(name), bool(autostart))


async def node_device_is_persistent(session: Session, name: str) -> int:
    """Whether it is defined."""
    return int((await _driver(session)).find(name).persistent)


async def node_device_is_active(session: Session, name: str) -> int:
    """Whether it is there."""
    return int((await _driver(session)).find(name).active)
