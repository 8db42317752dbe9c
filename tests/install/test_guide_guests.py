"""Rows of the guide about running guests: edits, clones, memory, addresses, buses; on both daemons."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from kvasir.install import sizing
from tests.conftest import DaemonHandle, KvasirDaemon, TinyGuest, short_folder
from tests.install import sides
from tests.install.rows import BASE, dumped, gone, virsh
from tests.waiting import until


@pytest.fixture(params=["libvirtd", "kvasird"])
def daemon(request: pytest.FixtureRequest) -> DaemonHandle:
    handle: DaemonHandle = request.getfixturevalue("real_libvirtd" if request.param == "libvirtd" else "kvasird")
    return handle


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_folder("kv-row-") as path:
        monkeypatch.setenv("KVASIR_BOOT_DIR", str(path / "boot"))
        yield path


TINY = """<domain type='qemu'><name>tiny</name><memory unit='MiB'>192</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type>
<kernel>{t.kernel}</kernel><initrd>{t.initramfs}</initrd><cmdline>{t.cmdline}</cmdline></os><features><acpi/></features><devices>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/><target dev='sda' bus='sata'/></disk>
<interface type='user'><model type='virtio'/></interface><interface type='user'><model type='virtio'/></interface>
<serial type='pty'/><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices></domain>"""
PING = '{"execute":"guest-ping"}'


def define_tiny(daemon: DaemonHandle, folder: Path, tiny: TinyGuest) -> None:
    (folder / "disk.img").write_bytes(b"\0" * (1 << 20))
    for name in ("kernel", "initramfs"):
        shutil.copy(getattr(tiny, name), folder / name)

    class Here:
        kernel, initramfs, cmdline = folder / "kernel", folder / "initramfs", tiny.cmdline

    (folder / "tiny.xml").write_text(TINY.format(t=Here, disk=folder / "disk.img"))
    virsh(daemon, "define", str(folder / "tiny.xml"))


def answers(daemon: DaemonHandle, name: str) -> bool:
    return '"return":{}' in daemon.our_virsh("qemu-agent-command", name, PING).stdout


@pytest.mark.guide("behaviour-edit-applies-after-full-restart", "behaviour-same-nic-model")
def test_an_edit_waits_for_a_full_restart(kvasird: DaemonHandle, folder: Path, tiny_guest: TinyGuest) -> None:
    daemon = kvasird
    define_tiny(daemon, folder, tiny_guest)
    try:
        virsh(daemon, "start", "tiny")
        places = [a.attrib for a in dumped(daemon, "tiny").findall("devices/interface/address")]
        until(lambda: answers(daemon, "tiny"), "the agent's answer")
        answer = sides.ours("virt-xml", ["--connect", daemon.uri, "tiny", "--edit", "--memory", "224,maxmemory=224"])
        assert answer["rc"] == 0, answer
        assert "Changes will take effect after the domain is fully powered off." in answer["out"]
        assert dumped(daemon, "tiny").findtext("memory") == str(192 * 1024)
        virsh(daemon, "reset", "tiny")
        until(lambda: answers(daemon, "tiny"), "the agent's answer")
        assert dumped(daemon, "tiny").findtext("memory") == str(192 * 1024)
        virsh(daemon, "shutdown", "tiny", "--mode", "agent")
        until(lambda: virsh(daemon, "domstate", "tiny").strip() == "shut off", "the end")
        virsh(daemon, "start", "tiny")
        assert dumped(daemon, "tiny").findtext("memory") == str(224 * 1024)
        assert [a.attrib for a in dumped(daemon, "tiny").findall("devices/interface/address")] == places
    finally:
        gone(daemon, "tiny")


@pytest.mark.guide("concept-clone-template")
def test_two_clones_of_one_template_run_side_by_side(
    kvasird: DaemonHandle, folder: Path, tiny_guest: TinyGuest
) -> None:
    daemon = kvasird
    define_tiny(daemon, folder, tiny_guest)
    before = hashlib.sha256((folder / "disk.img").read_bytes()).hexdigest()
    try:
        for name in ("left", "right"):
            answer = sides.ours(
                "virt-clone", ["--connect", daemon.uri, "-o", "tiny", "-n", name, "-f", f"{folder}/{name}.img"]
            )
            assert answer["rc"] == 0, answer
            virsh(daemon, "start", name)
        for name in ("left", "right"):
            until(lambda name=name: answers(daemon, name), "the agent's answer")  # type: ignore[misc]
        roots = [dumped(daemon, name) for name in ("tiny", "left", "right")]
        for path in ("name", "uuid"):
            assert len({r.findtext(path) for r in roots}) == 3
        macs = [m.get("address") for r in roots for m in r.findall("devices/interface/mac")]
        assert len(set(macs)) == 6
        assert virsh(daemon, "domstate", "tiny").strip() == "shut off"
        assert hashlib.sha256((folder / "disk.img").read_bytes()).hexdigest() == before
    finally:
        gone(daemon, "tiny", "left", "right")


@pytest.mark.guide("behaviour-memory-overcommit")
def test_memory_is_taken_when_it_is_asked_for(daemon: DaemonHandle) -> None:
    words = [w for w in BASE if w not in ("--memory", "64")]
    line = ["--connect", daemon.uri, "--name", "row", *words, "--memory", "4096", "--network", "none", "--import"]
    try:
        assert sides.ours("virt-install", line)["rc"] == 0
        rows = dict(r.split() for r in virsh(daemon, "dommemstat", "row").splitlines() if len(r.split()) == 2)
        assert int(rows["actual"]) == 4 << 20 and int(rows["rss"]) < 1 << 20
    finally:
        gone(daemon, "row")


@pytest.mark.guide("limit-overcommit-swap")
def test_the_rule_for_swap_is_shown_and_flagged(daemon: DaemonHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    gib = sizing.GIB
    assert sizing.swap_needed(20 * gib, 16 * gib) == 8 * gib
    assert sizing.swap_needed(2 * gib, 16 * gib) == 4 * gib
    monkeypatch.setattr(sizing.Host, "here", classmethod(lambda cls: cls(16 * gib, 2 * gib, 64)))
    words = [w for w in BASE if w not in ("--memory", "64")]
    line = ["--connect", daemon.uri, "--name", "row", *words, "--network", "none", "--import", "--dry-run", "--memory"]
    said = sides.ours("virt-install", [*line, str(20 * 1024)])["err"]
    assert "it needs 8.0 GiB of swap and has 2.0 GiB" in said
    monkeypatch.setattr(sizing.Host, "here", classmethod(lambda cls: cls(16 * gib, 9 * gib, 64)))
    assert "swap" not in sides.ours("virt-install", [*line, str(20 * 1024)])["err"]


@pytest.mark.guide("behaviour-address-regenerated")
def test_addresses_come_anew_and_must_fit_the_bus(daemon: DaemonHandle, folder: Path) -> None:
    disk = "<disk type='file' device='disk'><source file='/tmp/x.img'/><target dev='vda' bus='virtio'/>{}</disk>"
    text = "<domain type='qemu'><name>row</name><memory>65536</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>{}</devices></domain>"
    try:
        (folder / "a.xml").write_text(text.format(disk.format("")))
        virsh(daemon, "define", str(folder / "a.xml"))
        address = dumped(daemon, "row").find("devices/disk/address")
        assert address is not None and address.get("type") == "pci"
        wrong = disk.format("<address type='drive' controller='0' bus='0' target='0' unit='0'/>")
        (folder / "b.xml").write_text(text.format(wrong))
        done = daemon.our_virsh("define", str(folder / "b.xml"))
        assert done.returncode == 1 and "drive" in done.stderr
    finally:
        gone(daemon, "row")


@pytest.mark.guide("proc-disk-ide-to-virtio")
def test_a_disk_moves_from_ide_to_virtio(daemon: DaemonHandle, folder: Path) -> None:
    (folder / "d.img").write_bytes(b"\0" * 4096)
    text = f"""<domain type='qemu'><name>row</name><memory>65536</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{folder}/d.img'/><target dev='hda' bus='ide'/></disk></devices></domain>"""
    (folder / "a.xml").write_text(text)
    editor = folder / "editor"
    editor.write_text(
        "#!/bin/sh\nsed -i -e \"s/dev='hda' bus='ide'/dev='vda' bus='virtio'/\" -e \"/<disk/,/<.disk>/{/<address/d}\" $1\n"
    )
    editor.chmod(0o755)
    try:
        virsh(daemon, "define", str(folder / "a.xml"))
        virsh(daemon, "start", "row")
        os.environ["EDITOR"] = str(editor)
        virsh(daemon, "edit", "row")
        live, kept = (dumped(daemon, "row", *w).find("devices/disk") for w in ((), ("--inactive",)))
        assert live is not None and kept is not None
        assert live.find("target").get("bus") == "ide"  # type: ignore[union-attr]
        assert kept.find("target").get("bus") == "virtio"  # type: ignore[union-attr]
        assert kept.find("address").get("type") == "pci"  # type: ignore[union-attr]
        virsh(daemon, "destroy", "row")
        virsh(daemon, "start", "row")
        assert dumped(daemon, "row").find("devices/disk/target").get("bus") == "virtio"  # type: ignore[union-attr]
    finally:
        os.environ.pop("EDITOR", None)
        gone(daemon, "row")


