"""Pools and volumes on real engines: directories, loop devices with file systems and partitions, LVM's metadata tools."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, KvasirDaemon, short_folder

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts need root")

LVM = """
devices {{ filter=[ "a|^{device}$|", "r|.*|" ] use_devicesfile=0 obtain_device_list_from_udev=0 }}
activation {{ udev_sync=0 udev_rules=0 }}
backup {{ backup=0 archive=0 }}
"""


class Lone(KvasirDaemon):
    """Ours in a mount namespace of its own."""

    extra: dict[str, str] = {}

    def start(self, *options: str) -> None:
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), **self.extra}
        command = [sys.executable, "-m", "kvasir.daemon", "--root", str(self.folder), *options]
        with open(self.folder / "kvasird.log", "ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "-m", *command], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        end = time.monotonic() + 60
        while not self._serves():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < end, self.log()
            time.sleep(0.02)

    def ok(self, *words: str) -> str:
        done = self.our_virsh(*words)
        assert done.returncode == 0, (words, done.stderr, self.log())
        return done.stdout

    def fails(self, *words: str) -> str:
        done = self.our_virsh(*words)
        assert done.returncode == 1, (words, done.stdout)
        return done.stderr


@pytest.fixture(scope="module")
def daemon() -> Iterator[Lone]:
    with short_folder("kvp-") as folder:
        found = Lone(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, None)
        found.start()
        try:
            yield found
        finally:
            if found.process is not None and found.process.poll() is None:
                found.stop()


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[str]:
    image = tmp_path / "disk.img"
    with open(image, "wb") as file:
        file.truncate(100 << 20)
    device = subprocess.run(
        ["losetup", "-fP", "--show", image], check=True, capture_output=True, text=True
    ).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "-d", device], check=False)


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


@pytest.mark.guide("pool-lvm-no-build-on-existing-vg", "pool-lvm-build-erases")
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


@pytest.mark.guide("pool-autostart-with-daemon", "storage-virsh-pool-autostart", "pool-persistent-vs-transient")
def test_daemon_dies_and_comes_back(daemon: Lone, tmp_path: Path) -> None:
    """Autostarted and transient pools run again with their volumes; one whose folder is gone does not."""
    for name in ("auto", "tran", "gone", "idle"):
        (tmp_path / name).mkdir()
    daemon.ok("pool-define-as", "auto", "dir", "--target", f"{tmp_path}/auto")
    daemon.ok("pool-autostart", "auto")
    daemon.ok("pool-create-as", "tran", "dir", "--target", f"{tmp_path}/tran")
    daemon.ok("vol-create-as", "tran", "v", "1M")
    daemon.ok("pool-create-as", "gone", "dir", "--target", f"{tmp_path}/gone")
    daemon.ok("pool-define-as", "idle", "dir", "--target", f"{tmp_path}/idle")
    uuid = daemon.ok("pool-uuid", "tran")
    daemon.kill()
    os.rmdir(tmp_path / "gone")
    daemon.start()
    lines = {line.split()[0]: line.split()[1:] for line in daemon.ok("pool-list", "--all").splitlines()[2:] if line}
    assert lines["auto"] == ["active", "yes"]
    assert lines["tran"] == ["active", "no"]
    assert lines["idle"] == ["inactive", "no"]
    assert "gone" not in lines
    assert daemon.ok("pool-uuid", "tran") == uuid
    assert " v " in daemon.ok("vol-list", "tran")
    for name in ("auto", "tran"):
        daemon.ok("pool-destroy", name)
    for name in ("auto", "idle"):
        daemon.ok("pool-undefine", name)


@pytest.mark.guide("storage-virsh-vol-upload", "storage-virsh-vol-download", "error-vol-upload-local-larger-than-length",
                   "storage-api-volume-operations", "storage-virsh-vol-clone")  # fmt: skip
def test_every_byte(daemon: Lone, tmp_path: Path) -> None:
    """Upload, download, clone with offset and length; holes stay holes with --sparse."""
    daemon.ok("pool-create-as", "b", "dir", "--target", f"{tmp_path}/p", "--build")
    daemon.ok("vol-create-as", "b", "v", "16M", "--allocation", "0")
    data = os.urandom(3 << 20)
    (tmp_path / "data").write_bytes(data)
    daemon.ok("vol-upload", "v", str(tmp_path / "data"), "b", "--offset", "5000000")
    volume = tmp_path / "p/v"
    assert volume.read_bytes() == bytes(5_000_000) + data + bytes((16 << 20) - 5_000_000 - len(data))
    before = volume.read_bytes()
    problem = daemon.fails("vol-upload", "v", str(tmp_path / "data"), "b", "--length", "1048576")
    assert "No space left on device" in problem
    assert volume.read_bytes()[1 << 20 :] == before[1 << 20 :]
    daemon.ok("vol-download", "v", str(tmp_path / "part"), "b", "--offset", "5000001", "--length", "12345")
    assert (tmp_path / "part").read_bytes() == data[1:12346]
    daemon.ok("vol-clone", "v", "w", "--pool", "b")
    daemon.ok("vol-download", "w", str(tmp_path / "w"), "b", "--sparse")
    assert hashlib.sha256((tmp_path / "w").read_bytes()).digest() == hashlib.sha256(volume.read_bytes()).digest()
    assert os.stat(tmp_path / "w").st_blocks * 512 < 8 << 20
    with open(tmp_path / "holes", "wb") as file:
        file.truncate(16 << 20)
        file.seek(4 << 20)
        file.write(b"island")
    daemon.ok("vol-upload", "v", str(tmp_path / "holes"), "b", "--sparse")
    assert volume.read_bytes() == (tmp_path / "holes").read_bytes()
    assert os.stat(volume).st_blocks * 512 < 1 << 20
    assert "'w' already in use" in daemon.fails("vol-clone", "v", "w", "--pool", "b")
    daemon.ok("pool-destroy", "b")


@pytest.mark.guide("virsh-vol-wipe-opt-algorithm", "virsh-vol-wipe-alg-zero", "virsh-vol-wipe-alg-nnsa", "virsh-vol-wipe-alg-dod",
                   "virsh-vol-wipe-alg-bsi", "virsh-vol-wipe-alg-gutmann", "virsh-vol-wipe-alg-schneier",
                   "virsh-vol-wipe-alg-pfitzner7", "virsh-vol-wipe-alg-pfitzner33", "virsh-vol-wipe-alg-random",
                   "virsh-vol-wipe", "storage-virsh-vol-wipe", "virsh-vol-wipe-scrub-note")  # fmt: skip
def test_wipe(daemon: Lone, tmp_path: Path) -> None:
    """Nine algorithms of the real scrub: nothing of the old content is left, the length stays."""
    daemon.ok("pool-create-as", "w", "dir", "--target", f"{tmp_path}/p", "--build")
    daemon.ok("vol-create-as", "w", "v", "64k")
    secret = b"the secret of the volume " * 2000
    for algorithm in ("zero", "nnsa", "dod", "bsi", "gutmann", "schneier", "pfitzner7", "pfitzner33", "random"):
        (tmp_path / "p/v").write_bytes(secret.ljust(65536, b"x"))
        daemon.ok("vol-wipe", "v", "w", "--algorithm", algorithm)
        left = (tmp_path / "p/v").read_bytes()
        assert len(left) == 65536
        assert b"secret" not in left
        assert algorithm != "zero" or not any(left)
    assert "'trim' algorithm not supported" in daemon.fails("vol-wipe", "v", "w", "--algorithm", "trim")
    daemon.ok("pool-destroy", "w")


@pytest.mark.guide("pool-xml-target-encryption")
def test_luks(daemon: Lone, tmp_path: Path) -> None:
    """An encrypted volume is one that only its secret opens; the secret's value is nowhere in its document."""
    uuid = "11111111-2222-4333-8444-0000000000f1"
    (tmp_path / "secret.xml").write_text(f"<secret ephemeral='yes' private='yes'><uuid>{uuid}</uuid></secret>")
    (tmp_path / "value").write_bytes(b"open sesame")
    daemon.ok("secret-define", str(tmp_path / "secret.xml"))
    daemon.ok("secret-set-value", uuid, "--file", str(tmp_path / "value"), "--plain")
    daemon.ok("pool-create-as", "k", "dir", "--target", f"{tmp_path}/p", "--build")
    (tmp_path / "v.xml").write_text(
        "<volume><name>v</name><capacity unit='MiB'>2</capacity><target><format type='raw'/><encryption format='luks'>"
        f"<secret type='passphrase' uuid='{uuid}'/></encryption></target></volume>"
    )
    for _ in range(12):  # qemu-img times its key derivation, which fails on a busy machine
        done = daemon.our_virsh("vol-create", "k", str(tmp_path / "v.xml"))
        if done.returncode == 0 or "accurate CPU usage" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    shown = json.loads(
        subprocess.run(["qemu-img", "info", "--output=json", tmp_path / "p/v"], capture_output=True).stdout
    )
    assert shown["format"] == "luks"
    assert shown["virtual-size"] == 2 << 20
    document = daemon.ok("vol-dumpxml", "v", "k")
    assert uuid in document
    assert "sesame" not in document
    assert list(Path(daemon.folder, "run/libvirt/storage").glob("*.secret.*")) == []
    daemon.ok("pool-destroy", "k")
    daemon.ok("secret-undefine", uuid)


@pytest.mark.guide("pool-xml-target-timestamps", "vol-xml-root-type")
def test_times_and_types(daemon: Lone, tmp_path: Path) -> None:
    daemon.ok("pool-create-as", "t", "dir", "--target", f"{tmp_path}/p", "--build")
    daemon.ok("vol-create-as", "t", "v", "1M")
    (tmp_path / "p/folder").mkdir()
    daemon.ok("pool-refresh", "t")
    os.utime(tmp_path / "p/v", ns=(1_000_000_001, 2_000_000_002))
    status = os.stat(tmp_path / "p/v")
    text = daemon.ok("vol-dumpxml", "v", "t")
    assert "<mtime>2.000000002</mtime>" in text
    assert "<atime>1.000000001</atime>" in text
    assert f"<ctime>{status.st_ctime_ns // 10**9}.{status.st_ctime_ns % 10**9:09d}</ctime>" in text
    assert "<volume type='dir'>" in daemon.ok("vol-dumpxml", "folder", "t")
    daemon.ok("pool-destroy", "t")


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
