"""Disks that name a volume of a pool: resolved when the guest starts, as the real daemon does it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon, short_folder

from .targets import IQN, TargetDaemon

DISK = """<domain type='qemu'><name>vd</name><uuid>0fdb9364-3b2c-4f1e-9d6e-000000000001</uuid><memory unit='MiB'>64</memory>
<vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='volume' device='{device}'><driver name='qemu' type='{form}'/><source pool='{pool}' volume='{volume}'{mode}/>
<target dev='{target}' bus='{bus}'/></disk></devices></domain>"""


def document(
    volume: str, form: str = "raw", pool: str = "p", mode: str = "", device: str = "disk", bus: str = "virtio"
) -> str:
    target = "vda" if bus == "virtio" else "sda"
    return DISK.format(volume=volume, form=form, pool=pool, mode=mode, device=device, bus=bus, target=target)


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder("kvvol-") as path:
        (path / "p").mkdir()
        yield path


def script(folder: Path) -> list[tuple[str, ...]]:
    files = {
        "raw": document("a.img"), "qcow2": document("b.qcow2", "qcow2"), "none": document("c"),
        "mode": document("a.img", mode=" mode='host'"), "lost": document("a.img", pool="nosuch"),
    }  # fmt: skip
    for name, text in files.items():
        (folder / f"{name}.xml").write_text(text)
    steps: list[tuple[str, ...]] = [
        ("pool-define-as", "p", "dir", "--target", f"{folder}/p"),
        ("domxml-to-native", "qemu-argv", f"{folder}/lost.xml"),
        ("define", f"{folder}/raw.xml"),
        ("start", "vd", "--paused"),
        ("pool-start", "p"),
        ("vol-create-as", "p", "a.img", "1M"),
        (
            "vol-create-as",
            "p",
            "b.qcow2",
            "1M",
            "--format",
            "qcow2",
            "--backing-vol",
            "a.img",
            "--backing-vol-format",
            "raw",
        ),
    ]
    for name in ("raw", "qcow2", "none", "mode"):
        steps += [
            ("define", f"{folder}/{name}.xml"),
            ("domblkinfo", "vd", "vda"),
            ("start", "vd", "--paused"),
            ("domblkinfo", "vd", "vda"),
            ("dumpxml", "vd", "--xpath", "//disk"),
            ("domblklist", "vd", "--details"),
            ("qemu-monitor-command", "vd", "--hmp", "info block"),
            ("destroy", "vd"),
        ]
    return [*steps, ("undefine", "vd"), ("vol-delete", "b.qcow2", "p"), ("vol-delete", "a.img", "p"),
            ("pool-destroy", "p"), ("pool-undefine", "p")]  # fmt: skip


@pytest.mark.guide("storage-volume-by-pool-and-name", "proc-storage-create-and-assign")
def test_as_the_real_one(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, folder: Path) -> None:
    """The same script on both: messages, live document, block list, and what QEMU opened."""
    ours, theirs = [], []
    for words in script(folder):
        left = real_libvirtd.virsh(*words)
        theirs.append((words[0], left.returncode, left.stdout, left.stderr))
    for words in script(folder):
        right = kvasird.our_virsh(*words)
        ours.append((words[0], right.returncode, right.stdout, right.stderr))
    assert ours == theirs


@pytest.mark.guide("storage-volume-by-pool-and-name")
def test_adopted(kvasird: KvasirDaemon, folder: Path) -> None:
    """The daemon dies and comes back: guest, pool (a transient one too) and the disk's path are known again."""
    for words in (
        ("pool-create-as", "p", "dir", "--target", f"{folder}/p"),
        ("vol-create-as", "p", "a.img", "1M"),
    ):
        assert kvasird.our_virsh(*words).returncode == 0
    (folder / "d.xml").write_text(document("a.img"))
    assert kvasird.our_virsh("create", f"{folder}/d.xml", "--paused").returncode == 0
    before = kvasird.our_virsh("dumpxml", "vd").stdout
    kvasird.kill()
    kvasird.start()
    assert kvasird.our_virsh("dumpxml", "vd").stdout == before
    assert kvasird.our_virsh("pool-list").stdout.split()[-3:] == ["p", "active", "no"]
    assert kvasird.our_virsh("destroy", "vd").returncode == 0
    assert os.stat(folder / "p/a.img").st_uid == 0


SOURCE = f"<source><host name='127.0.0.1'/><initiator><iqn name='{IQN}:me'/></initiator></source>"