@pytest.mark.guide("xml-interface-model-virtio")
def test_a_virtio_interface_keeps_its_driver(daemon: DaemonHandle, folder: Path) -> None:
    text = """<domain type='kvm'><name>row</name><memory>65536</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
    <interface type='ethernet'><target dev='vnet1' managed='no'/><model type='virtio'/>
    <driver name='vhost' txmode='iothread' ioeventfd='on' event_idx='off'/></interface></devices></domain>"""
    (folder / "a.xml").write_text(text.replace("'kvm'", "'qemu'"))
    try:
        virsh(daemon, "define", str(folder / "a.xml"))
        driver = dumped(daemon, "row").find("devices/interface/driver")
        assert driver is not None
        assert driver.attrib == {"name": "vhost", "txmode": "iothread", "ioeventfd": "on", "event_idx": "off"}
        line = virsh(daemon, "domxml-to-native", "qemu-argv", "--domain", "row")
        assert '"driver":"virtio-net-pci"' in line
        if isinstance(daemon, KvasirDaemon):  # the original's translation leaves the driver's words out
            assert '"ioeventfd":true' in line and '"event_idx":false' in line
        new = sides.ours(
            "virt-install",
            [
                "--connect",
                daemon.uri,
                "--name",
                "r",
                *BASE,
                "--osinfo",
                "rhel7.0",
                "--import",
                "--network",
                "user",
                "--print-xml",
            ],
        )
        assert ET.fromstring(new["out"]).find("devices/interface/model").get("type") == "virtio"  # type: ignore[union-attr]
    finally:
        gone(daemon, "row")


