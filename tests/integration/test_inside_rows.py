"""What a guest's own system sees and does: trimming, freezing, the balloon, names of disks, CPU features after an edit, dumps, shutdowns."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from tests.conftest import PROJECT, Done, KvasirDaemon, TinyGuest
from tests.hotplug.harness import wait_agent
from tests.hotplug.test_live_rows import inside
from tests.virsh.test_console import Terminal
from tests.waiting import until

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="the system's daemon needs root"), pytest.mark.timeout(500)]
GUEST = """<domain type='qemu'><name>hp</name><memory unit='MiB'>512</memory><currentMemory unit='MiB'>320</currentMemory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>{at}/kernel</kernel><initrd>{at}/initramfs</initrd><cmdline>{cmdline}</cmdline></os>
<features><acpi/><vmcoreinfo state='on'/></features>
<cpu mode='custom' match='exact'><model fallback='allow'>qemu64</model><feature name='lahf_lm' policy='disable'/></cpu><devices>
<disk type='file'><driver name='qemu' type='raw' discard='unmap'/><source file='{at}/files.raw'/><target dev='vda' bus='virtio'/></disk>
<disk type='file'><driver name='qemu' type='raw'/><source file='{at}/named.raw'/><target dev='sda' bus='scsi'/>
<vendor>SEAGATE</vendor><product>ST3146707LC</product></disk><controller type='scsi' model='virtio-scsi'/>
<serial type='pty'/><console type='pty'/><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<memballoon model='virtio'/></devices></domain>"""
DEAF = """<domain type='qemu'><name>deaf</name><memory unit='MiB'>32</memory><os><type machine='pc'>hvm</type></os>
<features><acpi/></features><devices/></domain>"""
MIB = 1 << 20


def ok(daemon: KvasirDaemon, *words: object) -> str:
    done: Done = daemon.virsh(*map(str, words))
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


@pytest.fixture
def guest(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> KvasirDaemon:
    """The guest is defined; its first disk has a file system."""
    at = kvasird.folder / "images"
    at.mkdir()
    for name in ("kernel", "initramfs"):
        shutil.copy(tiny_guest.folder / name, at / name)
    for name in ("files.raw", "named.raw"):
        with open(at / name, "wb") as file:
            file.truncate(64 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,nodiscard", str(at / "files.raw")], check=True)
    path = kvasird.folder / "hp.xml"
    path.write_text(GUEST.format(at=at, cmdline=tiny_guest.cmdline))
    ok(kvasird, "define", path)
    return kvasird


def edited(daemon: KvasirDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Procedure 23.1: a feature that was disabled is required and no other model may stand in; a wrong policy is offered again."""
    editor = daemon.folder / "editor"
    editor.write_text(
        '#!/bin/sh\nif [ -e "$0.done" ]; then sed -i "s/policy=.enable./policy=\'require\'/" "$1"; else touch "$0.done"\n'
        "sed -i \"s/fallback='allow'/fallback='forbid'/; s/policy='disable'/policy='enable'/\" \"$1\"; fi\n"
    )
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    terminal = Terminal(str(PROJECT / "bin/virsh"), "-c", daemon.uri, "edit", "hp")
    terminal.until(b"Failed. Try again? [y,n,i,f,?]:")
    terminal.type(b"y\r")
    terminal.until(b"Domain 'hp' XML configuration edited.")
    assert terminal.end() == 0
    document = ok(daemon, "dumpxml", "hp", "--inactive")
    assert "fallback='forbid'>qemu64<" in document and "<feature policy='require' name='lahf_lm'/>" in document


def trimmed(daemon: KvasirDaemon) -> None:
    image = daemon.folder / "images/files.raw"

    def allocated() -> int:
        return image.stat().st_blocks * 512

    inside(daemon, "modprobe crc32c_generic; modprobe ext4; mkdir /files; mount -t ext4 /dev/vda /files")
    inside(daemon, "dd if=/dev/urandom of=/files/big bs=1M count=16 && sync")
    until(lambda: allocated() > 16 * MIB, "the file is on the disk")
    inside(daemon, "rm /files/big; sync")
    full = allocated()
    ok(daemon, "domfstrim", "hp", "--minimum", 1 << 30)
    assert allocated() == full, "no free range is that long"
    ok(daemon, "domfstrim", "hp", "--minimum", 0)
    assert allocated() < full - 15 * MIB
    refused = daemon.virsh("domfstrim", "hp", "--mountpoint", "/files")
    assert "Specifying mount point is not supported for now" in refused.stderr, "libvirt 9.0 says so too"


def ballooned(daemon: KvasirDaemon) -> None:
    def total() -> int:
        return int(inside(daemon, "sed -n 's/MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo"))

    until(
        lambda: re.search(r"^actual 327680$", ok(daemon, "dommemstat", "hp"), re.M),
        "the balloon is as large as it should be",
    )
    small = total()
    assert small < 327680
    ok(daemon, "setmem", "hp", "400M", "--live")
    until(lambda: "actual 409600" in ok(daemon, "dommemstat", "hp"), "it gave memory back")
    until(lambda: total() == small + 409600 - 327680, "the guest has it")
    refused = daemon.virsh("setmem", "hp", "600M", "--live")
    assert refused.returncode == 1 and "cannot set memory higher than max memory" in refused.stderr
    ok(daemon, "setmaxmem", "hp", "1G", "--config")
    assert "<memory unit='KiB'>1048576<" in ok(daemon, "dumpxml", "hp", "--inactive")
    assert "<memory unit='KiB'>524288<" in ok(daemon, "dumpxml", "hp")
    assert "cannot resize" in daemon.virsh("setmaxmem", "hp", "1G", "--live").stderr


