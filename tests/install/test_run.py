"""virt-install at work on both daemons: what it creates, waits for, leaves, and takes back."""

from __future__ import annotations

import gzip
import http.server
import io
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from kvasir.install import media, osinfo, unattended
from tests.conftest import PROJECT, DaemonHandle, TinyGuest, short_folder
from tests.install import sides

BASE = [
    "--virt-type",
    "qemu",
    "--memory",
    "64",
    "--osinfo",
    "generic",
    "--network",
    "none",
    "--graphics",
    "none",
    "--noautoconsole",
]


@pytest.fixture(params=["libvirtd", "kvasird"])
def daemon(request: pytest.FixtureRequest) -> DaemonHandle:
    handle: DaemonHandle = request.getfixturevalue("real_libvirtd" if request.param == "libvirtd" else "kvasird")
    return handle


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_folder("kv-run-") as path:
        monkeypatch.setenv("KVASIR_BOOT_DIR", str(path / "boot"))
        yield path


def install(daemon: DaemonHandle, *words: str) -> dict[str, Any]:
    return sides.ours("virt-install", ["--connect", daemon.uri, *BASE, *words])


def dumped(daemon: DaemonHandle, name: str, *words: str) -> ET.Element:
    done = daemon.our_virsh("dumpxml", name, *words)
    assert done.returncode == 0, done.stderr
    return ET.fromstring(done.stdout)


def gone(daemon: DaemonHandle, *names: str) -> None:
    for name in names:
        daemon.our_virsh("destroy", name)
        daemon.our_virsh("undefine", name)


@pytest.mark.guide("virt-install-import")
def test_lives_of_new_guests(daemon: DaemonHandle, folder: Path) -> None:
    image = folder / "one.qcow2"
    try:
        answer = install(daemon, "--name", "one", "--disk", f"{image},size=1", "--import", "--dry-run")
        assert (answer["rc"], answer["out"]) == (0, "Dry run completed successfully\n")
        assert not image.exists()
        answer = install(daemon, "--name", "one", "--disk", f"{image},size=1", "--import", "--noreboot", "--autostart")
        assert answer["rc"] == 0, answer
        assert "Starting install..." in answer["out"] and "Domain creation completed." in answer["out"]
        assert f"virsh --connect {daemon.uri} start one" in answer["out"] or "start one" in answer["out"]
        assert image.exists()
        info = daemon.our_virsh("dominfo", "one").stdout
        assert "shut off" in info and "enable" in info.split("Autostart:")[1].split("\n")[0]
        answer = install(daemon, "--name", "one", "--disk", "none", "--import")
        assert (answer["rc"], answer["err"].strip().splitlines()[-1]) == (
            1,
            "ERROR    Guest name 'one' is already in use.",
        )
        answer = install(daemon, "--name", "two", "--disk", f"{image}", "--import")
        assert answer["rc"] == 1 and "is already in use by other guests ['one']" in answer["err"]
        answer = install(
            daemon, "--name", "two", "--disk", f"{image}", "--import", "--transient", "--check", "path_in_use=off"
        )
        assert answer["rc"] == 0, answer
        assert "is already in use by other guests ['one']" in answer["err"], "then it is a warning"
        assert daemon.our_virsh("domstate", "two").stdout.strip() == "running"
        daemon.our_virsh("destroy", "two")
        assert daemon.our_virsh("domstate", "two").returncode == 1
        words = ["--name", "big", "--disk", f"{folder}/big.qcow2,size=9000000", "--import", "--dry-run"]
        answer = install(daemon, *words)
        assert answer["rc"] == 1 and "exceed the available pool space" in answer["err"], answer
        assert "(Use --check disk_size=off or --check all=off to override)" in answer["err"]
        assert install(daemon, *words, "--check", "disk_size=off")["rc"] == 0
    finally:
        gone(daemon, "one", "two")


