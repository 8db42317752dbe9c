"""``-cpu`` and ``-smp``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.cpu.x86_tables import QEMU_NAMES

from ..args import Arg, Opt, comma
from .machine import on

QEMU_SPELLING = {
    "pclmuldq": "pclmulqdq",
    "ds_cpl": "ds-cpl",
    "tsc_adjust": "tsc-adjust",
    "fxsr_opt": "fxsr-opt",
    "lahf_lm": "lahf-lm",
    "cmp_legacy": "cmp-legacy",
    "nodeid_msr": "nodeid-msr",
    "perfctr_core": "perfctr-core",
    "perfctr_nb": "perfctr-nb",
    "svm_lock": "svm-lock",
    "nrip_save": "nrip-save",
    "tsc_scale": "tsc-scale",
    "vmcb_clean": "vmcb-clean",
    "pause_filter": "pause-filter",
}
"""libvirt's names of features that QEMU's canonical spelling differs from."""


def qemu_name(feature: str) -> str:
    """QEMU's canonical spelling of a feature."""
    return QEMU_SPELLING.get(feature, feature)


def cpu(vm: Any) -> Iterator[Arg]:
    """The CPU model with everything that goes behind it."""
    words = _model(vm)
    more = [*_timers(vm), *_features(vm), *_hyperv(vm), *_kvm(vm), *_shape(vm)]
    if not words:
        if not more:
            return
        words = [vm.default_cpu() or "qemu64"]
    yield Opt("-cpu", ",".join((*words, *more)))


def _model(vm: Any) -> list[str]:
    cpu = vm.domain.cpu
    if cpu is None or cpu.mode is None:
        return []
    if cpu.mode in ("host-passthrough", "maximum"):
        words = ["host" if cpu.mode == "host-passthrough" else "max"]
        if cpu.migratable is not None and (cpu.mode == "host-passthrough" or vm.virt_type == "kvm"):
            words.append(f"migratable={on(cpu.migratable)}")
    elif cpu.mode == "host-model":
        from .. import domcapabilities

        best = domcapabilities.host_model(vm.caps, vm.virt_type)
        words = [best.model if best else "max"]
        if best:
            from kvasir.cpu.x86 import migratable

            given = {feature.name for feature in cpu.features}
            words += [f"{qemu_name(name)}=on" for name in migratable(best.require) if name not in given]
            words += [f"{qemu_name(name)}=off" for name in best.disable if name not in given]
    else:
        if not cpu.model:
            return []
        words = [cpu.model]
    if cpu.vendor_id:
        words.append(f"vendor={comma(cpu.vendor_id)}")
    for feature in cpu.features:
        if feature.policy in ("disable", "forbid"):
            words.append(f"{qemu_name(feature.name)}=off")
        elif feature.policy != "optional":
            words.append(f"{qemu_name(feature.name)}=on")
    return words


def _timers(vm: Any) -> Iterator[str]:
    clock = vm.domain.clock
    for timer in clock.timers if clock is not None else ():
        if timer.name == "kvmclock" and timer.present is not None:
            yield f"kvmclock={on(timer.present)}"
        elif timer.name == "hypervclock" and timer.present:
            yield "hv-time=on"
        elif timer.name == "tsc" and timer.frequency:
            yield f"tsc-frequency={timer.frequency}"


def _features(vm: Any) -> Iterator[str]:
    features = vm.domain.features
    if features is None:
        return
    if features.apic_eoi is not None:
        yield f"kvm-pv-eoi={on(features.apic_eoi)}"
    if features.pvspinlock_state is not None:
        yield f"kvm-pv-unhalt={on(features.pvspinlock_state)}"


SIMPLE_HYPERV = (
    "relaxed", "vapic", "vpindex", "runtime", "synic", "reset", "frequencies", "reenlightenment", "tlbflush", "ipi",
    "evmcs", "avic",
)  # fmt: skip


def _hyperv(vm: Any) -> Iterator[str]:
    features = vm.domain.features
    hyperv = features.hyperv if features is not None else None
    if hyperv is not None:
        if hyperv.mode == "passthrough":
            yield "hv-passthrough=on"
        for name in SIMPLE_HYPERV:
            if getattr(hyperv, name):
                yield f"hv-{name}=on"
        if hyperv.stimer is not None and hyperv.stimer.state:
            yield "hv-stimer=on"
            if hyperv.stimer.direct:
                yield "hv-stimer-direct=on"
        if hyperv.spinlocks:
            yield f"hv-spinlocks=0x{hyperv.spinlocks_retries or 0:x}"
        if hyperv.vendor_id:
            yield f"hv-vendor-id={hyperv.vendor_id_value}"
    if any(panic.model == "hyperv" for panic in vm.domain.panics):
        yield "hv-crash"


def _kvm(vm: Any) -> Iterator[str]:
    features = vm.domain.features
    kvm = features.kvm if features is not None else None
    if kvm is not None:
        if kvm.hidden:
            yield "kvm=off"
        for name, word in (
            ("hint_dedicated", "hint-dedicated"),
            ("poll_control", "poll-control"),
            ("pv_ipi", "pv-ipi"),
        ):
            if getattr(kvm, name):
                yield f"kvm-{word}=on"
    if features is not None and features.pmu_state is not None:
        yield f"pmu={on(features.pmu_state)}"


def _shape(vm: Any) -> Iterator[str]:
    cpu = vm.domain.cpu
    if cpu is None:
        return
    if cpu.cache_mode == "emulate":
        yield "l3-cache=on"
    elif cpu.cache_mode == "passthrough":
        yield from ("host-cache-info=on", "l3-cache=off")
    elif cpu.cache_mode == "disable":
        yield from ("host-cache-info=off", "l3-cache=off")
    if cpu.maxphysaddr_mode == "passthrough":
        yield "host-phys-bits=on"
        if cpu.maxphysaddr_bits:
            yield f"host-phys-bits-limit={cpu.maxphysaddr_bits}"
    elif cpu.maxphysaddr_mode == "emulate" and cpu.maxphysaddr_bits:
        yield f"phys-bits={cpu.maxphysaddr_bits}"


def smp(vm: Any) -> Iterator[Arg]:
    """Number and topology of the vCPUs."""
    domain = vm.domain
    most = domain.vcpu or 1
    now = domain.vcpu_current or most
    if domain.vcpus:
        now = max(1, sum(1 for v in domain.vcpus if v.enabled and v.hotpluggable is False) or now)
    words = [str(now)] + ([f"maxcpus={most}"] if now != most else [])
    topology = domain.cpu.topology if domain.cpu is not None else None
    if topology is not None:
        words.append(f"sockets={topology.sockets}")
        if vm.caps.has("smp-dies"):
            words.append(f"dies={topology.dies or 1}")
        words += [f"cores={topology.cores}", f"threads={topology.threads}"]
    else:
        words += [f"sockets={most}", "cores=1", "threads=1"]
    yield Opt("-smp", ",".join(words))


__all__ = ["QEMU_NAMES", "cpu", "qemu_name", "smp"]
