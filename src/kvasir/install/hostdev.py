"""Names of host devices: ``pci_0000_00_1c_0``, ``00:1c.0``, ``046d:c52b``, ``001.003`` to a source element."""

from __future__ import annotations

import re

from . import tree

_PCI = re.compile(r"(?:pci_)?(?:([0-9a-fA-F]{4})[:_])?([0-9a-fA-F]{2})[:_]([0-9a-fA-F]{2})[._]([0-7])\Z")
_USB_ID = re.compile(r"(?:0x)?([0-9a-fA-F]{4}):(?:0x)?([0-9a-fA-F]{4})\Z")
_USB_PLACE = re.compile(r"(\d{1,3})\.(\d{1,3})\Z")


def fill(node: tree.Node, name: str) -> None:
    """Describe the device in ``<hostdev>``. Raises OptionError for a name of no known form."""
    from .options import OptionError

    node.set("mode", "subsystem")
    if match := _PCI.match(name):
        node.set("type", "pci")
        node.set("managed", "yes")
        values = {"domain": match[1] or "0000", "bus": match[2], "slot": match[3], "function": match[4]}
        for key, value in values.items():
            tree.put(node, f"source/address/@{key}", f"0x{value}")
    elif match := _USB_ID.match(name):
        node.set("type", "usb")
        node.set("managed", "yes")
        tree.put(node, "source/vendor/@id", f"0x{match[1]}")
        tree.put(node, "source/product/@id", f"0x{match[2]}")
    elif match := _USB_PLACE.match(name):
        node.set("type", "usb")
        node.set("managed", "yes")
        tree.put(node, "source/address/@bus", str(int(match[1])))
        tree.put(node, "source/address/@device", str(int(match[2])))
    else:
        raise OptionError(f"Error: --hostdev {name}: no host device has such a name")