def frozen(daemon: KvasirDaemon) -> None:
    assert ok(daemon, "qemu-agent-command", "hp", '{"execute":"guest-ping"}').strip() == '{"return":{}}'
    assert "Froze 1 filesystem(s)" in ok(daemon, "domfsfreeze", "hp")
    assert "Thawed 1 filesystem(s)" in ok(daemon, "domfsthaw", "hp")
    assert "state='connected'" in ok(daemon, "dumpxml", "hp")
    assert re.search(r"<source mode='bind' path='\S+org.qemu.guest_agent.0'/>", ok(daemon, "dumpxml", "hp"))


def dumped(daemon: KvasirDaemon) -> None:
    core = daemon.folder / "core"
    ok(daemon, "dump", "hp", core, "--memory-only", "--live")
    data = core.read_bytes()
    assert data[:4] == b"\x7fELF" and b"VMCOREINFO\0" in data[:65536] and b"OSRELEASE=" in data[:65536]
    core.unlink()
    ordinary = daemon.folder / "core2"
    ok(daemon, "dump", "hp", ordinary, "--live")
    assert ordinary.read_bytes()[:4] == b"QEVM"
    ordinary.unlink()
    refused = daemon.virsh("dump", "hp", "/proc/nowhere/core", "--memory-only")
    assert refused.returncode == 1 and "/proc/nowhere/core" in refused.stderr


def without_an_agent(daemon: KvasirDaemon) -> None:
    path = daemon.folder / "deaf.xml"
    path.write_text(DEAF)
    ok(daemon, "create", path)
    for line in (
        "domfstrim deaf",
        "domfsfreeze deaf",
        "shutdown deaf --mode agent",
        "qemu-agent-command deaf {}",
    ):
        done = daemon.virsh(*line.split())
        assert done.returncode == 1 and "QEMU guest agent is not configured" in done.stderr, (line, done.stderr)
    for mode, words in (
        ("initctl", "qemuDomainShutdownFlags"), ("signal", "qemuDomainShutdownFlags"), ("paravirt", "qemuDomainShutdownFlags"),
        ("foo", "Unknown mode foo value"),
    ):  # fmt: skip
        assert words in daemon.virsh("shutdown", "deaf", "--mode", mode).stderr
    assert ok(daemon, "shutdown", "deaf").strip() == "Domain 'deaf' is being shutdown"
    assert ok(daemon, "shutdown", "deaf", "--mode", "acpi").strip() == "Domain 'deaf' is being shutdown"
    refused = daemon.virsh("domdirtyrate-calc", "deaf", "--mode", "dirty-bitmap")
    assert "dirty-bitmap calculation mode requires KVM" in refused.stderr, (
        "QEMU 7.2 dies of it, under the real daemon too"
    )
    ok(daemon, "domdirtyrate-calc", "deaf", "--seconds", 1)
    until(lambda: "dirtyrate.calc_status=2" in ok(daemon, "domstats", "deaf", "--dirtyrate"), "it is measured")
    said = ok(daemon, "domstats", "deaf", "--dirtyrate").split()
    assert [word.partition("=")[0] for word in said[-2:]] == ["dirtyrate.calc_mode", "dirtyrate.megabytes_per_second"]
    assert ok(daemon, "domstate", "deaf").strip() == "running", "it ignores its power button"
    ok(daemon, "destroy", "deaf")


@pytest.mark.guide(
    "virsh-domfstrim-cmd", "virsh-domfstrim-opt-minimum", "domxml-memballoon-size", "domxml-channel-guest-agent", "domxml-disk-product",
    "proc-xml-cpu-change-feature-set", "trouble-dump-core", "trouble-dump-vmcoreinfo", "trouble-rhel6-acpid",
    "trouble-rhel6-shutdown-sequence", "trouble-shutdown-mode", "trouble-shutdown-message", "trouble-shutdown-ignored",
    "trouble-agent-channel", "trouble-rhel6-install-qga",
)  # fmt: skip
def test_seen_from_inside(guest: KvasirDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    edited(guest, monkeypatch)
    ok(guest, "start", "hp")
    without_an_agent(guest)
    wait_agent(guest)
    assert "lahf_lm" in inside(guest, "grep -m1 ^flags /proc/cpuinfo").split()
    named = "cd /sys/bus/scsi/devices; cat $(grep -l SEAGATE */vendor | sed s/vendor/model/)"
    until(lambda: "ST3146707LC" in inside(guest, named), "the disk has its name")
    assert '"driver":"vmcoreinfo"' in (guest.folder / "var/log/libvirt/qemu/hp.log").read_text()
    trimmed(guest)
    ballooned(guest)
    frozen(guest)
    dumped(guest)
    for number, mode in enumerate(((), ("--mode", "acpi"), ("--mode", "agent"))):
        if number:
            ok(guest, "start", "hp")
            wait_agent(guest)
        assert ok(guest, "shutdown", "hp", *mode).strip() == "Domain 'hp' is being shutdown"
        until(lambda: ok(guest, "domstate", "hp").strip() == "shut off", f"it does not shut down by {mode}")
        assert re.search(r"^ -    hp +shut off$", ok(guest, "list", "--all"), re.M)
