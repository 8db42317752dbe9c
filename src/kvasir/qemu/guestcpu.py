"""The CPU of a guest that is about to run, and of one that runs: host-model resolved, the host checked, what QEMU really gave."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from kvasir.cpu import x86, x86_tables
from kvasir.errors import Code, ConfigUnsupported, Error, InternalError, Origin

log = logging.getLogger(__name__)

ON = ("require", "force")
X86 = ("x86_64", "i686")
NEVER = ("cmt", "mbm_total", "mbm_local", "osxsave", "ospke")
"""Features that QEMU does not have as switches: a document may name them, a command line never does."""


def resolve(vm: Any) -> None:
    """Turn host-model into a model with features, decide optional features, refuse what the host cannot give.

    Raises Error with code 91 (CPU incompatible) where ``check`` asks for it.
    """
    cpu = vm.domain.cpu
    if cpu is None:
        return
    if vm.arch not in X86:
        if cpu.mode == "custom" and cpu.model:
            cpu.fallback = "forbid"
        return
    if cpu.mode == "host-model":
        _host_model(vm, cpu)
    if cpu.mode == "custom" and cpu.model:
        _custom(vm, cpu)
    cpu.features = [feature for feature in cpu.features if feature.name not in NEVER]


def asked(domain: Any) -> Any:
    """A copy of the CPU that a migration is told of when QEMU gave another; None where the start itself chooses the model."""
    cpu = domain.cpu
    return cpu.copy() if cpu is not None and cpu.mode == "custom" and cpu.match != "minimum" else None


def _custom(vm: Any, cpu: Any) -> None:
    """A model by name: known, held against the host, its features decided."""
    if cpu.model not in x86_tables.models():
        raise InternalError(f"Unknown CPU model {cpu.model}", origin=Origin.CPU)
    for feature in cpu.features:
        if feature.name not in x86_tables.features():
            raise ConfigUnsupported(f"unknown CPU feature: {feature.name}", origin=Origin.CPU)
    host = x86.from_qemu(vm.caps.accel(vm.virt_type).host).features
    if cpu.check in ("partial", "full") and host:
        _compare(vm, cpu, host)
    if cpu.match == "minimum":
        _host_model(vm, cpu)
    for feature in cpu.features:
        if feature.policy == "optional":
            feature.policy = "require" if feature.name in host else "disable"
    said = {feature.name for feature in cpu.features}
    for name in x86_tables.models()[cpu.model].dropped:
        if name not in said:
            set_policy(cpu, name, "disable")
    _translate(vm, cpu)


def _translate(vm: Any, cpu: Any) -> None:
    """Say a model that this emulator does not know by the nearest one that it does."""
    known = {model.name: () for model in vm.caps.accel(vm.virt_type).cpus}
    if not known or cpu.model in known:
        return
    model = x86_tables.models()[cpu.model]
    if cpu.fallback == "forbid":
        raise ConfigUnsupported(f"CPU model {cpu.model} is not supported by hypervisor", origin=Origin.CPU)
    best = x86.decode(x86.CpuData(model.vendor, None, set(model.features)), known)
    if best is None:
        return
    wishes, cpu.features, cpu.model = cpu.features, [], best.model
    for name in best.require:
        set_policy(cpu, name, "require")
    for name in (*best.disable, *x86_tables.models()[best.model].dropped):
        set_policy(cpu, name, "disable")
    for feature in wishes:
        set_policy(cpu, feature.name, feature.policy)


def _host_model(vm: Any, cpu: Any) -> None:
    from .domcapabilities import host_model

    best = host_model(vm.caps, vm.virt_type)
    if best is None:
        raise Error(
            "CPU mode 'host-model' for x86_64 on this host is not supported by hypervisor",
            code=Code.CONFIG_UNSUPPORTED,
            message="unsupported configuration: CPU mode 'host-model' is not supported by hypervisor",
        )
    wishes = cpu.features
    cpu.mode, cpu.match, cpu.model, cpu.fallback = "custom", "exact", best.model, "forbid"
    cpu.vendor = best.vendor
    cpu.features = []
    for name in x86.migratable(best.require):
        set_policy(cpu, name, "require")
    for name in best.disable:
        set_policy(cpu, name, "disable")
    for feature in wishes:
        set_policy(cpu, feature.name, feature.policy)


def set_policy(cpu: Any, name: str, policy: str) -> None:
    """Change the policy of a feature where it stands, or put it at the end."""
    from kvasir.model.cpu import CpuFeature

    for feature in cpu.features:
        if feature.name == name:
            feature.policy = policy
            return
    cpu.features.append(CpuFeature(policy=policy, name=name))


def _wanted(cpu: Any) -> set[str]:
    model = x86_tables.models().get(cpu.model)
    names = set(model.features) if model is not None else set()
    names |= {feature.name for feature in cpu.features if feature.policy in ON}
    return names - {feature.name for feature in cpu.features if feature.policy in ("disable", "forbid")}


def _compare(vm: Any, cpu: Any, host: set[str]) -> None:
    from .domcapabilities import host_model

    forced = {feature.name for feature in cpu.features if feature.policy == "force"}
    forbidden = [feature.name for feature in cpu.features if feature.policy == "forbid" and feature.name in host]
    best = host_model(vm.caps, vm.virt_type) if forbidden else None
    named = next((name for name in forbidden if best is not None and name in best.require), None)
    if named:
        _refuse(f"Host CPU provides forbidden feature '{named}'")
    if forbidden:
        _refuse("Host CPU provides forbidden features", forbidden)
    if cpu.check == "full":
        return
    missing = _wanted(cpu) - host - forced
    if missing:
        _refuse("Host CPU does not provide required features", missing)
    extra = host - _wanted(cpu) - {feature.name for feature in cpu.features}
    if cpu.match == "strict" and extra:
        _refuse("Host CPU does not strictly match guest CPU: Extra features", extra)


def _refuse(problem: str, names: Iterable[str] = ()) -> None:
    wanted = set(names)
    listed = ", ".join(name for name in x86_tables.features() if name in wanted)
    text = f"{problem}: {listed}" if listed else problem
    raise Error(
        text,
        code=Code.CPU_INCOMPATIBLE,
        origin=Origin.CPU,
        message=f"the CPU is incompatible with host CPU: {text}",
        hint="virsh domcapabilities shows the models that this host can give",
    )


async def learn(guest: Any) -> None:
    """Put what QEMU really gave into the live document, which then says ``check='full'``."""
    domain = guest.live
    cpu = domain.cpu
    if cpu is None or cpu.mode != "custom" or not cpu.model or domain.os.arch not in X86:
        return
    monitor = guest.monitor()
    first = next(iter(await monitor.command("query-cpus-fast")), None)
    if first is None:
        return
    path = first["qom-path"]
    words = await monitor.command("qom-get", {"path": path, "property": "feature-words"})
    given = decode_words(words)
    if "arch-capabilities" in given:
        for item in x86_tables.features().values():
            if item.leaf < 0 and await monitor.command("qom-get", {"path": path, "property": item.name}):
                given.add(item.name)
    update(cpu, given)


def decode_words(words: Iterable[Any]) -> set[str]:
    """The features of QEMU's ``feature-words``: CPUID registers with their leaf and subleaf."""
    known = {(f.leaf, f.sub, f.register, f.bit): f.name for f in x86_tables.features().values()}
    found = set()
    for word in words:
        leaf, sub = int(word["cpuid-input-eax"]), int(word.get("cpuid-input-ecx", 0))
        register, bits = str(word["cpuid-register"]).lower(), int(word["features"])
        for bit in range(32):
            name = known.get((leaf, sub, register, bit))
            if name is not None and bits >> bit & 1:
                found.add(name)
    return found


def update(cpu: Any, given: set[str]) -> None:
    """Write down what the guest has more and less than its model says."""
    model = x86_tables.models().get(cpu.model)
    if model is None:
        return
    policies = {feature.name: feature.policy for feature in cpu.features}
    for name in x86_tables.features():
        policy = policies.get(name)
        expected = policy in ON or (policy is None and name in model.features)
        if name in given and not expected:
            set_policy(cpu, name, "require")
        elif name not in given and expected:
            set_policy(cpu, name, "disable")
    cpu.check, cpu.match = "full", "exact"
