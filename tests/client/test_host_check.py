"""Is a host good for guests: rows of the guide's chapter 1, on made-up hosts and on this one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kvasir.cli import hostcheck, hostclock, kvasir_host, virt_host_validate
from kvasir.cli import kvasir as front
from kvasir.cpu import x86_tables
from tests.conftest import PROJECT, KvasirDaemon, Peers

INTEL = "processor : 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu tsc msr vmx lm constant_tsc\n"
AMD = "processor : 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu tsc svm lm\n"
PLAIN = "processor : 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu tsc lm\n"


def made(folder: Path, cpuinfo: str, modules: str = "", meminfo: str = "") -> str:
    for path, text in (("cpuinfo", cpuinfo), ("modules", modules), ("meminfo", meminfo)):
        (folder / "proc").mkdir(exist_ok=True)
        (folder / "proc" / path).write_text(text)
    return str(folder)


@pytest.mark.guide("proc-verify-virt-extensions")
def test_extensions_and_modules() -> None:
    for cpuinfo, modules, said in (
        (INTEL, "kvm_intel 200 0 - Live\nkvm 1 1 kvm_intel\n", ("Intel", "VT-x", "kvm_intel")),
        (AMD, "kvm_amd 200 0 - Live\n", ("AMD", "AMD-V", "kvm_amd")),
        (INTEL, "", ("Intel", "VT-x", "")),
        (PLAIN, "ext4 1 1 - Live\n", ("Intel", "", "")),
    ):
        found = hostcheck.Processor(cpuinfo, modules)
        assert (found.vendor, found.extension, found.module) == said
        assert bool(found.hint) == (not said[2]) and ("BIOS" in found.hint or not found.hint)


@pytest.mark.guide("req-kvm-cpu", "trouble-no-guests-extensions", "trouble-bios-disabled")
@pytest.mark.parametrize(("cpuinfo", "verdict"), [(INTEL, "PASS"), (AMD, "PASS"), (PLAIN, "FAIL")])
def test_host_validate(tmp_path: Path, capsys: pytest.CaptureFixture[str], cpuinfo: str, verdict: str) -> None:
    assert virt_host_validate.main(["qemu"], made(tmp_path, cpuinfo)) == 1  # no /dev/kvm, no tun
    said = capsys.readouterr().out
    assert re.search(rf"^  QEMU: Checking for hardware virtualization +: {verdict}", said, re.M)
    assert virt_host_validate.main(["bhyve"]) == 1


@pytest.mark.guide("req-kvm-cpu")
@pytest.mark.parametrize(
    "line", ["", "qemu", "lxc", "qemu more", "-q", "--quiet lxc", "nosuch", "--nosuch", "-z", "--version"]
)
def test_host_validate_says_what_the_real_one_says(peers: Peers, line: str) -> None:
    command = [sys.executable, "-m", "kvasir.cli.virt_host_validate", *line.split()]
    ours = subprocess.run(command, capture_output=True, text=True)
    real = peers.run("virt-host-validate", *line.split())
    assert ours.returncode == real.returncode
    if line == "--version":
        assert ours.stdout.startswith("version: ") and ours.stdout.endswith(" 9.0.0\n")
    else:
        assert ours.stdout == real.stdout
        said = [one.stderr.partition("\n")[0].partition(": ")[2] for one in (ours, real)]
        assert said[0] == said[1]


@pytest.mark.guide("limit-host-minimum")
def test_least_host() -> None:
    assert len(hostcheck.too_little(5.9, 1.9 * 1024)) == 2
    assert hostcheck.too_little(5.9, 2048) == ["5.9 GB of disk are free, a host needs 6 GB"]
    assert hostcheck.too_little(6, 1.9 * 1024) == ["1.9 GB of memory are there, a host needs 2 GB"]
    assert hostcheck.too_little(6, 2048) == []


@pytest.mark.guide("formula-disk-space-raw", "formula-disk-space-qcow")
def test_disk_space(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.main(["plan", "--raw", "10", "--raw", "20", "--host", "6", "--swap", "4"]) == 0
    assert front.main(["plan", "--qcow2", "100", "--host", "6", "--swap", "4"]) == 0
    assert front.main(["plan", "--raw", "10"]) == 0
    assert capsys.readouterr().out == "40 GB\n111 GB\n16 GB\n"


class FakeGuest:
    def __init__(self, cpus: int, mebibytes: int) -> None:
        self.row = [1, mebibytes * 1024, 0, cpus, 0]

    def info(self) -> list[int]:
        return self.row

    def XMLDesc(self, flags: int) -> str:
        source = "<source file='/x.img'/>"
        return f"<domain><devices><disk device='disk'>{source}</disk></devices></domain>"

    def blockInfo(self, path: str) -> object:
        return type("Info", (), {"capacity": 10_000_000_000})


class FakeConnection:
    def __init__(self, *guests: FakeGuest) -> None:
        self.guests = guests

    def listAllDomains(self) -> list[FakeGuest]:
        return list(self.guests)


@pytest.mark.guide("limit-host-recommended", "concept-host-swap")
def test_recommended_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    meminfo = "MemTotal: 4194304 kB\nSwapTotal: 2097152 kB\nSwapFree: 1048576 kB\n"
    root = made(tmp_path, INTEL, "kvm_intel 1 0 -\n", meminfo)
    guests = FakeConnection(FakeGuest(2000, 1024), FakeGuest(3, 4096))
    assert kvasir_host.host(guests, root) == 1
    said = capsys.readouterr().out
    assert "recommended  2004 threads, 7168 MiB, 26.0 GB" in said
    assert "swap         2048 MiB, 1024 MiB free" in said
    assert (
        "warning: 2004 threads are recommended" in said and "warning: 7168 MiB of memory are recommended, 4096" in said
    )
    wanted = hostcheck.Wanted(3, 1024, 20)
    assert (wanted.threads, wanted.memory, wanted.disk) == (4, 3072, 26)
    assert wanted.short(4, 3072, 26) == []
    real = hostcheck.memory()
    lines = dict(re.findall(r"^(\w+): +(\d+) kB", Path("/proc/meminfo").read_text(), re.M))
    assert real["SwapTotal"] == int(lines["SwapTotal"]) // 1024


@pytest.mark.guide("proc-constant-tsc-check", "proc-host-without-constant-tsc", "behaviour-ntp-host-and-guest")
def test_clocks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A steady counter, and what to do without one; who keeps the time."""
    root = made(tmp_path, INTEL)
    kvasir_host.host(FakeConnection(), root)
    said = capsys.readouterr().out
    assert re.search(r"^counter +constant_tsc$", said, re.M) and re.search(r"^time +nothing keeps the time", said, re.M)
    root = made(tmp_path, PLAIN)
    for path, text in (
        ("sys/module/processor/parameters/max_cstate", "9\n"),
        ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "ondemand\n"),
        ("run/systemd/timesync/synchronized", ""),
    ):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    kvasir_host.host(FakeConnection(), root)
    said = capsys.readouterr().out
    assert "processor.max_cstate=1" in said and "now 9" in said and "governor now: ondemand" in said
    assert re.search(r"^time +systemd-timesyncd, synchronized$", said, re.M)
    for path, name in (("run/chrony/chronyd.pid", "chronyd"), ("run/ntpd.pid", "ntpd")):
        (tmp_path / name).mkdir()
        (tmp_path / name / path).parent.mkdir(parents=True)
        (tmp_path / name / path).write_text("1")
        assert hostclock.time(str(tmp_path / name)) == f"{name}, state unknown"
    assert hostclock.synchronized() in (True, False)


@pytest.mark.guide("file-cpu-map-xml", "limit-support-links")
def test_cpu_map_and_limits(kvasird: KvasirDaemon) -> None:
    """The models of the map are those that virsh names; the limits of CPUs are there."""
    shown = kvasird.virsh("cpu-models", "x86_64").stdout.split()
    assert sorted(shown) == sorted(x86_tables.models())
    assert "features" in (PROJECT / "src/kvasir/cpu/x86_tables.py").read_text()
    assert int(kvasird.virsh("maxvcpus", "kvm").stdout) > 0
    most = re.search(r"<vcpu max='(\d+)'/>", kvasird.virsh("domcapabilities").stdout)
    assert most is not None and int(most[1]) > 0