def test_wait_ends_at_its_time_or_with_the_guest(daemon: DaemonHandle, folder: Path, tiny_guest: TinyGuest) -> None:
    iso = Path(shutil.copy(tiny_guest.iso, folder / "t.iso"))
    iso.chmod(0o644)
    try:
        words = ["--disk", f"{folder}/w.qcow2,size=1", "--cdrom", str(iso)]
        answer = install(daemon, "--name", "w", *words)
        assert answer["rc"] == 0, answer
        assert "Domain is still running. Installation may be in progress." in answer["out"]
        live, kept = dumped(daemon, "w"), dumped(daemon, "w", "--inactive")
        assert live.findtext("on_reboot") == "destroy" and kept.findtext("on_reboot") in (None, "restart")
        assert [b.get("dev") for b in live.findall("os/boot")] == ["cdrom", "hd"]
        assert [b.get("dev") for b in kept.findall("os/boot")] == ["hd"]
        assert live.find("devices/disk[@device='cdrom']/source") is not None
        assert kept.find("devices/disk[@device='cdrom']/source") is None
        gone(daemon, "w")
        answer = sides.ours(
            "virt-install",
            ["--connect", daemon.uri, *BASE[:-1], "--name", "w", *words[2:], "--disk", "none", "--wait", "0"],
        )
        assert answer["rc"] == 0 and "Treating --wait 0 as --noautoconsole" in answer["err"]
    finally:
        gone(daemon, "w")


def test_the_installers_own_reboot_ends_the_install(daemon: DaemonHandle, folder: Path, tiny_guest: TinyGuest) -> None:
    """What every installer does last: the guest reboots itself, and is started from its disk with its own document."""
    iso = Path(shutil.copy(tiny_guest.iso, folder / "t.iso"))
    iso.chmod(0o644)
    tree, script = ["--location", f"{iso},kernel=bzimage,initrd=initramfs"], folder / "reboot"
    script.write_text("#!/bin/sh\nexec >/dev/ttyS0\necho first boot\nreboot -f\n")
    script.chmod(0o755)
    command = [sys.executable, "-m", "kvasir.cli.virt_install", "--connect", daemon.uri, *BASE, "--memory", "256", "--name", "own",
               "--disk", f"{folder}/o.qcow2,size=1", *tree, "--initrd-inject", str(script), "--wait", "3",
               "--extra-args", f"{tiny_guest.cmdline} rdinit=/reboot", "--serial", f"file,path={folder}/serial.log"]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0 and "Restarting guest." in done.stdout, done
        assert daemon.our_virsh("domstate", "own").stdout.strip() == "running"
        live = dumped(daemon, "own")
        assert live.find("os/kernel") is None and live.findtext("on_reboot") in (None, "restart")
    finally:
        gone(daemon, "own")


def test_a_guest_is_installed_anew(daemon: DaemonHandle, folder: Path) -> None:
    """--reinstall boots the medium once; the guest's own document is as it was."""
    (folder / "cd.iso").write_bytes(b"\0" * 65536)
    try:
        assert (
            install(daemon, "--name", "again", "--disk", f"{folder}/a.qcow2,size=1", "--import", "--noreboot")["rc"]
            == 0
        )
        before = dumped(daemon, "again", "--inactive")
        line = ["--connect", daemon.uri, "--reinstall", "again", "--cdrom", str(folder / "cd.iso"), "--noautoconsole"]
        answer = sides.ours("virt-install", line)
        assert answer["rc"] == 0, answer
        live = dumped(daemon, "again")
        assert [b.get("dev") for b in live.findall("os/boot")] == ["cdrom", "hd"]
        assert live.findtext("on_reboot") == "destroy" and live.findtext("uuid") == before.findtext("uuid")
        assert live.find("devices/disk[@device='cdrom']/source").get("file") == f"{folder}/cd.iso"  # type: ignore[union-attr]
        after = dumped(daemon, "again", "--inactive")
        assert ET.tostring(after) == ET.tostring(before)
    finally:
        gone(daemon, "again")


