"""The host's figures: our daemon and the real one, asked by the real virsh, say the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from kvasir.host import cpustats, memory, sysinfo

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import DaemonHandle, KvasirDaemon

EXACT = [
    ("nodeinfo",),
    ("nodecpumap",),
    ("nodecpustats", "99"),
    ("nodememstats", "7"),
    ("freecell", "5"),
    ("freepages", "0", "8"),
    ("freepages", "3", "4"),
    ("allocpages", "4", "1"),
    ("maxvcpus", "xen"),
    ("node-memory-tune",),
    ("hostname",),
    ("version", "--daemon"),
    ("nodesevinfo",),
    ("nodesuspend", "mem", "60"),
]
SHAPE = [
    ("nodecpustats",),
    ("nodecpustats", "0"),
    ("nodecpustats", "--percent"),
    ("nodememstats",),
    ("nodememstats", "0"),
    ("freecell",),
    ("freecell", "0"),
    ("freecell", "--all"),
    ("freepages", "--all"),
]


def mask(text: str) -> str:
    """Times and free memory differ between two calls; blanks in front of numbers with them."""
    return re.sub(r" *\d+(\.\d+)?", " N", text)


@pytest.mark.guide(
    *("virsh-nodeinfo", "virsh-nodecpumap", "virsh-nodecpustats", "virsh-nodecpustats-arg-cpu"),
    *("virsh-nodecpustats-opt-percent", "virsh-freecell", "virsh-freecell-opt-all", "virsh-freecell-opt-cellno"),
    *("virsh-node-memory-tune", "virsh-hostname", "virsh-version", "virsh-version-opt-daemon"),
)
def test_same_words(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """One start of our daemon for all commands."""
    for command in EXACT:
        ours, theirs = kvasird.virsh(*command), real_libvirtd.virsh(*command)
        hide = (lambda text: re.sub(r"\d+ MHz", "N MHz", text)) if command[0] == "nodeinfo" else str
        wanted = (hide(theirs.stdout), theirs.stderr, theirs.returncode)
        assert (hide(ours.stdout), ours.stderr, ours.returncode) == wanted, command
    for command in SHAPE:
        ours, theirs = kvasird.virsh(*command), real_libvirtd.virsh(*command)
        assert (mask(ours.stdout), ours.stderr, ours.returncode) == (mask(theirs.stdout), "", 0), command


@pytest.mark.guide("virsh-readonly-unprivileged", "error-readonly-write")
def test_read_only(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """``virsh -r`` reads and is refused to write, by the daemon too when a client would not refuse."""
    for command in (("-r", "list", "--all"), ("-r", "nodeinfo"), ("-r", "define", "/etc/hostname")):
        ours, theirs = kvasird.virsh(*command), real_libvirtd.virsh(*command)
        assert ours.returncode == theirs.returncode and ours.stderr == theirs.stderr, command
    assert "read only access prevents virDomainDefineXML" in ours.stderr


def test_topology_that_is_no_product(tmp_path: Path) -> None:
    """An offline processor in a made-up sysfs: the shape falls back to one socket."""
    root, proc = tmp_path / "sys/devices/system", tmp_path / "proc"
    proc.mkdir()
    (proc / "cpuinfo").write_text("processor : 0\ncpu MHz\t\t: 1999.9\n")
    (root / "cpu").mkdir(parents=True)
    (root / "cpu/online").write_text("0-1,3\n")
    (root / "cpu/present").write_text("0-3\n")
    node = root / "node/node0"
    node.mkdir(parents=True)
    (root / "node/online").write_text("0\n")
    (node / "cpulist").write_text("0-3\n")
    (node / "meminfo").write_text("Node 0 MemTotal:  1000 kB\nNode 0 MemFree:   400 kB\n")
    (node / "distance").write_text("10\n")
    for number in (0, 1, 3):
        topology = root / f"cpu/cpu{number}/topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text("0\n")
        (topology / "core_id").write_text(f"{number // 2}\n")
        (topology / "thread_siblings_list").write_text({0: "0-1", 1: "0-1", 3: "3"}[number])
    assert cpustats.shape(root, proc) == (3, 1999, 1, 1, 2, 2)
    (root / "cpu/cpu1/topology/core_id").write_text("5\n")
    cpustats._product.cache_clear()
    assert cpustats.shape(root, proc) == (3, 1999, 1, 1, 3, 1)
    assert cpustats.bitmap(cpustats.online(root), cpustats.present(root)) == b"\x0b"
    assert memory.total(root, proc) == 1000 and memory.free(root, proc) == 400 * 1024
    assert memory.stats(0, root, proc) == [("total", 1000), ("free", 400)]
    huge = node / "hugepages/hugepages-2048kB"
    huge.mkdir(parents=True)
    (huge / "nr_hugepages").write_text("3")
    (huge / "free_hugepages").write_text("2")
    assert memory.free_pages(0, 2048, root, proc) == 2 and memory.free_pages(0, 8, root, proc) is None
    assert memory.set_pages(0, 2048, 4, True, root) is True and (huge / "nr_hugepages").read_text() == "7"
    assert memory.set_pages(0, 2048, 4, False, root) is True and (huge / "nr_hugepages").read_text() == "4"


def test_times(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu  10 2 3 40 5 6 7 0 0 0\ncpu0 1 0 0 0 0 0 0 0 0 0\n")
    tick = 10_000_000
    assert cpustats.times(-1, tmp_path) == [
        *(("kernel", 16 * tick), ("user", 12 * tick), ("idle", 40 * tick), ("iowait", 5 * tick))
    ]
    assert cpustats.times(1, tmp_path) is None


DMIDECODE = """\
BIOS Information
	Vendor: ACME
	Version: 1.0
	Release Date: 01/01/2020
	Address: 0xE0000

System Information
	Manufacturer: ACME & Sons
	Product Name: Anvil
	Serial Number:
	UUID: 11111111-2222-3333-4444-555555555555

Processor Information
	Socket Designation: CPU0
	Type: Central Processor

OEM Strings
	String 1: hello
"""


def test_sysinfo_document() -> None:
    text = sysinfo.render(DMIDECODE)
    assert text.splitlines()[:6] == [
        "<sysinfo type='smbios'>",
        "  <bios>",
        "    <entry name='vendor'>ACME</entry>",
        "    <entry name='version'>1.0</entry>",
        "    <entry name='date'>01/01/2020</entry>",
        "  </bios>",
    ]
    assert "<entry name='manufacturer'>ACME &amp; Sons</entry>" in text and "serial" not in text
    assert "  <oemStrings>\n    <entry>hello</entry>\n  </oemStrings>\n</sysinfo>\n" in text
