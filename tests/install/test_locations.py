"""--location of every kind, each from another distribution: detected by what its tree says, and booted: the guest sees arguments and injected files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pycdlib
import pytest

from kvasir.install import media
from tests.conftest import KvasirDaemon, TinyGuest, short_folder
from tests.install import sides
from tests.install.rows import dumped, gone
from tests.install.test_run import server  # noqa: F401  (a fixture)
from tests.waiting import until

SAY = '#!/bin/sh\nmount -t proc proc /proc\nexec >/dev/console\necho "arguments: $(cat /proc/cmdline)"\necho "file: $(cat /own.cfg)"\nsleep 3600\n'
TREEINFO = "[general]\nfamily = {0}\nversion = {1}\narch = x86_64\n{2}\n[images-x86_64]\nkernel = {3}\ninitrd = {4}\n"
# name: (kernel, initrd, files that tell the system, folder of the tree, system, word of --extra-args for its tree)
TREES = {
    "fedora": ("images/pxeboot/vmlinuz", "images/pxeboot/initrd.img",
               {".treeinfo": TREEINFO.format("Fedora", "36", "variant = Server", "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img")}, "f", "fedora36"),
    "rhel": ("isolinux/vmlinuz", "isolinux/initrd.img",
             {".treeinfo": TREEINFO.format("Red Hat Enterprise Linux", "8.4", "", "isolinux/vmlinuz", "isolinux/initrd.img")}, "r", "rhel8.4"),
    "debian": ("current/images/netboot/debian-installer/amd64/linux", "current/images/netboot/debian-installer/amd64/initrd.gz", {},
               "debian/dists/bullseye/main/installer-amd64", "debian11"),
    "debian-netboot": ("debian-installer/amd64/linux", "debian-installer/amd64/initrd.gz",
                       {"version.info": "Debian version:  12 (bookworm)\n"}, "n", "debian12"),
    "ubuntu": ("current/legacy-images/netboot/ubuntu-installer/amd64/linux", "current/legacy-images/netboot/ubuntu-installer/amd64/initrd.gz", {},
               "ubuntu/dists/focal/main/installer-amd64", "ubuntu20.04"),
    "opensuse": ("boot/x86_64/loader/linux", "boot/x86_64/loader/initrd",
                 {".treeinfo": TREEINFO.format("openSUSE Leap", "15.4", "", "boot/x86_64/loader/linux", "boot/x86_64/loader/initrd")}, "o", "opensuse15.4"),
    "opensuse-products": ("boot/x86_64/loader/linux", "boot/x86_64/loader/initrd", {"media.1/products": "/ openSUSE-Leap 15.3-1\n"}, "p", "opensuse15.3"),
    "opensuse-content": ("boot/x86_64/loader/linux", "boot/x86_64/loader/initrd",
                         {"content": "DISTRO       cpe:/o:opensuse:opensuse:13.2,openSUSE 13.2\n"}, "c", "opensuse13.2"),
    "sles": ("boot/x86_64/loader/linux", "boot/x86_64/loader/initrd", {"media.1/products": "/ SLES12-SP5 12.5-0\n"}, "s", "sles12sp5"),
}  # fmt: skip
LABELS = {
    "RHEL-9-0-0-BaseOS-x86_64": "rhel9.0",
    "openSUSE-Leap-15.4-DVD-x86_64150": "opensuse15.4",
    "Debian 11.5.0 amd64 n": "debian11",
}


def make(top: Path, name: str, kernel: Path | None = None, initrd: Path | None = None) -> Path:
    where, into, files, folder, _ = TREES[name]
    tree = top / folder
    for path, source in ((where, kernel), (into, initrd)):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        if source is None:
            (tree / path).write_bytes(path.encode())
        else:
            shutil.copy(source, tree / path)
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    return tree


@pytest.mark.parametrize("name", TREES)
def test_a_tree_says_which_system_it_is(tmp_path: Path, server: tuple[str, Path], name: str) -> None:  # noqa: F811
    """From a folder and from a web server alike: the system, its kernel, its initrd."""
    url, top = server
    tree = make(top, name)
    for where in (str(tree), f"{url}/{TREES[name][3]}/"):
        place = media.Media(media.Location(where), str(tmp_path / "boot"))
        rule = place.detect()
        assert rule is not None and rule["os"] == TREES[name][4], (where, rule)
        kernel, initrd = place.fetch()
        assert [Path(path).read_text() for path in (kernel, initrd)] == list(TREES[name][:2])


def image(path: Path, label: str, name: str, kernel: Path, initrd: Path) -> Path:
    """An install CD of a distribution: its label, its folders."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=4, rock_ridge="1.09", vol_ident=label, sys_ident="LINUX")
    made: set[str] = set()
    for place, source in zip(TREES[name][:2], (kernel, initrd), strict=True):
        parts = place.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder not in made:
                made.add(folder)
                iso.add_directory(f"/{folder}", rr_name=parts[depth - 1])
        iso.add_file(str(source), f"/{place}", rr_name=parts[-1])
    iso.write(str(path))
    iso.close()
    path.chmod(0o644)
    return path


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_folder("kv-loc-") as path:
        monkeypatch.setenv("KVASIR_BOOT_DIR", str(path / "boot"))
        yield path


