"""What the host can do, as chapter 1 of the guide asks for it, through both virsh on our daemon."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from tests.conftest import KvasirDaemon

MODELS = (
    "486 pentium pentium2 pentium3 pentiumpro coreduo n270 core2duo qemu32 kvm32 kvm64 qemu64 Conroe Penryn Nehalem "
    "Westmere SandyBridge Haswell athlon phenom Opteron_G1 Opteron_G2 Opteron_G3 Opteron_G4 Opteron_G5"
)


@pytest.mark.parametrize("which", ["real", "ours"])
@pytest.mark.guide("virsh-capabilities-host", "virsh-cpu-models", "tool-output-cpu-models-x86")
def test_capabilities_and_cpu_models(kvasird: KvasirDaemon, which: str) -> None:
    virsh = kvasird.virsh if which == "real" else kvasird.our_virsh
    root = ET.fromstring(virsh("capabilities").stdout)
    assert root.tag == "capabilities"
    for path in ("host/cpu/arch", "host/cpu/model", "host/cpu/vendor", "host/cpu/topology", "host/cpu/feature"):
        assert root.find(path) is not None, path
    guests = {g.find("arch").get("name"): g for g in root.findall("guest")}  # type: ignore[union-attr]
    assert {d.get("type") for d in guests["x86_64"].findall("arch/domain")} >= {"qemu"}
    done = virsh("cpu-models", "x86_64")
    assert done.returncode == 0
    assert set(MODELS.split()) <= set(done.stdout.split())
    assert "POWER8" in virsh("cpu-models", "ppc64").stdout
    wrong = virsh("cpu-models", "no-such-arch")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("error:")
