"""PCI functions: SR-IOV, groups, links, product data, mediated types."""

from __future__ import annotations

import os
import re
from functools import cache

from kvasir.model.nodedev import (
    Address,
    Capability,
    IommuGroup,
    Known,
    Link,
    MdevType,
    NodeDevice,
    Pci,
    SubCapability,
    VpdFields,
    VpdItem,
)

from .sysfs import Tree, device_name

IDS = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")
ADDRESS = re.compile(r"([0-9a-f]{4,}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])\Z")
HEADERS = {1: "pci-bridge", 2: "cardbus-bridge"}
SPEEDS = {1: "2.5", 2: "5", 3: "8", 4: "16", 5: "32", 6: "64"}
NO_LINK = (0x9, 0xA)
"""Port types of functions inside the root complex."""


@cache
def ids() -> dict[tuple[int, int | None], str]:
    """Names by vendor and product, of the system's database; {} where there is none."""
    found: dict[tuple[int, int | None], str] = {}
    path = next((path for path in IDS if os.path.exists(path)), None)
    if path is None:
        return found
    vendor = -1
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("C "):
                break
            match = re.match(r"(\t?)([0-9a-f]{4})  (.*)", line)
            if match is None:
                continue
            if match[1]:
                found[vendor, int(match[2], 16)] = match[3]
            else:
                vendor = int(match[2], 16)
                found[vendor, None] = match[3]
    return found


def address(name: str) -> Address:
    """``0000:00:1f.0`` as an address."""
    match = ADDRESS.match(name)
    assert match is not None, name
    domain, bus, slot, function = (int(part, 16) for part in match.groups())
    return Address(domain=domain, bus=bus, slot=slot, function=function)


def device(tree: Tree, path: str) -> NodeDevice | None:
    """The function at a path of sysfs."""
    name = os.path.basename(path)
    if not ADDRESS.match(name):
        return None
    place = address(name)
    vendor, product = tree.number(f"{path}/vendor", 16), tree.number(f"{path}/device", 16)
    config = tree.data(f"{path}/config", 4096)
    express = capability_at(config, 0x10)
    numa = tree.number(f"{path}/numa_node")
    data = Pci(
        class_code=tree.number(f"{path}/class", 16),
        domain=place.domain,
        bus=place.bus,
        slot=place.slot,
        function=place.function,
        vendor=Known(id=vendor, name=ids().get((vendor or 0, None))),
        product=Known(id=product, name=ids().get((vendor or 0, product))),
        parts=[*functions(tree, path), *header(config), *mdev_types(tree, path), *product_data(tree, path)],
        iommu_group=group(tree, path),
        numa=numa if numa is not None and numa >= 0 else None,
        express=express > 0 or len(config) > 256,
        links=links(config, express) if express else [],
    )
    return NodeDevice(
        name=device_name("pci", name),
        driver=tree.link(f"{path}/driver"),
        capabilities=[Capability(type="pci", data=data)],
    )


def functions(tree: Tree, path: str) -> list[SubCapability]:
    """The physical function of a virtual one, and the virtual ones of a physical one."""
    found = []
    parent = tree.link(f"{path}/physfn")
    if parent:
        found.append(SubCapability(type="phys_function", addresses=[address(parent)]))
    most = tree.number(f"{path}/sriov_totalvfs")
    virtual = [name for name in tree.names(path) if re.fullmatch(r"virtfn\d+", name)]
    virtual.sort(key=lambda name: int(name[6:]))
    if most or virtual:
        places = [address(target) for target in (tree.link(f"{path}/{name}") for name in virtual) if target]
        found.append(SubCapability(type="virt_functions", max_count=most or None, addresses=places))
    return found


def header(config: bytes) -> list[SubCapability]:
    """What the header's type says."""
    kind = HEADERS.get(config[0x0E] & 0x7F) if len(config) > 0x0E else None
    return [SubCapability(type=kind)] if kind else []


def mdev_types(tree: Tree, path: str) -> list[SubCapability]:
    """The mediated devices that the parent can make."""
    folder = f"{path}/mdev_supported_types"
    found = [
        MdevType(
            id=name,
            name=tree.text(f"{folder}/{name}/name"),
            api=tree.text(f"{folder}/{name}/device_api"),
            available=tree.number(f"{folder}/{name}/available_instances") or 0,
        )
        for name in tree.names(folder)
    ]
    return [SubCapability(type="mdev_types", mdev_types=found)] if found else []


def group(tree: Tree, path: str) -> IommuGroup | None:
    """The functions that go together."""
    number = tree.link(f"{path}/iommu_group")
    if number is None or not number.isdigit():
        return None
    members = [name for name in tree.names(f"/kernel/iommu_groups/{number}/devices") if ADDRESS.match(name)]
    return IommuGroup(number=int(number), addresses=[address(name) for name in members])


def capability_at(config: bytes, wanted: int) -> int:
    """Where a capability begins in the configuration space, 0 where there is none."""
    if len(config) < 64 or not config[0x06] & 0x10:
        return 0
    at, steps = config[0x34] & 0xFC, 0
    while at >= 0x40 and at + 1 < len(config) and steps < 48:
        if config[at] == wanted:
            return at
        at, steps = config[at + 1] & 0xFC, steps + 1
    return 0


def links(config: bytes, at: int) -> list[Link]:
    """What the link of an express function can do, and does."""
    if len(config) < at + 0x14 or config[at + 2] >> 4 in NO_LINK:
        return []
    able = int.from_bytes(config[at + 0x0C : at + 0x10], "little")
    does = int.from_bytes(config[at + 0x12 : at + 0x14], "little")
    return [
        Link(validity="cap", port=able >> 24, speed=SPEEDS.get(able & 0xF), width=able >> 4 & 0x3F),
        Link(validity="sta", speed=SPEEDS.get(does & 0xF), width=does >> 4 & 0x3F),
    ]


def product_data(tree: Tree, path: str) -> list[SubCapability]:
    """Vital product data as PCI's specification lays it out."""
    raw = tree.data(f"{path}/vpd", 32768)
    name, fields, at = None, [], 0
    while at + 3 <= len(raw) and raw[at] & 0x80:
        tag, size = raw[at], int.from_bytes(raw[at + 1 : at + 3], "little")
        body = raw[at + 3 : at + 3 + size]
        if tag == 0x82:
            name = body.decode("latin-1").strip("\0 ")
        elif tag in (0x90, 0x91):
            fields.append(_fields(body, tag == 0x91))
        at += 3 + size
    if name is None:
        return []
    return [SubCapability(type="vpd", name=name, fields=fields)]


def _fields(body: bytes, may_change: bool) -> VpdFields:
    found = VpdFields(access="readwrite" if may_change else "readonly")
    plain = {"PN": "part_number", "SN": "serial_number", "MN": "manufacture_id", "EC": "change_level"}
    if may_change:
        plain = {"YA": "asset_tag"}
    at = 0
    while at + 3 <= len(body):
        key, size = body[at : at + 2].decode("latin-1"), body[at + 2]
        value = body[at + 3 : at + 3 + size].decode("latin-1").strip("\0 ")
        if key in plain:
            setattr(found, plain[key], value)
        elif key[0] == "V":
            found.vendor_fields.append(VpdItem(index=key[1], value=value))
        elif key[0] == "Y" and may_change:
            found.system_fields.append(VpdItem(index=key[1], value=value))
        at += 3 + size
    return found