def test_a_failed_start_takes_its_images_back(daemon: DaemonHandle, folder: Path) -> None:
    words = ["--disk", f"{folder}/f.qcow2,size=1", "--import", "--boot", "kernel=/nonexistent/kernel"]
    answer = install(daemon, "--name", "f", *words)
    assert answer["rc"] == 1
    assert "Domain installation does not appear to have been successful." in answer["err"]
    assert not (folder / "f.qcow2").exists()
    assert daemon.our_virsh("domstate", "f").returncode == 1


def test_cloud_init_seed_stands_in_the_first_boot_only(daemon: DaemonHandle, folder: Path) -> None:
    (folder / "key.pub").write_text("ssh-ed25519 AAAA me@here\n")
    try:
        answer = install(
            daemon,
            "--name",
            "c",
            "--disk",
            f"{folder}/c.qcow2,size=1",
            "--import",
            "--cloud-init",
            f"ssh-key={folder}/key.pub",
        )
        assert answer["rc"] == 0, answer
        live, kept = dumped(daemon, "c"), dumped(daemon, "c", "--inactive")
        assert len(live.findall("devices/disk/source")) == 2 and len(kept.findall("devices/disk/source")) == 1
        assert "ds=nocloud" in [e.text for e in live.findall("sysinfo/system/entry")]
        assert kept.find("sysinfo") is None
        assert list((folder / "boot").iterdir()) == [], "the seed may hold secrets"
    finally:
        gone(daemon, "c")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server over a folder."""
    top = tmp_path / "www"
    top.mkdir()
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(top)))
    threading.Thread(target=web.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{web.server_port}", top
    finally:
        web.shutdown()
        web.server_close()


@pytest.mark.guide("virt-install-location")
def test_location_over_http_injects_and_boots(
    daemon: DaemonHandle, folder: Path, server: tuple[str, Path], tiny_guest: TinyGuest
) -> None:
    """Kernel and initrd come from the tree that .treeinfo describes; the guest sees the injected file."""
    url, top = server
    (top / "images").mkdir()
    shutil.copy(tiny_guest.bzimage, top / "images/vmlinuz")
    shutil.copy(tiny_guest.initramfs, top / "images/initrd.img")
    (top / ".treeinfo").write_text("[general]\nfamily = Fedora\nversion = 36\narch = x86_64\nvariant = Server\n"
                                   "[images-x86_64]\nkernel = images/vmlinuz\ninitrd = images/initrd.img\n")  # fmt: skip
    (folder / "injected.txt").write_text("from the host\n")
    words = [
        "--name",
        "net",
        "--disk",
        "none",
        "--location",
        url,
        "-x",
        "console=ttyS0 extra=1",
        "--initrd-inject",
        f"{folder}/injected.txt",
    ]
    words += ["--osinfo", "detect=on", "--memory", "256", "--serial", f"file,path={folder}/serial.log"]
    try:
        answer = install(daemon, *words)
        assert answer["rc"] == 0, answer
        live, kept = dumped(daemon, "net"), dumped(daemon, "net", "--inactive")
        assert live.findtext("os/cmdline") == f"console=ttyS0 extra=1 inst.repo={url}"
        assert kept.find("os/kernel") is None
        assert "fedora/36" in ET.tostring(kept, encoding="unicode"), "the tree says which system it is"
        assert list((folder / "boot").iterdir()) == []
    finally:
        gone(daemon, "net")


def test_another_host_gets_copies(
    real_libvirtd: DaemonHandle,
    folder: Path,
    server: tuple[str, Path],
    tiny_guest: TinyGuest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As over ssh: kernel and initrd are uploaded into a pool there, and taken away again."""
    url, top = server
    (top / "images/pxeboot").mkdir(parents=True)
    shutil.copy(tiny_guest.bzimage, top / "images/pxeboot/vmlinuz")
    shutil.copy(tiny_guest.initramfs, top / "images/pxeboot/initrd.img")
    monkeypatch.setattr("kvasir.install.upload.is_remote", lambda connection: True)
    monkeypatch.setenv("KVASIR_REMOTE_BOOT_DIR", str(folder / "there"))
    pools = real_libvirtd.our_virsh("pool-list", "--all", "--name").stdout
    try:
        answer = install(real_libvirtd, "--name", "far", "--disk", "none", "--location", url)
        assert answer["rc"] == 0, answer
        assert dumped(real_libvirtd, "far").findtext("os/kernel", "").startswith(f"{folder}/there/")
        assert list((folder / "there").iterdir()) == [] and list((folder / "boot").iterdir()) == []
        assert real_libvirtd.our_virsh("pool-list", "--all", "--name").stdout == pools
        answer = install(real_libvirtd, "--name", "far2", "--disk", "none", "--location", str(top))
        assert answer["rc"] == 1 and "Cannot access install tree on remote connection" in answer["err"]
    finally:
        gone(real_libvirtd, "far")


