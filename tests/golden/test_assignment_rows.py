"""What the guide's chapter 16 says of assigned devices and of places: no MAC, 216 virtio devices, 32 functions."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from kvasir.errors import ConfigUnsupported, Error
from kvasir.xml.validate import validate

from . import harness

pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/qemu-system-x86_64").exists(), reason="qemu-system-x86_64 is not installed"
)


GUEST = """<domain type='qemu'><name>v</name><uuid>11111111-2222-3333-4444-777777777777</uuid><memory>65536</memory>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><devices>{}</devices></domain>"""
ADDRESS = "<source><address type='pci' domain='0' bus='1' slot='0x10' function='0'/></source>"


@pytest.mark.guide("hostdev-element-no-mac-vlan-virtualport")
def test_a_hostdev_has_no_mac() -> None:
    """Refused where the document is validated, dropped where it is not; an interface keeps it."""
    from kvasir.model.domain import Domain
    from kvasir.xml.reader import read

    place = ADDRESS.replace(" type='pci'", "")
    text = GUEST.format(
        f"<hostdev mode='subsystem' type='pci' managed='yes'>{place}<mac address='52:54:00:6d:90:02'/><vlan/></hostdev>"
    )
    with pytest.raises(Error):
        validate(Domain, read(text))
    made = harness.ours_xml(text)
    assert "<hostdev" in made and "52:54:00:6d:90:02" not in made and "vlan" not in made
    card = f"<interface type='hostdev' managed='yes'>{ADDRESS}<mac address='52:54:00:6d:90:02'/><vlan><tag id='42'/></vlan>"
    made = harness.ours_xml(GUEST.format(card + "</interface>"))
    assert "52:54:00:6d:90:02" in made and "<tag id='42'/>" in made
    assert ConfigUnsupported.code == 67


def _many(devices: str, machine: str = "pc-i440fx-7.2") -> list[tuple[str, ...]]:
    """The PCI places that the devices of a document get; each once."""
    text = GUEST.format(devices).replace("pc-q35-7.2", machine)
    tree = etree.fromstring(harness.ours_xml(text)).getroottree()
    places = [
        tuple(address.get(word) for word in ("domain", "bus", "slot", "function"))
        for address in tree.xpath("//devices/*/address[@type='pci']")
    ]
    assert len(places) == len(set(places))
    again = harness.ours_xml(harness.ours_xml(text))
    assert again == harness.ours_xml(text), "the places stay"
    return places


@pytest.mark.guide("limit-virtio-devices-216")
def test_216_virtio_devices() -> None:
    names = [f"vd{a}{b}" for a in "abcdefghij" for b in "abcdefghijklmnopqrstuvwxyz"][:216]
    disks = "".join(
        f"<disk type='file' device='disk'><source file='/i/{name}'/><target dev='{name}' bus='virtio'/></disk>"
        for name in names
    )
    assert len(_many(disks)) >= 216


@pytest.mark.guide("limit-assigned-devices-32")
def test_32_assigned_functions() -> None:
    functions = "".join(
        f"<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='3' slot='{0x10 + n // 8:#x}' "
        f"function='{n % 8}'/></source></hostdev>"
        for n in range(32)
    )
    assert len(_many(functions)) >= 32
