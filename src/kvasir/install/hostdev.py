"""Names of host devices: ``pci_0000_00_1c_0``, ``00:1c.0``, ``046d:c52b``, ``001.003`` to a source element."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

from . import tree
from .grammar import OptionError

_PCI = re.compile(r"(?:pci_)?(?:([0-9a-fA-F]{1,4})[:_])?([0-9a-fA-F]{1,2})[:_]([0-9a-fA-F]{1,2})[._]([0-7])\Z")
_USB_ID = re.compile(r"(?:0x)?([0-9a-fA-F]{1,4}):(?:0x)?([0-9a-fA-F]{1,4})\Z")
_USB_PLACE = re.compile(r"(\d{1,3})\.(\d{1,3})\Z")


def fill(node: tree.Node, name: str, connection: Any) -> None:
    """Describe the device in ``<hostdev>``. Raises OptionError for what is no device of the host."""
    kind = node.get("type")
    if kind in ("net", "misc", "storage"):
        node.set("mode", "capabilities")
        tree.put(node, f"source/{ {'net': 'interface', 'misc': 'char', 'storage': 'block'}[kind] }", name)
        return
    known = _known(connection)
    found = next((d for d in known if d.findtext("name") == name), None)
    if found is None:
        found = _by_address(name, known)
    if found is not None:
        _from_device(node, found, known)
    else:
        raise OptionError(f"Did not find a matching node device for '{name}'")


def _known(connection: Any) -> list[ET.Element]:
    from kvasir.errors import Error

    try:
        return [ET.fromstring(d.XMLDesc(0)) for d in connection.listAllDevices(0)]
    except Error:
        return []


def _number(text: str | None, base: int = 0) -> int:
    try:
        return int(text or "0", base)
    except ValueError:
        return int(text or "0", 10)


def _by_address(name: str, known: list[ET.Element]) -> ET.Element | None:
    """The device that an address of the command line means. Raises OptionError for no known form or no single device."""
    if match := _PCI.match(name):
        wanted = [int(match[i] or "0", 16) for i in (1, 2, 3, 4)]
        words = ("domain", "bus", "slot", "function")
        if not known:
            return _made("pci", {w: str(v) for w, v in zip(words, wanted, strict=True)})
        hits = [d for d in known if _kind(d) == "pci" and [_number(_cap(d, w)) for w in words] == wanted]
    elif match := _USB_ID.match(name):
        pair = (int(match[1], 16), int(match[2], 16))
        hits = [d for d in known if _kind(d) == "usb_device" and _ids(d) == pair]
    elif match := _USB_PLACE.match(name):
        place = (int(match[1]), int(match[2]))
        hits = [
            d
            for d in known
            if _kind(d) == "usb_device" and (_number(_cap(d, "bus"), 10), _number(_cap(d, "device"), 10)) == place
        ]
    else:
        raise OptionError(f"Unknown hostdev address string format '{name}'")
    if len(hits) > 1:
        raise OptionError(f"{name} corresponds to multiple node devices")
    return hits[0] if hits else None


def _made(kind: str, words: dict[str, str]) -> ET.Element:
    """A device that the daemon cannot list, as far as its address says."""
    root = ET.Element("device")
    capability = ET.SubElement(root, "capability", {"type": kind})
    for name, word in words.items():
        ET.SubElement(capability, name).text = word
    return root


def _kind(device: ET.Element) -> str:
    node = device.find("capability")
    return (node.get("type") if node is not None else None) or ""


def _cap(device: ET.Element, word: str) -> str | None:
    return device.findtext(f"capability/{word}")


def _ids(device: ET.Element) -> tuple[int, int]:
    vendor, product = device.find("capability/vendor"), device.find("capability/product")
    return (
        _number(vendor.get("id") if vendor is not None else "0"),
        _number(product.get("id") if product is not None else "0"),
    )


def _from_device(node: tree.Node, device: ET.Element, known: list[ET.Element]) -> None:
    kind = _kind(device)
    if kind == "net":
        device = next((d for d in known if d.findtext("name") == device.findtext("parent")), device)
        kind = _kind(device)
    if kind == "pci":
        node.set("type", "pci")
        for word in ("domain", "bus", "slot", "function"):
            tree.put(node, f"source/address/@{word}", _cap(device, word))
    elif kind == "usb_device":
        _usb(node, device, known)
    elif kind == "scsi":
        node.set("type", "scsi")
        node.set("managed", "no")
        tree.put(node, "source/adapter/@name", f"scsi_host{_cap(device, 'host')}")
        for word, path in (("bus", "bus"), ("target", "target"), ("lun", "unit")):
            tree.put(node, f"source/address/@{path}", _cap(device, word))
    elif kind == "mdev":
        _mdev(node, device)
    else:
        raise OptionError(f"Unsupported node device type '{kind}'")


def _usb(node: tree.Node, device: ET.Element, known: list[ET.Element]) -> None:
    node.set("type", "usb")
    for word in ("vendor", "product"):
        found = device.find(f"capability/{word}")
        tree.put(node, f"source/{word}/@id", found.get("id") if found is not None else None)
    twins = [d for d in known if _kind(d) == "usb_device" and _ids(d) == _ids(device)]
    if len(twins) > 1:
        tree.put(node, "source/address/@bus", _cap(device, "bus"))
        tree.put(node, "source/address/@device", _cap(device, "device"))


def _mdev(node: tree.Node, device: ET.Element) -> None:
    found = device.find("capability/type")
    kind = (found.get("id") if found is not None else None) or ""
    node.set("type", "mdev")
    if kind in ("vfio_ccw-io", "vfio_ap-passthrough"):
        node.set("model", "vfio-ccw" if kind == "vfio_ccw-io" else "vfio-ap")
        node.set("managed", "no")
    else:
        node.set("model", "vfio-pci")
        node.set("managed", "yes")
        for word in ("display", "ramfb"):
            node.set(word, "off")
    name = device.findtext("name") or ""
    tree.put(node, "source/address/@uuid", _cap(device, "uuid") or name[5:].replace("_", "-"))
