"""Debian's own installer by PXE, without KVM: some minutes, so only with KVASIR_LONG=1.

Network, DHCP, TFTP and web server are ours, in a namespace. The mirror in reach gives the index of the installer's packages (udebs) and
answers 404 for each of them, so the mirror here holds one udeb of our own making: it writes the tiny guest's disk to the guest's, which is
what an installer does in the end. All before it (kernel and initrd by TFTP, answers, network, mirror, component) is Debian's installer.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, Peers, TinyGuest, short_folder
from tests.network.conftest import NetDaemon

INSTALLER = Path("/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64")
pytestmark = [
    pytest.mark.skipif(not os.environ.get("KVASIR_LONG"), reason="takes minutes without KVM: set KVASIR_LONG=1"),
    pytest.mark.skipif(not INSTALLER.exists(), reason="needs the package debian-installer-12-netboot-amd64"),
    pytest.mark.timeout(3600),
]
HOST = "10.9.61.1"
NETWORK = """<network><name>pxe</name><forward mode='nat'/><bridge name='brdi' stp='on' delay='0'/>
  <ip address='10.9.61.1' netmask='255.255.255.0'><tftp root='{root}'/>
  <dhcp><range start='10.9.61.2' end='10.9.61.254'/><bootp file='pxelinux.0'/></dhcp></ip></network>"""
MENU = """serial 0 115200
default install
prompt 0
label install
  kernel linux
  append initrd=initrd.gz console=ttyS0 auto=true priority=critical url={url} DEBIAN_FRONTEND=text mitigations=off log_host=10.9.61.1 log_port=5514
