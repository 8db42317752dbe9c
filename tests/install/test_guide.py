"""Rows of the guide's chapters 3 to 5, 7 and 12 that virt-install, virt-xml, virt-clone and definitions show; on both daemons."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from kvasir.install import hostdev, media
from tests.conftest import DaemonHandle, short_folder
from tests.install import sides
from tests.install.rows import BASE, gone, install, printed, virsh


@pytest.fixture(params=["libvirtd", "kvasird"])
def daemon(request: pytest.FixtureRequest) -> DaemonHandle:
    handle: DaemonHandle = request.getfixturevalue("real_libvirtd" if request.param == "libvirtd" else "kvasird")
    return handle


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_folder("kv-row-") as path:
        monkeypatch.setenv("KVASIR_BOOT_DIR", str(path / "boot"))
        yield path


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
