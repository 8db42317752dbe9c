"""Hypervisor features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kvasir.errors import ConfigUnsupported, Error, Origin, XmlError
from kvasir.xml import Element, Form, attr, child, flag, scaled
from kvasir.xml.types import ENUM, ONOFF, UINT


def _no_size(path: str) -> Callable[[str], Error]:
    text = f"for element or attribute 'string(./features/{path})'"
    return lambda value: XmlError(f"Invalid value '{value}' {text}", origin=Origin.XML)


class Stimer(Element, tag="stimer"):
    """Hyper-V synthetic timers."""

    state: bool | None = attr("@state", ONOFF, required=True)
    direct: bool | None = attr("direct/@state", ONOFF)

    def parsed(self, node: object) -> None:
        if not self.state:
            self.direct = None


class TwoLines(Element):
    """An element that libvirt writes as two lines when it has no children."""

    def write(self, out: list[str], pad: str, form: Form, tag: str) -> None:
        """Write both tags, whatever stands between them."""
        mark = len(out)
        super().write(out, pad, form, tag)
        if out[mark].endswith("/>\n"):
            out[mark:] = [out[mark][:-3] + ">\n", f"{pad}</{tag}>\n"]


class HyperV(TwoLines, tag="hyperv"):
    """Hyper-V enlightenments."""

    mode: str | None = attr("@mode", ENUM("custom", "passthrough"))
    relaxed: bool | None = attr("relaxed/@state", ONOFF, there=True)
    vapic: bool | None = attr("vapic/@state", ONOFF, there=True)
    spinlocks: bool | None = attr("spinlocks/@state", ONOFF, there=True)
    spinlocks_retries: int | None = attr("spinlocks/@retries", UINT)
    vpindex: bool | None = attr("vpindex/@state", ONOFF, there=True)
    runtime: bool | None = attr("runtime/@state", ONOFF, there=True)
    synic: bool | None = attr("synic/@state", ONOFF, there=True)
    stimer: Stimer | None = child(Stimer)
    reset: bool | None = attr("reset/@state", ONOFF, there=True)
    vendor_id: bool | None = attr("vendor_id/@state", ONOFF, there=True)
    vendor_id_value: str | None = attr("vendor_id/@value")
    frequencies: bool | None = attr("frequencies/@state", ONOFF, there=True)
    reenlightenment: bool | None = attr("reenlightenment/@state", ONOFF, there=True)
    tlbflush: bool | None = attr("tlbflush/@state", ONOFF, there=True)
    ipi: bool | None = attr("ipi/@state", ONOFF, there=True)
    evmcs: bool | None = attr("evmcs/@state", ONOFF, there=True)
    avic: bool | None = attr("avic/@state", ONOFF, there=True)

    def parsed(self, node: object) -> None:
        if self.spinlocks and self.spinlocks_retries is None:
            raise XmlError("Missing required attribute 'retries' in element 'spinlocks'", origin=Origin.XML)
        if self.vendor_id is False:
            self.vendor_id_value = None


class Kvm(TwoLines, tag="kvm"):
    """KVM features."""

    hidden: bool | None = attr("hidden/@state", ONOFF, there=True)
    hint_dedicated: bool | None = attr("hint-dedicated/@state", ONOFF, there=True)
    poll_control: bool | None = attr("poll-control/@state", ONOFF, there=True)
    pv_ipi: bool | None = attr("pv-ipi/@state", ONOFF, there=True)
    dirty_ring: bool | None = attr("dirty-ring/@state", ONOFF, there=True)
    dirty_ring_size: int | None = attr("dirty-ring/@size", UINT)

    def parsed(self, node: object) -> None:
        size = self.dirty_ring_size
        if self.dirty_ring and not (size and 1024 <= size <= 65536 and size & (size - 1) == 0):
            raise XmlError("dirty ring must be power of 2 and ranges [1024, 65536]")


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
    smm_tseg: int | None = scaled("smm/tseg", "MiB", error=_no_size("smm/tseg"))
    smm: bool = flag("smm")
    ioapic: str | None = attr("ioapic/@driver", ENUM("qemu", "kvm"))
    hpt_resizing: str | None = attr("hpt/@resizing", ENUM("enabled", "disabled", "required"))
    hpt_maxpagesize: int | None = scaled("hpt/maxpagesize", "KiB")
    vmcoreinfo_state: bool | None = attr("vmcoreinfo/@state", ONOFF)
    vmcoreinfo: bool = flag("vmcoreinfo")
    htm: bool | None = attr("htm/@state", ONOFF, there=True)
    nested_hv: bool | None = attr("nested-hv/@state", ONOFF, there=True)
    msrs: Msrs | None = child(Msrs)
    ccf_assist: bool | None = attr("ccf-assist/@state", ONOFF, there=True)
    xen_e820: bool | None = attr("xen/e820_host/@state", ONOFF)
    xen_passthrough: bool | None = attr("xen/passthrough/@state", ONOFF)
    xen_passthrough_mode: str | None = attr("xen/passthrough/@mode", ENUM("sync_pt", "share_pt"))
    cfpc: str | None = attr("cfpc/@value", ENUM("broken", "workaround", "fixed"))
    sbbc: str | None = attr("sbbc/@value", ENUM("broken", "workaround", "fixed"))
    ibs: str | None = attr("ibs/@value", ENUM("broken", "workaround", "fixed-ibs", "fixed-ccd", "fixed-na"))
    tcg_tb_cache: int | None = scaled("tcg/tb-cache", "KiB", error=_no_size("tcg/tb-cache"))

    def written(self, form: Form) -> Features | None:
        """Nothing, when every feature is at its default."""
        said = any(
            getattr(self, name) not in (None, False) for name in self.FIELDS if name != "capabilities_policy"
        ) or self.capabilities_policy not in (None, "default")
        return self if said else None

    def parsed(self, node: Any) -> None:
        """Refuse what libvirt does not know."""
        known = {field.path.partition("/")[0] for field in self.FIELDS.values()}
        for kid in node:
            if isinstance(kid.tag, str) and kid.tag not in known:
                raise ConfigUnsupported(f"unexpected feature '{kid.tag}'", origin=Origin.DOMAIN)
        if self.pvspinlock and self.pvspinlock_state is None:
            self.pvspinlock_state = True
