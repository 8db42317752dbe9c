"""What goes wrong while a guest is saved or dumped, and who can watch and end it; every form of compression; crash dumps."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon
from tests.integration.test_lifecycle import Listener
from tests.waiting import until

UUID = "d97b19b8-97f3-4770-ba08-12aa22bba9a9"
GUEST = f"""<domain type='qemu'><name>b</name><uuid>{UUID}</uuid><memory unit='KiB'>32768</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><on_crash>%s</on_crash>
<devices>%s<video><model type='vga'/></video><memballoon model='virtio'/></devices></domain>
"""


def ok(daemon: DaemonHandle, *words: object) -> str:
    done = daemon.virsh(*map(str, words))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def again(daemon: KvasirDaemon, conf: str, monkeypatch: pytest.MonkeyPatch, tools: Path | None = None) -> None:
    """Start the daemon anew with these lines in qemu.conf, and ``tools`` before all other programs."""
    assert daemon.stop() == 0
    (daemon.folder / "etc/libvirt/qemu.conf").write_text(conf)
    if tools is not None:
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    daemon.start()


@pytest.fixture
def slow_gzip(kvasird: KvasirDaemon, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The daemon saves and dumps through a gzip that takes nothing while the file of this fixture exists."""
    tools = kvasird.folder / "tools"
    tools.mkdir()
    brake = tools / "brake"
    brake.touch()
    (tools / "gzip").write_text(f'#!/bin/sh\nwhile [ -e {brake} ]; do sleep 0.05; done\nexec /usr/bin/gzip "$@"\n')
    (tools / "gzip").chmod(0o755)
    again(kvasird, 'save_image_format = "gzip"\ndump_image_format = "gzip"\n', monkeypatch, tools)
    (kvasird.folder / "b.xml").write_text(GUEST % ("destroy", ""))
    ok(kvasird, "define", kvasird.folder / "b.xml")
    ok(kvasird, "start", "b")
    return brake


def background(daemon: KvasirDaemon, *words: object) -> subprocess.Popen[str]:
    command = [str(PROJECT / "bin/virsh"), "-c", daemon.uri, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def running_job(daemon: KvasirDaemon) -> str:
    """What domjobinfo says once the job's figures are there and ``--verbose`` has had two turns."""

    def look() -> str:
        said = daemon.virsh("domjobinfo", "b").stdout
        elapsed = re.search(r"Time elapsed: +(\d+)", said)
        return said if "Data total" in said and elapsed and int(elapsed[1]) > 1500 else ""

    return str(until(look))


@pytest.mark.guide("virsh-save-monitor", "virsh-domjobinfo", "virsh-domjobabort", "virsh-managedsave-monitor")
def test_a_save_is_watched_and_aborted(kvasird: KvasirDaemon, slow_gzip: Path) -> None:
    target = kvasird.folder / "b.save"
    for words, managed in ((("save", "b", target), False), (("managedsave", "b"), True)):
        saving = background(kvasird, *words, "--verbose")
        said = running_job(kvasird)
        assert "Job type:         Unbounded" in said
        assert "Operation:        Save" in said
        assert "Memory total:" in said
        assert ok(kvasird, "domstate", "b", "--reason") == "paused (saving)"
        assert ok(kvasird, "domcontrol", "b").startswith("background job")
        ok(kvasird, "domjobabort", "b")
        out, errors = saving.communicate(timeout=60)
        assert saving.returncode == 1, out
        assert "error: operation aborted: domain save job: canceled by client" in errors
        assert "Save: [" in errors or "Managedsave: [" in errors
        assert ok(kvasird, "domstate", "b", "--reason") == "running (save canceled)"
        assert not target.exists()
        assert ("--managed-save" in words) == managed or not ok(
            kvasird, "list", "--all", "--with-managed-save", "--name"
        )
    assert "None" in ok(kvasird, "domjobinfo", "b")
    slow_gzip.unlink()
    ok(kvasird, "save", "b", target)
    assert "Completed" in ok(kvasird, "domjobinfo", "b", "--completed")
    ok(kvasird, "restore", target)
    ok(kvasird, "destroy", "b")


@pytest.mark.guide("virsh-dump-monitor", "virsh-domjobabort", "virsh-domjobinfo")
def test_a_dump_is_watched_and_aborted(kvasird: KvasirDaemon, slow_gzip: Path) -> None:
    target = kvasird.folder / "core"
    dumping = background(kvasird, "dump", "b", target)
    said = running_job(kvasird)
    assert "Operation:        Dump" in said
    assert ok(kvasird, "domstate", "b", "--reason") == "paused (dumping)"
    ok(kvasird, "domjobabort", "b")
    _, errors = dumping.communicate(timeout=60)
    assert "error: operation aborted: domain core dump job: canceled by client" in errors
    assert ok(kvasird, "domstate", "b", "--reason") == "running (unpaused)"
    assert not target.exists()
    slow_gzip.unlink()
    ok(kvasird, "dump", "b", target)
    assert subprocess.run(["gzip", "-dc", target], capture_output=True, check=True).stdout.startswith(b"QEVM")
    ok(kvasird, "destroy", "b")


def test_a_save_outlived_by_its_guest(kvasird: KvasirDaemon, slow_gzip: Path) -> None:
    """The daemon is killed while it saves: the next one finds the guest halted, lets it run on and drops the half file."""
    saving = background(kvasird, "managedsave", "b")
    running_job(kvasird)
    image = kvasird.folder / "var/lib/libvirt/qemu/save/b.save"
    assert image.read_bytes().startswith(b"LibvirtQemudPart")
    kvasird.kill()
    saving.communicate(timeout=60)
    kvasird.start()
    assert ok(kvasird, "domstate", "b", "--reason") == "running (save canceled)"
    assert not image.exists()
    slow_gzip.unlink()

    def saved() -> bool:
        return kvasird.virsh("managedsave", "b").returncode == 0  # QEMU is done with the save of before

    until(saved)
    ok(kvasird, "start", "b")
    assert ok(kvasird, "domstate", "b", "--reason") == "running (restored)"
    ok(kvasird, "destroy", "b")


def test_a_full_disk(kvasird: KvasirDaemon) -> None:
    """No room for the file: the guest runs on, nothing is left, and the error says why."""
    (kvasird.folder / "b.xml").write_text(GUEST % ("destroy", ""))
    ok(kvasird, "create", kvasird.folder / "b.xml")
    small = kvasird.folder / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "kvasir-test", small], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        commands = (("save", "b", small / "x"), ("dump", "b", small / "x"), ("dump", "b", small / "x", "--memory-only"))
        for words in commands:
            done = kvasird.virsh(*map(str, words))
            assert done.returncode == 1
            assert "No space left on device" in done.stderr
            assert os.listdir(small) == []
            assert ok(kvasird, "domstate", "b").startswith("running")
    finally:
        subprocess.run(["umount", small], check=True)
    ok(kvasird, "destroy", "b")


