"""Secrets: the four cells of {our, real virsh} x {kvasird, libvirtd}, files, values at rest."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from kvasir.daemon.paths import Paths
from kvasir.host import crypto
from kvasir.secret.driver import NoSecret, SecretDriver
from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon
from tests.virsh.cells import four

DOCUMENTS = {
    "volume": "<secret ephemeral='no' private='no'><uuid>{u}1</uuid><description>a &lt;desc&gt;</description>"
    "<usage type='volume'><volume>/var/lib/x.img</volume></usage></secret>",
    "ceph": "<secret ephemeral='yes' private='yes'><uuid>{u}2</uuid><usage type='ceph'><name>client.admin secret</name></usage></secret>",
    "iscsi": "<secret ephemeral='no'><uuid>{u}3</uuid><usage type='iscsi'><target>libvirtiscsi</target></usage></secret>",
    "tls": "<secret ephemeral='no'><uuid>{u}4</uuid><usage type='tls'><name>tlskey</name></usage></secret>",
    "vtpm": "<secret private='no'><uuid>{u}5</uuid><usage type='vtpm'><name>vtp</name></usage></secret>",
    "plain": "<secret><uuid>{u}6</uuid></secret>",
    "none": "<secret><uuid>{u}7</uuid><usage type='none'/></secret>",
    "again": "<secret><usage type='ceph'><name>client.admin secret</name></usage></secret>",
    "otheruse": "<secret><uuid>{u}4</uuid><usage type='ceph'><name>other</name></usage></secret>",
    "toprivate": "<secret private='yes'><uuid>{u}4</uuid><usage type='tls'><name>tlskey</name></usage></secret>",
    "toephemeral": "<secret ephemeral='yes' private='yes'><uuid>{u}4</uuid><usage type='tls'><name>tlskey</name></usage></secret>",
    "extra": "<secret><uuid>{u}8</uuid><usage type='volume'><volume>rel</volume><name>x</name></usage><foo/></secret>",
    "bad1": "<secret ephemeral='x'/>",
    "bad2": "<secret><usage type='x'/></secret>",
    "bad3": "<secret><usage type='ceph'/></secret>",
    "bad4": "<secret private='maybe'/>",
    "bad5": "<secret><uuid>xx</uuid></secret>",
    "bad6": "<secre/>",
    "bad7": "<secret><usage/></secret>",
    "bad8": "<secret><usage type='iscsi'/></secret>",
    "bad9": "<secret><usage type='volume'/></secret>",
    "bad10": "<secret><usage type='vtpm'/></secret>",
    "bad11": "<secret><usage type='tls'/></secret>",
    "bad12": "<secret>",
}
UUID = "11111111-2222-3333-4444-55555555555"
SCRIPT = f"""
secret-list
secret-define {{folder}}/volume
secret-define {{folder}}/ceph
secret-define {{folder}}/iscsi
secret-define {{folder}}/tls
secret-define {{folder}}/vtpm
secret-define {{folder}}/plain
secret-define {{folder}}/none
!secret-list
secret-list --ephemeral
secret-list --no-ephemeral
secret-list --private
secret-list --no-private
secret-list --private --no-private
secret-dumpxml {UUID}1
secret-dumpxml {UUID}2
secret-dumpxml {UUID}3
secret-dumpxml {UUID}4
secret-dumpxml {UUID}5
secret-dumpxml {UUID}6
secret-dumpxml {UUID}7
secret-dumpxml {UUID}1 --xpath //volume
secret-dumpxml {UUID}9
secret-dumpxml ceph
!secret-dumpxml
secret-define {{folder}}/again
secret-define {{folder}}/otheruse
secret-define {{folder}}/toprivate
secret-dumpxml {UUID}4
secret-define {{folder}}/tls
secret-define {{folder}}/toephemeral
secret-dumpxml {UUID}4
secret-define {{folder}}/toprivate
secret-define {{folder}}/extra
secret-dumpxml {UUID}8
secret-define {{folder}}/bad1
secret-define {{folder}}/bad2
secret-define {{folder}}/bad3
secret-define {{folder}}/bad4
secret-define {{folder}}/bad5
secret-define {{folder}}/bad6
secret-define {{folder}}/bad7
secret-define {{folder}}/bad8
secret-define {{folder}}/bad9
secret-define {{folder}}/bad10
secret-define {{folder}}/bad11
secret-define {{folder}}/bad12
secret-define {{folder}}/nosuch
secret-define {{folder}}/volume --validate
!secret-get-value {UUID}1
!secret-set-value {UUID}1 aGVsbG8=
!secret-get-value {UUID}1
!secret-get-value {UUID}1 --plain
!-q secret-get-value {UUID}1
secret-get-value {UUID}2
secret-set-value {UUID}2 aGVsbG8=
secret-get-value {UUID}2
secret-get-value {UUID}9
secret-set-value {UUID}3 'not*base'
secret-get-value {UUID}3
secret-set-value {UUID}3 --file {{folder}}/value --plain
secret-get-value {UUID}3
secret-set-value {UUID}3 --file {{folder}}/value64
secret-get-value {UUID}3
secret-set-value {UUID}3 --file {{folder}}/value
secret-set-value {UUID}3
secret-set-value {UUID}3 ''
secret-set-value {UUID}3 --file {{folder}}/nosuch
secret-set-value {UUID}3 --file {{folder}}/value --interactive
secret-set-value {UUID}3 aGVsbG8= --plain
secret-set-value {UUID}3 aGVsbG8= --interactive
!secret-event --list
secret-event
secret-event --event foo
secret-event --event lifecycle --timeout 1
secret-event --event lifecycle --timeout 0
!secret-event --all
secret-undefine {UUID}1
secret-undefine {UUID}1
secret-undefine {UUID}2
secret-undefine {UUID}3
secret-undefine {UUID}4
secret-undefine {UUID}5
secret-undefine {UUID}6
secret-undefine {UUID}7
secret-undefine {UUID}8
secret-list
"""


def prepare(daemon: DaemonHandle) -> None:
    for name, text in DOCUMENTS.items():
        (daemon.folder / name).write_text(text.format(u=UUID))
    (daemon.folder / "value").write_bytes(b"raw\0bytes")
    (daemon.folder / "value64").write_bytes(b"c2VjcmV0\n")


@pytest.mark.guide(
    "storage-virsh-secret-define",
    "storage-virsh-secret-list-iscsi",
    "storage-virsh-secret-set-value",
    "storage-xml-secret-iscsi",
)
def test_four_cells(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    four((("libvirtd", real_libvirtd), ("kvasird", kvasird)), SCRIPT, prepare=prepare)


def test_values_at_rest(kvasird: KvasirDaemon) -> None:
    """A restart keeps the value; the disk never shows it; another key does not open it; libvirt's own files are read."""
    prepare(kvasird)
    secrets = kvasird.folder / "etc/libvirt/secrets"
    for name in ("iscsi", "ceph", "tls"):
        assert kvasird.our_virsh("secret-define", str(kvasird.folder / name)).returncode == 0
        number = {"iscsi": 3, "ceph": 2, "tls": 4}[name]
        assert kvasird.our_virsh("secret-set-value", f"{UUID}{number}", "c2VjcmV0IHdvcmQ=").returncode == 0
    assert sorted(path.name for path in secrets.iterdir()) == [
        f"{UUID}3.sealed", f"{UUID}3.xml", f"{UUID}4.sealed", f"{UUID}4.xml",
    ]  # fmt: skip
    everything = b"".join(path.read_bytes() for path in kvasird.folder.rglob("*") if path.is_file())
    assert b"secret word" not in everything and b"c2VjcmV0IHdvcmQ" not in everything
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in secrets.iterdir())
    kvasird.kill()
    (secrets / f"{UUID}1.xml").write_text(DOCUMENTS["volume"].format(u=UUID))
    (secrets / f"{UUID}1.base64").write_text("bGlidmlydA==")  # as libvirt 9.0 writes it
    os.rename(secrets / f"{UUID}4.sealed", kvasird.folder / "moved")
    (secrets / f"{UUID}4.sealed").write_bytes((secrets / f"{UUID}3.sealed").read_bytes())  # another secret's value
    kvasird.start()
    assert kvasird.our_virsh("secret-get-value", f"{UUID}3", "--plain").stdout.strip() == "secret word"
    assert kvasird.our_virsh("secret-get-value", f"{UUID}1", "--plain").stdout.strip() == "libvirt"
    assert "no secret with matching uuid" in kvasird.our_virsh("secret-get-value", f"{UUID}2").stderr
    assert "does not have a value" in kvasird.our_virsh("secret-get-value", f"{UUID}4").stderr
    assert "does not open with the key" in kvasird.log()
    kvasird.stop()
    (kvasird.folder / "etc/libvirt/secret.conf").write_text("encrypt_data = 0\n")
    kvasird.start()
    assert kvasird.our_virsh("secret-list").returncode == 0  # it serves: the secrets are read
    assert (secrets / f"{UUID}3.base64").read_text() == "c2VjcmV0IHdvcmQ="
    assert not (secrets / f"{UUID}3.sealed").exists()


