"""Facts about x86 processors: which CPUID bit each feature is, and which features each CPU model of libvirt 9.0 has.

Feature names and model contents are part of libvirt's public interface (``virsh cpu-models``, host-model, ``capabilities``).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

VENDORS = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD", "HygonGenuine": "Hygon"}

# leaf subleaf register = features from bit 0 upward; "n:name" goes to bit n. "msr" rows are model-specific registers.
_FEATURES = """
0x1 0 edx = fpu vme de pse tsc msr pae mce cx8 apic 11:sep mtrr pge mca cmov pat pse36 pn clflush 21:ds acpi mmx
    fxsr sse sse2 ss ht tm ia64 pbe
0x1 0 ecx = pni pclmuldq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid 12:fma cx16 xtpr pdcm 17:pcid dca
    sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave osxsave avx f16c rdrand hypervisor
0x6 0 eax = 2:arat
0x7 0 ebx = fsgsbase tsc_adjust sgx bmi1 hle avx2 7:smep bmi2 erms invpcid rtm cmt 14:mpx 16:avx512f avx512dq
    rdseed adx smap avx512ifma pcommit clflushopt clwb intel-pt avx512pf avx512er avx512cd sha-ni avx512bw
    avx512vl
0x7 0 ecx = 1:avx512vbmi umip pku ospke waitpkg avx512vbmi2 8:gfni vaes vpclmulqdq avx512vnni avx512bitalg
    14:avx512-vpopcntdq 16:la57 22:rdpid 24:bus-lock-detect cldemote 27:movdiri movdir64b 30:sgxlc pks
0x7 0 edx = 2:avx512-4vnniw avx512-4fmaps fsrm 8:avx512-vp2intersect 10:md-clear 14:serialize 16:tsx-ldtrk
    18:pconfig arch-lbr 22:amx-bf16 avx512-fp16 amx-tile amx-int8 spec-ctrl stibp 29:arch-capabilities
    core-capability ssbd
0x7 1 eax = 4:avx-vnni avx512-bf16
0xd 1 eax = xsaveopt xsavec xgetbv1 xsaves xfd
0xf 1 edx = 1:mbm_total mbm_local
0x12 0 eax = sgx1 sgx2
0x12 0 ebx = sgx-exinfo
0x12 1 eax = 1:sgx-debug sgx-mode64 4:sgx-provisionkey sgx-tokenkey 7:sgx-kss
0x14 0 ecx = 31:intel-pt-lip
0x80000001 0 edx = 11:syscall 20:nx 22:mmxext 25:fxsr_opt pdpe1gb rdtscp 29:lm 3dnowext 3dnow
0x80000001 0 ecx = lahf_lm cmp_legacy svm extapic cr8legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop
    skinit wdt 15:lwp fma4 tce cvt16 nodeid_msr 21:tbm topoext perfctr_core perfctr_nb
0x80000007 0 edx = 8:invtsc
0x80000008 0 ebx = clzero 2:xsaveerptr 9:wbnoinvd 12:ibpb 14:ibrs amd-stibp 24:amd-ssbd virt-ssbd amd-no-ssb
0x8000000a 0 edx = npt lbrv svm-lock nrip-save tsc-scale vmcb-clean flushbyasid decodeassists 10:pause-filter
    12:pfthreshold avic 15:v-vmsave-vmload vgif 28:svme-addr-chk
