"""virt-xml at work on both daemons: what it defines, plugs, asks and keeps."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.conftest import PROJECT, DaemonHandle, short_folder
from tests.install import record, sides

PLAIN = """<domain type='qemu'><name>x</name><memory>65536</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='{machine}'>hvm</type></os>
<features><acpi/></features><devices><controller type='usb' model='none'/>{more}<memballoon model='none'/></devices></domain>"""


@pytest.fixture(params=["libvirtd", "kvasird"])
def daemon(request: pytest.FixtureRequest) -> Iterator[DaemonHandle]:
    handle: DaemonHandle = request.getfixturevalue("real_libvirtd" if request.param == "libvirtd" else "kvasird")
    yield handle
    for word in ("destroy", "undefine"):
        handle.our_virsh(word, "x")


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder("kv-xml-") as path:
        (path / "a.img").write_bytes(b"\0" * (1 << 20))
        yield path


def xml(daemon: DaemonHandle, *words: str, stdin: str = "") -> dict[str, Any]:
    return sides.ours("virt-xml", ["--connect", daemon.uri, *words], stdin)


def define(daemon: DaemonHandle, folder: Path, machine: str = "q35", more: str = "") -> None:
    (folder / "x.xml").write_text(PLAIN.format(machine=machine, more=more))
    done = daemon.our_virsh("define", str(folder / "x.xml"))
    assert done.returncode == 0, done.stderr


def dumped(daemon: DaemonHandle, *words: str) -> ET.Element:
    done = daemon.our_virsh("dumpxml", "x", *words)
    assert done.returncode == 0, done.stderr
    return ET.fromstring(done.stdout)


@pytest.mark.guide("domxml-edit-supported-tools-only")
def test_edit_add_and_remove_define_the_guest(daemon: DaemonHandle, folder: Path) -> None:
    define(daemon, folder)
    answer = xml(daemon, "x", "--add-device", "--disk", f"{folder}/a.img,bus=virtio,serial=one")
    assert (answer["rc"], answer["out"]) == (0, "Domain 'x' defined successfully.\n"), answer
    answer = xml(daemon, "x", "--edit", "target=vda", "--disk", "cache=none,serial=two")
    assert answer["rc"] == 0, answer
    disk = dumped(daemon).find("devices/disk")
    assert disk is not None and disk.findtext("serial") == "two"
    assert disk.find("driver").get("cache") == "none"  # type: ignore[union-attr]
    answer = xml(daemon, "x", "--edit", "--memory", "96,maxmemory=128", "--print-diff")
    assert answer["rc"] == 0 and '+  <memory unit="KiB">131072</memory>' in answer["out"]
    assert dumped(daemon).findtext("memory") == "65536", "printing defines nothing"
    answer = xml(daemon, "x", "--edit", "--memory", "96,maxmemory=128", "--print-diff", "--define")
    assert answer["rc"] == 0 and dumped(daemon).findtext("memory") == "131072"
    answer = xml(daemon, "x", "--remove-device", "--disk", "serial=two")
    assert answer["rc"] == 0 and dumped(daemon).find("devices/disk") is None
    answer = xml(daemon, "x", "--edit", "--vcpus", "1")
    assert answer["rc"] == 0 and "No XML diff was generated." in answer["err"]


def test_a_new_disk_is_made_and_a_wrong_one_leaves_nothing(daemon: DaemonHandle, folder: Path) -> None:
    define(daemon, folder)
    answer = xml(daemon, "x", "--add-device", "--disk", f"{folder}/new.qcow2,size=1", "--print-diff")
    assert answer["rc"] == 0 and not (folder / "new.qcow2").exists()
    answer = xml(daemon, "x", "--add-device", "--disk", f"{folder}/new.qcow2,size=1")
    assert answer["rc"] == 0, answer
    assert (folder / "new.qcow2").exists()
    answer = xml(daemon, "x", "--add-device", "--disk", f"{folder}/none.qcow2")
    assert answer["rc"] == 1 and "Size must be specified for non existent volume 'none.qcow2'" in answer["err"]


def test_a_running_guest_is_changed_at_once(daemon: DaemonHandle, folder: Path) -> None:
    define(
        daemon,
        folder,
        more="<controller type='pci' model='pcie-root'/>" + "<controller type='pci' model='pcie-root-port'/>" * 3,
    )
    answer = xml(daemon, "x", "--edit", "--metadata", "title=started", "--start")
    assert answer["rc"] == 0 and "Domain 'x' started successfully." in answer["out"], answer
    answer = xml(daemon, "x", "--update", "--add-device", "--disk", f"{folder}/a.img,bus=virtio")
    assert answer["rc"] == 0, answer
    assert answer["out"] == "Device hotplug successful.\nDomain 'x' defined successfully.\n"
    for words in ((), ("--inactive",)):
        assert dumped(daemon, *words).find("devices/disk/target").get("dev") == "vda"  # type: ignore[union-attr]
    answer = xml(daemon, "x", "--edit", "--metadata", "title=later")
    assert "Changes will take effect after the domain is fully powered off." in answer["out"]
    answer = xml(daemon, "x", "--update", "--edit", "--cpu", "host")
    assert answer["rc"] == 1


def test_it_asks_before_it_saves(daemon: DaemonHandle, folder: Path) -> None:
    define(daemon, folder)
    for said, title in (("what\nn\n", None), ("y\n", "asked")):
        answer = xml(daemon, "x", "--edit", "--metadata", "title=asked", "--confirm", stdin=said)
        assert answer["rc"] == 0 and "Define 'x' with the changed XML? (y/n): " in answer["out"], answer
        assert "+  <title>asked</title>" in answer["out"]
        assert dumped(daemon).findtext("title") == title


def test_a_pc_becomes_a_q35(daemon: DaemonHandle, folder: Path) -> None:
    disk = f"<disk type='file' device='disk'><source file='{folder}/a.img'/><target dev='hda' bus='ide'/></disk>"
    define(daemon, folder, "pc", disk + "<interface type='user'><model type='virtio'/></interface>")
    answer = xml(daemon, "x", "--convert-to-q35")
    assert answer["rc"] == 0, answer
    root = dumped(daemon)
    assert "q35" in root.find("os/type").get("machine")  # type: ignore[union-attr, operator]
    assert root.find("devices/disk/target").get("bus") == "sata"  # type: ignore[union-attr]
    assert daemon.our_virsh("start", "x").returncode == 0
    assert xml(daemon, "x", "--convert-to-q35")["rc"] == 1


def test_what_is_unknown_stays_as_it_was(real_libvirtd: DaemonHandle, tmp_path: Path) -> None:
    """An edit changes its own lines only: comments, foreign and future elements stay; the same lines as the original's diff."""
    assert real_libvirtd.peers is not None
    text = (record.GOLDEN / "base.xml").read_text().replace("@D@", str(tmp_path))
    original = sides.Original(real_libvirtd.peers.root)
    try:
        for words in (
            "--edit --cpu host-passthrough", "--edit --vcpus 7", "--edit target=sda --disk cache=none", "--edit --network model=e1000",
            "--edit --boot hd,network,menu=on", "--edit --features pae=", "--remove-device --sound all", "--edit --watchdog action=none",
            "--edit --clock offset=localtime,hpet_present=yes", "--add-device --rng /dev/random", "--edit --graphics clearxml=yes,type=vnc",
            "--edit --xml ./devices/disk[2]/serial=abc", "--edit --events on_crash=preserve", "--remove-device --disk target=sdb",
        ):  # fmt: skip
            argv = ["--connect", real_libvirtd.uri, *words.split(), "--print-diff"]
            theirs, mine = original.run("virt-xml", argv, text), sides.ours("virt-xml", argv, text)
            assert theirs["rc"] == 0 and mine["out"] == theirs["out"], words
    finally:
        original.close()
    whole = sides.ours("virt-xml", ["--connect", real_libvirtd.uri, "--edit", "--vcpus", "7", "--print-xml"], text)[
        "out"
    ]
    for kept in (
        "<!-- a comment that stays -->",
        "<other:note>kept</other:note>",
        '<newfeature state="on"/>',
        'future="1"',
        "<novelty",
    ):
        assert kept in whole


def test_as_a_filter_it_needs_no_guest(real_libvirtd: DaemonHandle) -> None:
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    command = [sys.executable, "-m", "kvasir.cli.virt_xml", "--connect", real_libvirtd.uri, "--edit", "--vcpus", "3"]
    done = subprocess.run(
        command, env=env, input=PLAIN.format(machine="pc", more=""), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and "<vcpu>3</vcpu>" in done.stdout
