"""Hypervisor features."""

from __future__ import annotations

from kvasir.xml import Element, Form, attr, child, flag, scaled
from kvasir.xml.types import ENUM, ONOFF, UINT


class Stimer(Element, tag="stimer"):
    """Hyper-V synthetic timers."""

    state: bool | None = attr("@state", ONOFF)
    direct: bool | None = attr("direct/@state", ONOFF)


class HyperV(Element, tag="hyperv"):
    """Hyper-V enlightenments."""

    mode: str | None = attr("@mode", ENUM("custom", "passthrough"))
    relaxed: bool | None = attr("relaxed/@state", ONOFF)
    vapic: bool | None = attr("vapic/@state", ONOFF)
    spinlocks: bool | None = attr("spinlocks/@state", ONOFF)
    spinlocks_retries: int | None = attr("spinlocks/@retries", UINT)
    vpindex: bool | None = attr("vpindex/@state", ONOFF)
    runtime: bool | None = attr("runtime/@state", ONOFF)
    synic: bool | None = attr("synic/@state", ONOFF)
    stimer: Stimer | None = child(Stimer)
    reset: bool | None = attr("reset/@state", ONOFF)
    vendor_id: bool | None = attr("vendor_id/@state", ONOFF)
    vendor_id_value: str | None = attr("vendor_id/@value")
    frequencies: bool | None = attr("frequencies/@state", ONOFF)
    reenlightenment: bool | None = attr("reenlightenment/@state", ONOFF)
    tlbflush: bool | None = attr("tlbflush/@state", ONOFF)
    ipi: bool | None = attr("ipi/@state", ONOFF)
    evmcs: bool | None = attr("evmcs/@state", ONOFF)
    avic: bool | None = attr("avic/@state", ONOFF)

    def write(self, out: list[str], pad: str, form: Form, tag: str) -> None:
        """libvirt writes an element without children as two lines here."""
        mark = len(out)
        super().write(out, pad, form, tag)
        if out[mark].endswith("/>\n"):
            out[mark:] = [out[mark][:-3] + ">\n", f"{pad}</{tag}>\n"]


class Kvm(Element, tag="kvm"):
    """KVM features."""

    hidden: bool | None = attr("hidden/@state", ONOFF)
    hint_dedicated: bool | None = attr("hint-dedicated/@state", ONOFF)
    poll_control: bool | None = attr("poll-control/@state", ONOFF)
    pv_ipi: bool | None = attr("pv-ipi/@state", ONOFF)
    dirty_ring: bool | None = attr("dirty-ring/@state", ONOFF)
    dirty_ring_size: int | None = attr("dirty-ring/@size", UINT)


class Msrs(Element, tag="msrs"):
    """What happens on an unknown MSR."""

    unknown: str | None = attr("@unknown", ENUM("ignore", "fault"), required=True)


class Features(Element, tag="features"):
    """Hypervisor features of the guest."""

    acpi: bool = flag("acpi")
    apic_eoi: bool | None = attr("apic/@eoi", ONOFF)
    apic: bool = flag("apic")
    pae: bool = flag("pae")
    hap_state: bool | None = attr("hap/@state", ONOFF)
    hap: bool = flag("hap")
    viridian: bool = flag("viridian")
    privnet: bool = flag("privnet")
    hyperv: HyperV | None = child(HyperV)
    kvm: Kvm | None = child(Kvm)
    pvspinlock_state: bool | None = attr("pvspinlock/@state", ONOFF)
    pvspinlock: bool = flag("pvspinlock")
    capabilities_policy: str | None = attr(
        "capabilities/@policy",
        ENUM("default", "allow", "deny"),
        when=lambda o, form: o.capabilities_policy != "default",
    )
    pmu_state: bool | None = attr("pmu/@state", ONOFF)
    pmu: bool = flag("pmu")
    vmport_state: bool | None = attr("vmport/@state", ONOFF)
    vmport: bool = flag("vmport")
    gic_version: str | None = attr("gic/@version", ENUM("2", "3", "host"))
    gic: bool = flag("gic")
    smm_state: bool | None = attr("smm/@state", ONOFF)
    smm_tseg: int | None = scaled("smm/tseg", "MiB")
    smm: bool = flag("smm")
    ioapic: str | None = attr("ioapic/@driver", ENUM("qemu", "kvm"))
    hpt_resizing: str | None = attr("hpt/@resizing", ENUM("enabled", "disabled", "required"))
    hpt_maxpagesize: int | None = scaled("hpt/maxpagesize", "KiB")
    vmcoreinfo_state: bool | None = attr("vmcoreinfo/@state", ONOFF)
    vmcoreinfo: bool = flag("vmcoreinfo")
    nested_hv: bool | None = attr("nested-hv/@state", ONOFF)
    htm: bool | None = attr("htm/@state", ONOFF)
    msrs: Msrs | None = child(Msrs)
    ccf_assist: bool | None = attr("ccf-assist/@state", ONOFF)
    xen_e820: bool | None = attr("xen/e820_host/@state", ONOFF)
    xen_passthrough: bool | None = attr("xen/passthrough/@state", ONOFF)
    xen_passthrough_mode: str | None = attr("xen/passthrough/@mode", ENUM("sync_pt", "share_pt"))
    cfpc: str | None = attr("cfpc/@value", ENUM("broken", "workaround", "fixed"))
    sbbc: str | None = attr("sbbc/@value", ENUM("broken", "workaround", "fixed"))
    ibs: str | None = attr("ibs/@value", ENUM("broken", "workaround", "fixed-ibs", "fixed-ccd", "fixed-na"))
    tcg_tb_cache: int | None = scaled("tcg/tb-cache", "KiB")

    def written(self, form: Form) -> Features | None:
        """Nothing, when every feature is at its default."""
        said = any(
            getattr(self, name) not in (None, False) for name in self.FIELDS if name != "capabilities_policy"
        ) or self.capabilities_policy not in (None, "default")
        return self if said else None
