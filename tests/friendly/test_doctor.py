"""``kvasir doctor`` on made-up hosts (trees of /proc, /sys, /dev, /usr) and made-up guests."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kvasir.cli import kvasir as front
from kvasir.cli.friendly import doctor_guests, doctor_host
from kvasir.cli.friendly.doctor import Finding
from kvasir.errors import Code, Error, Origin

CPU = "processor\t: {n}\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vmx ept lm\n"
MEMORY = "MemTotal: 16777216 kB\nMemFree: 8388608 kB\nSwapTotal: {swap} kB\nSwapFree: {swap} kB\nHugePages_Total: {pages}\nHugePages_Free: {pages}\nHugepagesize: 2048 kB\n"
GOOD = {
    "proc/cpuinfo": CPU.format(n=0) + CPU.format(n=1), "proc/modules": "kvm_intel 1 0 - Live\n",
    "proc/meminfo": MEMORY.format(swap=4194304, pages=0), "proc/self/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n",
    "sys/fs/cgroup/cgroup.controllers": "cpu cpuset memory io\n", "dev/kvm": "", "dev/vhost-net": "", "dev/net/tun": "",
    "sys/kernel/iommu_groups/0": "", "sys/module/kvm_intel/parameters/nested": "Y\n", "usr/bin/apt-get": "",
    "usr/share/OVMF/OVMF_CODE_4M.fd": "", "var/lib/libvirt/images/x": "", "etc/passwd": "libvirt-qemu:x:64055:\n",
    **{f"usr/bin/{name}": "" for name in ("qemu-system-x86_64", "qemu-img", "passt", "dnsmasq", "swtpm", "ssh")},
}  # fmt: skip


def tree(folder: Path, **changes: str | None) -> str:
    """A host with nothing wrong, with changes: path with dots for slashes -> content, None for what is not there."""
    files: dict[str, str | None] = {**GOOD, **{path: text for path, text in changes.items()}}
    for path, text in files.items():
        if text is not None:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    return str(folder)


def bad(root: str) -> dict[str, Finding]:
    return {found.what: found for found in doctor_host.findings(root) if found.verdict != "pass"}


@pytest.mark.guide("install-kvm-module")
def test_a_host_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree(tmp_path)
    assert set(bad(root)) == {"secure guest support"}
    assert front.main(["doctor", "--offline", "--all", "--root", root]) == 0
    said = capsys.readouterr().out
    assert (
        "PASS  device /dev/kvm exists" in said
        and "PASS  nested virtualization" in said
        and said.endswith("checks, all well\n")
    )


CASES: list[tuple[dict[str, str | None], str, str, str]] = [
    ({"proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t: fpu\n"}, "hardware virtualization", "fail", "BIOS"),
    ({"dev/kvm": None}, "device /dev/kvm exists", "fail", "modprobe kvm_intel"),
    ({"dev/vhost-net": None}, "device /dev/vhost-net exists", "warn", "modprobe vhost_net"),
    ({"dev/net/tun": None}, "device /dev/net/tun exists", "fail", "modprobe tun"),
    ({"sys/kernel/iommu_groups/0": None}, "device assignment IOMMU support", "note", "intel_iommu=on"),
    ({"sys/kernel/iommu_groups/0": None, "proc/cmdline": "quiet intel_iommu=on\n"}, "device assignment IOMMU support", "note", "VT-d"),
    ({"sys/module/kvm_intel/parameters/nested": "N\n"}, "nested virtualization", "note", "modprobe -r kvm_intel"),
    ({"usr/bin/qemu-system-x86_64": None}, "QEMU", "fail", "apt-get install qemu-system-x86"),
    ({"usr/bin/passt": None}, "passt", "warn", "apt-get install passt"),
    ({"usr/bin/passt": None, "usr/bin/apt-get": None, "usr/bin/dnf": ""}, "passt", "warn", "dnf install passt"),
    ({"usr/share/OVMF/OVMF_CODE_4M.fd": None}, "UEFI firmware", "warn", "apt-get install ovmf"),
    ({"proc/meminfo": MEMORY.format(swap=0, pages=0)}, "swap", "note", "mkswap"),
    ({"proc/meminfo": MEMORY.format(swap=1, pages=64)}, "huge pages", "fail", "mount -t hugetlbfs"),
    ({"proc/meminfo": "MemTotal: 1048576 kB\nSwapTotal: 1 kB\n"}, "memory", "warn", "add memory"),
    ({"sys/class/net/docker0/x": ""}, "firewall", "warn", "DOCKER-USER"),
    ({"etc/ufw/ufw.conf": "ENABLED=yes\n"}, "firewall", "warn", "ufw route allow in on virbr0"),
    ({"run/firewalld.pid": "1"}, "firewall", "warn", "firewall-cmd"),
]  # fmt: skip


@pytest.mark.guide("trouble-no-guests-extensions")
@pytest.mark.parametrize(("changes", "what", "verdict", "repair"), CASES)
def test_first_failures(tmp_path: Path, changes: dict[str, str | None], what: str, verdict: str, repair: str) -> None:
    found = bad(tree(tmp_path, **changes))
    assert (found[what].verdict, repair in found[what].repair) == (verdict, True), found[what].repair
    assert what in bad(str(tmp_path)) and len(found) <= 3, list(found)


def test_fix_runs_the_safe_repairs_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stand-in for modprobe notes what it is asked and makes the device, as the module would."""
    root = tree(tmp_path / "host", **{"dev/vhost-net": None, "dev/kvm": None, "usr/bin/passt": None})
    tools = tmp_path / "tools"
    tools.mkdir()
    script = f'#!/bin/sh\necho "$*" >> {tools}/log\n[ "$1" = vhost_net ] && touch {root}/dev/vhost-net\n[ "$1" = kvm_intel ] && touch {root}/dev/kvm\nexit 0\n'
    for name in ("modprobe", "apt-get"):
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    assert front.main(["doctor", "--offline", "--root", root]) == 1
    assert not (tools / "log").exists()
    assert front.main(["doctor", "--offline", "--root", root, "--fix", "--json"]) == 0
    assert (tools / "log").read_text().split() == ["kvm_intel", "vhost_net"]
    said = capsys.readouterr()
    assert "2 of 2 repairs done" in said.err
    rows = json.loads(said.out[said.out.index("[") :])
    assert {row["check"] for row in rows} == {"passt", "secure guest support"}


