"""The audit trail of guests: libvirt's records of a start, of its resources, of changes and of the end, and what auvirt makes of them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon
from tests.unpacked import libraries, unpacked

UUID = "11111111-1111-1111-1111-111111111111"
GUEST = """<domain type='qemu'><name>g</name><uuid>{uuid}</uuid><memory unit='MiB'>64</memory><vcpu current='1'>2</vcpu>
<iothreads>1</iothreads><os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='{folder}/a.qcow2'/><target dev='vda'/></disk>
<disk type='file' device='cdrom'><target dev='hda'/></disk><interface type='user'><mac address='52:54:00:00:00:01'/></interface>
<serial type='pty'/><serial type='file'><source path='{folder}/ser.log'/></serial><console type='pty'/>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
<filesystem accessmode='mapped'><source dir='{folder}/share'/><target dir='n'/></filesystem>
<shmem name='kvs'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem></devices></domain>"""
DISK = "<disk type='file'><driver name='qemu' type='raw'/><source file='{folder}/b.img'/><target dev='vdb'/></disk>"
NET = "<interface type='user'><mac address='52:54:00:00:00:02'/><model type='e1000'/></interface>"
SCRIPT = """create {folder}/g.xml
attach-device g {folder}/disk.xml
attach-device g {folder}/net.xml
detach-device g {folder}/disk.xml
change-media g hda {folder}/c.iso --insert
change-media g hda --eject
destroy g
create {folder}/broken.xml"""
CODES = {"control": "VIRT_CONTROL", "resource": "VIRT_RESOURCE", "machine-id": "VIRT_MACHINE_ID"}


def lay(folder: Path) -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(folder / "a.qcow2"), "10M"], check=True)
    for name in ("b.img", "c.iso"):
        (folder / name).write_bytes(bytes(1 << 20))
    for name in ("a.qcow2", "b.img", "c.iso"):
        (folder / name).chmod(0o666)
    (folder / "share").mkdir()
    guest = GUEST.format(uuid=UUID, folder=folder)
    broken = guest.replace("a.qcow2", "nosuch")
    for name, text in (("g", guest), ("disk", DISK.format(folder=folder)), ("net", NET), ("broken", broken)):
        (folder / f"{name}.xml").write_text(text)


def run(daemon: DaemonHandle) -> None:
    for line in SCRIPT.format(folder=daemon.folder).splitlines():
        daemon.virsh(*line.split())


def plain(text: str, folder: Path) -> str:
    """A record without what differs from run to run."""
    text = re.sub(r"vm-pid=[1-9]\d*", "vm-pid=N", text.replace(str(folder), "FOLDER"))
    text = re.sub(r"/dev/pts/\d+", "/dev/pts/N", text)
    return re.sub(r"(vm|img)-ctx=\S+", r"\1-ctx=LABEL", text)


def records(log: str) -> list[tuple[str, str]]:
    return re.findall(r"audit (control|resource|machine-id): (.*)", log)


def real_records(daemon: DaemonHandle) -> list[str]:
    """What the real daemon writes to its log of the same script."""
    lay(daemon.folder)
    peer = [str(PROJECT / "scripts/peer")]
    env = {**os.environ, "KVASIR_PEERS": str(daemon.peers.root)} if daemon.peers else dict(os.environ)
    settings = (
        r'printf "audit_logging = 1\nlog_filters=\"1:audit\"\nlog_outputs=\"1:stderr\"\n" >> /etc/libvirt/libvirtd.conf'
    )
    for words in (
        ["exec", "--dir", str(daemon.folder), "--", "sh", "-c", settings],
        ["restart", "--dir", str(daemon.folder)],
    ):
        assert subprocess.run([*peer, *words], env=env).returncode == 0
    run(daemon)
    found = re.findall(r"success=(yes|no) (virt=.*)", (daemon.folder / "libvirtd.log").read_text())
    return [plain(f"{text} res={'success' if ok == 'yes' else 'failed'}", daemon.folder) for ok, text in found]


def configure(daemon: KvasirDaemon, text: str) -> None:
    assert daemon.stop() == 0
    Path(daemon.folder, "etc/libvirt/libvirtd.conf").write_text(text)
    daemon.start()


@pytest.mark.guide("trouble-audit-events", "trouble-audit-logging", "trouble-auvirt")
def test_records_of_a_guest(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, tmp_path: Path) -> None:
    """The same records in the same order as libvirt's, in the log with audit_logging = 1 and not with 0; auvirt counts them.

    This kernel's trail is not on: the file that auvirt reads is framed as the kernel frames what a daemon sends.
    """
    lay(kvasird.folder)
    configure(kvasird, 'audit_logging = 0\nlog_level = 2\nlog_outputs = "2:stderr"\n')
    run(kvasird)
    log = kvasird.folder / "kvasird.log"
    assert records(log.read_text()) == []
    configure(kvasird, 'audit_logging = 1\nlog_level = 2\nlog_outputs = "2:stderr"\n')
    run(kvasird)
    ours = records(log.read_text())
    wanted = real_records(real_libvirtd)
    assert "\n".join(plain(text, kvasird.folder) for _, text in ours) == "\n".join(wanted)
    assert len([line for line in wanted if "reason=start" in line]) > 15
    frames = [
        f"type={CODES[kind]} msg=audit(1700000{number:03}.000:{number + 1}): pid=1 uid=0 auid=4294967295 ses=4294967295 msg='{text}'"
        for number, (kind, text) in enumerate(ours)
    ]
    (tmp_path / "audit.log").write_text("\n".join(frames) + "\n")
    folder = unpacked("auditd", "libauparse0")
    env = {**os.environ, "LD_LIBRARY_PATH": libraries(folder), "LC_ALL": "C"}

    def auvirt(*options: str) -> str:
        command = [str(folder / "usr/bin/auvirt"), "--file", str(tmp_path / "audit.log"), *options]
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = auvirt("--summary")
    end = next(number for number, (_, text) in enumerate(ours) if "op=stop" in text)
    given = [text for kind, text in ours[:end] if kind == "resource" and 'new-disk="?"' not in text]
    for what, count in (
        ("guest starts", 1),
        ("guest stops", 1),
        ("resource assignments", len(given)),
        ("failed operations", 1),
    ):
        assert re.search(rf"Number of {what}:\s+{count}\n", said), (what, count, said)
    assert {line.split()[0] for line in auvirt("--vm", "g").splitlines()} == {"g"}
