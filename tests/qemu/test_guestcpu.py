"""host-model becomes a model with features, optional features are decided, the host is checked, QEMU's answer is kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kvasir.cpu import x86_tables
from kvasir.errors import Code, Error
from kvasir.model.cpu import Cpu, CpuFeature
from kvasir.qemu import guestcpu
from kvasir.qemu.capabilities import Accel, Capabilities, CpuModel


def guest(cpu: Cpu, host: set[str]) -> Any:
    properties: dict[str, object] = {name: True for name in host}
    accel = Accel(cpus=[CpuModel("Westmere", blockers=[])], host=properties | {"vendor": "GenuineIntel"})
    caps = Capabilities("/q", accels={"tcg": accel})
    return SimpleNamespace(domain=SimpleNamespace(cpu=cpu), caps=caps, arch="x86_64", virt_type="qemu")


def words(cpu: Cpu) -> list[tuple[str | None, str | None]]:
    return [(feature.policy, feature.name) for feature in cpu.features]


WESTMERE = set(x86_tables.models()["Westmere"].features)


@pytest.mark.guide("domxml-cpu-mode-host-model")
def test_host_model() -> None:
    cpu = Cpu(mode="host-model", check="partial", features=[CpuFeature(policy="disable", name="vme")])
    guestcpu.resolve(guest(cpu, (WESTMERE | {"vme", "xsaves"}) - {"aes"}))
    assert (cpu.mode, cpu.match, cpu.model, cpu.fallback) == ("custom", "exact", "Westmere", "forbid")
    assert words(cpu) == [("disable", "vme"), ("disable", "aes")]  # xsaves cannot migrate


def test_optional_and_missing() -> None:
    cpu = Cpu(mode="custom", check="partial", model="Westmere", features=[CpuFeature(policy="optional", name="vme")])
    guestcpu.resolve(guest(cpu, WESTMERE))
    assert words(cpu) == [("disable", "vme")]
    with pytest.raises(Error, match=r"does not provide required features: sse4\.2, aes") as caught:
        guestcpu.resolve(guest(cpu, WESTMERE - {"aes", "sse4.2"}))
    assert caught.value.code == Code.CPU_INCOMPATIBLE
    cpu.features.append(CpuFeature(policy="forbid", name="nx"))
    with pytest.raises(Error, match="Host CPU provides forbidden features: nx"):
        guestcpu.resolve(guest(cpu, WESTMERE))


def test_update_from_qemu() -> None:
    cpu = Cpu(mode="custom", check="none", model="Westmere")
    leaf1 = sum(
        1 << f.bit for f in x86_tables.features().values() if (f.leaf, f.register) == (1, "ecx") and f.name in WESTMERE
    )
    given = guestcpu.decode_words(
        [{"cpuid-input-eax": 1, "cpuid-register": "ECX", "features": leaf1 | 1 << 31},
         {"cpuid-input-eax": 7, "cpuid-input-ecx": 0, "cpuid-register": "EBX", "features": 1 << 5}]
    )  # fmt: skip
    assert "hypervisor" in given and "avx2" in given and "sse4.2" in given
    guestcpu.update(cpu, (given | WESTMERE) - {"aes"})
    assert words(cpu) == [("disable", "aes"), ("require", "hypervisor"), ("require", "avx2")]
    assert (cpu.check, cpu.match) == ("full", "exact")
