"""Images with the layout of RHEL 6 or 7, with all planted that a clone must not have; and what is in an image, by debugfs."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

IFCFG = "DEVICE=eth0\nBOOTPROTO=none\nONBOOT=yes\nNETWORK=10.0.1.0\nNETMASK=255.255.255.0\nIPADDR=10.0.1.20\nHWADDR=52:54:00:11:22:33\nUSERCTL=no\nUUID=0fe1\n"
PLANTED = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n", "etc/shadow": "root:*:1::::::\nann:!:1::::::\n", "etc/fstab": "",
    "etc/machine-id": "aaaabbbbccccddddeeeeffff00001111\n", "var/lib/dbus/machine-id": "aaaabbbbccccddddeeeeffff00001111\n",
    "etc/udev/rules.d/70-persistent-net.rules": 'SUBSYSTEM=="net", ATTR{address}=="52:54:00:11:22:33", NAME="eth0"\n',
    "etc/sysconfig/network-scripts/ifcfg-eth0": IFCFG, "etc/sysconfig/network-scripts/ifcfg-lo": "DEVICE=lo\nIPADDR=127.0.0.1\n",
    "etc/sysconfig/networking/devices/ifcfg-eth0": IFCFG, "etc/sysconfig/networking/profiles/default/ifcfg-eth0": IFCFG,
    "etc/sysconfig/rhn/systemid": "<id/>\n", "etc/pki/consumer/cert.pem": "identity\n", "etc/pki/consumer/key.pem": "key\n",
    "etc/pki/entitlement/1.pem": "entitled\n", "etc/ssh/ssh_host_rsa_key": "KEY\n", "etc/ssh/ssh_host_rsa_key.pub": "PUB\n",
    "etc/ssh/ssh_host_ed25519_key": "KEY\n", "etc/ssh/sshd_config": "Port 22\n", "etc/sysconfig/firstboot": "RUN_FIRSTBOOT=NO\n",
    "root/.bash_history": "rm -rf /\n", "var/log/messages": "it boots\n", "etc/hostname": "original\n",
}  # fmt: skip
UNITS = {
    f"usr/lib/systemd/system/{name}.service": "[Install]\nWantedBy=graphical.target\n"
    for name in ("firstboot-graphical", "initial-setup-graphical")
}


def root(folder: Path, release: int) -> Path:
    """The folder of a guest's files."""
    for name, text in {**PLANTED, **(UNITS if release > 6 else {})}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "etc/redhat-release").write_text(f"Red Hat Enterprise Linux Server release {release}.9\n")
    return folder


def ext4(source: Path, image: Path) -> Path:
    """A raw image that is one file system."""
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(source), str(image), "24M"], check=True)
    return image


def partitioned(source: Path, image: Path) -> Path:
    """A qcow2 image with a partition table and the file system in its second partition, as installers leave it."""
    inner, raw = ext4(source, image.with_suffix(".inner")), image.with_suffix(".raw")
    entries = b""
    for start, sectors in ((2048, 2048), (4096, inner.stat().st_size // 512)):
        entries += struct.pack("<BBBBBBBBII", 0, 0, 2, 0, 0x83, 0xFE, 0xFF, 0xFF, start, sectors)
    with open(raw, "wb") as file:
        file.write(b"\0" * 446 + entries + b"\0" * 32 + b"\x55\xaa")
        file.seek(4096 * 512)
        with open(inner, "rb") as content:
            shutil.copyfileobj(content, file)
        file.truncate(64 << 20)
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", str(raw), str(image)], check=True)
    raw.unlink()
    inner.unlink()
    return image


class Inside:
    """An image's files, read by debugfs."""

    def __init__(self, image: Path, offset: int = 0) -> None:
        self.where = f"{image}?offset={offset}" if offset else str(image)

    def _ask(self, request: str) -> str:
        return subprocess.run(["debugfs", "-R", request, self.where], capture_output=True, text=True).stdout

    def read(self, path: str) -> str:
        return self._ask(f"cat /{path}")

    def exists(self, path: str) -> bool:
        return "Inode:" in self._ask(f"stat /{path}")

    def names(self, folder: str) -> set[str]:
        return {line.split("/")[5] for line in self._ask(f"ls -p /{folder}").splitlines() if line.count("/") > 5} - {
            ".",
            "..",
        }
