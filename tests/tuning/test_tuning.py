"""Tuning by control groups: one script with the real virsh on both daemons, and with ours; the kernel's files beside it."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, Done
from tests.tuning.conftest import Room, group_files

GUEST = """\
<domain type='qemu'>
  <name>tuned</name>
  <uuid>6b9ed8d5-2f5a-4c39-b7c5-9d2c3a1d0e01</uuid>
  <memory unit='MiB'>64</memory>
  <memtune><soft_limit unit='GiB'>1</soft_limit></memtune>
  <vcpu>2</vcpu>
  <iothreads>2</iothreads>
  <cputune>
    <shares>2000</shares>
    <vcpupin vcpu='0' cpuset='0'/>
    <emulatorpin cpuset='1'/>
    <iothreadpin iothread='1' cpuset='0'/>
  </cputune>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices><memballoon model='none'/></devices>
</domain>
"""

OFF = """
schedinfo tuned
schedinfo tuned --live
schedinfo tuned --set cpu_shares=2000
memtune tuned
memtune tuned --live
memtune tuned --hard-limit 5000000 --swap-hard-limit 4000000
numatune tuned
blkiotune tuned
blkiotune tuned --device-weights {disk},5,/dev/sdx,6
blkiotune tuned
blkiotune tuned --device-weights {disk},0,/dev/sdx,0
blkiotune tuned --device-weights {disk},abc
blkiotune tuned --weight 0
cpu-stats tuned
vcpupin tuned
vcpupin tuned 7
vcpupin tuned 0 1
emulatorpin tuned
emulatorpin tuned 1
iothreadpin tuned 5 1
iothreadinfo tuned
perf tuned --enable cmt --disable cpu_clock
perf tuned --disable cmt
perf tuned --live
schedinfo tuned --live --config
vcpupin tuned --live --config
emulatorpin tuned --live --config
numatune tuned --live --config
"""

RUNNING = """
start tuned
schedinfo tuned
memtune tuned --soft-limit 2097152
memtune tuned
memtune tuned --hard-limit 3097152 --config
memtune tuned --config
memtune tuned --hard-limit 300M --live
memtune tuned --swap-hard-limit 100
memtune tuned --swap-hard-limit 400M
memtune tuned --min-guarantee 10
memtune tuned --soft-limit -1
memtune tuned --hard-limit -1 --live
memtune tuned
memtune tuned --live --config
memtune tuned --live --config --soft-limit 50000
memtune tuned --current --live
memtune tuned --hard-limit x
blkiotune tuned --weight 500
blkiotune tuned --weight 300 --config
blkiotune tuned --config
blkiotune tuned --device-read-iops-sec {disk},100
blkiotune tuned --device-write-iops-sec {disk},110 --live
blkiotune tuned --device-write-bytes-sec {disk},1048576
blkiotune tuned --device-read-bytes-sec {disk},2097152
blkiotune tuned
blkiotune tuned --device-read-iops-sec {disk},0 --live
blkiotune tuned --device-read-bytes-sec /dev/null,5
blkiotune tuned --device-read-bytes-sec /nonexist,5
blkiotune tuned --device-read-bytes-sec foo
blkiotune tuned --device-write-iops-sec {disk},20 --config
blkiotune tuned --config
blkiotune tuned --current
schedinfo tuned --set cpu_shares=2046
schedinfo tuned cpu_shares=512 vcpu_quota=50000
schedinfo tuned --set vcpu_period=5
schedinfo tuned --set emulator_quota=5
schedinfo tuned --set bogus=5
schedinfo tuned --config --set vcpu_period=50000 vcpu_quota=-1
schedinfo tuned --set global_quota=90000
schedinfo tuned --set iothread_period=90000
schedinfo tuned --set emulator_period=80000 emulator_quota=40000 --live
schedinfo tuned --set cpu_shares=abc
schedinfo tuned --weight 5
schedinfo tuned --cap 5
schedinfo tuned --current
numatune tuned --nodeset 0
numatune tuned
numatune tuned --mode preferred --live
numatune tuned --mode bogus
numatune tuned --mode 7
numatune tuned --mode interleave --nodeset 0 --config
numatune tuned --config
numatune tuned --mode strict --nodeset 5
numatune tuned --mode 0 --nodeset 0 --live
numatune tuned --nodeset abc
numatune tuned --current
vcpupin tuned 0 1
vcpupin tuned
vcpupin tuned 1
vcpupin tuned 0 0-1 --config
vcpupin tuned --config
vcpupin tuned 5 0
vcpupin tuned 0 999
vcpupin tuned 1 0-1,^1
vcpupin tuned 1 r
vcpupin tuned 0 --live
vcpupin tuned --current
vcpupin tuned 0 x
emulatorpin tuned 0
emulatorpin tuned
emulatorpin tuned r
emulatorpin tuned 0-1,^1 --config
emulatorpin tuned --config
emulatorpin tuned 999
iothreadpin tuned 1 1
iothreadpin tuned 3 1
iothreadpin tuned 2 0 --config
iothreadinfo tuned
iothreadinfo tuned --config
cpu-stats tuned
cpu-stats tuned --total
cpu-stats tuned --start 1
cpu-stats tuned --start 0 --count 1
cpu-stats tuned --start 999
cpu-stats tuned --count 999
cpu-stats tuned --start -1
perf tuned --enable task_clock
perf tuned --enable bogus
perf tuned --config --enable task_clock,page_faults
perf tuned --config
perf tuned
perf tuned --enable page_faults --disable page_faults
domstats tuned --perf
perf tuned --disable task_clock --live
vcpuinfo tuned
dumpxml tuned --xpath /domain/blkiotune
dumpxml tuned --xpath /domain/memtune
dumpxml tuned --xpath /domain/cputune
dumpxml tuned --xpath /domain/numatune
dumpxml tuned --xpath /domain/iothreadids
dumpxml tuned --xpath /domain/resource
dumpxml tuned --xpath /domain/perf
dumpxml tuned --inactive
"""

END = """
destroy tuned
undefine tuned
"""

ROWS = (
    "virsh-memtune", "virsh-memtune-opt-soft-limit", "virsh-memtune-opt-swap-hard-limit", "virsh-memtune-opt-min-guarantee",
    "virsh-blkiotune-opt-device-read-iops-sec", "virsh-blkiotune-opt-device-write-iops-sec",
    "virsh-blkiotune-opt-device-read-bytes-sec", "virsh-blkiotune-opt-device-write-bytes-sec",
    "virsh-blkiotune-opt-config", "virsh-blkiotune-opt-live", "virsh-blkiotune-opt-current",
    "virsh-schedinfo", "virsh-schedinfo-arg-domain", "virsh-schedinfo-opt-current", "virsh-schedinfo-opt-config",
    "virsh-schedinfo-opt-live", "virsh-numatune", "virsh-numatune-opt-mode", "virsh-numatune-opt-nodeset",
    "virsh-numatune-opt-config", "virsh-numatune-opt-live", "virsh-numatune-opt-current", "virsh-vcpupin",
    "virsh-vcpupin-opt-vcpu", "virsh-vcpupin-opt-cpulist", "virsh-vcpupin-opt-config", "virsh-vcpupin-opt-live",
    "virsh-vcpupin-opt-current", "virsh-cpu-stats", "virsh-cpu-stats-opt-total", "virsh-cpu-stats-opt-start",
    "virsh-cpu-stats-opt-count",
)  # fmt: skip


def block_device() -> str:
    for name in sorted(os.listdir("/sys/block")):
        if Path("/dev", name).is_block_device() and not name.startswith(("loop", "ram", "zram")):
            return f"/dev/{name}"
    pytest.skip("needs a block device")


def masked(text: str) -> str:
    """Times and counts."""
    text = re.sub(r"time +\d+\.\d+ seconds", "time N seconds", text)
    text = re.sub(r"(perf\.\w+)=\d+", r"\1=N", text)
    text = re.sub(r"CPU time: .*\n", "", text)
    return re.sub(r"\nCPU:  .*", "", text)


def run(virsh: object, line: str) -> str:
    assert callable(virsh)
    done: Done = virsh(*line.split())
    return f"$ {line}\n{masked(done.stdout + done.stderr)}[{done.returncode}]\n"


def transcript(virsh: object, script: str, disk: str) -> list[str]:
    return [run(virsh, line.format(disk=disk)) for line in script.strip().splitlines()]


@pytest.fixture
def document(room: Room, real: DaemonHandle, tmp_path: Path) -> Path:
    path = tmp_path / "tuned.xml"
    path.write_text(GUEST)
    return path


def compare(ours: list[str], theirs: list[str]) -> None:
    wrong = [f"{other}-- ours:\n{mine}" for mine, other in zip(ours, theirs, strict=True) if mine != other]
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="pins to two processors")
@pytest.mark.guide(*ROWS)
def test_one_script_says_the_same_everywhere(room: Room, real: DaemonHandle, document: Path) -> None:
    disk = block_device()
    script = f"define {document}\n{OFF}{RUNNING}{END}".replace("\n\n", "\n")
    with ThreadPoolExecutor() as pool:
        beside = pool.submit(transcript, real.virsh, script, disk)
        ours = [transcript(virsh, script, disk) for virsh in (room.virsh, room.our_virsh)]
        theirs = beside.result()
    compare(ours[0], theirs)
    compare(ours[1], theirs)


def value(pid: int, controller: str, name: str) -> str:
    return (group_files(pid)[controller] / name).read_text().strip()


def pid_of(room: Room, name: str) -> int:
    return int((room.folder / f"run/libvirt/qemu/{name}.pid").read_text())


def allowed(tid: str) -> set[int]:
    return os.sched_getaffinity(int(tid))


@pytest.mark.guide(
    "cgroup-memory", "cgroup-cpuset", "cgroup-cpuacct", "cgroup-cpu", "cgroup-devices", "cgroups-concept",
    "virsh-blkiotune", "virsh-blkiotune-opt-weight", "virsh-schedinfo-opt-set", "schedinfo-param-cpu-shares",
    "schedinfo-param-vcpu-period", "schedinfo-param-vcpu-quota", "schedinfo-param-emulator", "domxml-cputune",
    "domxml-cputune-vcpupin", "domxml-cputune-emulatorpin", "domxml-resource-partition-cgroups",
)  # fmt: skip
def test_kernel_has_what_was_set(room: Room, document: Path) -> None:
    disk = block_device()
    for line in (f"define {document}", "start tuned"):
        assert room.virsh(*line.split()).returncode == 0
    try:
        pid = pid_of(room, "tuned")
        groups = group_files(pid)
        assert re.fullmatch(r"qemu-\d+-tuned\.libvirt-qemu", groups["devices"].name)
        assert groups["devices"].parent.name == "machine"
        for controller in ("memory", "blkio", "freezer"):
            assert groups[controller].name == groups["devices"].name
        assert groups["cpu"].name == groups["cpuset"].name == groups["cpuacct"].name == "emulator"
        top = groups["cpu"].parent
        tids = {path.name: (path / "tasks").read_text().split() for path in top.iterdir() if path.is_dir()}
        assert set(tids) == {"emulator", "vcpu0", "vcpu1", "iothread1", "iothread2"}
        assert [allowed(tids[name][0]) for name in ("vcpu0", "emulator", "iothread1")] == [{0}, {1}, {0}]
        devices = value(pid, "devices", "devices.list").splitlines()
        assert "c 136:* rw" in devices and "c 1:3 rw" in devices and not any(line.startswith("a ") for line in devices)
        assert value(pid, "memory", "memory.soft_limit_in_bytes") == str(1 << 30)
        assert (top / "cpu.shares").read_text().strip() == "2000"
        for line in (
            "schedinfo tuned cpu_shares=2046 vcpu_period=50000 vcpu_quota=25000 emulator_period=60000 emulator_quota=30000",
            "schedinfo tuned global_period=70000 global_quota=140000",
            "memtune tuned --hard-limit 300M",
            "vcpupin tuned 0 1",
            "emulatorpin tuned 0",
            f"blkiotune tuned --device-read-iops-sec {disk},100",
            f"blkiotune tuned --device-write-bytes-sec {disk},1048576",
        ):
            assert room.virsh(*line.split()).returncode == 0, line
        assert (top / "cpu.shares").read_text().strip() == "2046"
        assert (top / "vcpu0/cpu.cfs_period_us").read_text().strip() == "50000"
        assert (top / "vcpu1/cpu.cfs_quota_us").read_text().strip() == "25000"
        assert (top / "emulator/cpu.cfs_period_us").read_text().strip() == "60000"
        assert (top / "emulator/cpu.cfs_quota_us").read_text().strip() == "30000"
        assert (top / "cpu.cfs_quota_us").read_text().strip() == "140000"
        assert value(pid, "memory", "memory.limit_in_bytes") == str(300 << 20)
        assert (groups["cpuset"].parent / "vcpu0/cpuset.cpus").read_text().strip() == "1"
        assert value(pid, "cpuset", "cpuset.cpus") == "0"
        assert allowed(tids["vcpu0"][0]) == {1} and allowed(str(pid)) == {0}
        number = os.stat(disk).st_rdev
        device = f"{os.major(number)}:{os.minor(number)}"
        assert value(pid, "blkio", "blkio.throttle.read_iops_device") == f"{device} 100"
        assert value(pid, "blkio", "blkio.throttle.write_bps_device") == f"{device} 1048576"
        if room.virsh("blkiotune", "tuned", "--weight", "500").returncode == 0:
            name = next(n for n in ("blkio.bfq.weight", "blkio.weight") if (groups["blkio"] / n).exists())
            assert value(pid, "blkio", name) == "500"
        assert "out of range" in room.virsh("blkiotune", "tuned", "--weight", "5000").stderr
        spent = int((groups["cpuacct"].parent / "cpuacct.usage").read_text())
        shown = re.search(r"cpu_time +(\d+)\.(\d+)", room.virsh("cpu-stats", "tuned", "--total").stdout)
        assert shown is not None and int(shown[1] + shown[2]) >= spent > 0
        restarted(room)
    finally:
        room.virsh("destroy", "tuned")
    assert not any(
        groups[name].exists() for name in ("cpu", "cpuacct", "cpuset", "memory", "devices", "blkio", "freezer")
    )
    assert room.virsh("undefine", "tuned").returncode == 0


def restarted(room: Room) -> None:
    """A daemon that starts anew finds the groups of the guests that run."""
    before = [room.virsh(*line.split()).stdout for line in ("schedinfo tuned", "memtune tuned", "vcpupin tuned")]
    room.restart()
    after = [room.virsh(*line.split()).stdout for line in ("schedinfo tuned", "memtune tuned", "vcpupin tuned")]
    assert after == before and "cpu_shares     : 2046" in after[0] and "hard_limit     : 307200" in after[1]


def test_start_that_fails_leaves_no_group(room: Room, tmp_path: Path) -> None:
    path = tmp_path / "bad.xml"
    bad = "<disk type='file'><source file='/nonexistent/x'/><target dev='vda'/></disk>"
    weights = "<blkiotune><device><path>/dev/null</path><read_iops_sec>5</read_iops_sec></device></blkiotune>"
    for text, words in (
        (GUEST.replace("<devices>", f"<devices>{bad}"), "Cannot access storage file"),
        (GUEST.replace("<vcpu>", f"{weights}<vcpu>"), "Path '/dev/null' must be a block device"),
        (GUEST.replace("<os>", "<resource><partition>/nowhere</partition></resource><os>"), "/nowhere.partition"),
        (GUEST.replace("<os>", "<numatune><memory nodeset='60'/></numatune><os>"), "NUMA node 60 is unavailable"),
    ):
        path.write_text(text)
        done = room.virsh("create", str(path))
        assert done.returncode == 1 and words in done.stderr, done.stderr
    for folder in (room.folder / "sys/fs/cgroup").glob("*"):
        assert not list(folder.rglob("*tuned*"))
    for tree in Path("/sys/fs/cgroup").glob("*"):
        assert not [found for found in tree.rglob("*tuned*.libvirt-qemu") if "kvasir-room" in str(found)]