@pytest.mark.guide("virt-install-os-variant")
def test_systems_are_listed_and_an_unknown_one_is_a_hint(daemon: DaemonHandle) -> None:
    listed = sides.ours("virt-install", ["--osinfo", "list"])
    assert listed["rc"] == 0 and "debian11, debianbullseye" in listed["out"] and "win11" in listed["out"]
    answer = install(daemon, "--name", "u", "--disk", "none", "--import", "--osinfo", "nosuch99", "--dry-run")
    assert answer["rc"] == 0 and "Unknown OS name 'nosuch99': using generic defaults" in answer["err"]
    answer = install(
        daemon, "--name", "u", "--disk", "none", "--import", "--osinfo", "name=nosuch99,require=on", "--dry-run"
    )
    assert answer["rc"] == 1 and "Unknown OS name 'nosuch99'" in answer["err"]
    assert "Traceback" not in answer["err"]


INSTALLER = Path("/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64")


@pytest.mark.skipif(not INSTALLER.exists(), reason="needs the package debian-installer-12-netboot-amd64")
@pytest.mark.guide("virt-install-location")
def test_debians_installer_takes_our_answers(kvasird: DaemonHandle, folder: Path) -> None:
    """The installer's own initrd, with our preseed appended: its busybox finds /preseed.cfg as cpio unpacks it."""
    (folder / "root").write_text("topsecret\n")
    system = osinfo.lookup("debian12")
    assert system is not None
    script = unattended.script(system, unattended.Answers(admin_password_file=str(folder / "root"), hostname="box"))
    place = media.Media(media.Location(str(INSTALLER.parent.parent)), str(folder / "boot"))
    _, initrd = place.fetch()
    media.inject(initrd, [(script.name, script.content.encode(), 0o100600)])
    whole = Path(initrd).read_bytes()
    assert gzip.GzipFile(fileobj=io.BytesIO(whole)).read(6) == b"070701"
    archive = whole[whole.rindex(b"070701", 0, whole.rindex(b"preseed.cfg")) :]
    out = folder / "out"
    out.mkdir()
    subprocess.run(["cpio", "-i", "--quiet"], input=archive, cwd=out, check=True)
    assert (out / "preseed.cfg").read_text() == script.content
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    command = [sys.executable, "-m", "kvasir.cli.virt_install", "--connect", kvasird.uri, *BASE, "--name", "d", "--memory", "256",
               "--osinfo", "debian12", "--disk", f"{folder}/d.qcow2,size=2", "--location", str(INSTALLER.parent.parent),
               "--unattended", f"admin-password-file={folder}/root"]  # fmt: skip
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        live = dumped(kvasird, "d")
        assert "preseed/file=/preseed.cfg" in (live.findtext("os/cmdline") or "")
    finally:
        gone(kvasird, "d")