def heard(log: Path) -> bool:
    return log.exists() and b"\nfile: injected" in log.read_bytes().replace(b"\r", b"")


@pytest.mark.guide("virt-install-location", "virt-install-kickstart")
def test_what_the_guest_sees(
    kvasird: KvasirDaemon, folder: Path, tiny_guest: TinyGuest, server: tuple[str, Path]  # noqa: F811
) -> None:
    """A folder as Debian's, a web server as openSUSE's, a CD as RHEL's: --extra-args and --initrd-inject in the booted guest."""
    url, top = server
    say, own = folder / "say", folder / "own.cfg"
    say.write_text(SAY)
    say.chmod(0o755)
    make(folder, "debian", tiny_guest.kernel, tiny_guest.initramfs)
    make(top, "opensuse", tiny_guest.kernel, tiny_guest.initramfs)
    cd = image(folder / "rhel.iso", "RHEL-9-0-0-BaseOS-x86_64", "fedora", tiny_guest.bzimage, tiny_guest.initramfs)
    kinds = {
        "folder": (str(folder / TREES["debian"][3]), "debian11", ""), "web": (f"{url}/o", "opensuse15.4", f"install={url}/o"),
        "cd": (str(cd), "rhel9.0", ""),
    }  # fmt: skip
    try:
        for name, (where, system, added) in kinds.items():
            own.write_text(f"injected for {name}\n")
            line = ["--connect", kvasird.uri, "--virt-type", "qemu", "--name", name, "--memory", "256", "--network", "none", "--graphics", "none",
                    "--noautoconsole", "--osinfo", "detect=on,require=on", "--disk", "none", "--location", where, "--extra-args",
                    f"{tiny_guest.cmdline} rdinit=/say ks=file:/own.cfg from={name}", "--initrd-inject", str(own), "--initrd-inject", str(say),
                    "--serial", f"file,path={folder}/{name}.log"]  # fmt: skip
            answer = sides.ours("virt-install", line)
            assert answer["rc"] == 0, answer
            live = dumped(kvasird, name)
            found = [node.get("id", "") for node in live.iter() if node.tag.endswith("}os")]
            assert (
                found
                and system.strip("0123456789.") in found[0]
                and system.lstrip("abcdefghijklmnopqrstuvwxyz") in found[0]
            ), found
            log = folder / f"{name}.log"
            until(partial(heard, log), "the guest's word")
            said = log.read_text(errors="replace")
            assert f"from={name}" in said and f"file: injected for {name}" in said
            assert added in said.split("arguments:")[1].splitlines()[0], said[-800:]
            kept = dumped(kvasird, name, "--inactive")
            assert kept.find("os/kernel") is None and list((folder / "boot").iterdir()) == []
            kvasird.our_virsh("destroy", name)
    finally:
        gone(kvasird, *kinds)


@pytest.mark.parametrize("label", LABELS)
def test_a_cd_says_which_system_it_is(tmp_path: Path, label: str) -> None:
    iso = pycdlib.PyCdlib()
    iso.new(vol_ident=label, sys_ident="LINUX", pub_ident_str="SUSE LINUX GmbH" if "SUSE" in label else "")
    iso.write(str(tmp_path / "cd.iso"))
    iso.close()
    rule = media.Media(media.Location(str(tmp_path / "cd.iso")), str(tmp_path)).detect()
    assert rule is not None and rule["os"] == LABELS[label]
