"""Pools and volumes on real engines: directories, loop devices with file systems and partitions, LVM's metadata tools."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import PROJECT, short_folder

from .conftest import Lone

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts need root")

LVM = """
devices {{ filter=[ "a|^{device}$|", "r|.*|" ] use_devicesfile=0 obtain_device_list_from_udev=0 }}
activation {{ udev_sync=0 udev_rules=0 }}
backup {{ backup=0 archive=0 }}
"""


def kind_of(device: str) -> str:
    return subprocess.run(
        ["blkid", "-p", "-o", "value", "-s", "TYPE", device], capture_output=True, text=True
    ).stdout.strip()


@pytest.mark.guide(
    "error-pool-build-format-mismatch", "virsh-pool-build-opt-overwrite", "pool-fs-no-whole-disk", "proc-pool-fs-mkfs"
)
def test_build_never_destroys_unasked(daemon: Lone, loop: str, tmp_path: Path) -> None:
    subprocess.run(["mkfs.ext4", "-q", loop], check=True)
    daemon.ok("pool-define-as", "f", "fs", "--source-dev", loop, "--source-format", "vfat", "--target", f"{tmp_path}/m")
    assert "does not match the expected format 'vfat', forced overwrite is necessary" in daemon.fails(
        "pool-build", "f", "--no-overwrite"
    )
    assert kind_of(loop) == "ext4"
    daemon.ok("pool-undefine", "f")
    daemon.ok("pool-define-as", "d", "disk", "--source-dev", loop, "--source-format", "gpt", "--target", "/dev")
    assert "forced overwrite is necessary" in daemon.fails("pool-build", "d")
    daemon.ok("pool-undefine", "d")
    daemon.ok(
        "pool-define-as", "l", "logical", "--source-dev", loop, "--source-name", "kvnone", "--target", "/dev/kvnone"
    )
    assert "forced overwrite is necessary" in daemon.fails("pool-build", "l")
    daemon.ok("pool-undefine", "l")
    assert kind_of(loop) == "ext4"
    daemon.ok("pool-define-as", "f", "fs", "--source-dev", loop, "--source-format", "ext3", "--target", f"{tmp_path}/m")
    daemon.ok("pool-build", "f", "--overwrite")
    assert kind_of(loop) == "ext3"
    daemon.ok("pool-undefine", "f")


@pytest.mark.guide(
    "pool-fs-xml", "proc-pool-verify-mounted", "pool-stop-keeps-data", "storage-virsh-pool-destroy-semantics"
)
@pytest.mark.parametrize("form", ["ext4", "xfs", "btrfs"])
def test_file_systems(daemon: Lone, tmp_path: Path, form: str) -> None:
    """A file system that the pool makes (or finds), mounted while it runs; what lies in it stays."""
    image = tmp_path / "disk.img"
    with open(image, "wb") as file:
        file.truncate(400 << 20)
    device = subprocess.run(
        ["losetup", "-f", "--show", image], check=True, capture_output=True, text=True
    ).stdout.strip()
    try:
        if form == "btrfs":  # libvirt knows no pool format of that name: 'auto' mounts it
            subprocess.run(["mkfs.btrfs", "-q", device], check=True)
        words = ["--source-format", form] if form != "btrfs" else []
        daemon.ok("pool-define-as", form, "fs", "--source-dev", device, *words, "--target", f"{tmp_path}/m")
        daemon.ok("pool-build", form, *(["--no-overwrite"] if words else []))
        daemon.ok("pool-start", form)
        mounts = Path(f"/proc/{_daemon_pid(daemon)}/mounts").read_text()
        assert f" {tmp_path}/m {form} rw,nosuid,nodev,noexec," in mounts
        daemon.ok("vol-create-as", form, "v", "1M")
        daemon.ok("pool-destroy", form)
        assert f" {tmp_path}/m " not in Path(f"/proc/{_daemon_pid(daemon)}/mounts").read_text()
        daemon.ok("pool-start", form)
        assert " v " in daemon.ok("vol-list", form)
        daemon.ok("pool-destroy", form)
        daemon.ok("pool-undefine", form)
    finally:
        subprocess.run(["losetup", "-d", device], check=False)


def _daemon_pid(daemon: Lone) -> int:
    assert daemon.process is not None
    return daemon.process.pid


@pytest.mark.guide("proc-pool-disk-gpt-label", "storage-support-partition")
def test_partitions(daemon: Lone, loop: str, tmp_path: Path) -> None:
    """Partitions come and go, hold data, and take another volume's content."""
    name = os.path.basename(loop)
    daemon.ok("pool-define-as", "phy", "disk", "--source-dev", loop, "--source-format", "gpt", "--target", "/dev")
    daemon.ok("pool-build", "phy")
    daemon.ok("pool-start", "phy")
    for number in (1, 2, 3):
        daemon.ok("vol-create-as", "phy", f"{name}p{number}", "8M")
    data = os.urandom(1 << 20)
    (tmp_path / "data").write_bytes(data)
    daemon.ok("vol-upload", f"{name}p2", str(tmp_path / "data"), "phy")
    assert Path(f"{loop}p2").read_bytes()[: 1 << 20] == data
    daemon.ok("vol-delete", f"{name}p1", "phy")
    assert not os.path.exists(f"{loop}p1")
    assert "expected" in daemon.fails("vol-create-as", "phy", "other", "8M")
    assert [line.split()[0] for line in daemon.ok("vol-list", "phy").splitlines()[2:] if line] == [
        f"{name}p2",
        f"{name}p3",
    ]
    (tmp_path / "new.xml").write_text(f"<volume><name>{name}p1</name><capacity unit='MiB'>8</capacity></volume>")
    daemon.ok("vol-create-from", "phy", str(tmp_path / "new.xml"), f"{name}p2", "phy")
    assert Path(f"{loop}p1").read_bytes()[: 1 << 20] == data
    daemon.ok("vol-wipe", f"{name}p1", "phy")
    assert not any(Path(f"{loop}p1").read_bytes())
    assert Path(f"{loop}p2").read_bytes()[: 1 << 20] == data
    daemon.ok("pool-destroy", "phy")
    daemon.ok("pool-undefine", "phy")


