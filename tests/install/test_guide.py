"""Rows of the guide's chapters 3 to 5, 7 and 12 that virt-install, virt-xml, virt-clone and definitions show; on both daemons."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from kvasir.install import hostdev, media, sizing
from tests.conftest import DaemonHandle, KvasirDaemon, TinyGuest, short_folder
from tests.install import sides

BASE = [
    "--virt-type",
    "qemu",
    "--memory",
    "64",
    "--osinfo",
    "generic",
    "--graphics",
    "none",
    "--noautoconsole",
    "--disk",
    "none",
]


@pytest.fixture(params=["libvirtd", "kvasird"])
def daemon(request: pytest.FixtureRequest) -> DaemonHandle:
    handle: DaemonHandle = request.getfixturevalue("real_libvirtd" if request.param == "libvirtd" else "kvasird")
    return handle


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_folder("kv-row-") as path:
        monkeypatch.setenv("KVASIR_BOOT_DIR", str(path / "boot"))
        yield path


def install(daemon: DaemonHandle, *words: str) -> dict[str, Any]:
    return sides.ours("virt-install", ["--connect", daemon.uri, "--name", "row", *BASE, *words])


def printed(daemon: DaemonHandle, *words: str) -> ET.Element:
    answer = install(daemon, "--print-xml", *words)
    assert answer["rc"] == 0, answer
    return next(iter(ET.fromstring(f"<x>{answer['out']}</x>")))


def virsh(daemon: DaemonHandle, *words: str) -> str:
    done = daemon.our_virsh(*words)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def dumped(daemon: DaemonHandle, name: str, *words: str) -> ET.Element:
    return ET.fromstring(virsh(daemon, "dumpxml", name, *words))


def until(what: str, happens: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.3)


def gone(daemon: DaemonHandle, *names: str) -> None:
    for name in names:
        daemon.our_virsh("destroy", name)
        daemon.our_virsh("undefine", name)


@pytest.mark.guide(
    "virt-install-network-default-nat", "virt-install-network-bridge-dhcp", "virt-install-network-bridge-static"
)
def test_networks_of_a_new_guest(daemon: DaemonHandle, folder: Path) -> None:
    for words in (["--network", "default"], []):
        interface = printed(daemon, "--import", *words).find("devices/interface")
        assert interface is not None and interface.get("type") in ("network", "bridge")
        if interface.get("type") == "network":
            assert interface.find("source").get("network") == "default"  # type: ignore[union-attr]
    interface = printed(daemon, "--import", "--network", "bridge=br0").find("devices/interface")
    assert interface is not None and interface.find("source").get("bridge") == "br0"  # type: ignore[union-attr]
    address = "ip=192.168.1.2::192.168.1.1:255.255.255.0:test.example.com:eth0:none"
    (folder / "tree/images/pxeboot").mkdir(parents=True)
    for name in ("vmlinuz", "initrd.img"):
        (folder / "tree/images/pxeboot" / name).write_bytes(b"x")
    first = printed(daemon, "--location", str(folder / "tree"), "--network", "bridge=br0", "--extra-args", address)
    assert first.findtext("os/cmdline") == address
    try:
        answer = install(daemon, "--import", "--network", "bridge=nosuchbr0")
        assert answer["rc"] == 1 and "nosuchbr0" in answer["err"], answer
        answer = install(daemon, "--import", "--network", "network=nosuchnet")
        assert answer["rc"] == 1 and "nosuchnet" in answer["err"], answer
    finally:
        gone(daemon, "row")


@pytest.mark.guide("virt-install-file-legacy")
def test_file_is_an_old_name_of_disk(daemon: DaemonHandle, folder: Path) -> None:
    (folder / "a.img").write_bytes(b"\0" * 4096)
    line = ["--connect", daemon.uri, "--name", "row", *BASE[:-2], "--network", "none", "--import", "--print-xml"]
    documents = [sides.ours("virt-install", [*line, flag, f"{folder}/a.img"]) for flag in ("--file", "--disk")]
    assert [d["rc"] for d in documents] == [0, 0]
    assert sides.canonical(documents[0]["out"]) == sides.canonical(documents[1]["out"])
    assert "--file FILE" not in sides.ours("virt-install", ["--help"])["out"]


DEVICE = """<device><name>pci_0000_01_00_0</name><capability type='pci'><domain>0</domain><bus>1</bus><slot>0</slot>
<function>0</function></capability></device>"""


@pytest.mark.guide("virt-install-host-device")
def test_a_host_device_by_its_name(daemon: DaemonHandle, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of host devices is a made-up one: the machine may have none."""
    monkeypatch.setattr(hostdev, "_known", lambda connection: [ET.fromstring(DEVICE)])
    words = ["--connect", daemon.uri, "--name=guest1-rhel7-64", f"--disk=path={folder}/g.img,size=8", "--vcpus=2", "--ram=2048",
             "--import", "--nonetworks", "--os-type=linux", "--os-variant=rhel7.0", "--virt-type=qemu", "--print-xml"]  # fmt: skip
    answer = sides.ours("virt-install", [*words, "--host-device=pci_0000_01_00_0"])
    assert answer["rc"] == 0, answer
    root = ET.fromstring(answer["out"])
    device = root.find("devices/hostdev")
    assert device is not None and (device.get("type"), device.get("managed")) == ("pci", "yes")
    address = device.find("source/address")
    assert address is not None
    assert [int(address.get(k) or "", 0) for k in ("domain", "bus", "slot", "function")] == [0, 1, 0, 0]
    assert root.find("devices/interface") is None
    assert (root.findtext("memory"), root.findtext("vcpu")) == (str(2048 * 1024), "2")
    answer = sides.ours("virt-install", [*words, "--host-device=pci_0000_77_00_0"])
    assert answer["rc"] == 1 and "pci_0000_77_00_0" in answer["err"]


