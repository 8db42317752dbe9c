"""Places of disks as attach-disk takes them: ``pci:0000.00.0a.0``, ``scsi:0.0.3``, ``usb:1.2``, ``ccw:0xfe.0.1``."""

from __future__ import annotations


class Bad(Exception):
    """The text is no such place."""


def number(word: str, base: int = 16) -> int:
    try:
        return int(word, base)
    except ValueError:
        raise Bad("Invalid address.") from None


def pci_parts(words: list[str], multifunction: bool = False) -> str:
    """The address element of domain, bus, slot and function."""
    if len(words) != 4:
        raise Bad("Invalid address.")
    domain, bus, slot, function = (number(word) for word in words)
    more = " multifunction='on'" if multifunction else ""
    return f"<address type='pci' domain='0x{domain:04x}' bus='0x{bus:02x}' slot='0x{slot:02x}' function='0x{function:x}'{more}/>"


def address_xml(word: str, target: str, multifunction: bool) -> str:
    """The address element; which kinds fit is told by the target's name. Raises Bad."""
    kind, mark, rest = word.partition(":")
    words = rest.split(".")
    if not mark or kind not in SIZES or len(words) != SIZES[kind]:
        raise Bad("Invalid address.")
    values = [number(part, 0 if kind != "pci" else 16) for part in words]
    if target.startswith("vd") and kind not in ("pci", "ccw"):
        raise Bad("expecting a pci:0000.00.00.00 or ccw:00.0.0000 address.")
    if target.startswith("sd") and kind not in ("scsi", "usb", "sata"):
        raise Bad("expecting a scsi:00.00.00 or usb:00.00 or sata:00.00.00 address.")
    if target.startswith("hd") and kind != "ide":
        raise Bad("expecting an ide:00.00.00 address.")
    if kind == "pci":
        return pci_parts(words, multifunction)
    if kind == "ccw":
        return f"<address type='ccw' cssid='0x{values[0]:02x}' ssid='0x{values[1]:x}' devno='0x{values[2]:04x}'/>"
    if kind == "usb":
        return f"<address type='usb' bus='{values[0]}' port='{values[1]}'/>"
    return f"<address type='drive' controller='{values[0]}' bus='{values[1]}' unit='{values[2]}'/>"


SIZES = {"pci": 4, "scsi": 3, "ide": 3, "sata": 3, "usb": 2, "ccw": 3}