def test_sealing() -> None:
    key, other = bytes(range(32)), bytes(32)
    sealed = crypto.seal(key, b"value", b"about")
    assert crypto.unseal(key, sealed, b"about") == b"value"
    assert crypto.seal(key, b"value", b"about") != sealed
    for wrong in (
        (other, sealed, b"about"),
        (key, sealed, b""),
        (key, sealed[:-1] + b"\0", b"about"),
        (key, b"", b"about"),
    ):
        with pytest.raises(ValueError):
            crypto.unseal(*wrong)
    # the vector F.2.5 of NIST SP 800-38A, its first block
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    block = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
    assert crypto.cbc(key, bytes(range(16)), block)[:16].hex() == "f58c4c04d6e5f1ba779eabfb5f7bfbd6"


def test_two_daemons_share_files(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """The document's file is byte-equal to the real daemon's."""
    prepare(real_libvirtd)
    prepare(kvasird)
    for daemon in (real_libvirtd, kvasird):
        assert daemon.virsh("secret-define", str(daemon.folder / "volume")).returncode == 0
    peer = real_libvirtd.folder
    theirs = subprocess.run(
        [str(PROJECT / "scripts/peer"), "exec", "--dir", str(peer), "--", "cat", f"/etc/libvirt/secrets/{UUID}1.xml"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert (kvasird.folder / f"etc/libvirt/secrets/{UUID}1.xml").read_text() == theirs
    real_libvirtd.virsh("secret-undefine", f"{UUID}1")


def test_nothing_waits_for_the_disk_on_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes of one secret at once come one after the other; each leaves files that a new driver reads."""
    synced = []

    def fsync(fd: int) -> None:
        synced.append(threading.current_thread())
        time.sleep(0.02)

    async def change() -> None:
        monkeypatch.setattr(os, "fsync", fsync)
        driver = SecretDriver(Paths.system(str(tmp_path)))
        made = await driver.define(DOCUMENTS["tls"].format(u=UUID))
        beat = asyncio.get_running_loop().time()
        work = asyncio.gather(*(driver.set_value(made, b"value %d" % number) for number in range(4)))
        while not work.done():
            await asyncio.sleep(0)
            now = asyncio.get_running_loop().time()
            assert now - beat < 10, "the loop stood still"
            beat = now
        assert len(synced) >= 8 and threading.main_thread() not in synced
        again = SecretDriver(Paths.system(str(tmp_path)))
        await again.start()
        assert made.value == again.by_uuid(made.uuid).value == b"value 3"
        gone = await asyncio.gather(driver.undefine(made), driver.set_value(made, b"late"), return_exceptions=True)
        assert gone[0] is None and isinstance(gone[1], NoSecret)
        assert not [name for name in os.listdir(driver.folder) if UUID in name]

    asyncio.run(asyncio.wait_for(change(), 60))
