"""Every other kind of device: ``kind(tree, path)`` reads it from sysfs, None where it is none that libvirt shows."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from kvasir.host import ethtool
from kvasir.model.nodedev import (
    Ap,
    Capability,
    Ccw,
    DevNode,
    Drm,
    Feature,
    Firmware,
    Hardware,
    Known,
    Mdev,
    Net,
    NodeDevice,
    Scsi,
    ScsiGeneric,
    ScsiHost,
    ScsiTarget,
    Storage,
    SubCapability,
    System,
    UsbDevice,
    UsbInterface,
    Vdpa,
)

from . import pci
from .sysfs import Tree, device_name

SCSI_TYPES = {0: "disk", 1: "tape", 5: "cdrom", 6: "scanner", 8: "changer", 12: "raid", 13: "enclosure"}
DMI = "/class/dmi/id"
Reader = Callable[[Tree, str], NodeDevice | None]


def made(
    name: str, kind: str, data: object, driver: str | None = None, nodes: list[DevNode] | None = None
) -> NodeDevice:
    """A device with one capability."""
    return NodeDevice(name=name, driver=driver, devnodes=nodes or [], capabilities=[Capability(type=kind, data=data)])


def system(tree: Tree) -> NodeDevice:
    """The host."""
    known = {name: tree.text(f"{DMI}/{name}") for name in tree.names(DMI)}
    uuid = (known.get("product_uuid") or "").lower()
    hardware = Hardware(
        vendor=known.get("sys_vendor"),
        version=known.get("product_version"),
        serial=known.get("product_serial"),
        uuid=uuid
        if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", uuid)
        else "00000000-0000-0000-0000-000000000000",
    )
    firmware = Firmware(vendor=known.get("bios_vendor"), version=known.get("bios_version"), date=known.get("bios_date"))
    return made("computer", "system", System(product=known.get("product_name"), hardware=hardware, firmware=firmware))


def net(tree: Tree, path: str) -> NodeDevice | None:
    """A network card."""
    name = os.path.basename(path)
    address = tree.text(f"{path}/address")
    if tree.number(f"{path}/type") not in (1, 772, 801, 802, 803) and address is None:
        return None
    state = tree.text(f"{path}/operstate") or "unknown"
    speed = tree.number(f"{path}/speed") if state == "up" else None
    wireless = tree.uevent(path).get("DEVTYPE") == "wlan"
    features = ethtool.features(name) if tree.is_host else (tree.text(f"{path}/features") or "").split()
    data = Net(
        interface=name,
        address=address,
        link_speed=speed if speed and speed > 0 else None,
        link_state=state,
        features=[Feature(name=word) for word in features],
        parts=[SubCapability(type="80211" if wireless else "80203")],
    )
    return made(device_name("net", name, address or ""), "net", data, tree.link(f"{path}/device/driver") and None)


def usb(tree: Tree, path: str) -> NodeDevice | None:
    """A USB device, or an interface of one."""
    name, driver = os.path.basename(path), tree.link(f"{path}/driver")
    if ":" in name:
        numbers = [tree.number(f"{path}/bInterface{word}", 16) for word in ("Number", "Class", "SubClass", "Protocol")]
        if numbers[0] is None:
            return None
        number, kind, subclass, protocol = numbers
        part = UsbInterface(
            number=number,
            class_code=kind,
            subclass=subclass,
            protocol=protocol,
            description=tree.text(f"{path}/interface"),
        )
        return made(device_name("usb", name), "usb", part, driver)
    if not tree.exists(f"{path}/busnum"):
        return None
    bus, device = tree.number(f"{path}/busnum"), tree.number(f"{path}/devnum")
    data = UsbDevice(
        bus=bus,
        device=device,
        product=Known(id=tree.number(f"{path}/idProduct", 16), name=tree.text(f"{path}/product")),
        vendor=Known(id=tree.number(f"{path}/idVendor", 16), name=tree.text(f"{path}/manufacturer")),
    )
    nodes = [DevNode(type="dev", path=f"/dev/bus/usb/{bus or 0:03d}/{device or 0:03d}")]
    return made(device_name("usb", name), "usb_device", data, driver, nodes)


def scsi(tree: Tree, path: str) -> NodeDevice | None:
    """A SCSI adapter, target or unit."""
    name = os.path.basename(path)
    if match := re.fullmatch(r"host(\d+)", name):
        return made(device_name("scsi", name), "scsi_host", scsi_host(tree, name, int(match[1])))
    if re.fullmatch(r"target\d+:\d+:\d+", name):
        ports = [
            SubCapability(
                type="fc_remote_port", rport=port, wwpn=_wwn(tree.text(f"/class/fc_remote_ports/{port}/port_name"))
            )
            for port in path.split("/")
            if port.startswith("rport-") and tree.exists(f"/class/fc_remote_ports/{port}")
        ]
        return made(device_name("scsi", name), "scsi_target", ScsiTarget(target=name, parts=ports))
    if re.fullmatch(r"\d+:\d+:\d+:\d+", name):
        host, bus, target, lun = (int(part) for part in name.split(":"))
        kind = SCSI_TYPES.get(tree.number(f"{path}/type") or 0)
        data = Scsi(host=host, bus=bus, target=target, lun=lun, type=kind)
        return made(device_name("scsi", name), "scsi", data, tree.link(f"{path}/driver"))
    return None


def scsi_host(tree: Tree, name: str, number: int) -> ScsiHost:
    """An adapter with what Fibre Channel adds."""
    parts, fibre = [], f"/class/fc_host/{name}"
    if tree.exists(fibre):
        parts.append(
            SubCapability(
                type="fc_host",
                wwnn=_wwn(tree.text(f"{fibre}/node_name")),
                wwpn=_wwn(tree.text(f"{fibre}/port_name")),
                fabric_wwn=_wwn(tree.text(f"{fibre}/fabric_name")),
            )
        )
        if tree.exists(f"{fibre}/vport_create"):
            parts.append(
                SubCapability(
                    type="vport_ops",
                    max_vports=tree.number(f"{fibre}/max_npiv_vports"),
                    vports=tree.number(f"{fibre}/npiv_vports_inuse"),
                )
            )
    unique = tree.number(f"/class/scsi_host/{name}/unique_id")
    return ScsiHost(host=number, unique_id=-1 if unique is None else unique, parts=parts)


def _wwn(text: str | None) -> str | None:
    return text.removeprefix("0x") if text else None


def storage(tree: Tree, path: str) -> NodeDevice | None:
    """A disk or drive; partitions and drives of unknown kind are not shown."""
    name = os.path.basename(path)
    if tree.exists(f"{path}/partition"):
        return None
    known, links = tree.database(f"b{tree.text(f'{path}/dev')}")
    kind = {"cd": "cdrom"}.get(known.get("ID_TYPE", ""), known.get("ID_TYPE"))
    if kind is None and name.startswith("vd"):
        kind = "disk"
    if kind is None and tree.exists(f"{path}/device/type"):
        kind = SCSI_TYPES.get(tree.number(f"{path}/device/type") or 0)
    if kind is None:
        return None
    blocks = tree.number(f"{path}/size")
    block = tree.number(f"{path}/queue/logical_block_size")
    size = blocks * block if blocks is not None and block is not None else None
    data = Storage(
        block=f"/dev/{name}",
        bus=known.get("ID_BUS"),
        drive_type=kind,
        model=tree.text(f"{path}/device/model"),
        vendor=tree.text(f"{path}/device/vendor"),
        serial=known.get("ID_SERIAL"),
    )
    if kind == "cdrom" or tree.number(f"{path}/removable") == 1:
        there = known.get("ID_CDROM_MEDIA") == "1" if kind == "cdrom" else bool(size)
        part = SubCapability(type="removable", media_available=int(there), media_label=known.get("ID_FS_LABEL"))
        part.media_size = (size or 0) if there else 0
        if there:
            part.logical_block_size, part.num_blocks = block, blocks
        data.parts = [part]
    else:
        data.size, data.logical_block_size, data.num_blocks = size, block, blocks
    nodes = [DevNode(type="dev", path=f"/dev/{name}"), *(DevNode(type="link", path=link) for link in links)]
    return made(device_name("block", name, data.serial or ""), "storage", data, nodes=nodes)


def scsi_generic(tree: Tree, path: str) -> NodeDevice | None:
    """The generic node of a SCSI unit."""
    name = os.path.basename(path)
    return made(device_name("scsi_generic", name), "scsi_generic", ScsiGeneric(char=f"/dev/{name}"),
                nodes=[DevNode(type="dev", path=f"/dev/{name}")])  # fmt: skip


def drm(tree: Tree, path: str) -> NodeDevice | None:
    """A node of a graphics card."""
    name, number = os.path.basename(path), tree.text(f"{path}/dev")
    if number is None:
        return None
    kind = ("primary", "control", "render")[min(int(number.partition(":")[2]) >> 6, 2)]
    return made(device_name("drm", name), "drm", Drm(type=kind), nodes=[DevNode(type="dev", path=f"/dev/dri/{name}")])


def mdev(tree: Tree, path: str) -> NodeDevice | None:
    """A mediated device that runs."""
    uuid = os.path.basename(path)
    kind, group = tree.link(f"{path}/mdev_type"), tree.link(f"{path}/iommu_group")
    parent = os.path.basename(os.path.dirname(path))
    data = Mdev(type=kind, uuid=uuid, parent_addr=parent, iommu_group=int(group) if group and group.isdigit() else None)
    return made(device_name("mdev", uuid, parent), "mdev", data, tree.link(f"{path}/driver"))


def ccw(tree: Tree, path: str) -> NodeDevice | None:
    """A channel device or a sub-channel of IBM Z."""
    name = os.path.basename(path)
    match = re.fullmatch(r"([0-9a-f]+)\.([0-9a-f])\.([0-9a-f]{4})", name)
    if match is None:
        return None
    cssid, ssid, devno = (int(part, 16) for part in match.groups())
    data = Ccw(cssid=cssid, ssid=ssid, devno=devno)
    kind = "css" if tree.link(f"{path}/subsystem") == "css" else "ccw"
    if kind == "css":
        if tree.link(f"{path}/driver") not in ("io_subchannel", "vfio_ccw"):
            return None
        channel = re.fullmatch(r"([0-9a-f]+)\.([0-9a-f])\.([0-9a-f]{4})", tree.text(f"{path}/dev_busid") or "")
        if channel:
            data.channel_cssid, data.channel_ssid, data.channel_devno = (int(part, 16) for part in channel.groups())
        data.parts = pci.mdev_types(tree, path)
    return made(device_name(kind, name), kind, data, tree.link(f"{path}/driver"))


def vdpa(tree: Tree, path: str) -> NodeDevice | None:
    """A vDPA device."""
    node = next((name for name in tree.names(path) if name.startswith("vhost-vdpa")), None)
    data = Vdpa(chardev=f"/dev/{node}" if node else None)
    return made(device_name("vdpa", os.path.basename(path)), "vdpa", data, tree.link(f"{path}/driver"))


def ap(tree: Tree, path: str) -> NodeDevice | None:
    """A crypto card, queue or matrix of IBM Z."""
    name, driver = os.path.basename(path), tree.link(f"{path}/driver")
    if match := re.fullmatch(r"card([0-9a-f]{2})", name):
        return made(device_name("ap", name), "ap_card", Ap(adapter=int(match[1], 16)), driver)
    if match := re.fullmatch(r"([0-9a-f]{2})\.([0-9a-f]{4})", name):
        data = Ap(adapter=int(match[1], 16), domain=int(match[2], 16))
        return made(device_name("ap", name), "ap_queue", data, driver)
    if name == "matrix":
        return made("ap_matrix", "ap_matrix", Ap(parts=pci.mdev_types(tree, path)), driver)
    return None


FOLDERS: tuple[tuple[str, Reader], ...] = (
    ("/bus/pci/devices", pci.device),
    ("/bus/usb/devices", usb),
    ("/class/net", net),
    ("/bus/scsi/devices", scsi),
    ("/class/block", storage),
    ("/class/scsi_generic", scsi_generic),
    ("/class/drm", drm),
    ("/bus/mdev/devices", mdev),
    ("/bus/ccw/devices", ccw),
    ("/bus/css/devices", ccw),
    ("/bus/vdpa/devices", vdpa),
    ("/bus/ap/devices", ap),
    ("/bus/matrix/devices", ap),
)
"""Where the devices stand in sysfs, and what reads them."""


def scan(tree: Tree) -> dict[str, NodeDevice]:
    """Every device by its name, with its path and its parent (the nearest device above it, else the host)."""
    found = {"computer": system(tree)}
    paths: dict[str, str] = {}
    for folder, read in FOLDERS:
        for name in tree.names(folder):
            path = tree.real(f"{folder}/{name}")
            device = read(tree, path)
            if device is None or device.name in found:
                continue
            device.path = f"/sys{path}"
            found[str(device.name)] = device
            paths[path] = str(device.name)
    for path, name in paths.items():
        above = os.path.dirname(path)
        while above not in paths and above not in ("/", ""):
            above = os.path.dirname(above)
        found[name].parent = paths.get(above, "computer")
    return found