class Guest:
    """A made-up guest of a daemon."""

    def __init__(
        self, name: str, mebibytes: int, cpus: int, devices: str = "", *, running: bool = True, more: str = ""
    ) -> None:
        self.row, self.label, self.running = [1, mebibytes * 1024, 0, cpus, 0], name, running
        self.text = f"<domain><memory unit='KiB'>{mebibytes * 1024}</memory>{more}<devices>{devices}</devices></domain>"
        self.sizes = [0, 0, 0]

    def name(self) -> str:
        return self.label

    def info(self) -> list[int]:
        return self.row

    def isActive(self) -> int:
        return int(self.running)

    def XMLDesc(self, flags: int) -> str:
        return self.text

    def blockInfo(self, path: str) -> list[int]:
        return self.sizes


class Network:
    def __init__(self, active: bool, autostart: bool) -> None:
        self.active, self.auto = active, autostart

    def isActive(self) -> int:
        return int(self.active)

    def autostart(self) -> int:
        return int(self.auto)

    def XMLDesc(self, flags: int) -> str:
        return "<network><ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.2'/></dhcp></ip></network>"


class Pool(Network):
    def __init__(self, active: bool, autostart: bool, adapter: str = "") -> None:
        super().__init__(active, autostart)
        self.text = f"<pool type='scsi'><source>{adapter}</source></pool>"

    def XMLDesc(self, flags: int) -> str:
        return self.text


class Daemon:
    def __init__(self, *guests: Guest, network: Network | None = None, pools: dict[str, Pool] | None = None) -> None:
        self.guests, self.network = list(guests), network or Network(True, True)
        self.pools = {"default": Pool(True, True), **(pools or {})}

    def storagePoolLookupByName(self, name: str) -> Pool:
        if name not in self.pools:
            raise Error(
                f"no storage pool with matching name '{name}'", code=Code.NO_STORAGE_POOL, origin=Origin.STORAGE
            )
        return self.pools[name]

    def getURI(self) -> str:
        return "qemu:///system"

    def listAllDomains(self, flags: int) -> list[Guest]:
        return self.guests

    def networkLookupByName(self, name: str) -> Network:
        return self.network


def complaints(root: str, *guests: Guest, **more: Any) -> list[tuple[str, str, str]]:
    return [
        (f.what, f.verdict, f.text)
        for f in doctor_guests.findings(Daemon(*guests, **more), root)
        if f.verdict != "pass"
    ]


