"""Which golden documents show which rows of the guide: each row names the element (an XPath) or the refusal (its words).

For every document of the real daemon in which the XPath finds something, ours must be the same bytes, and QEMU's command
line the same options where one is recorded.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from kvasir.errors import Error

from . import harness

D = "/domain/devices"
ROWS = {
    "domxml-disk-type-file": f"{D}/disk[@type='file']/source/@file",
    "domxml-disk-type-block": f"{D}/disk[@type='block']/source/@dev",
    "domxml-disk-type-dir": f"{D}/disk[@type='dir']/source/@dir",
    "domxml-disk-type-network": f"{D}/disk[@type='network']/source/@protocol",
    "domxml-disk-source-http-family": f"{D}/disk/source[@protocol='https']/ssl",
    "domxml-disk-type-volume": f"{D}/disk[@type='volume']/source/@pool",
    "domxml-disk-source-startuppolicy": f"{D}/disk/source/@startupPolicy",
    "domxml-disk-target": f"{D}/disk/target[@dev and @bus]",
    "domxml-disk-target-tray": f"{D}/disk/target/@tray",
    "domxml-disk-iotune": f"{D}/disk/iotune/read_bytes_sec_max_length",
    "domxml-disk-driver-name-type": f"{D}/disk/driver[@name='qemu' and @type='qcow2']",
    "domxml-disk-driver-cache": f"{D}/disk/driver/@cache",
    "domxml-disk-driver-error-policy": f"{D}/disk/driver/@error_policy",
    "domxml-disk-driver-rerror-policy": f"{D}/disk/driver/@rerror_policy",
    "domxml-disk-driver-io": f"{D}/disk/driver/@io",
    "domxml-disk-driver-ioeventfd": f"{D}/disk/driver/@ioeventfd",
    "domxml-disk-driver-event-idx": f"{D}/disk/driver/@event_idx",
    "domxml-disk-driver-copy-on-read": f"{D}/disk/driver[@copy_on_read='on']",
    "domxml-disk-driver-discard": f"{D}/disk/driver/@discard",
    "domxml-disk-boot-order": f"{D}/disk/boot/@order",
    "domxml-disk-encryption": f"{D}/disk//encryption/secret",
    "domxml-disk-readonly": f"{D}/disk/readonly",
    "domxml-disk-shareable": f"{D}/disk/shareable",
    "domxml-disk-transient": f"{D}/disk/transient",
    "domxml-disk-serial": f"{D}/disk/serial",
    "domxml-disk-source-host": f"{D}/disk/source/host[@transport='unix']",
    "domxml-disk-host-rbd": f"{D}/disk/source[@protocol='rbd']/host[2]",
    "domxml-disk-host-sheepdog": f"{D}/disk/source[@protocol='sheepdog']/host",
    "domxml-disk-address": f"{D}/disk/address[@type='drive']",
    "domxml-disk-auth": f"{D}/disk/auth/secret",
    "domxml-disk-iscsi-network": f"{D}/disk/source[@protocol='iscsi']/initiator",
    "domxml-disk-device-lun": f"{D}/disk[@device='lun' and @rawio]",
    "domxml-disk-geometry": f"{D}/disk/geometry",
    "domxml-disk-blockio": f"{D}/disk/blockio",
    "domxml-disk-alias": f"{D}/disk/alias",
    "domxml-address-concept": f"{D}/*/address/@type",
    "domxml-address-pci": f"{D}/*/address[@type='pci' and @multifunction]",
    "domxml-address-drive": f"{D}/*/address[@type='drive' and @unit!='0']",
    "domxml-address-virtio-serial": f"{D}/*/address[@type='virtio-serial' and @port!='1']",
    "domxml-address-usb": f"{D}/*/address[@type='usb' and @port]",
    "domxml-address-spapr-vio": f"{D}/*/address[@type='spapr-vio' and @reg]",
    "domxml-controller": f"{D}/controller[@type='sata']",
    "domxml-controller-virtio-serial": f"{D}/controller[@type='virtio-serial' and @ports and @vectors]",
    "domxml-controller-scsi-model": f"{D}/controller[@type='scsi']/@model",
    "domxml-controller-scsi-num-queues": f"{D}/controller[@type='scsi']/driver/@queues",
    "domxml-controller-scsi-ioeventfd": f"{D}/controller[@type='scsi']/driver/@ioeventfd",
    "domxml-controller-usb-model": f"{D}/controller[@type='usb' and @model='ich9-ehci1']",
    "domxml-controller-usb-none": f"{D}/controller[@type='usb' and @model='none']",
    "domxml-controller-address": f"{D}/controller/address[@type='pci']",
    "domxml-controller-usb-master": f"{D}/controller[@type='usb']/master/@startport",
    "domxml-interface-mac": f"{D}/interface/mac[@address and @type]",
    "domxml-interface-trustguestrxfilters": f"{D}/interface/@trustGuestRxFilters",
    "domxml-interface-address": f"{D}/interface/address[@type='pci']",
    "domxml-interface-portgroup": f"{D}/interface/source/@portgroup",
    "domxml-interface-openvswitch": f"{D}/interface/virtualport[@type='openvswitch']/parameters",
    "domxml-interface-8021qbg": f"{D}/interface/virtualport[@type='802.1Qbg']/parameters",
    "domxml-interface-8021qbh": f"{D}/interface/virtualport[@type='802.1Qbh']/parameters",
    "domxml-interface-model": f"{D}/interface/model[@type='e1000e' or @type='virtio-transitional']",
    "domxml-interface-driver-name": f"{D}/interface/driver[@name='vhost']",
    "domxml-interface-driver-txmode": f"{D}/interface/driver/@txmode",
    "domxml-interface-driver-ioeventfd": f"{D}/interface/driver/@ioeventfd",
    "domxml-interface-driver-event-idx": f"{D}/interface/driver/@event_idx",
    "domxml-interface-target-dev": f"{D}/interface/target/@dev",
    "domxml-interface-boot-order": f"{D}/interface/boot/@order",
    "domxml-interface-rom": f"{D}/interface/rom",
    "domxml-interface-link-state": f"{D}/interface/link/@state",
    "domxml-interface-vlan": f"{D}/interface/vlan[@trunk='yes']/tag[@nativeMode]",
    "domxml-interface-bandwidth": f"{D}/interface/bandwidth/inbound[@average and @peak and @burst]",
    "domxml-chardev-source-seclabel": f"{D}/serial/source/seclabel",
    "domxml-serial": f"{D}/serial/target/@port",
    "domxml-console": f"{D}/console/target[@type='serial']",
    "domxml-console-virtio": f"{D}/console/target[@type='virtio']",
    "domxml-channel": f"{D}/channel/target",
    "domxml-channel-guestfwd": f"{D}/channel/target[@type='guestfwd']/@address",
    "domxml-channel-virtio": f"{D}/channel/target[@type='virtio']/@name",
    "domxml-chardev-host-stdio": f"{D}/serial[@type='stdio']",
    "domxml-chardev-host-file": f"{D}/serial[@type='file']/source/@path",
    "domxml-chardev-host-vc": f"{D}/serial[@type='vc']",
    "domxml-chardev-host-null": f"{D}/serial[@type='null']",
    "domxml-chardev-host-pty": f"{D}/serial[@type='pty']",
    "domxml-chardev-host-dev": f"{D}/serial[@type='dev']/source/@path",
    "domxml-chardev-host-pipe": f"{D}/serial[@type='pipe']/source/@path",
    "domxml-chardev-host-tcp": f"{D}/serial[@type='tcp']/protocol[@type='telnet']",
    "domxml-chardev-host-udp": f"{D}/serial[@type='udp']/source[2]",
    "domxml-chardev-host-unix": f"{D}/serial[@type='unix']/source[@mode='bind']",
}
ASSIGNMENT = {
    "dev-class-emulated": f"{D}[interface/model[@type='e1000' or @type='rtl8139'] and disk/target[@bus='ide' or @bus='sata']]",
    "dev-class-virtio": f"{D}[interface/model[@type='virtio'] and disk/target[@bus='virtio']]",
    "dev-class-assigned": f"{D}/hostdev[@mode='subsystem' and @type='pci']",
    "xml-hostdev-pci": f"{D}/hostdev[@type='pci' and @managed]/source/address[@slot]",
    "xml-hostdev-rom-bar": f"{D}/hostdev/rom[@bar]",
    "xml-hostdev-driver-vfio": f"{D}/*[self::hostdev or self::interface]/driver[@name='vfio']",
    "xml-hostdev-mdev": f"{D}/hostdev[@type='mdev' and @display]/source/address[@uuid]",
    "vgpu-concept": f"{D}/hostdev[@type='mdev']/source/address[@uuid]",
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
REFUSALS = {
    "domxml-disk-iotune-exclusive": "total and read/write bytes_sec cannot be set at the same time",
    "domxml-disk-vendor": "disk vendor is more than 8 characters",
    "domxml-disk-wwn": "Malformed wwn",
    "domxml-os-per-device-boot-exclusive": "per-device boot elements cannot be used together with os/boot elements",
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


def _rows(table: dict[str, str]) -> list[Any]:
    return [pytest.param(value, id=row, marks=pytest.mark.guide(row)) for row, value in table.items()]


@pytest.mark.parametrize("xpath", _rows(ROWS | ASSIGNMENT))
def test_row_is_in_equal_documents(xpath: str) -> None:
    if harness.caps().version[:2] != (7, 2):
        pytest.skip(f"recorded with QEMU 7.2, here is {harness.caps().version}")
    showing = [stem for stem, tree in recorded().items() if tree.xpath(xpath)][:4]
    assert showing, "no document of the real daemon has this"
    for stem in showing:
        text = Path(f"{stem}.xml").read_text()
        mine = harness.ours_xml(text)
        assert not harness.xml_difference(mine.rstrip("\n"), Path(f"{stem}.out.xml").read_text().rstrip("\n")), stem
        assert etree.fromstring(mine).getroottree().xpath(xpath), stem
        if Path(f"{stem}.args").exists():
            assert not harness.argv_difference(harness.ours_argv(text), Path(f"{stem}.args").read_text()), stem


@pytest.mark.parametrize("words", _rows(REFUSALS))
def test_row_is_a_refusal_in_the_same_words(words: str) -> None:
    showing = [path for path in (harness.HERE / "xml").glob("*.error") if words in path.read_text()]
    assert showing, "the real daemon refuses no document with these words"
    for path in showing:
        with pytest.raises(Error) as caught:
            harness.ours_xml(path.with_suffix(".xml").read_text())
        assert f"error: {caught.value.message}\n" == path.read_text()
