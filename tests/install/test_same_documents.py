"""Ours and the real virt-install 4.1 print the same document for the same command line, on the same real daemon."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree

from tests.conftest import PROJECT, DaemonHandle

BASE = "--name same --virt-type qemu "
LINES = [
    "--memory 512,currentMemory=256 --vcpus 4,sockets=2,cores=2,threads=1 --disk none --import --osinfo generic --network user,model=e1000",
    "--memory 256 --disk {image},bus=scsi,cache=none,discard=unmap,serial=abc --import --osinfo linux2022 --network user "
    "--graphics vnc,port=5999,listen=0.0.0.0,password=x --machine q35",
    "--memory 256 --disk {image} --boot hd,cdrom,menu=on --osinfo linux2020 --network network=default --graphics spice --machine q35",
    "--memory 256 --disk none --pxe --osinfo generic --network network=default --graphics none",
    "--memory 256 --disk none --boot kernel=/k,initrd=/i,kernel_args='console=ttyS0 a=b' --osinfo generic --network none --graphics none "
    "--console pty,target.type=virtio",
    "--memory 256 --disk none --import --osinfo generic --network none --graphics none --rng /dev/random --watchdog i6300esb,action=reset "
    "--panic isa --vsock auto_cid=yes --memballoon none --sound ich6 --controller usb,model=none --input keyboard,bus=ps2",
    "--memory 256 --disk {image} --cdrom {iso} --osinfo generic --network none --graphics none",
    "--memory 256 --disk none --import --osinfo generic --network none --graphics none --cpu Nehalem,+aes,-vmx "
    "--features pae=on,hyperv_relaxed=on,kvm_hidden=on --clock offset=localtime,rtc_tickpolicy=merge --pm suspend_to_mem=on "
    "--events on_reboot=destroy --metadata title=foo,description=bar --memorybacking hugepages=on --numatune 0 "
    "--cputune vcpupin0.vcpu=0,vcpupin0.cpuset=0 --memtune hard_limit=1000",
    "--memory 256 --disk none --import --osinfo generic --network none --graphics none --redirdev usb,type=spicevmc "
    "--filesystem /a,/b --tpm emulator --iothreads 2 --seclabel type=static,label=foo --resource /foo --sysinfo type=smbios,bios.vendor=x",
    "--memory 256 --disk none --import --osinfo win10 --network user --graphics vnc --video vga --sound default --boot uefi --machine q35",
    "--memory 1024,maxmemory=2048 --vcpus 2,maxvcpus=4 --cpuset 0-1 --disk none --import --osinfo linux2022 --network none "
    "--nographics --machine q35 --autostart",
    "-r 300 --nodisks --import --osinfo generic --nonetworks --vnc --vncport 5910 --vnclisten 0.0.0.0",
]


def canonical(text: str) -> str:
    """The documents with what is random taken out and elements and attributes in one order (the order says nothing here)."""
    text = re.sub(r"<uuid>.*?</uuid>", "", text)
    text = re.sub(r"52:54:00:[0-9a-f:]+", "MAC", text)
    root = etree.fromstring(f"<x>{text}</x>", etree.XMLParser(remove_blank_text=True))

    def sort(node: etree._Element) -> None:
        node[:] = sorted(node, key=lambda kid: str(kid.tag))
        attributes = sorted(node.attrib.items())
        node.attrib.clear()
        node.attrib.update(attributes)
        for kid in node:
            sort(kid)

    sort(root)
    return etree.tostring(root, pretty_print=True, encoding="unicode")


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("media")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", folder / "a.qcow2", "1G"], check=True)
    (folder / "a.iso").write_bytes(b"")
    return {"image": str(folder / "a.qcow2"), "iso": str(folder / "a.iso")}


def ours(uri: str, words: list[str], osinfo: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    if not Path("/usr/share/osinfo").exists():
        env["OSINFO_SYSTEM_DIR"] = str(osinfo)
    command = [sys.executable, "-m", "kvasir.cli.virt_install", "--connect", uri, *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)


@pytest.mark.guide(
    "virt-install-minimum-options", "virt-install-nodisks", "virt-install-pxe", "virt-install-cdrom", "virt-install-boot",
    "virt-install-vcpus", "virt-install-os-variant", "virt-install-network-none", "virt-install-graphics",
    "virt-install-filesystem", "virt-install-memory",
)  # fmt: skip
def test_same_documents_as_the_original(real_libvirtd: DaemonHandle, media: dict[str, str]) -> None:
    assert real_libvirtd.peers is not None
    different = {}
    for line in LINES:
        words = shlex.split(BASE + line.format(**media) + " --print-xml")
        real = real_libvirtd.peers.run("virt-install", "--connect", real_libvirtd.uri, *words)
        assert real.returncode == 0, (line, real.stderr)
        mine = ours(real_libvirtd.uri, words, real_libvirtd.peers.root / "usr/share/osinfo")
        if mine.returncode or canonical(mine.stdout) != canonical(real.stdout):
            different[line] = (mine.stderr, mine.stdout, real.stdout)
    assert different == {}


@pytest.mark.guide("virt-install-minimum-options")
@pytest.mark.parametrize(
    ("words", "missing"),
    [
        ("--disk none --import", "--memory amount in MiB is required"),
        ("--memory 64 --import", "--disk storage must be specified (override with --disk none)"),
        ("--memory 64 --disk none", "An install method must be specified"),
    ],
)
def test_what_is_missing_is_named(real_libvirtd: DaemonHandle, words: str, missing: str) -> None:
    assert real_libvirtd.peers is not None
    done = ours(real_libvirtd.uri, [*BASE.split(), *words.split()], real_libvirtd.peers.root / "usr/share/osinfo")
    assert done.returncode == 1
    assert missing in done.stderr


@pytest.mark.guide("virt-install-help", "virt-install-option-introspection")
def test_help_and_introspection_need_no_daemon() -> None:
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kvasir.cli.virt_install", *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)

    assert "--import" in run("--help").stdout
    done = run("--disk=?", "--network=?")
    assert done.returncode == 0
    words = {line.strip() for line in done.stdout.splitlines()}
    assert {"--disk options:", "--network options:", "size", "driver.cache", "model.type", "mac"} <= words
    assert run("--no-such-option").returncode == 2
