"""The capabilities documents: well formed, and made of what the binary and the host say."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from lxml import etree

from kvasir.cpu import x86, x86_tables
from kvasir.host import topology
from kvasir.qemu import capabilities_xml, domcapabilities, firmware
from kvasir.qemu.capabilities import Capabilities, Machine, Store

QEMU = shutil.which("qemu-system-x86_64") or ""
needs_qemu = pytest.mark.skipif(not QEMU, reason="qemu-system-x86_64 is not installed")


@pytest.fixture(scope="module")
def caps(tmp_path_factory: pytest.TempPathFactory) -> Capabilities:
    return asyncio.run(Store(tmp_path_factory.mktemp("caps")).get(QEMU))


@needs_qemu
@pytest.mark.guide("xml-capabilities-cpu", "domxml-features-capabilities")
def test_capabilities(caps: Capabilities) -> None:
    identity = capabilities_xml.Identity("11eb1e19-7229-4932-b576-9f072f17a2b6", 64055, 64055)
    root = etree.fromstring(capabilities_xml.render(identity, {"x86_64": caps}))
    assert root.findtext("host/uuid") == identity.uuid
    assert [e.text for e in root.findall("guest/arch/machine[@canonical]")] == ["pc", "q35"]
    assert root.find("guest/arch/domain[@type='qemu']") is not None
    assert root.findtext("host/secmodel[2]/baselabel") == "+64055:+64055"
    cpus = root.findall("host/topology/cells/cell/cpus/cpu")
    assert len(cpus) == sum(len(cell.cpus) for cell in topology.cells())


@needs_qemu
def test_domain_capabilities(caps: Capabilities) -> None:
    for name, ide in (("pc", True), ("q35", False)):
        machine = caps.machine(name)
        assert machine
        root = etree.fromstring(domcapabilities.render(caps, "x86_64", machine, "qemu"))
        assert root.findtext("machine") == caps.canonical_machine(name)
        assert root.find("vcpu").get("max") == str(machine.max_cpus)
        assert root.find("cpu/mode[@name='host-passthrough']").get("supported") == "no"
        assert root.find("cpu/mode[@name='host-model']/model") is not None
        buses = [e.text for e in root.findall("devices/disk/enum[@name='bus']/value")]
        assert ("ide" in buses) is ide and "virtio" in buses


def test_decode_prefers_signature_and_brevity() -> None:
    model = x86_tables.models()["Haswell"]
    data = x86.CpuData("Intel", x86.Signature(6, 60, 3), set(model.features) | {"vme", "ss"})
    best = x86.decode(data)
    assert best == x86.Decoded("Haswell", "Intel", ["vme", "ss"], [])
    data.features -= {"hle", "rtm"}
    assert x86.decode(data).model == "Haswell-noTSX"  # type: ignore[union-attr]
    without = x86.decode(data, {"Haswell": ["hle", "rtm"], "Westmere": []})
    assert without and without.model == "Haswell" and without.disable == ["hle", "rtm"]
    assert x86.decode(data, {"Haswell": []}, host=True) is None


def test_model_tables_agree_with_each_other() -> None:
    known = x86_tables.features()
    assert len(known) == 212 and len({(f.leaf, f.sub, f.register, f.bit) for f in known.values()}) == 212
    assert len(x86_tables.models()) == 58
    for model in x86_tables.models().values():
        assert model.features <= set(known), model.name


def test_firmware_descriptors(tmp_path: Path) -> None:
    image = tmp_path / "CODE.fd"
    image.touch()
    text = """{"description": "x", "interface-types": ["uefi"], "mapping": {"device": "flash",
      "executable": {"filename": "%s", "format": "raw"}, "nvram-template": {"filename": "/v", "format": "raw"}},
      "targets": [{"architecture": "x86_64", "machines": ["pc-q35-*"]}], "features": ["secure-boot", "requires-smm"],
      "tags": []}"""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a/60-x.json").write_text(text % image)
    (tmp_path / "a/50-broken.json").write_text("{")
    (tmp_path / "a/40-hidden.json").write_text(text % "/none")
    (tmp_path / "b/40-hidden.json").touch()
    found = firmware.descriptors([tmp_path / "a", tmp_path / "b"])
    assert [item.executable for item in found] == [str(image)]
    offer = firmware.supported("x86_64", "pc-q35-7.2", found)
    assert offer.images == [str(image)] and offer.secure and offer.interfaces == {"efi"}
    assert not firmware.supported("x86_64", "pc-i440fx-7.2", found).interfaces


def test_machine_default() -> None:
    caps = Capabilities("/q", machines=[Machine("pc-9", alias="pc", default=True), Machine("pc-q35-9", alias="q35")])
    assert caps.default_machine == "pc" and caps.canonical_machine("q35") == "pc-q35-9"