"""
PRESEED = """d-i debian-installer/locale string en_US.UTF-8
d-i keyboard-configuration/xkb-keymap select us
d-i netcfg/get_hostname string byself
d-i netcfg/get_domain string
d-i mirror/country string manual
d-i mirror/protocol string http
d-i mirror/http/hostname string 10.9.61.1:8080
d-i mirror/http/directory string /debian
d-i mirror/http/proxy string
d-i mirror/suite string bookworm
d-i debian-installer/allow_unauthenticated boolean true
d-i anna/no_kernel_modules boolean true
"""
CONTROL = """Package: tiny-installer
Version: 1
Architecture: all
Maintainer: tests <tests@example.org>
Priority: standard
Section: debian-installer
Installer-Menu-Item: 6500
Description: Put the tiny guest on the disk
"""
TEMPLATES = """Template: debian-installer/tiny-installer/title
Type: text
Description: Put the tiny guest on the disk
"""
POSTINST = """#!/bin/sh
logger -t tiny-installer "answers: $(debconf-get netcfg/get_hostname) to $(list-devices disk)"
modprobe usb-storage; modprobe sd_mod
for n in 1 2 3 4 5 6 7 8 9 10; do [ -b /dev/sda ] && break; sleep 2; done
wget -O - http://10.9.61.1:8080/disk.raw.gz | gunzip > /dev/sda && sync && logger -t tiny-installer "written to /dev/sda"
sleep 1; reboot -f
"""
LISTEN = "import socket\ns = socket.socket(2, 2); s.bind(('10.9.61.1', 5514))\nwhile 1: print(s.recv(65536).decode(errors='replace').rstrip(), flush=True)"


def mirror(top: Path, tiny: TinyGuest) -> None:
    """A mirror with one component for the installer, and the disk that it writes."""
    work = top / "work"
    (work / "DEBIAN").mkdir(parents=True)
    (work / "DEBIAN/control").write_text(CONTROL)
    (work / "DEBIAN/templates").write_text(TEMPLATES)
    (work / "DEBIAN/postinst").write_text(POSTINST)
    (work / "DEBIAN/postinst").chmod(0o755)
    pool, dists = top / "debian/pool", top / "debian/dists/bookworm"
    pool.mkdir(parents=True)
    built = pool / "tiny-installer_1_all.udeb"
    subprocess.run(
        ["dpkg-deb", "-Zgzip", "--root-owner-group", "--build", str(work), str(built)], check=True, capture_output=True
    )
    data = built.read_bytes()
    row = f"{CONTROL}Filename: pool/{built.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"
    sums = []
    for arch, text in (("amd64", row), ("all", "")):
        folder = dists / f"main/debian-installer/binary-{arch}"
        folder.mkdir(parents=True)
        for name, content in (("Packages", text.encode()), ("Packages.gz", gzip.compress(text.encode()))):
            (folder / name).write_bytes(content)
            path = (folder / name).relative_to(dists)
            sums.append(f" {hashlib.sha256(content).hexdigest()} {len(content)} {path}")
    (dists / "main/binary-amd64").mkdir()
    (dists / "main/binary-amd64/Release").write_text("Archive: oldstable\nComponent: main\nArchitecture: amd64\n")
    (dists / "Release").write_text(
        "Origin: tests\nSuite: oldstable\nCodename: bookworm\nArchitectures: all amd64\nComponents: main\nSHA256:\n"
        + "\n".join(sums)
        + "\n"
    )
    raw = top / "disk.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(tiny.disk), str(raw)], check=True)
    with open(raw, "rb") as file, gzip.open(f"{raw}.gz", "wb", 1) as out:
        shutil.copyfileobj(file, out)
    raw.unlink()


@pytest.fixture(scope="module")
def netd(peers: Peers) -> Iterator[NetDaemon]:
    with short_folder("kv-pxe-") as folder:
        daemon = NetDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, peers)
        daemon.start()
        try:
            yield daemon
        finally:
            daemon.finish()


def serve(netd: NetDaemon, top: Path) -> tuple[list[subprocess.Popen[bytes]], Path, Path]:
    """Web server and log host on the network; what each has seen."""
    web, log = netd.folder / "web.log", netd.folder / "syslog.log"
    words = (
        ([sys.executable, "-u", "-m", "http.server", "--bind", HOST, "--directory", str(top), "8080"], web),
        ([sys.executable, "-u", "-c", LISTEN], log),
    )
    children = []
    for command, path in words:
        with open(path, "wb") as out:
            children.append(subprocess.Popen(netd.ground.command(*command), stdout=out, stderr=out))
    return children, web, log


@pytest.mark.guide("virt-install-pxe", "proc-pxe-private-guest", "concept-pxe-boot")
@pytest.mark.parametrize("answers", ["tftp", "http"])
def test_debians_installer_by_pxe(netd: NetDaemon, tiny_guest: TinyGuest, answers: str) -> None:
    """virt-install --pxe: the installer comes by TFTP, takes its answers, its component from our mirror, and the guest boots what it wrote."""
    name = f"by-{answers}"
    root, top = netd.folder / f"{name}-tftp", netd.folder / f"{name}-www"
    (root / "pxelinux.cfg").mkdir(parents=True)
    for file in ("pxelinux.0", "linux", "initrd.gz", "boot-screens/ldlinux.c32"):
        shutil.copy(INSTALLER / file, root / Path(file).name)
    mirror(top, tiny_guest)
    url = f"tftp://{HOST}/preseed.cfg" if answers == "tftp" else f"http://{HOST}:8080/preseed.cfg"
    (root / "pxelinux.cfg/default").write_text(MENU.format(url=url))
    (root / "preseed.cfg" if answers == "tftp" else top / "preseed.cfg").write_text(PRESEED)
    netd.define(NETWORK.format(root=root))
    children, web, log = serve(netd, top)
    serial = netd.folder / f"{name}.serial"
    disk = netd.folder / f"{name}.img"
    command = [sys.executable, "-m", "kvasir.cli.virt_install", "--connect", netd.uri, "--virt-type", "qemu", "--name", name, "--memory", "900",
               "--osinfo", "debian12", "--pxe", "--network", "network=pxe", "--graphics", "none", "--noautoconsole", "--wait", "50",
               "--disk", f"{disk},size=0.25,format=raw,bus=usb", "--serial", f"file,path={serial}"]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    installer = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = installer.communicate(timeout=3300)
        seen = log.read_text(errors="replace")
        assert installer.returncode == 0 and "Restarting guest." in said, said + seen[-2000:]
        for stage in ("anna", "net-retriever", "tiny-installer: answers: byself", "written to /dev/sda"):
            assert stage in seen, stage
        asked = web.read_text()
        assert '"GET /debian/pool/tiny-installer_1_all.udeb HTTP/1.1" 200' in asked
        assert ("preseed.cfg" in asked) == (answers == "http")
        end = time.monotonic() + 120
        while b"Kvasir tiny guest is ready on ttyS0" not in serial.read_bytes():
            assert time.monotonic() < end, serial.read_bytes()[-500:]
            time.sleep(0.5)
        kept = netd.say("dumpxml", name, "--inactive")
        assert "<boot dev='hd'/>" in kept and "<boot dev='network'/>" not in kept
    finally:
        installer.kill()
        netd.virsh("destroy", name)
        netd.virsh("undefine", name)
        netd.virsh("net-destroy", "pxe")
        netd.virsh("net-undefine", "pxe")
        for child in children:
            child.kill()
            child.wait()
