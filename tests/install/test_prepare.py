"""Guests made fit to be cloned (guide 4.1): the appliance boots under TCG with the image as its disk, mounts it, and takes out what is unique.

What is left is looked at by debugfs of the host, and by virt-cat and virt-ls.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, Done, KvasirDaemon, TinyGuest, short_folder
from tests.install import fixture
from tests.install.fixture import Inside

GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='{kind}'/><source file='{path}'/><target dev='vda' bus='virtio'/></disk>
<interface type='user'><mac address='52:54:00:11:22:33'/></interface><interface type='user'><mac address='52:54:00:11:22:34'/></interface></devices></domain>"""
OFFSET = 4096 * 512


@pytest.fixture
def folder(tiny_guest: TinyGuest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("KVASIR_APPLIANCE_ACCEL", "tcg")
    monkeypatch.setenv("KVASIR_TINY", str(tiny_guest.folder))
    with short_folder("kv-prep-") as path:
        yield path


def tool(name: str, *words: str) -> Done:
    module, call = ("virt_cat", "main_ls") if name == "virt-ls" else (name.replace("-", "_"), "main")
    code = f"import sys; from kvasir.cli.{module} import {call}; sys.exit({call}())"
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    return subprocess.run([sys.executable, "-c", code, *words], env=env, capture_output=True, text=True, timeout=280)


@pytest.mark.guide("proc-clone-prepare", "clone-prepare-udev-rules", "clone-prepare-ifcfg", "clone-prepare-ifcfg-copies",
                   "clone-prepare-rhn", "clone-prepare-rhsm", "clone-prepare-ssh-keys")  # fmt: skip
def test_all_that_is_unique_is_gone(folder: Path) -> None:
    """virt-sysprep on an image with the layout of RHEL 6; then virt-ls and virt-cat see what is left."""
    image = fixture.ext4(fixture.root(folder / "root", 6), folder / "rhel6.img")
    done = tool("virt-sysprep", "-v", "-a", str(image), "--operations", "defaults,net-static,wizards")
    assert done.returncode == 0, done.stderr
    assert "Examining the guest ..." in done.stdout and 'Performing "ssh-hostkeys" ...' in done.stdout
    inside = Inside(image)
    for path in ("etc/udev/rules.d/70-persistent-net.rules", "etc/sysconfig/rhn/systemid", "root/.bash_history", "etc/hostname",
                 "etc/pki/consumer/cert.pem", "etc/pki/consumer/key.pem", "etc/pki/entitlement/1.pem", "var/lib/dbus/machine-id"):  # fmt: skip
        assert not inside.exists(path), path
        assert f"removed /{path}\n" in done.stdout
    assert (
        inside.names("etc/ssh") == {"sshd_config"}
        and inside.read("etc/machine-id") == ""
        and inside.exists("etc/machine-id")
    )
    for path in (
        "network-scripts/ifcfg-eth0",
        "networking/devices/ifcfg-eth0",
        "networking/profiles/default/ifcfg-eth0",
    ):
        assert inside.read(f"etc/sysconfig/{path}") == "DEVICE=eth0\nBOOTPROTO=dhcp\nONBOOT=yes\n"
    assert (
        inside.read("etc/sysconfig/network-scripts/ifcfg-lo")
        == fixture.PLANTED["etc/sysconfig/network-scripts/ifcfg-lo"]
    )
    assert inside.exists(".unconfigured") and inside.read("var/log/messages") == ""
    assert inside.read("etc/passwd") == fixture.PLANTED["etc/passwd"]
    before = hashlib.sha256(image.read_bytes()).hexdigest()
    listed = tool("virt-ls", "-R", "-a", str(image), "/etc/ssh", "/etc/sysconfig")
    assert listed.returncode == 0, listed.stderr
    assert (
        listed.stdout.splitlines()[0] == "/etc/ssh/sshd_config"
        and "/etc/sysconfig/network-scripts/ifcfg-eth0\n" in listed.stdout
    )
    assert "ssh_host" not in listed.stdout and "systemid" not in listed.stdout
    shown = tool("virt-cat", "-a", str(image), "/etc/sysconfig/network-scripts/ifcfg-eth0")
    assert (shown.returncode, shown.stdout) == (0, "DEVICE=eth0\nBOOTPROTO=dhcp\nONBOOT=yes\n")
    assert hashlib.sha256(image.read_bytes()).hexdigest() == before, "looking changes nothing"


@pytest.mark.guide("behaviour-clone-unique-info-levels", "clone-prepare-firstboot")
def test_a_clone_is_prepared(kvasird: KvasirDaemon, folder: Path) -> None:
    """virt-clone --prepare: the copy is prepared, in the partition of a qcow2 image; the original keeps every byte."""
    image = fixture.partitioned(fixture.root(folder / "root", 7), folder / "rhel7.qcow2")
    image.chmod(0o644)
    (folder / "guest.xml").write_text(GUEST.format(name="golden", kind="qcow2", path=image))
    assert kvasird.our_virsh("define", str(folder / "guest.xml")).returncode == 0
    before = hashlib.sha256(image.read_bytes()).hexdigest()
    done = tool(
        "virt-clone",
        "--connect",
        kvasird.uri,
        "-o",
        "golden",
        "-n",
        "copy",
        "-f",
        f"{folder}/copy.qcow2",
        "--prepare",
        "clone,wizards",
    )
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(image.read_bytes()).hexdigest() == before
    subprocess.run(["qemu-img", "convert", "-O", "raw", f"{folder}/copy.qcow2", f"{folder}/copy.raw"], check=True)
    inside = Inside(folder / "copy.raw", OFFSET)
    assert inside.names("etc/ssh") == {"sshd_config"} and inside.read("etc/machine-id") == ""
    assert not inside.exists("etc/udev/rules.d/70-persistent-net.rules") and not inside.exists(
        "etc/sysconfig/rhn/systemid"
    )
    assert inside.names("etc/pki/consumer") == set() and "HWADDR" not in inside.read(
        "etc/sysconfig/network-scripts/ifcfg-eth0"
    )
    assert inside.read("root/.bash_history") == fixture.PLANTED["root/.bash_history"], "not asked for"
    assert inside.read("etc/sysconfig/firstboot") == "RUN_FIRSTBOOT=YES\n" and not inside.exists(".unconfigured")
    wants = inside.names("etc/systemd/system/graphical.target.wants")
    assert wants == {"firstboot-graphical.service", "initial-setup-graphical.service"}
    old, new = (kvasird.our_virsh("dumpxml", name).stdout for name in ("golden", "copy"))
    for mac in ("52:54:00:11:22:33", "52:54:00:11:22:34"):
        assert mac in old and mac not in new
    uuids = [text.split("<uuid>")[1].split("<")[0] for text in (old, new)]
    assert uuids[0] != uuids[1] and "rhel7.qcow2" not in new and "copy.qcow2" in new


@pytest.mark.guide("behaviour-clone-shut-down-first")
def test_what_cannot_be_prepared(kvasird: KvasirDaemon, folder: Path) -> None:
    """A guest that runs is refused by virt-clone, virt-sysprep and the image's lock; a disk without a Linux leaves no clone."""
    image = folder / "empty.img"
    image.write_bytes(b"\0" * (4 << 20))
    (folder / "guest.xml").write_text(GUEST.format(name="empty", kind="raw", path=image))
    assert kvasird.our_virsh("define", str(folder / "guest.xml")).returncode == 0
    clone = ["--connect", kvasird.uri, "-o", "empty", "-n", "copy", "-f", f"{folder}/copy.img"]
    done = tool("virt-clone", *clone, "--prepare", "ssh-hostkeys")
    assert done.returncode == 1 and "no Linux root file system" in done.stderr, done
    assert not (folder / "copy.img").exists() and kvasird.our_virsh("domstate", "copy").returncode == 1
    done = tool("virt-clone", *clone, "--prepare", "nosuch")
    assert done.returncode == 1 and "no hook 'nosuch'; there are: clone, abrt-data" in done.stderr
    assert kvasird.our_virsh("start", "empty").returncode == 0
    try:
        done = tool("virt-clone", *clone)
        assert done.returncode == 1 and "Domain to clone must be shutoff." in done.stderr
        done = tool("virt-sysprep", "-c", kvasird.uri, "-d", "empty")
        assert done.returncode == 1 and "empty runs" in done.stderr and "virsh shutdown empty" in done.stderr
        done = tool("virt-sysprep", "-a", str(image))
        assert done.returncode == 1 and "a disk is in use" in done.stderr, done
    finally:
        kvasird.our_virsh("destroy", "empty")


def test_words_of_virt_sysprep(folder: Path) -> None:
    done = tool("virt-sysprep", "--list-operations")
    names = {line.split()[0]: "*" in line.split()[1:2] for line in done.stdout.splitlines()}
    assert done.returncode == 0 and names["ssh-hostkeys"] and not names["firewall-rules"] and len(names) > 35
    for words, said in (
        (["--enable", "nosuch", "-a", "/x"], "no operation 'nosuch'"), (["--install", "vim", "-a", "/x"], "--install is not built"),
        (["-a", "/nonexistent"], "/nonexistent: no such file"), ([], "-a FILE"), (["-a", "/x", "--enable", "utmp,-utmp"], "names only"),
    ):  # fmt: skip
        done = tool("virt-sysprep", *words)
        assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr, done


SIZES = {"xfs": "320M", "btrfs": "128M"}


def other(kind: str, source: Path, image: Path) -> None:
    """A file system made with the files in it, without a mount."""
    with open(image, "wb") as file:
        file.truncate(int(SIZES[kind][:-1]) << 20)
    if kind == "btrfs":
        subprocess.run(["mkfs.btrfs", "-q", "--rootdir", str(source), str(image)], check=True)
        return
    lines = ["/", "0 0", "d--755 0 0"]

    def below(folder: Path) -> None:
        for one in sorted(folder.iterdir()):
            if one.is_dir():
                lines.append(f"{one.name} d--755 0 0")
                below(one)
                lines.append("$")
            else:
                lines.append(f"{one.name} ---644 0 0 {one}")

    below(source)
    prototype = image.with_suffix(".proto")
    prototype.write_text("\n".join([*lines, "$", ""]))
    subprocess.run(["mkfs.xfs", "-q", "-p", str(prototype), str(image)], check=True)


@pytest.mark.skipif(not os.environ.get("KVASIR_LONG"), reason="four more boots of the appliance: set KVASIR_LONG=1")
@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_other_file_systems(folder: Path, kind: str) -> None:
    made = subprocess.run([str(PROJECT / "scripts/appliance")], capture_output=True, text=True)
    if made.returncode == 77:
        pytest.skip(made.stderr.strip())
    other(kind, fixture.root(folder / "root", 7), folder / "image")
    done = tool("virt-sysprep", "-v", "-a", str(folder / "image"), "--enable", "ssh-hostkeys,machine-id")
    assert done.returncode == 0 and "removed /etc/ssh/ssh_host_rsa_key\n" in done.stdout, done
    listed = tool("virt-ls", "-a", str(folder / "image"), "/etc/ssh")
    assert listed.stdout == "sshd_config\n", listed
