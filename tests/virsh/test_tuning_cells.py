"""Memory and processors of guests in the four cells: sizes in every unit, the scopes of the changes, what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon
from tests.virsh.cells import four

pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/qemu-system-x86_64").exists(), reason="qemu-system-x86_64 is not installed"
)
GUEST = """<domain type='qemu'><name>t</name><uuid>12121212-1111-2222-3333-444444444444</uuid>
<memory unit='GiB'>4</memory><currentMemory unit='MiB'>256</currentMemory><vcpu current='1'>4</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><memballoon model='virtio'/></devices></domain>"""
UNITS = ("b", "bytes", "KB", "k", "KiB", "MB", "M", "MiB", "GB", "G", "GiB", "TB", "T", "TiB")
SIZES = ("1073741824b", "1073741824bytes", "1024000KB", "1048576k", "1048576KiB", "1024MB", "1024M", "1024MiB", "1GB", "1G", "1GiB",
         "1000001b", "524288", "512MB", "3.5G", "-1", "x", "1X", "0")  # fmt: skip
MEMORY = "define {folder}/t.xml\n" + "".join(
    f"setmem t {size} --config\ndumpxml t --inactive --xpath //currentMemory\n" for size in SIZES
)
MEMORY += """
setmem t --kilobytes 524288 --config
dumpxml t --xpath //currentMemory
setmem t --size 262144 --config
dumpxml t --xpath //currentMemory
setmem t 5G --config
setmem t 100M
setmem t 100M --live
setmem t 100M --current
dumpxml t --xpath //currentMemory
setmem t 100M --current --live
setmaxmem t 2G --config
dumpxml t --xpath //memory
setmaxmem t 1048576 --current
dumpxml t --xpath //memory
setmaxmem t 64M --config
dumpxml t --xpath //currentMemory
setmaxmem t 2G --live
setmaxmem t 2G
setmaxmem t 2048TB --config
setmaxmem t 300M --config
dommemstat t
dommemstat t --period 5 --config
dumpxml t --xpath //memballoon/stats
dommemstat t --period 5 --live
setvcpus t 2
setvcpus t 2 --live
setvcpus t 2 --config
vcpucount t
setvcpus t 3 --current
vcpucount t
setvcpus t 5 --config
setvcpus t 0 --config
setvcpus t -1 --config
setvcpus t x --config
setvcpus t 6 --maximum --config
vcpucount t
setvcpus t 6 --maximum --live
setvcpus t 6 --maximum
setvcpus t 2 --guest
setvcpus t 2 --guest --config
setvcpus t 4 --maximum --config
setvcpus t 1 --config
vcpuinfo t
start t
setmem t 200M --config
setmem t 60M --live
setmem t 60M --current
setmem t 9G --live
setmaxmem t 3G --live
setmaxmem t 3G
setmaxmem t 3G --config
dumpxml t --inactive --xpath //memory
dumpxml t --xpath //memory
dommemstat t --period 7 --live
dumpxml t --xpath //memballoon/stats
dommemstat t --period 8 --live --config
dumpxml t --inactive --xpath //memballoon/stats
dommemstat t --live
dommemstat t --period x
dommemstat t --period 5 --live --current
setvcpus t 5 --live
setvcpus t 3 --config
vcpucount t
vcpucount t --maximum --live
vcpucount t --current --live
vcpucount t --guest
setvcpus t 6 --maximum --live
setvcpus t 2 --guest
setvcpus t 0
setvcpus t 2 --live --current
vcpuinfo t --pretty
vcpuinfo t
domfstrim t
domfstrim t --minimum 0 --mountpoint /
domfstrim t --minimum x
destroy t
undefine t
"""


def prepare(daemon: DaemonHandle) -> None:
    (daemon.folder / "t.xml").write_text(GUEST)
    for unit in UNITS:
        (daemon.folder / f"u{unit}.xml").write_text(
            GUEST.replace("<memory unit='GiB'>4<", f"<memory unit='{unit}'>4000001<").replace(
                "<currentMemory unit='MiB'>256</currentMemory>", ""
            )
        )


def mask(text: str) -> str:
    """Times and what the kernel counts."""
    text = re.sub(r"CPU time: .*\n", "", text)
    text = re.sub(
        r"CPU time: .*|CPU: +\d+|(rss|minor_fault|major_fault|last_update|actual|unused|available|usable|swap_\w+|disk_caches|hugetlb_\w+) \d+",
        "#",
        text,
    )
    return re.sub(r"(?m)^CPU Affinity: .*", "#", text)


@pytest.mark.guide(
    "virsh-setmem-opt-kilobytes", "virsh-setmem-arg-size", "virsh-setmem-opt-live", "virsh-setmem-opt-current",
    "error-setmem-above-max", "memory-unit-b", "memory-unit-kb", "memory-unit-kib", "memory-unit-mb", "memory-unit-mib",
    "memory-unit-gb", "memory-unit-gib", "limit-memory-rounding", "virsh-setmaxmem", "virsh-setmaxmem-opt-config",
    "virsh-setmaxmem-opt-live", "virsh-setmaxmem-opt-current", "virsh-dommemstat", "virsh-dommemstat-opt-live",
    "virsh-dommemstat-opt-config", "virsh-dommemstat-opt-current", "virsh-setvcpus-opt-current", "virsh-setvcpus-no-flag",
    "virsh-setvcpus-opt-maximum", "virsh-setvcpus-arg-count", "error-setvcpus-maximum-live", "virsh-vcpuinfo",
    "virsh-domfstrim-opt-mountpoint",
)  # fmt: skip
def test_four_cells(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    four((("libvirtd", real_libvirtd), ("kvasird", kvasird)), MEMORY, mask, prepare)


@pytest.mark.guide("xml-memory-unit", "memory-unit-tb", "memory-unit-tib")
def test_units_in_documents(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """A document in each unit, as KiB again, rounded up."""
    script = "".join(
        f"define {{folder}}/u{unit}.xml\ndumpxml t --xpath //memory\ndumpxml t --xpath //currentMemory\n"
        for unit in UNITS
    )
    said = four((("libvirtd", real_libvirtd), ("kvasird", kvasird)), script + "undefine t\n", prepare=prepare)
    assert '<memory unit="KiB">3907</memory>' in dict(said)["dumpxml t --xpath //memory"] or any(
        "3907" in text for _, text in said
    )
