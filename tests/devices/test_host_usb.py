"""Finding USB devices of the host, in a made-up sysfs."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvasir.devices import hostdev
from kvasir.devices.hostdev import Hostdev
from kvasir.errors import Error
from kvasir.host import usb


def make(root: Path, name: str, **values: str) -> None:
    (root / name).mkdir()
    for key, value in values.items():
        (root / name / key).write_text(value + "\n")


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    make(tmp_path, "1-1", busnum="1", devnum="4", idVendor="046d", idProduct="c31c")
    make(tmp_path, "1-2", busnum="1", devnum="5", idVendor="046d", idProduct="c31c")
    make(tmp_path, "2-1", busnum="2", devnum="9", idVendor="1d6b", idProduct="0104")
    make(tmp_path, "1-1:1.0", bInterfaceClass="03")
    make(tmp_path, "3-1", busnum="3", devnum="x", idVendor="1", idProduct="2")
    return tmp_path


def test_find(sysfs: Path) -> None:
    assert usb.find(0x046D, 0xC31C, None, None, sysfs) == [(1, 4, 0x046D, 0xC31C), (1, 5, 0x046D, 0xC31C)]
    assert [d.path for d in usb.find(None, None, 2, 9, sysfs)] == ["/dev/bus/usb/002/009"]
    assert usb.find(0x046D, 0xC31C, 2, 9, sysfs) == []


DEVICE = "<hostdev type='usb'><source{0}><vendor id='{1}'/><product id='{2}'/></source></hostdev>"


def look_up(sysfs: Path, *words: str) -> Hostdev:
    device = Hostdev.from_xml(DEVICE.format(*words))
    hostdev._find_usb(device.source, str(sysfs))
    return device


def test_found_place_is_live_only(sysfs: Path) -> None:
    from kvasir.xml import INACTIVE, LIVE

    device = look_up(sysfs, "", "0x1d6b", "0x0104")
    assert (device.source.bus, device.source.device) == (2, 9)
    assert "<address bus='2' device='9'/>" in device.xml(LIVE)
    assert "<address" not in device.xml(INACTIVE)


def test_two_alike_are_refused(sysfs: Path) -> None:
    with pytest.raises(Error, match="Multiple USB devices for 46d:c31c were found, please use <address>"):
        look_up(sysfs, "", "0x046d", "0xc31c")


def test_absent(sysfs: Path) -> None:
    with pytest.raises(Error, match="Did not find USB device 1:2"):
        look_up(sysfs, "", "0x0001", "0x0002")
    assert look_up(sysfs, " startupPolicy='optional'", "0x0001", "0x0002").source.missing