@pytest.mark.guide(
    "storage-xml-disk-source-mode-host-direct", "vol-list-iscsi-names", "storage-xml-disk-lun-volume-iscsi-pool"
)
def test_iscsi_direct(target: TargetDaemon) -> None:
    """A real target: sources, units, sizes, CHAP with a secret, and the guest's disk by QEMU's own initiator."""
    run = target.our_virsh

    def ok(*words: str) -> str:
        done = run(*words)
        assert done.returncode == 0, (words, done.stderr, target.log())
        return done.stdout

    found = ok("find-storage-pool-sources-as", "iscsi-direct", "127.0.0.1", "--initiator", f"{IQN}:me")
    assert f"<device path='{IQN}:pool'/>" in found
    assert f"<device path='{IQN}:locked'/>" in found
    ok("pool-define-as", "net", "iscsi-direct", "--source-host", "127.0.0.1", "--source-dev", f"{IQN}:pool",
       "--source-initiator", f"{IQN}:me")  # fmt: skip
    ok("pool-start", "net")
    assert [line.split()[0] for line in ok("vol-list", "net").splitlines()[2:] if line] == ["unit:0:0:1", "unit:0:0:2"]
    assert "Capacity:       16777216 bytes" in ok("vol-info", "unit:0:0:1", "net", "--bytes")
    text = (
        f"<pool type='iscsi-direct'><name>chap</name><source><host name='127.0.0.1'/><device path='{IQN}:locked'/>"
        f"<initiator><iqn name='{IQN}:me'/></initiator><auth type='chap' username='me'><secret usage='tgt'/></auth></source></pool>"
    )
    (target.folder / "chap.xml").write_text(text)
    (target.folder / "secret.xml").write_text(
        "<secret ephemeral='no' private='yes'><uuid>11111111-2222-4333-8444-0000000000e1</uuid>"
        "<usage type='iscsi'><target>tgt</target></usage></secret>"
    )
    ok("pool-define", str(target.folder / "chap.xml"))
    missing = run("pool-start", "chap")
    assert "Secret not found: no secret with matching usage 'tgt'" in missing.stderr
    ok("secret-define", str(target.folder / "secret.xml"))
    (target.folder / "value").write_bytes(b"secretsecret12")
    ok("secret-set-value", "11111111-2222-4333-8444-0000000000e1", "--file", str(target.folder / "value"), "--plain")
    ok("pool-start", "chap")
    assert ok("vol-list", "chap").splitlines()[2].split() == [
        "unit:0:0:1", f"ip-127.0.0.1:3260-iscsi-{IQN}:locked-lun-1",
    ]  # fmt: skip
    assert "Capacity:       37748736 bytes" in ok("vol-info", "unit:0:0:1", "chap", "--bytes")
    (target.folder / "d.xml").write_text(
        document("unit:0:0:1", pool="chap", mode=" mode='direct'", device="lun", bus="scsi")
    )
    words = ok("domxml-to-native", "qemu-argv", str(target.folder / "d.xml"))
    node = next(json.loads(word.strip("'")) for word in words.split(" ") if '"driver":"iscsi"' in word)
    assert (node["portal"], node["target"], node["lun"]) == ("127.0.0.1:3260", f"{IQN}:locked", 1)
    assert node["user"] == "me"
    assert "password-secret" in node
    assert "secretsecret12" not in words
    assert "does not support" in run("vol-create-as", "chap", "x", "1M").stderr


@pytest.mark.guide("trouble-loop-max")
def test_files_need_no_loop_devices(kvasird: KvasirDaemon, folder: Path) -> None:
    """More guests on files than there were loop devices in old kernels, and no loop device that has such a file."""
    assert kvasird.our_virsh("pool-create-as", "p", "dir", "--target", f"{folder}/p").returncode == 0
    for number in range(9):
        name = f"file{number}"
        assert kvasird.our_virsh("vol-create-as", "p", name, "1M").returncode == 0
        (folder / "d.xml").write_text(document(name).replace("<name>vd</name>", f"<name>{name}</name>").replace(
            "0001</uuid>", f"001{number}</uuid>"))  # fmt: skip
        done = kvasird.our_virsh("create", f"{folder}/d.xml", "--paused")
        assert done.returncode == 0, done.stderr
    assert len(kvasird.our_virsh("list", "--name").stdout.split()) == 9
    backing = [path.read_text() for path in Path("/sys/block").glob("loop*/loop/backing_file")]
    assert not [path for path in backing if str(folder) in path]
    for number in range(9):
        kvasird.our_virsh("destroy", f"file{number}")
