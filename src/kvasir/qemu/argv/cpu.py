"""``-cpu`` and ``-smp``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.cpu.x86_tables import qemu_name

from ..args import Arg, Opt, comma

HYPERV = (
    ("relaxed", "relaxed"), ("vapic", "vapic"), ("spinlocks", "spinlocks"), ("vpindex", "vpindex"), ("runtime", "runtime"),
    ("synic", "synic"), ("stimer", "stimer"), ("reset", "reset"), ("vendor_id", "vendor-id"), ("frequencies", "frequencies"),
    ("reenlightenment", "reenlightenment"), ("tlbflush", "tlbflush"), ("ipi", "ipi"), ("evmcs", "evmcs"), ("avic", "avic"),
)  # fmt: skip


def _switch(name: str, value: bool | None) -> Iterator[str]:
    if value is not None:
        yield f"{name}={'on' if value else 'off'}"


def cpu(vm: Any) -> Iterator[Arg]:
    """The CPU model with its features, and ``-bios`` behind it as libvirt orders them."""
    from .machine import bios

    words = list(_model(vm))
    extra = [*_timers(vm), *_features(vm), *_panic(vm)]
    if not words and extra:
        words = [vm.default_cpu() or "qemu64"]
    if words:
        yield Opt("-cpu", ",".join([*words, *extra]))
    yield from bios(vm)


def _model(vm: Any) -> Iterator[str]:
    cpu = vm.domain.cpu
    if cpu is None or (cpu.mode is None and cpu.model is None):
        return
    if cpu.mode == "host-passthrough":
        yield "max" if vm.software else "host"
        yield from _switch("migratable", cpu.migratable)
    elif cpu.mode == "maximum":
        yield "max"
        yield from _switch("migratable", cpu.migratable)
    else:
        model, features = _host_model(vm) if cpu.mode == "host-model" else (cpu.model, [])
        yield comma(model or "qemu64")
        if cpu.vendor_id:
            yield f"vendor={cpu.vendor_id}"
        given = {feature.name for feature in cpu.features}
        for name, on in features:
            if name not in given:
                yield f"{qemu_name(name)}={'on' if on else 'off'}"
    for feature in cpu.features:
        if feature.policy in ("force", "require"):
            yield f"{qemu_name(feature.name)}=on"
        elif feature.policy in ("disable", "forbid"):
            yield f"{qemu_name(feature.name)}=off"
    yield from _physical(cpu)


def _host_model(vm: Any) -> tuple[str | None, list[tuple[str, bool]]]:
    """The model that describes the host, and what a guest that may migrate has more and less than it."""
    from kvasir.cpu.x86 import migratable

    from ..domcapabilities import host_model

    best = host_model(vm.caps, vm.virt_type)
    if best is None:
        return vm.default_cpu(), []
    return best.model, [(name, True) for name in migratable(best.require)] + [(name, False) for name in best.disable]


def _physical(cpu: Any) -> Iterator[str]:
    if cpu.maxphysaddr_mode == "emulate" and cpu.maxphysaddr_bits:
        yield f"phys-bits={cpu.maxphysaddr_bits}"
    elif cpu.maxphysaddr_mode == "passthrough":
        yield "host-phys-bits=on"
    if cpu.cache_mode == "passthrough":
        yield "host-cache-info=on"
        yield "l3-cache=off"
    elif cpu.cache_mode == "emulate" and cpu.cache_level in (None, 3):
        yield "l3-cache=on"
    elif cpu.cache_mode == "disable":
        yield "l3-cache=off"


def _timers(vm: Any) -> Iterator[str]:
    clock = vm.domain.clock
    for timer in clock.timers if clock is not None else ():
        if timer.name == "kvmclock" and timer.present is not None:
            yield f"kvmclock={'on' if timer.present else 'off'}"
        elif timer.name == "hypervclock" and timer.present:
            yield "hv-time=on"
        elif timer.name == "tsc" and timer.frequency:
            yield f"tsc-frequency={timer.frequency}"


def _features(vm: Any) -> Iterator[str]:
    features = vm.domain.features
    if features is None:
        return
    yield from _switch("kvm-pv-eoi", features.apic_eoi)
    if features.pvspinlock or features.pvspinlock_state is not None:
        yield f"kvm-pv-unhalt={'off' if features.pvspinlock_state is False else 'on'}"
    if features.hyperv is not None:
        yield from _hyperv(features.hyperv)
    kvm = features.kvm
    if kvm is not None:
        if kvm.hidden:
            yield "kvm=off"
        if kvm.hint_dedicated:
            yield "kvm-hint-dedicated=on"
        if kvm.poll_control:
            yield "kvm-poll-control=on"
        if kvm.pv_ipi is False:
            yield "kvm-pv-ipi=off"
    if vm.is_power:
        return
    yield from _switch(
        "pmu", features.pmu_state if features.pmu_state is not None else (True if features.pmu else None)
    )


def _panic(vm: Any) -> Iterator[str]:
    if any(panic.model == "hyperv" for panic in vm.domain.panics):
        yield "hv-crash"


def _hyperv(hyperv: Any) -> Iterator[str]:
    if hyperv.mode == "passthrough":
        yield "hv-passthrough=on"
    for field, name in HYPERV:
        value = getattr(hyperv, field)
        if field == "stimer":
            if value is not None and value.state:
                yield "hv-stimer=on"
                if value.direct:
                    yield "hv-stimer-direct=on"
        elif not value:
            continue
        elif field == "spinlocks":
            yield f"hv-spinlocks=0x{hyperv.spinlocks_retries:x}"
        elif field == "vendor_id":
            yield f"hv-vendor-id={comma(hyperv.vendor_id_value or '')}"
        else:
            yield f"hv-{name}=on"


def smp(vm: Any) -> Iterator[Arg]:
    """``-smp``: started vCPUs, the most there can be, topology."""
    domain = vm.domain
    topology = domain.cpu.topology if domain.cpu is not None else None
    now, most = domain.vcpu_current or domain.vcpu, domain.vcpu
    plugged = _plugged(domain, now)
    words = [str(plugged)]
    if plugged != most:
        words.append(f"maxcpus={most}")
    if topology is not None:
        words.append(f"sockets={topology.sockets}")
        if vm.caps.has("smp-dies"):
            words.append(f"dies={topology.dies or 1}")
        words += [f"cores={topology.cores}", f"threads={topology.threads}"]
    else:
        words += [f"sockets={most}", "cores=1", "threads=1"]
    yield Opt("-smp", ",".join(words))


def _plugged(domain: Any, now: int) -> int:
    """vCPUs that are there from the start; hot-pluggable ones are added by QMP before the guest runs."""
    if domain.vcpus:
        fixed = sum(1 for v in domain.vcpus if v.enabled and not v.hotpluggable)
        return fixed or now
    return now
