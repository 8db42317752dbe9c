"""Device nodes of guests under control groups of version 2: a BPF program at the group decides, as with the real daemon."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvasir.errors import SystemFailure
from kvasir.host import cgroup_devices
from tests.conftest import PROJECT, DaemonHandle, Peers, all_ended, short_folder

from .conftest import Room

SHARE = Path("/sys/fs/cgroup/unified")
GUEST = """<domain type='qemu'><name>nodes</name><uuid>5a8d5b50-64d3-4f37-9c1b-2f6d3a1d2b11</uuid><memory>65536</memory>
<resource><partition>/{part}</partition></resource><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><controller type='scsi' model='virtio-scsi'/>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng></devices></domain>"""
DISK = "<disk type='block' device='disk'><source dev='{path}'/><target dev='sda' bus='scsi'/></disk>"


def needs_second_version() -> None:
    if os.geteuid() != 0 or not cgroup_devices.available(str(SHARE)):
        pytest.skip("needs root and a mount of version 2 whose groups take BPF programs")


@contextlib.contextmanager
def subtree() -> Iterator[Path]:
    """A group of the test's own, in libvirt's words a partition."""
    needs_second_version()
    folder = SHARE / f"kvasir-nodes-{os.getpid()}-{time.monotonic_ns()}.partition"
    folder.mkdir()
    try:
        yield folder
    finally:
        (folder / "cgroup.kill").write_text("1")
        deadline = time.monotonic() + 30
        while "populated 1" in (folder / "cgroup.events").read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        for inner, _, _ in os.walk(folder, topdown=False):
            os.rmdir(inner)


@pytest.fixture
def group() -> Iterator[Path]:
    with subtree() as folder:
        yield folder


def may(group: Path, path: str, mode: str) -> str:
    """What opening a node gives a process in that group: "" or the error's name."""
    code = (
        "import errno,os,sys\n"
        "open(sys.argv[1] + '/cgroup.procs', 'w').write(str(os.getpid()))\n"
        "try: open(sys.argv[2], sys.argv[3], buffering=0)\n"
        "except OSError as error: print(errno.errorcode[error.errno], end='')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(group), path, mode], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nodes_of_a_group(group: Path) -> None:
    """What is not named is refused by the kernel; access, any minor and taking away count; a new start closes all again."""
    at = str(group)
    assert may(group, "/dev/zero", "rb") == "" and cgroup_devices.read(at) is None
    cgroup_devices.close(at)
    assert may(group, "/dev/zero", "rb") == may(group, "/dev/null", "wb") == "EPERM"
    cgroup_devices.allow(at, [("c", 1, 5, "r")])
    assert may(group, "/dev/zero", "rb") == "" and may(group, "/dev/zero", "wb") == "EPERM"
    assert may(group, "/dev/null", "rb") == "EPERM"
    cgroup_devices.allow(at, [("c", 1, "*", "rw")])
    assert may(group, "/dev/null", "wb") == "" and may(group, "/dev/zero", "wb") == ""
    assert cgroup_devices.read(at) == {("c", 1, 5): "r", ("c", 1, "*"): "rw"}
    cgroup_devices.allow(at, [("c", 1, "*", "rwm")], deny=True)
    cgroup_devices.allow(at, [("c", 1, "*", "rwm")], deny=True)
    assert may(group, "/dev/null", "rb") == "EPERM" and may(group, "/dev/zero", "rb") == ""
    cgroup_devices.close(at)
    assert may(group, "/dev/zero", "rb") == "EPERM" and cgroup_devices.read(at) == {}
    cgroup_devices.allow(at, [("b", 7, number, "rw") for number in range(cgroup_devices.MOST_NODES)])
    with pytest.raises(SystemFailure, match="failed to change the device nodes"):
        cgroup_devices.allow(at, [("b", 8, 0, "rw")])


@contextlib.contextmanager
def kvasird(peers: Peers, folder: Path) -> Iterator[Room]:
    """Our daemon with the host's tree of version 2; it starts again when it ends, until the test stops it."""
    at = folder / "sys/fs/cgroup"
    at.mkdir(parents=True)
    inside = 'mount -t cgroup2 none "$1" && while [ ! -e "$2/stop" ]; do "$0" -m kvasir.daemon --root "$2"; done'
    command = ["unshare", "--mount", "sh", "-c", inside, sys.executable, str(at), str(folder)]
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    handle = Room(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, peers, process)
    try:
        handle.wait()
        yield handle
    finally:
        (folder / "stop").touch()
        with contextlib.suppress(OSError, ValueError):
            os.kill(handle.pid, 15)
        process.wait(60)
        all_ended(folder)


@contextlib.contextmanager
def libvirtd(peers: Peers, folder: Path) -> Iterator[DaemonHandle]:
    """The real daemon, with the same tree."""
    peer = [str(PROJECT / "scripts/peer")]
    at = ["--dir", str(folder)]
    env = {**os.environ, "KVASIR_PEERS": str(peers.root)}
    started = subprocess.run([*peer, "libvirtd", *at, "--background"], env=env, capture_output=True, text=True)
    assert started.returncode == 0, started.stderr
    try:
        mount = ["mount", "-t", "cgroup2", "none", "/sys/fs/cgroup"]
        subprocess.run([*peer, "exec", *at, "--", *mount], env=env, check=True)
        subprocess.run([*peer, "restart", *at], env=env, check=True)
        yield DaemonHandle(started.stdout.strip(), folder, peers)
    finally:
        subprocess.run([*peer, "stop", *at], env=env, check=True)


@contextlib.contextmanager
def loop_device(folder: Path) -> Iterator[str]:
    image = folder / "image"
    image.write_bytes(bytes(1 << 20))
    found = subprocess.run(["losetup", "--find", "--show", image], capture_output=True, text=True, check=True)
    try:
        yield found.stdout.strip()
    finally:
        subprocess.run(["losetup", "--detach", found.stdout.strip()], check=True)


def start(daemon: DaemonHandle, partition: Path) -> Path:
    """Start the guest; its group."""
    document = daemon.folder / "guest.xml"
    document.write_text(GUEST.format(part=partition.name.removesuffix(".partition")))
    created = daemon.virsh("create", str(document))
    assert created.returncode == 0, created.stderr
    (found,) = partition.glob("*.libvirt-qemu")
    return found


def test_guest_beside_the_real_daemon(peers: Peers, group: Path) -> None:
    """A started guest has the real daemon's nodes; a plugged disk's node opens, after kill -9 too; with the guest all goes."""
    with short_folder("kv-nodes-") as folder, kvasird(peers, folder) as ours, loop_device(folder) as loop:
        found = start(ours, group)
        nodes = cgroup_devices.read(str(found))
        assert nodes and may(found, "/dev/urandom", "rb") == "" and may(found, loop, "rb") == "EPERM"
        (folder / "disk.xml").write_text(DISK.format(path=loop))
        ours.restart()
        plugged = ours.virsh("attach-device", "nodes", str(folder / "disk.xml"))
        assert plugged.returncode == 0, plugged.stderr
        number = os.stat(loop).st_rdev
        assert cgroup_devices.read(str(found)) == {**nodes, ("b", os.major(number), os.minor(number)): "rw"}
        assert may(found, loop, "r+b") == ""
        assert ours.virsh("destroy", "nodes").returncode == 0
        assert not found.exists()
    with short_folder("kv-nodes-real-") as folder, libvirtd(peers, folder) as real:
        assert cgroup_devices.read(str(start(real, group))) == nodes