@pytest.mark.guide("pool-lvm-no-build-on-existing-vg")
def test_volume_group(tmp_path: Path, loop: str) -> None:
    """LVM's own tools on a loop device, up to the kernel's door: there is no device mapper to activate a volume."""
    (tmp_path / "lvm.conf").write_text(LVM.format(device=loop))
    with short_folder("kvl-") as folder:
        daemon = Lone(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, None)
        daemon.extra = {"LVM_SYSTEM_DIR": str(tmp_path), "LVM_SUPPRESS_FD_WARNINGS": "1"}
        daemon.start()
        try:
            daemon.ok(
                "pool-define-as",
                "vg",
                "logical",
                "--source-dev",
                loop,
                "--source-name",
                "kvtest",
                "--target",
                "/dev/kvtest",
            )
            assert "cannot find logical volume group name 'kvtest'" in daemon.fails("pool-start", "vg")
            daemon.ok("pool-build", "vg")
            assert kind_of(loop) == "LVM2_member"
            assert "forced overwrite is necessary" in daemon.fails("pool-build", "vg") or kind_of(loop) == "LVM2_member"
            found = daemon.ok("find-storage-pool-sources", "logical")
            assert f"<device path='{loop}'/>" in found
            assert "<name>kvtest</name>" in found
            daemon.ok("pool-delete", "vg")
            assert kind_of(loop) == ""
            daemon.ok("pool-undefine", "vg")
        finally:
            daemon.stop()


