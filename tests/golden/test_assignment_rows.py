"""Rows of the guide's chapter 16 that golden documents show: emulated, virtio and assigned devices, redirection, generators."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from kvasir.errors import ConfigUnsupported, Error
from kvasir.xml.validate import validate

from . import harness

D = "/domain/devices"
ROWS = {
    "dev-class-emulated": f"{D}[interface/model[@type='e1000' or @type='rtl8139'] and disk/target[@bus='ide' or @bus='sata']]",
    "dev-class-virtio": f"{D}[interface/model[@type='virtio'] and disk/target[@bus='virtio']]",
    "dev-class-assigned": f"{D}/hostdev[@mode='subsystem' and @type='pci']",
    "xml-hostdev-pci": f"{D}/hostdev[@type='pci' and @managed]/source/address[@slot]",
    "xml-hostdev-rom-bar": f"{D}/hostdev/rom[@bar]",
    "xml-hostdev-driver-vfio": f"{D}/*[self::hostdev or self::interface]/driver[@name='vfio']",
    "xml-hostdev-mdev": f"{D}/hostdev[@type='mdev' and @display]/source/address[@uuid]",
    "xml-hostdev-usb": f"{D}/hostdev[@type='usb']/source/vendor/@id",
    "xml-interface-hostdev": f"{D}/interface[@type='hostdev']/source/address[@type='pci']",
    "xml-redirdev-usb": f"{D}/redirdev[@bus='usb' and @type='spicevmc']",
    "xml-redirfilter-usbdev": f"{D}/redirfilter/usbdev[@class and @vendor and @product and @version and @allow]",
    "qemu-usb-redir-filter-syntax": f"{D}[redirdev]/redirfilter/usbdev[2]",
    "usb-passthrough-vs-redirection": f"{D}/*[(self::hostdev and @type='usb') or self::redirdev]",
    "xml-rng-model": f"{D}/rng[@model='virtio']",
    "xml-rng-rate": f"{D}/rng/rate[@bytes and @period]",
    "xml-rng-backend-random": f"{D}/rng/backend[@model='random']",
    "xml-rng-backend-egd": f"{D}/rng/backend[@model='egd' and @type]/source",
    "xml-video-model-none": f"{D}/video/model[@type='none']",
    "xml-graphics-spice-image-compression": f"{D}/graphics[@type='spice']/image/@compression",
    "xml-address-isa": f"{D}/*/address[@type='isa' and @iobase and @irq]",
    "xml-interface-network-vf-pool": f"{D}/interface[@type='network']/source/@network",
}
pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/qemu-system-x86_64").exists(), reason="qemu-system-x86_64 is not installed"
)


@cache
def recorded() -> dict[str, Any]:
    """The completed documents of the real daemon, by path without its ending; those with a command line first."""
    found = {}
    for folder in ("argv", "xml"):
        for path in sorted((harness.HERE / folder).glob("*.out.xml")):
            found[str(path)[: -len(".out.xml")]] = etree.parse(path)
    return dict(sorted(found.items(), key=lambda item: not Path(f"{item[0]}.args").exists()))


@pytest.mark.parametrize("xpath", [pytest.param(v, id=k, marks=pytest.mark.guide(k)) for k, v in ROWS.items()])
def test_row_is_in_equal_documents(xpath: str) -> None:
    if harness.caps().version[:2] != (7, 2):
        pytest.skip(f"recorded with QEMU 7.2, here is {harness.caps().version}")
    showing = [stem for stem, tree in recorded().items() if tree.xpath(xpath)][:3]
    assert showing, "no document of the real daemon has this"
    for stem in showing:
        text = Path(f"{stem}.xml").read_text()
        mine = harness.ours_xml(text)
        assert not harness.xml_difference(mine.rstrip("\n"), Path(f"{stem}.out.xml").read_text().rstrip("\n")), stem
        assert etree.fromstring(mine).getroottree().xpath(xpath), stem
        if Path(f"{stem}.args").exists():
            assert not harness.argv_difference(harness.ours_argv(text), Path(f"{stem}.args").read_text()), stem


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