@pytest.mark.guide("limit-vcpu-overcommit", "limit-overcommit-swap")
def test_overcommit_as_chapter_7_counts(tmp_path: Path) -> None:
    """16 GiB of memory, 4 GiB of swap, two cores."""
    root = tree(tmp_path)
    assert complaints(root, Guest("a", 12 << 10, 2)) == []
    assert complaints(root, Guest("a", 12 << 10, 2), Guest("b", 4 << 10, 2)) == [], "the swap bears it"
    found = complaints(root, Guest("a", 12 << 10, 2), Guest("b", 8 << 10, 2))
    assert [row[:2] for row in found] == [("overcommit", "warn")] and "needs 8.0 GiB of swap and has 4.0 GiB" in found[
        0
    ][2]
    assert complaints(root, *(Guest(f"g{n}", 64, 2) for n in range(5))) == []
    assert "up to 5 are safe" in complaints(root, *(Guest(f"g{n}", 64, 2) for n in range(6)))[0][2]
    assert "more than 10 are not recommended" in complaints(root, *(Guest(f"g{n}", 64, 2) for n in range(11)))[0][2]
    assert "more than the host's 2 cores" in complaints(root, Guest("wide", 64, 4, running=False))[0][2]


def test_assigned_devices_do_not_bear_overcommit(tmp_path: Path) -> None:
    root = tree(tmp_path)
    card = "<hostdev mode='subsystem' type='pci'/>"
    assert complaints(root, Guest("a", 8 << 10, 1, card)) == []
    found = complaints(root, Guest("a", 8 << 10, 1, card), Guest("b", 6 << 10, 1))
    assert found == [
        ("overcommit", "fail", "memory is overcommitted, which guests with assigned devices do not bear: a")
    ]


@pytest.mark.guide("formula-disk-space-raw", "formula-disk-space-qcow")
def test_space_that_images_may_still_take(tmp_path: Path) -> None:
    root = tree(tmp_path)
    disk = "<disk type='file' device='disk'><driver name='qemu' type='{}'/><source file='/var/lib/libvirt/images/x'/></disk>"
    free = os.statvfs(root).f_bavail * os.statvfs(root).f_frsize
    small, growing, raw = (
        Guest(name, 64, 1, disk.format(kind)) for name, kind in (("s", "qcow2"), ("g", "qcow2"), ("r", "raw"))
    )
    small.sizes = [1 << 20, 1 << 20, 0]
    assert complaints(root, small) == []
    growing.sizes = raw.sizes = [int(free * 0.995), 0, 0]
    assert "images in /var/lib/libvirt/images may grow by" in complaints(root, growing)[0][2]
    assert complaints(root, raw) == [], "a raw image takes no more than its size, a growing one 1.01 times as much"


def test_images_in_a_home_and_huge_pages(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        **{
            "home/me/vm/disk.img": "",
            "proc/meminfo": MEMORY.format(swap=4194304, pages=8),
            "proc/self/mounts": "x /h hugetlbfs rw 0 0\n",
        },
    )
    (tmp_path / "home/me").chmod(0o700)
    guest = Guest("mine", 32, 1, "<disk type='file' device='disk'><source file='/home/me/vm/disk.img'/></disk>")
    found = [f for f in doctor_guests.findings(Daemon(guest), root) if f.what == "images in closed folders"]
    assert found[0].verdict == "fail" and "setfacl -m u:libvirt-qemu:x /home/me" in found[0].repair and not found[0].fix
    pages = Guest("pages", 32, 1, running=False, more="<memoryBacking><hugepages/></memoryBacking>")
    rows = [f for f in doctor_guests.findings(Daemon(pages), root) if f.what == "huge pages for guests"]
    assert "wants 16 pages of 2048 KiB, 8 are free" in rows[0].text and rows[0].repair == "sysctl vm.nr_hugepages=16"


def test_the_default_network(tmp_path: Path) -> None:
    rows = [
        f
        for f in doctor_guests.findings(Daemon(network=Network(False, False)), tree(tmp_path))
        if f.what.startswith("network")
    ]
    assert [(f.verdict, f.fix[-2:]) for f in rows] == [
        ("fail", ["net-start", "default"]),
        ("warn", ["net-autostart", "default"]),
    ]


