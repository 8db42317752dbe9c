"""Saving and restoring guests: both virsh say the same on the real daemon and on ours, and each daemon restores the other's files."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon
from tests.virsh import cells

UUID = "d97b19b8-97f3-4770-ba08-12aa22bba9a9"
GUEST = f"""<domain type='qemu'><name>b</name><uuid>{UUID}</uuid><memory unit='KiB'>32768</memory><vcpu>2</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<devices><interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>
<serial type='pty'/><console type='pty'/><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<graphics type='vnc' passwd='secret'/><video><model type='vga'/></video><memballoon model='virtio'/></devices></domain>
"""

CHANGES = {
    "mem": ("32768", "65536"),
    "name": ("<name>b", "<name>bb"),
    "uuid": ("bba9a9", "bba9aa"),
    "net": ("<model type='virtio'", "<model type='e1000'"),
    "mac": ("52:54:00:11:22:33", "52:54:00:11:22:34"),
    "vcpu": ("placement='static'>2", "placement='static'>3"),
    "mach": ("pc-i440fx-7.2", "pc-i440fx-7.1"),
    "feat": ("<acpi", "<apic"),
    "video": ("model type='vga'", "model type='cirrus'"),
    "slot": ("slot='0x04'", "slot='0x08'"),
    "cpu": ("qemu64", "Nehalem"),
    "kvm": ("type='qemu'", "type='kvm'"),
    "title": ("</name>", "</name>\n  <title>other</title>"),
    "clock": ("offset='utc'", "offset='localtime'"),
}

FILES = """
save b {folder}/x.save
managedsave b
managedsave-dumpxml b
managedsave-define b {folder}/same.xml
managedsave-remove b
restore {folder}/nosuch
restore {folder}/garbage
restore {folder}/empty
restore {folder}/short
restore {folder}/cookie
restore {folder}/part
restore {folder}/version
restore {folder}/compression
domstate b --reason
save-image-dumpxml {folder}/nosuch
save-image-dumpxml {folder}/part
save-image-define {folder}/b.save {folder}/same.xml
save-image-dumpxml {folder}/b.save
save-image-dumpxml {folder}/b.save --security-info
save-image-dumpxml {folder}/b.save --xpath /domain/devices/serial --wrap
save-image-define {folder}/b.save {folder}/same.xml --running --paused
save-image-define {folder}/b.save {folder}/nosuch.xml
save-image-define {folder}/b.save {folder}/garbage.xml
""" + "".join(f"save-image-define {{folder}}/b.save {{folder}}/{name}.xml\n" for name in CHANGES)

LIVES = """
restore {folder}/b.save --running --paused
restore {folder}/b.save --paused
domstate b --reason
restore {folder}/b.save
destroy b
restore {folder}/b.save --xml {folder}/mem.xml
restore {folder}/b.save --xml {folder}/title.xml
desc b --title
managedsave-define b {folder}/same.xml
save b /nosuch/x
save b {folder}
save b {folder}/x.save --xml {folder}/mem.xml
domstate b --reason
save b {folder}/x.save --running --paused
suspend b
!save b {folder}/x.save --running --bypass-cache --verbose
domstate b --reason
restore {folder}/x.save --bypass-cache
domstate b --reason
!domjobinfo b
!domjobinfo b --completed
!domjobinfo b --completed --keep-completed --anystats --rawstats
domjobabort b
domjobabort b --postcopy
save b {folder}/y.save --paused --xml {folder}/title.xml
save-image-dumpxml {folder}/y.save --xpath /domain/title
restore {folder}/y.save --running
domstate b --reason
!managedsave b --paused --verbose
list --all --managed-save
list --all --with-managed-save --name
list --all --without-managed-save --name
dominfo b
!domjobinfo b --completed --rawstats --keep-completed
managedsave-dumpxml b --xpath /domain/name
managedsave-dumpxml b --security-info --xpath //graphics/@passwd
managedsave b
undefine b
start b
domstate b --reason
resume b
managedsave b --bypass-cache
start b --bypass-cache
domstate b --reason
managedsave b
start b --force-boot --paused
domstate b --reason
managedsave-remove b
managedsave b --running
managedsave-define b {folder}/mem.xml
managedsave-define b {folder}/title.xml --paused
managedsave-dumpxml b --xpath /domain/title
managedsave-remove b
start b
domstate b --reason
destroy b
undefine b
create {folder}/b.xml
managedsave b
destroy b
"""


def prepare(daemon: DaemonHandle) -> None:
    """A defined guest, a file that it was saved to, broken copies of that file, changed copies of its definition."""
    folder = daemon.folder
    (folder / "b.xml").write_text(GUEST)
    for line in (("define", folder / "b.xml"), ("start", "b"), ("save", "b", folder / "b.save")):
        done = daemon.virsh(*map(str, line))
        assert done.returncode == 0, done.stderr
    data = (folder / "b.save").read_bytes()
    broken = {
        "garbage": b"no magic at all" * 20,
        "empty": b"",
        "short": data[:50],
        "cookie": data[:2000],
        "part": b"LibvirtQemudPart" + data[16:],
        "version": data[:16] + struct.pack("<I", 7) + data[20:],
        "compression": data[:28] + struct.pack("<I", 11) + data[32:],
    }
    for name, content in broken.items():
        (folder / name).write_bytes(content)
    document = daemon.virsh("save-image-dumpxml", str(folder / "b.save"), "--security-info").stdout
    (folder / "same.xml").write_text(document)
    (folder / "garbage.xml").write_text("garbage\n")
    for name, (old, new) in CHANGES.items():
        assert old in document, name
        (folder / f"{name}.xml").write_text(document.replace(old, new))


def mask(text: str) -> str:
    """Figures that differ from run to run."""
    text = re.sub(r"(?m)^(Memory bandwidth|memory_bps):.*\n", "", text)  # missing where the job took no time at all
    text = re.sub(r"([\r\n](Save|Managedsave|Dump): \[ *\d+ %\])+", r"\n\2", text)
    text = re.sub(
        r"(?m)^(Time elapsed|Total downtime|Setup time|Memory processed|Data processed):.*",
        r"\1",
        text,
    )
    text = re.sub(r"(?m)^(Constant pages|Normal pages|Normal data|Iteration):.*", r"\1", text)
    text = re.sub(r"(?m)^(\w+_processed|\w+_elapsed|downtime|setup_time|memory_\w+): \d+", r"\1", text)
    text = re.sub(r"(?m)^(Id|CPU time|Security label|Max memory|Used memory):.*", r"\1", text)
    return re.sub(r"-{10,}|(?<= ) {2,}", "-", text)


def head(path: Path) -> tuple[bytes, tuple[int, ...], bytes]:
    """Magic, words of the header, and all that stands before the stream."""
    data = path.read_bytes()
    words = struct.unpack("<19I", data[16:92])
    return data[:16], words, data[92 : 92 + words[1]]


@pytest.mark.guide(
    "virsh-save", "virsh-restore", "virsh-save-image-dumpxml", "virsh-save-image-define",
    "virsh-save-image-define-opt-xml", "virsh-save-image-dumpxml-opt-security-info", "virsh-restore-opt-xml",
    "virsh-save-image-recovery-only",
)  # fmt: skip
def test_files_and_refusals(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """Broken files, changed definitions: the same words in all four cells, and the same header, definition and cookie."""
    cells.four((("libvirtd", real_libvirtd), ("kvasird", kvasird)), FILES, mask, prepare)
    assert head(kvasird.folder / "b.save") == head(real_libvirtd.folder / "b.save")
    for there, here in ((real_libvirtd, kvasird), (kvasird, real_libvirtd)):
        done = here.virsh("restore", str(there.folder / "b.save"))
        assert done.returncode == 0, done.stderr
        assert here.virsh("domstate", "b", "--reason").stdout.strip() == "running (restored)"
        assert here.virsh("destroy", "b").returncode == 0
    real_libvirtd.virsh("undefine", "b")


@pytest.mark.guide(
    "state-saved", "state-paused", "virsh-start-opt-bypass-cache", "virsh-restore-opt-bypass-cache",
    "virsh-restore-opt-xml", "virsh-restore-opt-running", "virsh-restore-opt-paused", "virsh-save-opt-bypass-cache",
    "virsh-save-opt-xml", "virsh-save-opt-running", "virsh-save-opt-paused", "virsh-save-opt-verbose",
    "virsh-save-vs-suspend", "virsh-managedsave-opt-bypass-cache", "virsh-managedsave-opt-paused",
    "virsh-domjobinfo-opt-completed", "virsh-managedsave", "virsh-managedsave-opt-running",
    "virsh-managedsave-opt-verbose", "virsh-start-opt-force-boot", "virsh-save-image-define-opt-running",
)  # fmt: skip
def test_lives_of_saved_guests(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """Every way to save, restore and start from a saved state, in all four cells."""

    script = "define {folder}/b.xml\n" + LIVES
    cells.four((("libvirtd", real_libvirtd), ("kvasird", kvasird)), script, mask, prepare)