def whole(device: str) -> str:
    with open(device, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.guide("pool-lvm-build-erases")
def test_a_new_group_erases_an_old_one_is_left_alone(tmp_path: Path, loop: str) -> None:
    """LVM's own tools; that the volume is active, which wants the kernel's device mapper, is what stand-ins for vgchange and
    lvs say."""
    (tmp_path / "lvm.conf").write_text(LVM.format(device=loop))
    (tmp_path / "tools").mkdir()
    active = '#!/bin/sh\n/sbin/lvs "$@" | sed s/-wi-XX/-wi-a-/\n'
    for name, text in (("vgchange", "#!/bin/sh\n"), ("lvs", active)):
        (tmp_path / "tools" / name).write_text(text)
        (tmp_path / "tools" / name).chmod(0o755)
    subprocess.run(["mkfs.ext4", "-q", loop], check=True)
    env = {"LVM_SYSTEM_DIR": str(tmp_path), "LVM_SUPPRESS_FD_WARNINGS": "1"}
    group = Path(f"/dev/kverase{os.getpid()}")
    with short_folder("kvl-") as folder:
        daemon = Lone(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, None)
        daemon.extra = {**env, "PATH": f"{tmp_path}/tools:{os.environ['PATH']}"}
        daemon.start()
        try:
            words = ["logical", "--source-dev", loop, "--source-name", group.name, "--target", str(group)]
            daemon.ok("pool-define-as", "new", *words)
            assert "forced overwrite is necessary" in daemon.fails("pool-build", "new")
            assert kind_of(loop) == "ext4"
            daemon.ok("pool-build", "new", "--overwrite")
            assert kind_of(loop) == "LVM2_member"
            daemon.ok("pool-undefine", "new")
            make = ["lvcreate", "-q", "--driverloaded", "n", "-an", "-Zn", "-Wn", "-L", "8M", "-n", "old", group.name]
            subprocess.run(make, check=True, env={**os.environ, **env}, capture_output=True)
            with open(loop, "r+b") as file:
                file.seek(1 << 20)  # where the first extent lies
                file.write(b"precious" * 1000)
            before = whole(loop)
            group.mkdir()
            (group / "old").symlink_to(loop)
            daemon.ok("pool-define-as", "have", "logical", "--source-name", group.name, "--target", str(group))
            daemon.ok("pool-start", "have")
            assert daemon.ok("vol-list", "have").splitlines()[2].split() == ["old", str(group / "old")]
            daemon.ok("pool-destroy", "have")
            daemon.ok("pool-undefine", "have")
            assert whole(loop) == before
        finally:
            daemon.stop()
            shutil.rmtree(group, ignore_errors=True)


LVS = """  lin##uuid-lin#/dev/x(0)#linear#1#4194304#4194304#4194304#-wi-a-----
  tp##uuid-tp#tp_tdata(0)#thin-pool#1#4194304#4194304#4194304#twi-aotz--
  thin##uuid-thin##thin#0#4194304#4194304#4194304#Vwi-aotz--
"""


@pytest.mark.guide("pool-lvm-limitations")
def test_thin_volumes_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transcript of lvs (of our own writing): a thin volume is a volume, its pool is none. libvirt 9.0 lists neither."""
    from kvasir.storage import documents
    from kvasir.storage.pools.logical import LogicalPool

    for name, text in (("lvs", LVS), ("vgs", "8388608:4194304\n")):
        (tmp_path / name).write_text(f"#!/bin/sh\ncat <<'E'\n{text}E\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    document = documents.pool("<pool type='logical'><name>kvthin</name></pool>")
    kind = LogicalPool(document)
    document.target_path = str(tmp_path / "dev")
    (tmp_path / "dev").mkdir()
    for name in ("lin", "tp", "thin"):
        (tmp_path / "dev" / name).write_bytes(bytes(4 << 20))
    assert [volume.name for volume in kind.scan()] == ["lin", "thin"]


@pytest.mark.guide(
    "pool-autostart-with-daemon",
    "storage-virsh-pool-autostart",
    "pool-persistent-vs-transient",
    "proc-pool-temp-xml-removal",
)
def test_daemon_dies_and_comes_back(daemon: Lone, tmp_path: Path) -> None:
    """Autostarted and transient pools run again with their volumes; one whose folder is gone does not."""
    for name in ("auto", "tran", "gone", "idle"):
        (tmp_path / name).mkdir()
    daemon.ok("pool-define-as", "auto", "dir", "--target", f"{tmp_path}/auto")
    daemon.ok("pool-autostart", "auto")
    daemon.ok("pool-create-as", "tran", "dir", "--target", f"{tmp_path}/tran")
    daemon.ok("vol-create-as", "tran", "v", "1M")
    daemon.ok("pool-create-as", "gone", "dir", "--target", f"{tmp_path}/gone")
    (tmp_path / "idle.xml").write_text(
        f"<pool type='dir'><name>idle</name><target><path>{tmp_path}/idle</path></target></pool>"
    )
    daemon.ok("pool-define", str(tmp_path / "idle.xml"))
    os.unlink(tmp_path / "idle.xml")
    defined = daemon.ok("pool-dumpxml", "idle")
    uuid = daemon.ok("pool-uuid", "tran")
    daemon.kill()
    os.rmdir(tmp_path / "gone")
    daemon.start()
    lines = {line.split()[0]: line.split()[1:] for line in daemon.ok("pool-list", "--all").splitlines()[2:] if line}
    assert lines["auto"] == ["active", "yes"]
    assert lines["tran"] == ["active", "no"]
    assert lines["idle"] == ["inactive", "no"]
    assert daemon.ok("pool-dumpxml", "idle") == defined
    assert "gone" not in lines
    assert daemon.ok("pool-uuid", "tran") == uuid
    assert " v " in daemon.ok("vol-list", "tran")
    for name in ("auto", "tran"):
        daemon.ok("pool-destroy", name)
    for name in ("auto", "idle"):
        daemon.ok("pool-undefine", name)


def test_ten_thousand_volumes(daemon: Lone, tmp_path: Path) -> None:
    """Refresh and list of 10,000 volumes take seconds, and other clients are served meanwhile."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(10_000):
        (folder / f"volume-{number:05}.img").touch()
    daemon.ok("pool-define-as", "many", "dir", "--target", str(folder))
    started = time.monotonic()
    refresh = subprocess.Popen(
        [sys.executable, "-m", "kvasir.cli.virsh.main", "-c", daemon.uri, "pool-start", "many"],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        stdout=subprocess.DEVNULL,
    )
    slowest = 0.0
    while refresh.poll() is None:
        before = time.monotonic()
        daemon.ok("uri")
        slowest = max(slowest, time.monotonic() - before)
    assert refresh.returncode == 0
    assert time.monotonic() - started < 60
    assert slowest < 15
    started = time.monotonic()
    listed = daemon.ok("vol-list", "many")
    assert len(listed.splitlines()) == 10_003
    assert time.monotonic() - started < 60
    daemon.ok("pool-destroy", "many")
    daemon.ok("pool-undefine", "many")


@pytest.mark.guide("virsh-pool-list-old-server")
def test_list_is_one_answer(daemon: Lone, tmp_path: Path) -> None:
    """While a pool starts and stops over and over, every list has it exactly once."""
    daemon.ok("pool-define-as", "flip", "dir", "--target", f"{tmp_path}/p")
    daemon.ok("pool-build", "flip")
    script = "\n".join(["pool-start flip", "pool-destroy flip"] * 500)
    churn = subprocess.Popen(
        [sys.executable, "-m", "kvasir.cli.virsh.main", "-c", daemon.uri],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert churn.stdin is not None
    churn.stdin.write(script)
    churn.stdin.close()
    seen = 0
    while churn.poll() is None:
        names = daemon.ok("pool-list", "--all", "--name").split()
        assert names.count("flip") == 1
        seen += 1
    assert seen
    daemon.our_virsh("pool-destroy", "flip")
    daemon.ok("pool-undefine", "flip")


@pytest.mark.guide("limit-gpt-128-partitions")
def test_gpt_has_128_partitions(daemon: Lone, tmp_path: Path) -> None:
    """Most of them are made by parted in one go; the pool adds up to the limit, is refused beyond it, and loses none."""
    image = tmp_path / "disk.img"
    with open(image, "wb") as file:
        file.truncate(200 << 20)
    parts = [word for n in range(1, 126) for word in ("mkpart", "x", f"{n}MiB", f"{n + 1}MiB")]
    subprocess.run(["parted", "-s", str(image), "mklabel", "gpt", *parts], check=True, capture_output=True)
    losetup = ["losetup", "-fP", "--show", str(image)]
    device = subprocess.run(losetup, check=True, capture_output=True, text=True).stdout.strip()
    name = os.path.basename(device)
    try:
        daemon.ok("pool-define-as", "g", "disk", "--source-dev", device, "--source-format", "gpt", "--target", "/dev")
        daemon.ok("pool-start", "g")
        for number in (126, 127, 128):
            daemon.ok("vol-create-as", "g", f"{name}p{number}", "1M")
        refused = daemon.fails("vol-create-as", "g", f"{name}p129", "1M")
        assert "error: Failed to create vol" in refused
        daemon.ok("pool-refresh", "g")
        volumes = [line.split()[0] for line in daemon.ok("vol-list", "g").splitlines()[2:] if line]
        assert sorted(volumes) == sorted(f"{name}p{n}" for n in range(1, 129)), refused
        daemon.ok("pool-destroy", "g")
        daemon.ok("pool-undefine", "g")
    finally:
        subprocess.run(["losetup", "-d", device], check=False)
