"""IOMMU groups in a tree of our own making."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from tests.conftest import KvasirDaemon
from tests.nodedev import fake
from tests.nodedev.conftest import ok


@pytest.mark.guide("iommu-list-devices", "iommu-dumpxml", "iommu-group-definition")
def test_groups_of_the_iommu(faked: tuple[KvasirDaemon, fake.Host]) -> None:
    """Two cards behind a bridge to conventional PCI are one group: each shows both."""
    daemon, host = faked
    daemon.stop()
    bridge = host.pci("0000:00:1e.0", driver="pcieport", **{"class": "0x060401", "config": fake.config(1)})
    for slot in (0, 1):
        host.pci(f"0000:05:0{slot}.0", bridge, "e1000", 30)
    daemon.start()
    names = {f"pci_{entry.name.replace(':', '_').replace('.', '_')}" for entry in (host.sys / "bus/pci/devices").iterdir()}
    for words in (("pci",), ("--cap", "pci")):
        assert set(ok(daemon, "nodedev-list", *words).split()) == names and "pci_0000_05_01_0" in names
    tree = ok(daemon, "nodedev-list", "--tree")
    assert re.search(r"^( *[|+] *)+- pci_0000_00_1e_0\n(.*\n)? .*  \+- pci_0000_05_00_0\n", tree, re.M), tree
    for slot in (0, 1):
        shown = ET.fromstring(ok(daemon, "nodedev-dumpxml", f"pci_0000_05_0{slot}_0")).find("capability/iommuGroup")
        assert shown is not None and shown.get("number") == "30"
        group = [(at.get("bus"), at.get("slot"), at.get("function")) for at in shown.findall("address")]
        assert sorted(group) == [("0x05", "0x00", "0x0"), ("0x05", "0x01", "0x0")]
