"""Control groups of version 2, on a made-up tree: which files are written, with which words. No kernel is behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kvasir.errors import OperationInvalid, SystemFailure
from kvasir.host import cgroup, cgroup_tune
from kvasir.host.cgroup import Group

MOUNTS = "31 25 0:27 / {at} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
FILES = {
    "cgroup.controllers": "cpuset cpu io memory pids",
    "cgroup.subtree_control": "pids",
    "cgroup.procs": "",
    "cgroup.threads": "",
    "cgroup.type": "domain",
    "cpu.weight": "100",
    "cpu.max": "max 100000",
    "cpu.stat": "usage_usec 30\nuser_usec 20\nsystem_usec 10",
    "cpuset.cpus": "",
    "cpuset.mems": "",
    "memory.max": "max",
    "memory.high": "max",
    "memory.swap.max": "max",
    "io.weight": "default 100",
    "io.max": "",
}


def fill(folder: Path) -> None:
    for name, text in FILES.items():
        (folder / name).write_text(text)


def words(folder: Path, name: str) -> str:
    """What was written: a file of a made-up tree is overwritten from its start, not replaced."""
    return (folder / name).read_text()


@pytest.fixture
def group(tmp_path: Path) -> Group:
    fill(tmp_path)
    trees = cgroup.hierarchies("", None, MOUNTS.format(at=tmp_path))
    assert [(tree.version, tree.controllers) for tree in trees] == [
        (2, ("cpuset", "cpu", "cpuacct", "blkio", "memory", "freezer"))
    ]
    made = Group(trees, "/machine")
    made.make()
    fill(tmp_path / "machine")
    assert words(tmp_path, "cgroup.subtree_control").startswith("+"), "controllers are handed down"
    return made


def test_values(group: Group, tmp_path: Path) -> None:
    folder = tmp_path / "machine"
    for name in FILES:
        (folder / name).write_text("")
    cgroup_tune.set_shares(group, 200)
    assert words(folder, "cpu.weight") == "200"
    (folder / "cpu.max").write_text("max 100000")
    cgroup_tune.set_bandwidth(group, 50000, 25000)
    assert words(folder, "cpu.max").startswith("25000 50000")
    (folder / "cpu.max").write_text("25000 50000")
    assert cgroup_tune.bandwidth(group) == (50000, 25000)
    (folder / "memory.max").write_text("")
    cgroup_tune.set_memory_limit(group, "hard_limit", 1024)
    assert words(folder, "memory.max") == "1048576"
    cgroup_tune.set_memory_limit(group, "swap_hard_limit", 3072)
    assert words(folder, "memory.swap.max") == "2097152", "version 2 counts swap alone"
    assert cgroup_tune.memory_limit(group, "swap_hard_limit") == 3072
    (folder / "memory.high").write_text("max")
    assert cgroup_tune.memory_limit(group, "soft_limit") == cgroup_tune.UNLIMITED
    with pytest.raises(OperationInvalid):
        cgroup_tune.set_memory_limit(group, "swap_hard_limit", 512)
    (folder / "io.weight").write_text("")
    cgroup_tune.set_io_weight(group, 300)
    assert words(folder, "io.weight") == "default 300" and cgroup_tune.io_weight(group) == 300
    (folder / "cpu.stat").write_text(FILES["cpu.stat"])
    assert cgroup_tune.cpu_times(group) == (30000, 20000, 10000)
    with pytest.raises(OperationInvalid):
        cgroup_tune.per_cpu(group)


def test_threads_and_processes(group: Group, tmp_path: Path) -> None:
    thread = group.child("vcpu0", cgroup.THREAD)
    (tmp_path / "machine/cgroup.subtree_control").write_text("")
    (tmp_path / "machine/vcpu0").mkdir()
    fill(tmp_path / "machine/vcpu0")
    thread.make(threaded=True)
    assert words(tmp_path / "machine/vcpu0", "cgroup.type").startswith("threaded"[:6])
    thread.add_thread(77)
    assert words(tmp_path / "machine/vcpu0", "cgroup.threads") == "77"
    group.add(88)
    assert words(tmp_path / "machine", "cgroup.procs") == "88"
    assert not thread.has("memory") and thread.has("cpu")


def test_a_tree_without_controllers_is_none(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("")
    assert cgroup.hierarchies("", None, MOUNTS.format(at=tmp_path)) == []
    assert cgroup.hierarchies("/elsewhere", None, MOUNTS.format(at=tmp_path)) == []


def test_errors_name_the_file(group: Group, tmp_path: Path) -> None:
    (tmp_path / "machine/cpu.weight").unlink()
    with pytest.raises(SystemFailure, match=r"Unable to write to '.*/machine/cpu\.weight'"):
        cgroup_tune.set_shares(group, 5)


def test_names() -> None:
    assert cgroup.partition_path("/machine") == "/machine"
    assert cgroup.partition_path("/virtualmachines/production") == "/virtualmachines.partition/production.partition"
    assert cgroup.partition_path("/machine/eu.partition/x") == "/machine/eu.partition/x.partition"
    assert (
        cgroup.escape("cpu.x") == "_cpu.x"
        and cgroup.escape("_a") == "__a"
        and cgroup.escape("qemu-1-a.b") == "qemu-1-a.b"
    )
