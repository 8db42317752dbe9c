"""Rows of the guide about control groups that want the kernel's own files: weights of devices, hard limits, the freezer, nodes, tc."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tuning.conftest import Room, group_files
from tests.tuning.test_tuning import pid_of, value
from tests.waiting import until

GUEST = """<domain type='qemu'><name>rows</name><memory unit='MiB'>256</memory>{top}<vcpu>1</vcpu>
<numatune><memory mode='strict' nodeset='0'/></numatune><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<disk type='file'><driver name='qemu' type='raw'/><source file='{image}'/><target dev='vda' bus='virtio'/></disk>
<interface type='ethernet'><target dev='kvrows0'/><model type='virtio'/></interface><memballoon model='none'/></devices></domain>"""
LIMITS = "<blkiotune><weight>800</weight><device><path>{loop}</path><weight>900</weight></device></blkiotune>"
PREALLOCATED = "<memtune><hard_limit unit='MiB'>{limit}</hard_limit></memtune><memoryBacking><allocation mode='immediate'/></memoryBacking>"


def ok(room: Room, *words: object) -> str:
    done = room.virsh(*map(str, words))
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[str]:
    """A block device of the test's own, with the scheduler that knows weights."""
    image = tmp_path / "loop.img"
    image.write_bytes(bytes(1 << 20))
    done = subprocess.run(["losetup", "--show", "-f", str(image)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no loop device: {done.stderr.strip()}")
    device = done.stdout.strip()
    try:
        scheduler = Path("/sys/block", Path(device).name, "queue/scheduler")
        if "bfq" not in scheduler.read_text():
            pytest.skip("this kernel has no bfq, which weights need")
        scheduler.write_text("bfq")
        yield device
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


def write(room: Room, tmp_path: Path, top: str) -> Path:
    image, path = room.folder / "rows.img", tmp_path / "rows.xml"
    image.write_bytes(bytes(1 << 20))
    image.chmod(0o666)
    path.write_text(GUEST.format(top=top, image=image))
    return path


def qmp(room: Room, command: str) -> object:
    return json.loads(ok(room, "qemu-monitor-command", "rows", json.dumps({"execute": command})))["return"]


def weights(room: Room, pid: int, loop: str) -> None:
    """domxml-blkiotune-*: of the document; then by command, with 0 to take one away; what is out of range is refused."""
    number = Path("/sys/block", Path(loop).name, "dev").read_text().strip()
    assert value(pid, "blkio", "blkio.bfq.weight") == "800"
    assert f"{number} 900" in value(pid, "blkio", "blkio.bfq.weight_device").splitlines()
    said = ok(room, "blkiotune", "rows")
    assert re.search(r"^weight +: 800$", said, re.M) and re.search(rf"^device_weight +: {loop},900$", said, re.M)
    ok(room, "blkiotune", "rows", "--device-weights", f"{loop},500", "--live")
    assert f"{number} 500" in value(pid, "blkio", "blkio.bfq.weight_device").splitlines()
    ok(room, "blkiotune", "rows", "--device-weights", f"{loop},0", "--live")
    assert number not in value(pid, "blkio", "blkio.bfq.weight_device")
    for bad in (
        "1001",
        "2000",
    ):  # the kernel's range: bfq takes 1 to 1000, cfq took 10 to 1000, and before that 100 to 1000
        for option in (("--weight", bad), ("--device-weights", f"{loop},{bad}")):
            assert "out of range" in room.virsh("blkiotune", "rows", *option, "--live").stderr, bad
    assert value(pid, "blkio", "blkio.bfq.weight") == "800"
    assert (
        "Path '/dev/nosuch' is not accessible"
        in room.virsh("blkiotune", "rows", "--device-weights", "/dev/nosuch,500", "--live").stderr
    )


def frozen(room: Room, pid: int) -> None:
    """cgroup-freezer: the group holds all threads of the process; frozen they stand still."""
    group = group_files(pid)["freezer"]

    def spent() -> list[str]:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]

    (group / "freezer.state").write_text("FROZEN")
    until(lambda: (group / "freezer.state").read_text().strip() == "FROZEN")
    before = spent()
    threads = [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]
    assert set(map(str, threads)) <= set((group / "tasks").read_text().split())
    time.sleep(1)
    assert spent() == before
    (group / "freezer.state").write_text("THAWED")
    assert qmp(room, "query-status")["status"] == "running"  # type: ignore[index]


def commands(room: Room, pid: int) -> None:
    """cgroup-tuning-commands: where each command's value is found again."""
    ok(room, "schedinfo", "rows", "cpu_shares=777")
    assert (group_files(pid)["cpu"].parent / "cpu.shares").read_text().strip() == "777"
    ok(room, "blkdeviotune", "rows", "vda", "--total-iops-sec", 321)
    assert [disk["inserted"]["iops"] for disk in qmp(room, "query-block")] == [321]  # type: ignore[attr-defined]
    ok(room, "memtune", "rows", "--hard-limit", "600M", "--live")
    assert value(pid, "memory", "memory.limit_in_bytes") == str(600 << 20)
    ok(room, "domiftune", "rows", "kvrows0", "--inbound", "1000,2000,3000")
    inside = ["nsenter", "-t", str(room.pid), "-n", "tc", "-s", "class", "show", "dev", "kvrows0"]
    said = subprocess.run(inside, capture_output=True, text=True, check=True).stdout
    assert "8Mbit" in said and "16Mbit" in said, said


@pytest.mark.guide(
    "domxml-blkiotune-weight", "domxml-blkiotune-device", "virsh-blkiotune-opt-device-weights", "xml-numatune-memory",
    "cgroup-freezer", "cgroup-tuning-commands",
)  # fmt: skip
def test_a_guest_in_its_groups(room: Room, loop: str, tmp_path: Path) -> None:
    ok(room, "create", write(room, tmp_path, LIMITS.format(loop=loop)))
    try:
        pid = pid_of(room, "rows")
        assert ok(room, "numatune", "rows").split() == ["numa_mode", ":", "strict", "numa_nodeset", ":", "0"]
        ram = [
            line
            for line in Path(f"/proc/{pid}/numa_maps").read_text().splitlines()
            if re.search(r" bind:0 anon=", line)
        ]
        assert ram, "the guest's memory is bound to the node"
        weights(room, pid, loop)
        frozen(room, pid)
        commands(room, pid)
    finally:
        room.virsh("destroy", "rows")


@pytest.mark.guide("virsh-memtune-opt-hard-limit")
def test_a_hard_limit_is_hard(room: Room, tmp_path: Path) -> None:
    """A guest that takes all its memory at once runs under a limit above it, and is killed by the kernel under one below."""
    ok(room, "create", write(room, tmp_path, PREALLOCATED.format(limit=500)))
    assert value(pid_of(room, "rows"), "memory", "memory.limit_in_bytes") == str(500 << 20)
    ok(room, "memtune", "rows", "--hard-limit", "450M", "--live")
    assert value(pid_of(room, "rows"), "memory", "memory.limit_in_bytes") == str(450 << 20)
    ok(room, "destroy", "rows")
    refused = room.virsh("create", str(write(room, tmp_path, PREALLOCATED.format(limit=120))))
    assert refused.returncode == 1 and "rows" not in ok(room, "list", "--all", "--name").split(), refused.stdout


SPEAKER = """<domain type='qemu'><name>speaks</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type><boot dev='network'/></os><features><acpi/></features><devices>
<interface type='mcast'><source address='230.0.0.1' port='5571'/><model type='e1000'/></interface><memballoon model='none'/></devices></domain>"""
COUNT = """add table inet count
add chain inet count out { type filter hook output priority 0; }
add rule inet count out meta cgroup 0x00100007 counter
"""


@pytest.mark.guide("cgroup-net-cls")
def test_packets_of_a_class(room: Room, tmp_path: Path) -> None:
    """Where net_cls is mounted a guest has its group there; what it sends is told by the class number that this is given."""
    at = room.folder / "sys/fs/cgroup/net_cls"

    def inside(*command: str, stdin: str = "") -> str:
        whole = ["nsenter", "-t", str(room.pid), "-m", "-n", *command]
        done = subprocess.run(whole, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    inside("mkdir", str(at))
    inside("mount", "-t", "cgroup", "-o", "net_cls", "none", str(at))
    room.restart()
    path = tmp_path / "speaks.xml"
    path.write_text(SPEAKER)
    try:
        inside("sh", "-c", "ip link set lo up && ip route replace 230.0.0.0/8 dev lo")
        inside("nft", "-f", "-", stdin=COUNT)
        ok(room, "create", path, "--paused")
        (group,) = inside("find", str(at), "-name", "*speaks*").split()
        assert str(pid_of(room, "speaks")) in inside("cat", f"{group}/tasks").split()
        inside("sh", "-c", f"echo 0x100007 > {group}/net_cls.classid")
        ok(room, "resume", "speaks")
        until(
            lambda: "counter packets 0 " not in inside("nft", "list", "table", "inet", "count"),
            "the boot ROM's packets have the class",
        )
    finally:
        room.virsh("destroy", "speaks")
        inside("sh", "-c", f"find {at} -mindepth 1 -depth -type d -exec rmdir {{}} \\; ; umount {at}")
        room.restart()
