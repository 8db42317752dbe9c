"""PCI slots, USB ports and other places: growth of the buses, refusals, and devices that are plugged later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kvasir.devices.address import PciAddress
from kvasir.devices.disk import Disk
from kvasir.devices.input import Input
from kvasir.devices.interface import Interface
from kvasir.errors import ConfigUnsupported, InternalError, XmlError
from kvasir.qemu import addresses, aliases
from kvasir.qemu.addresses import pci
from kvasir.qemu.addresses.pci_set import PCI, PCIE, Bus, Connect, PciSet, Slot
from kvasir.qemu.addresses.ports import disk_index
from kvasir.xml.reader import read
from tests.golden import harness

pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/qemu-system-x86_64").exists(), reason="qemu-system-x86_64 is not installed"
)
DISKS = """<disk type='file' device='disk'><source file='/x'/><target dev='vd?' bus='virtio'/></disk><rng model='virtio'>
<backend model='random'>/dev/urandom</backend></rng><filesystem type='mount'><source dir='/x'/><target dir='vd?'/></filesystem>
<input type='tablet' bus='usb'/>"""
HEAD = "<domain type='qemu'><name>x</name><memory unit='MiB'>64</memory>"


def guest(machine: str, devices: str = "") -> Any:
    text = f"{HEAD}<os><type arch='x86_64' machine='{machine}'>hvm</type></os><devices>{devices}</devices></domain>"
    return harness.complete(text)


def element(cls: Any, text: str) -> Any:
    return cls.parse(read(text, "(device_definition)"))


def test_buses_grow_for_what_is_plugged() -> None:
    slots = PciSet(growing=True)
    slots.buses.append(Bus("pcie-root"))
    assert slots.next(PCIE) == Slot(1, 0) and slots.buses[1].model == "pcie-root-port"
    assert slots.next(PCI) == Slot(3, 1)
    assert [bus.model for bus in slots.buses[2:]] == ["pcie-root-port", "pcie-to-pci-bridge"]
    assert slots.next(PCIE) == Slot(4, 0), "the port below the bridge is nobody else's"
    with pytest.raises(InternalError, match="cannot be automatically added"):
        slots.next(Connect.DOWNSTREAM_PORT)


def test_root_ports_share_a_slot() -> None:
    slots = PciSet(growing=False)
    slots.buses.append(Bus("pcie-root"))
    needs = Connect.ROOT_PORT | Connect.AGGREGATE
    assert [slots.next(needs) for _ in range(9)][-2:] == [Slot(0, 1, 7), Slot(0, 2, 0)]


def test_refusals() -> None:
    nic = "<interface type='user'><mac address='52:54:00:00:00:0{}'/><model type='virtio'/>{}</interface>"
    place = "<address type='pci' domain='0' bus='{}' slot='{}' function='0'/>"
    with pytest.raises(XmlError, match=r"Attempted double use of PCI Address 0000:00:05\.0"):
        guest("pc", nic.format(1, place.format(0, 5)) + nic.format(2, place.format(0, 5)))
    with pytest.raises(XmlError, match="slot must be <= 0"):
        guest("q35", "<controller type='pci' index='1' model='pcie-root-port'/>" + nic.format(1, place.format(1, 5)))
    with pytest.raises(InternalError, match=r"Primary IDE controller must have PCI address 0:0:1\.1"):
        guest("pc", "<controller type='ide' index='0'><address type='pci' bus='0' slot='9' function='0'/></controller>")
    with pytest.raises(ConfigUnsupported, match="USB is disabled for this domain"):
        guest("pc", "<controller type='usb' model='none'/><input type='tablet' bus='usb'/>")
    with pytest.raises(XmlError, match="model='pcie-root' for this machine type"):
        guest("q35", "<controller type='pci' index='0' model='pci-root'/>")
    usb = "<input type='tablet' bus='usb'><address type='usb' bus='0' port='1'/></input>"
    with pytest.raises(XmlError, match="Duplicate USB address bus 0 port 1"):
        guest("pc", usb + usb)


def test_plugged_later() -> None:
    vm = guest("q35")
    nic = element(
        Interface, "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"
    )
    addresses.place(vm, nic)
    assert isinstance(nic.address, PciAddress) and (nic.address.bus, nic.address.slot) == (3, 0)
    vm.domain.interfaces.append(nic)
    other = element(Disk, "<disk type='file'><source file='/x'/><target dev='vdb' bus='virtio'/></disk>")
    with pytest.raises(InternalError, match="No more available PCI slots"):
        addresses.place(vm, other)
    mouse = Input(type="mouse", bus="usb")
    addresses.place(vm, mouse)
    assert (mouse.address.bus, mouse.address.port) == (0, "1")
    aliases.assign(vm)
    assert nic.alias == "net0" and aliases.alias_of(vm, other) == "virtio-disk1"
    assert aliases.alias_of(vm, element(Interface, "<interface type='user'/>")) == "net1"


def test_hubs_are_added_when_ports_run_out() -> None:
    vm = guest("pc", "<input type='tablet' bus='usb'/>" * 5)
    assert len(vm.domain.hubs) == 1 and vm.domain.hubs[0].address.port == "1"
    ports = [i.address.port for i in vm.domain.inputs if i.bus == "usb"]
    assert ports == ["2", "1.1", "1.2", "1.3", "1.4"]


@pytest.mark.parametrize(("name", "number"), [("vda", 0), ("sdz", 25), ("hdaa", 26), ("vdba", 52), ("xvdb", 1)])
def test_target_names(name: str, number: int) -> None:
    assert disk_index(name) == number


def test_odd_target_names() -> None:
    for name in ("nvme0", "vd", "sd1", "vdA"):
        with pytest.raises(XmlError):
            disk_index(name)


@pytest.mark.parametrize("devices", ["", DISKS, DISKS * 3, DISKS * 9, "<video><model type='qxl'/></video>" + DISKS])
def test_one_bus_with_room_is_filled_as_after_a_rehearsal(devices: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = devices.split("?")
    text = (
        "".join(f"{piece}{'a' * (1 + at // 26)}{chr(97 + at % 26)}" for at, piece in enumerate(pieces[:-1]))
        + pieces[-1]
    )
    at_once = guest("pc", text).domain.xml().partition("</uuid>")[2]
    monkeypatch.setattr(pci, "_has_room", lambda domain, slots: False)
    assert guest("pc", text).domain.xml().partition("</uuid>")[2] == at_once != ""