@pytest.mark.guide("virsh-save", "virsh-restore")
def test_every_compression(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saved by ours in each form, restored by ours and (what 9.0 knows) by the real daemon."""
    (kvasird.folder / "b.xml").write_text(GUEST % ("destroy", ""))
    ok(kvasird, "create", kvasird.folder / "b.xml")
    for number, (name, magic) in enumerate(
        (("gzip", b"\x1f\x8b"), ("bzip2", b"BZh"), ("xz", b"\xfd7zXZ"), ("lzop", b""), ("zstd", b"\x28\xb5\x2f\xfd")), 1
    ):
        again(kvasird, f'save_image_format = "{name}"\n', monkeypatch)
        image = kvasird.folder / f"{name}.save"
        if name == "lzop" and not any(Path(folder, "lzop").exists() for folder in os.environ["PATH"].split(":")):
            done = kvasird.virsh("save", "b", str(image))
            want = "Compression program for save image format in configuration file isn't available"
            assert want in done.stderr
            assert not image.exists()
            continue
        ok(kvasird, "save", "b", image)
        data = image.read_bytes()
        length, compression = struct.unpack("<I", data[20:24])[0], struct.unpack("<I", data[28:32])[0]
        assert compression == number
        assert data[92 + length :].startswith(magic)
        if name != "zstd":
            ok(real_libvirtd, "restore", image)
            ok(real_libvirtd, "destroy", "b")
        ok(kvasird, "restore", image)
        assert ok(kvasird, "domstate", "b", "--reason") == "running (restored)"
    again(kvasird, 'save_image_format = "rar"\n', monkeypatch)
    assert "Invalid save image format specified in configuration file" in kvasird.virsh("save", "b", "/tmp/x").stderr
    ok(kvasird, "destroy", "b")


PANIC = bytes.fromhex("ba0505 b001 ee f4 ebfd").ljust(510, b"\0") + b"\x55\xaa"
"""A boot sector that tells the pvpanic device (port 0x505) that its kernel crashed."""


@pytest.mark.guide("domxml-conf-auto-dump-path", "proc-xml-enable-pvpanic", "domxml-panic-on-crash-actions")
def test_a_crashed_guest_leaves_a_core(kvasird: KvasirDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """on_crash coredump-destroy and coredump-restart: a core under auto_dump_path, then the end or another boot."""
    cores = kvasird.folder / "cores"
    again(kvasird, f'auto_dump_path = "{cores}"\n', monkeypatch)
    disk = kvasird.folder / "panic.img"
    disk.write_bytes(PANIC.ljust(1 << 20, b"\0"))
    disk.chmod(0o666)
    parts = (
        f"<disk type='file'><driver name='qemu' type='raw'/><source file='{disk}'/><target dev='hda' bus='ide'/></disk>"
        "<panic model='isa'/>"
    )
    (kvasird.folder / "b.xml").write_text(GUEST % ("coredump-destroy", parts))
    ok(kvasird, "define", kvasird.folder / "b.xml")
    ok(kvasird, "start", "b")
    until(lambda: "shut off (crashed)" in kvasird.virsh("domstate", "b", "--reason").stdout)
    (core,) = cores.iterdir()
    assert "-b-" in core.name
    assert core.read_bytes()[:5] == b"\x7fELF\x02"
    ok(kvasird, "set-lifecycle-action", "b", "crash", "coredump-restart", "--config")
    ok(kvasird, "start", "b")
    until(lambda: len(list(cores.iterdir())) >= 3)  # it boots and crashes again
    ok(kvasird, "destroy", "b")
    ok(kvasird, "set-lifecycle-action", "b", "crash", "preserve", "--config")
    ok(kvasird, "start", "b")
    until(lambda: "crashed (panicked)" in kvasird.virsh("domstate", "b", "--reason").stdout)
    ok(kvasird, "destroy", "b")


def test_autostart_goes_on_from_a_saved_state(kvasird: KvasirDaemon) -> None:
    """At a boot of the host (the marker is gone) a guest that starts with it goes on where its managed save stopped."""
    (kvasird.folder / "b.xml").write_text(GUEST % ("destroy", ""))
    ok(kvasird, "define", kvasird.folder / "b.xml")
    ok(kvasird, "autostart", "b")
    ok(kvasird, "start", "b")
    ok(kvasird, "managedsave", "b")
    image = kvasird.folder / "var/lib/libvirt/qemu/save/b.save"
    assert image.stat().st_mode & 0o777 == 0o600
    assert kvasird.stop() == 0
    (kvasird.folder / "etc/libvirt/qemu.conf").write_text("auto_start_bypass_cache = 1\n")
    (kvasird.folder / "run/libvirt/qemu/autostarted").unlink()
    kvasird.start()
    until(lambda: "running (restored)" in kvasird.virsh("domstate", "b", "--reason").stdout)
    assert not image.exists()
    ok(kvasird, "managedsave", "b")
    data = image.read_bytes()
    image.write_bytes(b"LibvirtQemudPart" + data[16:])  # as a save that was cut off leaves it
    ok(kvasird, "start", "b")
    assert ok(kvasird, "domstate", "b", "--reason") == "running (booted)"
    assert not image.exists()
    ok(kvasird, "destroy", "b")


EVENTS = (
    "save b {image}", "restore {image}", "save b {image} --paused", "restore {image}", "resume b", "managedsave b",
    "start b", "suspend b", "managedsave b", "start b", "destroy b", "start b", "dump b {core}", "dump b {core} --live",
    "dump b {core} --memory-only", "dump b {core} --crash",
)  # fmt: skip


def test_events_and_what_outlives_the_daemon(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """Saves, restores and dumps tell the same, in the same order, on both daemons; and the file of a transient guest that was
    adopted after a kill has the CPU of its document, as before."""
    told = []
    for daemon in (real_libvirtd, kvasird):
        (daemon.folder / "b.xml").write_text(GUEST % ("destroy", ""))
        ok(daemon, "define", daemon.folder / "b.xml")
        ok(daemon, "start", "b")
        listener = Listener(daemon, daemon.folder / "events")
        for line in EVENTS:
            ok(daemon, *line.format(image=daemon.folder / "b.save", core=daemon.folder / "core").split())
        told.append([line for line in listener.stop() if "agent-lifecycle" not in line])
        ok(daemon, "undefine", "b")
    assert told[1] == told[0]
    assert any("Started Restored" in line for line in told[0])
    ok(kvasird, "create", kvasird.folder / "b.xml")
    before = ok(kvasird, "dumpxml", "b", "--migratable")
    kvasird.kill()
    kvasird.start()
    assert ok(kvasird, "dumpxml", "b", "--migratable") == before
    ok(kvasird, "save", "b", kvasird.folder / "b.save")
    ok(real_libvirtd, "restore", kvasird.folder / "b.save")
    ok(real_libvirtd, "destroy", "b")