def test_the_default_networks_addresses_are_taken(tmp_path: Path) -> None:
    """As where Kvasir's host is itself a guest of libvirt: starting the network would fail, so other addresses are told."""
    head = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
    lines = "eth0 00000000 017AA8C0 0003 0 0 0 00000000 0 0 0\neth0 007AA8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
    root = tree(tmp_path, **{"proc/net/route": head + lines})
    found = next(f for f in doctor_guests.findings(Daemon(network=Network(False, True)), root) if f.verdict == "fail")
    assert found.text == "it is not active, and its addresses (192.168.122.0/24) are those of eth0" and not found.fix
    script = f'virsh() {{ [ $3 = net-dumpxml ] && echo "$XML"; :; }}; cd {tmp_path}; {found.repair}; cat default.xml'
    done = subprocess.run(
        ["bash", "-c", script], env={"XML": Network(False, True).XMLDesc(0)}, capture_output=True, text=True
    )
    assert done.stdout == Network(False, True).XMLDesc(0).replace("192.168.122", "192.168.123") + "\n", done.stderr
    assert Network(False, True).XMLDesc(0).count("192.168.122") == 2


@pytest.mark.guide("trouble-loop-max")
def test_loop_devices_are_used_up(tmp_path: Path) -> None:
    used = {f"sys/block/loop{n}/loop/backing_file": f"/images/{n}\n" for n in range(8)}
    root = tree(tmp_path, **used, **{"sys/module/loop/parameters/max_loop": "8\n"})
    found = bad(root)["loop devices"]
    assert (found.verdict, found.text) == ("warn", "all 8 are in use")
    assert "options loop max_loop=64" in found.repair
    assert "options loop max_loop=64" in (Path(__file__).parents[2] / "README.md").read_text()
    (tmp_path / "sys/module/loop/parameters/max_loop").write_text("64\n")
    assert "loop devices" not in bad(root)


ADAPTER = "<adapter type='fc_host' wwnn='20000000c9831b4b' wwpn='{}'/>"


def unit(pool: str) -> str:
    return f"<disk type='volume' device='lun'><source pool='{pool}' volume='unit:0:1:0'/><target dev='sda' bus='scsi'/></disk>"


@pytest.mark.guide("vhba-one-per-guest")
def test_a_virtual_adapter_is_for_one_guest(tmp_path: Path) -> None:
    root = tree(tmp_path)
    pools = {
        "p": Pool(True, True, ADAPTER.format("10000000c9831b4b")),
        "q": Pool(True, True, ADAPTER.format("10000000c9831b4c")),
    }
    one, two = Guest("one", 64, 1, unit("p")), Guest("two", 64, 1, unit("q"))
    assert not [row for row in complaints(root, one, two, pools=pools) if row[0] == "virtual adapters"]
    both = [
        row
        for row in complaints(root, one, Guest("two", 64, 1, unit("p")), pools=pools)
        if row[0] == "virtual adapters"
    ]
    text = "the one with wwpn 10000000c9831b4b is used by more than one guest: one, two"
    assert both == [("virtual adapters", "warn", text)]


@pytest.mark.guide("gpu-assignment-methods")
def test_one_mediated_device_for_a_guest(tmp_path: Path) -> None:
    """A card (pci) may have any number of kin, of vGPUs (mdev) a guest has one. Both kinds are in the golden documents and in tests/hotplug."""
    root = tree(tmp_path)
    mdev = "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='{}'/></source></hostdev>"
    pci = "<hostdev mode='subsystem' type='pci'><source><address bus='{}'/></source></hostdev>"
    fine = Guest("fine", 64, 1, mdev.format(1) + pci.format(1) + pci.format(2), running=False)
    assert complaints(root, fine) == []
    text = "two has 2 mediated devices (vGPU), of which one is supported for a guest"
    assert complaints(root, Guest("two", 64, 1, mdev.format(1) + mdev.format(2), running=False)) == [
        ("mediated devices", "warn", text)
    ]


def test_the_default_pool(tmp_path: Path) -> None:
    root = tree(tmp_path)
    daemon = Daemon()
    daemon.pools = {}
    found = [f for f in doctor_guests.findings(daemon, root) if f.what == "pool default"]
    assert found[0].fix[:3] == ["virsh", "-c", "qemu:///system"]
    assert found[0].fix[3].startswith("pool-define-as default dir --target /var/lib/libvirt/images; ")
    daemon.pools = {"default": Pool(True, False)}
    found = [f for f in doctor_guests.findings(daemon, root) if f.what == "pool default"]
    assert found[0].fix[3:] == ["pool-autostart", "default"]