@pytest.mark.guide("virt-install-kickstart")
def test_a_kickstart_file_goes_into_the_initrd(
    daemon: DaemonHandle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = folder / "tree"
    (tree / "images/pxeboot").mkdir(parents=True)
    (tree / "images/pxeboot/vmlinuz").write_bytes(b"kernel")
    (tree / "images/pxeboot/initrd.img").write_bytes(b"070701 an archive")
    (folder / "ks.cfg").write_text("text\n")
    seen: list[bytes] = []
    put = media.inject

    def watch(initrd: str, files: list[tuple[str, bytes, int]]) -> None:
        put(initrd, files)
        seen.append(Path(initrd).read_bytes())

    monkeypatch.setattr("kvasir.install.installer.inject", watch)
    words = "ks=file:/ks.cfg console=tty0 console=ttyS0,115200n8"
    try:
        install(
            daemon,
            "--network",
            "none",
            "--location",
            str(tree),
            "--initrd-inject",
            str(folder / "ks.cfg"),
            "--extra-args",
            words,
        )
        (folder / "out").mkdir()
        start = seen[0].index(b"070701", 10)
        subprocess.run(["cpio", "-i", "--quiet"], input=seen[0][start:], cwd=folder / "out", check=True)
        assert (folder / "out/ks.cfg").read_text() == "text\n"
        first = printed(daemon, "--network", "none", "--location", str(tree), "--extra-args", words)
        assert words in (first.findtext("os/cmdline") or "")
        answer = install(daemon, "--network", "none", "--import", "--extra-args", words)
        assert answer["rc"] == 1 and "only supported with location" in answer["err"]
        web = printed(daemon, "--network", "none", "--location", "http://127.0.0.1:9/os", "--osinfo", "rhel7.0")
        assert web.findtext("os/cmdline") == "inst.repo=http://127.0.0.1:9/os"
    finally:
        gone(daemon, "row")


@pytest.mark.guide("virt-install-modes")
def test_with_a_viewer_and_without(daemon: DaemonHandle, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = BASE[:6]
    assert words[-2:] == ["--osinfo", "generic"]
    words = [
        "--connect",
        daemon.uri,
        "--name",
        "row",
        *words,
        "--graphics",
        "vnc",
        "--disk",
        "none",
        "--network",
        "none",
        "--import",
    ]
    (folder / "bin").mkdir()
    viewer = folder / "bin/virt-viewer"
    viewer.write_text(f'#!/bin/sh\necho "$@" > {folder}/viewed\n')
    viewer.chmod(0o755)
    path = os.environ["PATH"]
    try:
        assert sides.ours("virt-install", [*words, "--noautoconsole"])["rc"] == 0
        assert virsh(daemon, "domstate", "row").strip() == "running"
        gone(daemon, "row")
        monkeypatch.setenv("DISPLAY", ":0")
        monkeypatch.setenv("PATH", f"{folder}/bin:{path}")
        assert sides.ours("virt-install", words)["rc"] == 0
        shown = (folder / "viewed").read_text().split()
        assert shown[0] == "--connect" and shown[-2:] == ["--wait", "row"]
        gone(daemon, "row")
        monkeypatch.setenv("PATH", "/usr/sbin:/sbin" if not shutil.which("virt-viewer", path="/usr/sbin:/sbin") else "")
        answer = sides.ours("virt-install", [*words, "--wait", "0"])
        assert answer["rc"] == 0
        gone(daemon, "row")
        monkeypatch.setattr("kvasir.cli.virt_install_run._wait", lambda *a: True)
        answer = sides.ours("virt-install", words)
        assert "virt-viewer not installed" in answer["err"] and answer["rc"] == 0
        monkeypatch.setenv("PATH", path)
        assert virsh(daemon, "domstate", "row").strip() == "running"
    finally:
        monkeypatch.setenv("PATH", path)
        gone(daemon, "row")


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
        until("the agent's answer", lambda: answers(daemon, "tiny"))
        answer = sides.ours("virt-xml", ["--connect", daemon.uri, "tiny", "--edit", "--memory", "224,maxmemory=224"])
        assert answer["rc"] == 0, answer
        assert "Changes will take effect after the domain is fully powered off." in answer["out"]
        assert dumped(daemon, "tiny").findtext("memory") == str(192 * 1024)
        virsh(daemon, "reset", "tiny")
        until("the agent's answer", lambda: answers(daemon, "tiny"))
        assert dumped(daemon, "tiny").findtext("memory") == str(192 * 1024)
        virsh(daemon, "shutdown", "tiny", "--mode", "agent")
        until("the end", lambda: virsh(daemon, "domstate", "tiny").strip() == "shut off")
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
            until("the agent's answer", lambda name=name: answers(daemon, name))  # type: ignore[misc]
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
