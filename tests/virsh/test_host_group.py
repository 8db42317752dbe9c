"""The host group in the four cells: processors compared and combined, pages, memory tuning, sleep."""

from __future__ import annotations

import re

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon
from tests.virsh.cells import four

CPUS = {
    "c1": "<cpu match='exact'><model>Haswell</model></cpu>",
    "c2": "<cpu match='minimum'><model>Nehalem</model></cpu>",
    "c3": "<cpu match='strict'><model>Nehalem</model></cpu>",
    "c4": "<cpu><model>Nosuch</model></cpu>",
    "c5": "<cpu><arch>x86_64</arch><model>EPYC</model></cpu>",
    "c6": "<foo/>",
    "c7": "<cpu match='exact'><model>Nehalem</model><feature name='svm' policy='require'/></cpu>",
    "c8": "<cpu match='exact'><model>qemu64</model><feature name='aes' policy='forbid'/></cpu>",
    "c9": "<cpu match='exact'><model>Nehalem</model><feature name='svm' policy='optional'/><feature name='aes' policy='disable'/></cpu>",
    "c10": "<cpu match='exact'><model>Nehalem</model><vendor>VIA</vendor></cpu>",
    "c11": "<cpu match='exact'><model>qemu64</model><feature name='svm' policy='force'/></cpu>",
    "c12": "<domain type='qemu'><name>x</name><memory>1</memory><os><type>hvm</type></os><cpu match='exact'><model>kvm32</model></cpu></domain>",
    "c13": "<cpu match='exact'><arch>x86_64</arch><model>kvm32</model></cpu>",
    "b1": "<cpu><arch>x86_64</arch><model>Haswell</model><vendor>Intel</vendor></cpu>\n"
    "<cpu><arch>x86_64</arch><model>Nehalem</model><vendor>Intel</vendor><feature name='aes'/></cpu>",
    "b2": "<cpu><arch>x86_64</arch><model>Haswell</model></cpu><cpu><arch>x86_64</arch><model>EPYC</model></cpu>",
    "b3": "<cpu><arch>x86_64</arch><model>Haswell</model><vendor>Intel</vendor></cpu>"
    "<cpu><arch>x86_64</arch><model>EPYC</model><vendor>AMD</vendor></cpu>",
    "b4": "<cpu><arch>x86_64</arch><model>Skylake-Client</model></cpu>",
    "b5": "<x/>",
    "b6": "<cpu mode='custom' match='exact'><model>Haswell</model><feature policy='disable' name='avx'/></cpu>",
    "b7": "<cpu><arch>x86_64</arch><model>SandyBridge</model></cpu><cpu><arch>x86_64</arch><model>Westmere</model></cpu>"
    "<cpu><arch>x86_64</arch><model>IvyBridge</model></cpu>",
}
SCRIPT = "".join(
    f"{command} {{folder}}/{name}{options}\n"
    for name in CPUS
    for command, options in (
        (("cpu-compare", ""), ("cpu-compare", " --error"), ("hypervisor-cpu-compare", ""), ("hypervisor-cpu-compare", " --error"))
        if name[0] == "c"
        else (
            ("cpu-baseline", ""), ("cpu-baseline", " --migratable"), ("cpu-baseline", " --features"),
            ("hypervisor-cpu-baseline", ""), ("hypervisor-cpu-baseline", " --features --migratable"),
        )
    )
)  # fmt: skip
MORE = """
cpu-compare {folder}/capabilities
cpu-compare {folder}/domcapabilities
hypervisor-cpu-compare {folder}/capabilities
hypervisor-cpu-compare {folder}/domcapabilities
cpu-baseline {folder}/capabilities
cpu-baseline {folder}/capabilities --migratable
hypervisor-cpu-baseline {folder}/domcapabilities
hypervisor-cpu-baseline --model Nehalem
hypervisor-cpu-baseline --model Nosuch
hypervisor-cpu-baseline
hypervisor-cpu-compare {folder}/c1 --arch foo
hypervisor-cpu-compare {folder}/c1 --machine foo
hypervisor-cpu-compare {folder}/c1 --machine pc --arch x86_64 --virttype qemu
hypervisor-cpu-compare {folder}/c1 --emulator /bin/foo
hypervisor-cpu-compare {folder}/c1 --arch aarch64
cpu-compare {folder}/nosuch
freecell
freecell --all
freecell 0
freecell 9
freecell --cellno 0 --all
freepages
freepages --all
freepages 0 4KiB
freepages 0 2048
freepages 0
freepages 0 --all
freepages 0 1234
freepages 0 foo
node-memory-tune
node-memory-tune --shm-pages-to-scan x
nodesevinfo
nodesuspend mem 60
nodesuspend foo 60
nodesuspend disk 3
nodesuspend hybrid x
allocpages 4K 1
allocpages 3M 1
allocpages 2M -1
allocpages foo 1
allocpages 2M 1 --all --cellno 0
maxvcpus
maxvcpus --type qemu
maxvcpus --type foo
nodecpumap
nodecpumap --pretty
nodeinfo
nodememstats 0
nodecpustats --cpu 99
cpu-models x86_64
cpu-models foo
domcapabilities --virttype foo
domcapabilities --arch foo
sysinfo
uri
hostname
version --daemon
"""


def prepare(daemon: DaemonHandle) -> None:
    for name, text in CPUS.items():
        (daemon.folder / name).write_text(text)
    for name in ("capabilities", "domcapabilities"):
        (daemon.folder / name).write_text(daemon.virsh(name).stdout)


def mask(text: str) -> str:
    """Memory that changes from moment to moment, and where the sockets are."""
    text = re.sub(r"\d+ KiB|(?<=4KiB: )\d+|(buffers|cached|free) *:.*", "N", text)
    text = re.sub(r"(?<=socket=)\S*", "SOCKET", text)
    return re.sub(r"-{10,}", "-", text)


@pytest.mark.guide(
    "virsh-cpu-compare", "virsh-cpu-baseline", "cpu-pool-common-model", "xml-cpu-match-minimum", "xml-cpu-match-exact",
    "xml-cpu-match-strict", "xml-cpu-feature-policy-force", "xml-cpu-feature-policy-require",
    "xml-cpu-feature-policy-optional", "xml-cpu-feature-policy-disable", "xml-cpu-feature-policy-forbid",
    "error-cpu-require-missing", "error-cpu-forbid-present", "virsh-node-memory-tune", "virsh-sysinfo", "virsh-nodeinfo",
    "virsh-nodecpumap",
)  # fmt: skip
def test_four_cells(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    four((("libvirtd", real_libvirtd), ("kvasird", kvasird)), SCRIPT + MORE, mask, prepare)