msr 0x10a eax = rdctl-no ibrs-all rsba skip-l1dfl-vmentry ssb-no mds-no pschange-mc-no tsx-ctrl taa-no
msr 0xcf eax = 5:split-lock-detect
"""

NOT_MIGRATABLE = frozenset(("xsaves", "invtsc"))

QEMU_NAMES = {
    "sse3": "pni",
    "pclmulqdq": "pclmuldq",
    "ds-cpl": "ds_cpl",
    "sse4-1": "sse4.1",
    "sse4_1": "sse4.1",
    "sse4-2": "sse4.2",
    "sse4_2": "sse4.2",
    "tsc-adjust": "tsc_adjust",
    "xd": "nx",
    "ffxsr": "fxsr_opt",
    "fxsr-opt": "fxsr_opt",
    "i64": "lm",
    "lahf-lm": "lahf_lm",
    "cmp-legacy": "cmp_legacy",
    "nodeid-msr": "nodeid_msr",
    "perfctr-core": "perfctr_core",
    "perfctr-nb": "perfctr_nb",
    "svm_lock": "svm-lock",
    "nrip_save": "nrip-save",
    "tsc_scale": "tsc-scale",
    "vmcb_clean": "vmcb-clean",
    "pause_filter": "pause-filter",
}
"""QEMU's other spellings of features, and libvirt's."""

# name vendor use signatures = base +more -less !dropped; use: h may be chosen for a host, g for a guest.
_MODELS = """
486 any hg any = none +fpu +pse +vme
pentium any hg any = 486 +cx8 +de +mce +mmx +msr +tsc
pentium2 any hg any = pentium +cmov +fxsr +mca +mtrr +pae +pat +pge +pse36 +sep
pentium3 any hg any = pentium2 +sse
pentiumpro any hg any = pentium3 +apic +sse2 -mca -mtrr -pse36 -vme
coreduo Intel hg any = pentium3 +apic +clflush +monitor +nx +pni +sse2 -pse36
n270 Intel hg any = coreduo +ssse3
core2duo Intel hg any = n270 +lm +pse36 +syscall
qemu32 any hg any = pentiumpro +pni
kvm32 any hg any = coreduo +pse36 -monitor -nx -vme
cpu64-rhel5 any - any = core2duo -monitor -ssse3 -vme
cpu64-rhel6 any - any = cpu64-rhel5 +cx16 +lahf_lm
qemu64 any hg any = cpu64-rhel5 +cx16 +svm
kvm64 any hg any = cpu64-rhel5 +cx16
Conroe Intel hg 6:15,6:22 = cpu64-rhel5 +lahf_lm +ssse3
Penryn Intel hg 6:23,6:29 = cpu64-rhel6 +sse4.1 +ssse3
Nehalem Intel hg 6:26,6:30,6:31,6:46 = Penryn +popcnt +sse4.2
Nehalem-IBRS Intel hg 6:26,6:30,6:31,6:46 = Nehalem +spec-ctrl
Westmere Intel hg 6:44,6:47,6:37 = Nehalem +aes
Westmere-IBRS Intel hg 6:44 = Nehalem-IBRS +aes
SandyBridge Intel hg 6:42,6:45 = Westmere +avx +pclmuldq +rdtscp +tsc-deadline +x2apic +xsave
SandyBridge-IBRS Intel hg 6:42,6:45 = SandyBridge +spec-ctrl
IvyBridge Intel hg 6:58,6:62 = SandyBridge +erms +f16c +fsgsbase +rdrand +smep +vme
IvyBridge-IBRS Intel hg 6:58,6:62 = IvyBridge +spec-ctrl
Haswell-noTSX Intel hg 6:60,6:63,6:69,6:70 = SandyBridge +avx2 +bmi1 +bmi2 +erms +fma +fsgsbase +invpcid +movbe
    +pcid +smep
Haswell-noTSX-IBRS Intel hg 6:60,6:63,6:69,6:70 = Haswell-noTSX +spec-ctrl
Haswell Intel hg 6:60,6:63,6:69,6:70 = Haswell-noTSX +hle +rtm
Haswell-IBRS Intel hg 6:60,6:63,6:69,6:70 = Haswell +spec-ctrl
Broadwell-noTSX Intel hg 6:61,6:71,6:79,6:86 = Haswell-noTSX +3dnowprefetch +adx +rdseed +smap
Broadwell-noTSX-IBRS Intel hg 6:61,6:71,6:79,6:86 = Broadwell-noTSX +spec-ctrl
Broadwell Intel hg 6:61,6:71,6:79,6:86 = Broadwell-noTSX +hle +rtm
Broadwell-IBRS Intel hg 6:61,6:71,6:79,6:86 = Broadwell +spec-ctrl
Skylake-Client Intel hg 6:94,6:78,6:142,6:158 = Broadwell +abm +arat +f16c +mpx +rdrand +vme +xgetbv1 +xsavec
    +xsaveopt
Skylake-Client-IBRS Intel hg 6:94,6:78,6:142,6:158 = Skylake-Client +spec-ctrl
Skylake-Client-noTSX-IBRS Intel h 6:94,6:78,6:142,6:158 = Skylake-Client-IBRS -hle -rtm
Skylake-Server Intel hg 6:85:0-4 = Skylake-Client +avx512bw +avx512cd +avx512dq +avx512f +avx512vl +clwb
    +pdpe1gb
Skylake-Server-IBRS Intel hg 6:85:0-4 = Skylake-Server +spec-ctrl
Skylake-Server-noTSX-IBRS Intel h 6:85:0-4 = Skylake-Server-IBRS -hle -rtm
Cascadelake-Server Intel hg 6:85:5-7 = Skylake-Server-IBRS +avx512vnni +clflushopt +ssbd
Cascadelake-Server-noTSX Intel h 6:85:5-7 = Cascadelake-Server -hle -rtm
Icelake-Client Intel hg 6:126 = Skylake-Client-IBRS +avx512-vpopcntdq +avx512bitalg +avx512vbmi +avx512vbmi2
    +avx512vnni +gfni +pku +ssbd +umip +vaes +vpclmulqdq +wbnoinvd !intel-pt
Icelake-Client-noTSX Intel h 6:126 = Icelake-Client -hle -rtm !intel-pt
Icelake-Server Intel hg 6:106 = Icelake-Client +avx512bw +avx512cd +avx512dq +avx512f +avx512vl +clflushopt
    +clwb +la57 +pdpe1gb !intel-pt
Icelake-Server-noTSX Intel h 6:106 = Icelake-Server -hle -rtm !intel-pt
Cooperlake Intel hg 6:85:10-11 = Cascadelake-Server +arch-capabilities +avx512-bf16 +ibrs-all +mds-no +pku
    +pschange-mc-no +rdctl-no +skip-l1dfl-vmentry +stibp +taa-no -mpx
