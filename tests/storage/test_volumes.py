"""Volumes on real files: every byte of upload, download and clone, wiping, encryption, times."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from .conftest import Lone

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts need root")


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


@pytest.mark.guide("vol-resize-inactive-only", "vol-data-commands-not-universal")
def test_volume_of_a_running_guest(daemon: Lone, tmp_path: Path) -> None:
    """QEMU's lock on an image keeps vol-resize away from it; the guest's own resize is blockresize."""
    daemon.ok("pool-create-as", "busy", "dir", "--target", f"{daemon.folder}/busy", "--build")
    daemon.ok("vol-create-as", "busy", "v.qcow2", "8M", "--format", "qcow2")
    (tmp_path / "d.xml").write_text(
        "<domain type='qemu'><name>busy</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os><devices>"
        "<emulator>/usr/bin/qemu-system-x86_64</emulator><disk type='volume' device='disk'><driver name='qemu' type='qcow2'/>"
        "<source pool='busy' volume='v.qcow2'/><target dev='vda' bus='virtio'/></disk></devices></domain>"
    )
    daemon.ok("create", f"{tmp_path}/d.xml", "--paused")
    try:
        assert 'Failed to get "write" lock' in daemon.fails("vol-resize", "v.qcow2", "16M", "--pool", "busy")
        assert "Capacity:       8388608 bytes" in daemon.ok("vol-info", "v.qcow2", "busy", "--bytes")
        daemon.ok("blockresize", "busy", "vda", "16M")
    finally:
        daemon.ok("destroy", "busy")
    daemon.ok("vol-resize", "v.qcow2", "32M", "--pool", "busy")
    daemon.ok("pool-destroy", "busy")


def test_no_room(daemon: Lone, loop: str, tmp_path: Path) -> None:
    """A volume that does not fit fails and leaves no file behind."""
    subprocess.run(["mkfs.ext4", "-q", loop], check=True)
    daemon.ok("pool-create-as", "small", "fs", "--source-dev", loop, "--target", f"{tmp_path}/m", "--build")
    try:
        assert "No space left on device" in daemon.fails("vol-create-as", "small", "big", "1G")
        assert "big" not in daemon.ok("vol-list", "small")
        daemon.ok("vol-create-as", "small", "fits", "1M")
    finally:
        daemon.ok("pool-destroy", "small")


CONTEXT = "system_u:object_r:virt_image_t:s0"


@pytest.mark.guide("xml-volume")
def test_each_element_of_the_document(daemon: Lone, tmp_path: Path) -> None:
    """Name, allocation, capacity with unit, path, owner, group, mode, label: each of them on the file that is made."""
    (tmp_path / "v.xml").write_text(
        f"""<volume><name>sparse.img</name><allocation>0</allocation><capacity unit="M">100</capacity><target>
<path>/var/lib/virt/images/sparse.img</path><permissions><owner>107</owner><group>107</group><mode>0744</mode>
<label>{CONTEXT}</label></permissions></target></volume>"""
    )
    daemon.ok("pool-create-as", "xv", "dir", "--target", str(tmp_path / "p"), "--build")
    daemon.ok("vol-create", "xv", str(tmp_path / "v.xml"))
    path = tmp_path / "p/sparse.img"
    status = path.stat()
    assert (status.st_size, status.st_blocks) == (100 << 20, 0)
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (107, 107, 0o744)
    assert os.getxattr(path, "security.selinux") == CONTEXT.encode() + b"\0"
    for name in ("vol-refresh", "again"):
        shown = daemon.ok("vol-dumpxml", "sparse.img", "xv")
        assert f"<path>{path}</path>" in shown, name  # the pool's folder decides where it lies
        for piece in ("<capacity unit='bytes'>104857600</capacity>", "<mode>0744</mode>", "<owner>107</owner>",
                      "<group>107</group>", f"<label>{CONTEXT}</label>"):  # fmt: skip
            assert piece in shown, (name, piece)
        daemon.ok("pool-refresh", "xv")
    daemon.ok("vol-delete", "sparse.img", "xv")
    daemon.ok("pool-destroy", "xv")