@pytest.mark.guide("xml-cpu-host-passthrough")
def test_the_hosts_cpu_is_for_kvm(daemon: DaemonHandle, folder: Path) -> None:
    text = "<domain type='{}'><name>row</name><memory>65536</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><cpu mode='host-passthrough'/></domain>"
    try:
        (folder / "a.xml").write_text(text.format("qemu"))
        done = daemon.our_virsh("create", str(folder / "a.xml"))
        assert done.returncode == 1 and ("host-passthrough" in done.stderr or "requires KVM" in done.stderr)
    finally:
        gone(daemon, "row")


@pytest.mark.guide("xml-disk-device-lun")
def test_a_lun_is_a_whole_block_device(daemon: DaemonHandle, folder: Path) -> None:
    """Up to the command line: the machine has no SCSI disk."""
    text = """<domain type='qemu'><name>row</name><memory>65536</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
    <disk type='{kind}' device='lun'><driver name='qemu' type='raw'/><source {source}/><target dev='{dev}' bus='{bus}'/></disk>
    <controller type='scsi' model='virtio-scsi'/></devices></domain>"""
    try:
        (folder / "a.xml").write_text(text.format(kind="block", source="dev='/dev/sdz'", dev="sda", bus="scsi"))
        virsh(daemon, "define", str(folder / "a.xml"))
        line = virsh(daemon, "domxml-to-native", "qemu-argv", "--domain", "row")
        assert '"driver":"scsi-block"' in line
        virsh(daemon, "undefine", "row")
        (folder / "b.xml").write_text(text.format(kind="block", source="dev='/dev/sdz'", dev="vda", bus="virtio"))
        virsh(daemon, "define", str(folder / "b.xml"))
        (folder / "c.xml").write_text(text.format(kind="file", source="file='/tmp/x.img'", dev="sda", bus="scsi"))
        done = daemon.our_virsh("define", str(folder / "c.xml"))
        assert done.returncode == 1 and "lun" in done.stderr, done
    finally:
        gone(daemon, "row")