Snowridge Intel hg 6:134 = IvyBridge-IBRS +3dnowprefetch +arat +arch-capabilities +cldemote +clflushopt +clwb
    +core-capability +gfni +movbe +movdir64b +movdiri +pdpe1gb +rdseed +sha-ni +smap +split-lock-detect +ssbd
    +umip +xgetbv1 +xsavec +xsaveopt -avx -f16c
athlon AMD hg any = pentium3 +3dnow +3dnowext +apic +mmxext +sse2 -mca
phenom AMD hg any = cpu64-rhel5 +3dnow +3dnowext +fxsr_opt +mmxext +monitor +svm
Opteron_G1 AMD hg 15:6 = cpu64-rhel5
Opteron_G2 AMD hg 15:6 = cpu64-rhel6 +rdtscp +svm
Opteron_G3 AMD hg 15:6 = Opteron_G2 +abm +misalignsse +popcnt +sse4a !monitor
Opteron_G4 AMD hg 21:1 = SandyBridge +3dnowprefetch +abm +fma4 +misalignsse +pdpe1gb +sse4a +svm +xop
    -tsc-deadline -x2apic
Opteron_G5 AMD hg 21:2 = Opteron_G4 +f16c +fma +tbm
EPYC AMD hg 23:1 = Skylake-Client-noTSX-IBRS +clflushopt +cr8legacy +fxsr_opt +misalignsse +mmxext +osvw
    +pdpe1gb +sha-ni +sse4a +svm -erms -invpcid -mpx -pcid -spec-ctrl -tsc-deadline -x2apic !monitor
EPYC-IBPB AMD hg 23:1 = EPYC +ibpb !monitor
EPYC-Rome AMD hg 23:49 = EPYC-IBPB +amd-stibp +clwb +clzero +npt +nrip-save +perfctr_core +rdpid +umip +wbnoinvd
    +xsaveerptr
EPYC-Milan AMD hg 25:1 = EPYC-Rome +amd-ssbd +erms +fsrm +ibrs +invpcid +pcid +pku +svme-addr-chk +xsaves
Dhyana Hygon hg 24:0 = EPYC-IBPB -aes -pclmuldq -sha-ni !monitor
"""


class Feature(NamedTuple):
    """Where a feature is found: CPUID leaf, subleaf, register and bit; ``leaf`` is -1 for a model-specific register."""

    name: str
    leaf: int
    sub: int
    register: str
    bit: int


class Model(NamedTuple):
    """A CPU model: its features, whose processors it fits and whether it may be chosen by itself."""

    name: str
    vendor: str | None
    for_host: bool
    for_guest: bool
    signatures: tuple[tuple[int, int, range], ...]
    features: frozenset[str]
    dropped: tuple[str, ...] = ()
    """Features that the model once had, which a guest of it is started without."""

    def fits(self, family: int, model: int, stepping: int) -> bool:
        """True when the processor is one that the model was made for."""
        return any(f == family and m == model and stepping in s for f, m, s in self.signatures)


def _records(text: str) -> list[tuple[list[str], list[str]]]:
    records: list[tuple[list[str], list[str]]] = []
    for line in text.strip().splitlines():
        if line.startswith(" "):
            records[-1][1].extend(line.split())
        else:
            head, _, rest = line.partition("=")
            records.append((head.split(), rest.split()))
    return records


@cache
def features() -> dict[str, Feature]:
    """Every known feature in the order in which libvirt lists them."""
    known: dict[str, Feature] = {}
    for (leaf, sub, register), names in _records(_FEATURES):
        bit = 0
        for word in names:
            place, colon, name = word.partition(":")
            if colon:
                bit = int(place)
            name = name or word
            known[name] = Feature(name, -1 if leaf == "msr" else int(leaf, 16), int(sub, 0), register, bit)
            bit += 1
    return known


def _signature(text: str) -> tuple[int, int, range]:
    family, model, *stepping = text.split(":")
    low, _, high = (stepping or ["0-15"])[0].partition("-")
    return int(family), int(model), range(int(low), int(high or low) + 1)


@cache
def models() -> dict[str, Model]:
    """Every known CPU model, oldest first."""
    known: dict[str, Model] = {}
    for (name, vendor, use, signatures), (base, *changes) in _records(_MODELS):
        has = set(known[base].features) if base != "none" else set()
        has |= {word[1:] for word in changes if word[0] == "+"}
        has -= {word[1:] for word in changes if word[0] == "-"}
        known[name] = Model(
            name,
            None if vendor == "any" else vendor,
            "h" in use,
            "g" in use,
            () if signatures == "any" else tuple(map(_signature, signatures.split(","))),
            frozenset(has),
            tuple(word[1:] for word in changes if word[0] == "!"),
        )
    return known


def libvirt_name(qemu: str) -> str:
    """libvirt's spelling of a feature that QEMU names."""
    return QEMU_NAMES.get(qemu, qemu)


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
}
"""libvirt's names of features that QEMU's canonical spelling differs from."""


def qemu_name(feature: str) -> str:
    """QEMU's canonical spelling of a feature."""
    return QEMU_SPELLING.get(feature, feature)
