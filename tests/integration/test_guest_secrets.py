"""Guests that use secrets: encrypted images open with the value of a secret only, also after a restart of the daemon."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon
from tests.integration.test_displays_tpm_filesystems import define, ok

pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/qemu-system-x86_64").exists(), reason="qemu-system-x86_64 is not installed"
)
PASSWORD = "the pass phrase of the image"
UUID = "11111111-2222-3333-4444-55555555555"
SECRETS = {
    "1": "<usage type='volume'><volume>/luks.img</volume></usage>",
    "2": "<usage type='ceph'><name>client.admin secret</name></usage>",
    "3": "<usage type='iscsi'><target>portal</target></usage>",
    "4": "<usage type='vtpm'><name>tpm</name></usage>",
}


def define_secrets(daemon: DaemonHandle, value: str) -> None:
    (daemon.folder / "value").write_text(value)
    for number, usage in SECRETS.items():
        path = daemon.folder / f"secret{number}.xml"
        path.write_text(f"<secret private='yes'><uuid>{UUID}{number}</uuid>{usage}</secret>")
        for words in (
            ("secret-define", str(path)),
            ("secret-set-value", f"{UUID}{number}", "--file", str(daemon.folder / "value"), "--plain"),
        ):
            done = daemon.our_virsh(*words)
            assert done.returncode == 0, done.stderr


def image(folder: Path, format: str) -> Path:
    path = folder / f"enc.{format}"
    more = ["-o", "encrypt.format=luks,encrypt.key-secret=s"] if format == "qcow2" else ["-o", "key-secret=s"]
    cheap = ",encrypt.iter-time=200" if format == "qcow2" else ",iter-time=200"
    more[-1] += cheap
    command = [
        "qemu-img",
        "create",
        "-q",
        "-f",
        format,
        "--object",
        f"secret,id=s,data={PASSWORD}",
        *more,
        str(path),
        "8M",
    ]
    for _ in range(20):  # qemu-img times its key derivation, which fails on a busy machine
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0 or "accurate CPU usage" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    path.chmod(0o666)
    return path


def disks(folder: Path) -> str:
    return (
        f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{folder}/enc.qcow2'><encryption format='luks'>"
        f"<secret type='passphrase' uuid='{UUID}1'/></encryption></source><target dev='vda' bus='virtio'/></disk>"
        f"<disk type='file'><driver name='qemu' type='raw'/><source file='{folder}/enc.luks'/><encryption format='luks'>"
        "<secret type='passphrase' usage='/luks.img'/></encryption><target dev='vdb' bus='virtio'/></disk>"
    )


def test_encrypted_disks(kvasird: KvasirDaemon) -> None:
    for format in ("qcow2", "luks"):
        image(kvasird.folder, format)
    define(kvasird, "enc", disks(kvasird.folder))
    assert "no secret with matching" in kvasird.our_virsh("start", "enc").stderr
    define_secrets(kvasird, "wrong")
    assert "Invalid password" in kvasird.our_virsh("start", "enc").stderr
    define_secrets(kvasird, PASSWORD)
    kvasird.stop()
    kvasird.start()
    ok(kvasird, "start", "enc")
    answer = ok(kvasird, "qemu-monitor-command", "enc", '{"execute":"query-named-block-nodes"}')
    assert answer.count('"encrypted":true') == 4
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert not any(PASSWORD.encode() in line for line in lines)
    assert PASSWORD not in (kvasird.folder / "var/log/libvirt/qemu/enc.log").read_text()
    ok(kvasird, "destroy", "enc")


@pytest.mark.skipif(not shutil.which("swtpm"), reason="swtpm is not installed")
def test_encrypted_tpm_state(kvasird: KvasirDaemon) -> None:
    """swtpm takes the state up with the right secret only."""
    define(
        kvasird,
        "tpm",
        f"<tpm model='tpm-crb'><backend type='emulator' version='2.0'><encryption secret='{UUID}4'/></backend></tpm>",
    )
    define_secrets(kvasird, PASSWORD)
    for _ in range(2):
        ok(kvasird, "start", "tpm")
        ok(kvasird, "destroy", "tpm")
    define_secrets(kvasird, "another")
    assert "tpm-emulator: TPM result for CMD_INIT" in kvasird.our_virsh("start", "tpm").stderr


def test_same_command_line(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """The options of a guest with secrets of every kind are those of libvirt, but for keys made by chance."""
    import json
    import shlex

    network = (
        "<disk type='network'><driver name='qemu' type='raw'/><auth username='admin'><secret type='ceph' usage='client.admin secret'/></auth>"
        "<source protocol='rbd' name='pool/img'><host name='h' port='6789'/></source><target dev='vdc' bus='virtio'/></disk>"
        "<disk type='network'><driver name='qemu' type='raw'/><source protocol='rbd' name='pool/other'><host name='h' port='6789'/>"
        f"<encryption format='luks2' engine='librbd'><secret type='passphrase' uuid='{UUID}1'/></encryption></source><target dev='vdd' bus='virtio'/></disk>"
        "<disk type='network'><driver name='qemu' type='raw'/><source protocol='iscsi' name='iqn.2013-12.com.example:p/1'><host name='h' port='3260'/>"
        f"<auth username='me'><secret type='iscsi' uuid='{UUID}3'/></auth></source><target dev='vde' bus='virtio'/></disk>"
        "<controller type='scsi' model='virtio-scsi'/>"
        "<hostdev mode='subsystem' type='scsi'><source protocol='iscsi' name='iqn.1992-01.com.example:storage/1'><host name='h' port='3260'/>"
        "<auth username='myuser'><secret type='iscsi' usage='portal'/></auth></source></hostdev>"
    )
    found = []
    for daemon in (real_libvirtd, kvasird):
        define_secrets(daemon, PASSWORD)
        folder = Path("/nowhere")
        path = daemon.folder / "argv.xml"
        path.write_text(
            f"<domain type='qemu'><name>argv</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>"
            f"<devices>{disks(folder)}{network}</devices></domain>"
        )
        done = daemon.virsh("domxml-to-native", "qemu-argv", str(path))
        assert done.returncode == 0, done.stderr
        words = shlex.split(done.stdout)
        values = [json.loads(word) for word in words if word.startswith("{")]
        for value in values:
            for key in ("data", "iv"):
                if value.get("qom-type") == "secret" and value.get("keyid"):
                    assert value.pop(key)
        wanted = ("libvirt-", "masterKey")
        found.append(
            [
                v
                for v in values
                if str(v.get("id") or v.get("node-name")).startswith(wanted) and v.get("id") != "masterKey0"
            ]
        )
        wrong = daemon.folder / "wrong.xml"
        wrong.write_text(path.read_text().replace(f"uuid='{UUID}1'", f"uuid='{UUID}3'"))
        found[-1].append(daemon.virsh("domxml-to-native", "qemu-argv", str(wrong)).stderr)
    assert found[0] == found[1]
