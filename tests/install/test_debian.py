"""Real work with Debian itself, without KVM: minutes, so only with KVASIR_LONG=1. Needs the Debian mirror.

An image made by mmdebstrap is imported with cloud-init, logged into by ssh with the injected key, cloned (a hook takes the
machine id and host keys out of the copy), and both run side by side. Debian's own installer installs unattended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT, KvasirDaemon, short_folder
from tests.install import sides

pytestmark = [
    pytest.mark.skipif(not os.environ.get("KVASIR_LONG"), reason="takes many minutes: set KVASIR_LONG=1"),
    pytest.mark.timeout(7200),
]
CACHE = PROJECT / ".cache/debian"
PACKAGES = ("systemd-sysv,udev,linux-image-cloud-amd64,initramfs-tools,openssh-server,cloud-init,netbase,ifupdown,"
            "isc-dhcp-client,iproute2,python3-minimal,e2fsprogs,dbus")  # fmt: skip
CUSTOMIZE = """set -e; cd "$1"
: > etc/machine-id; rm -f var/lib/dbus/machine-id etc/ssh/ssh_host_*; echo image > etc/hostname
printf 'auto eth0\\niface eth0 inet dhcp\\n' > etc/network/interfaces
printf 'datasource_list: [ NoCloud, None ]\\nnetwork: {config: disabled}\\nssh_deletekeys: true\\n' > etc/cloud/cloud.cfg.d/90.cfg
echo 'LABEL=root / ext4 defaults 0 1' > etc/fstab"""
ARGS = "root=LABEL=root console=ttyS0 net.ifnames=0"
HOOK = """#!/bin/sh
# a machine of its own: new machine id and host keys at the next boot (debugfs writes into the ext4 image)
for image in $2; do
    : > /tmp/empty.$$
    for key in rsa ecdsa ed25519; do
        debugfs -w -R "rm /etc/ssh/ssh_host_${key}_key" $image; debugfs -w -R "rm /etc/ssh/ssh_host_${key}_key.pub" $image
    done
    debugfs -w -R "rm /etc/machine-id" $image
    debugfs -w -R "write /tmp/empty.$$ /etc/machine-id" $image
    debugfs -w -R "rm /var/lib/dbus/machine-id" $image
    rm /tmp/empty.$$
done 2>/dev/null
"""


def build() -> Path:
    """The image and its kernel, made once."""
    if (CACHE / "image.raw").exists():
        return CACHE
    if not shutil.which("mmdebstrap"):
        pytest.skip("mmdebstrap is not installed")
    CACHE.mkdir(parents=True, exist_ok=True)
    tar = CACHE / "root.tar"
    if not tar.exists():
        command = [
            "mmdebstrap",
            "--variant=minbase",
            f"--include={PACKAGES}",
            f"--customize-hook={CUSTOMIZE}",
            "bookworm",
            f"{tar}.part",
        ]
        done = subprocess.run([*command, "--format=tar"], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"mmdebstrap: {done.stderr.strip().splitlines()[-1]}")
        os.rename(f"{tar}.part", tar)
    root = CACHE / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    subprocess.run(["tar", "-C", root, "-xf", tar], check=True)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", root, CACHE / "draft.raw", "3G"], check=True)
    for name in ("vmlinuz", "initrd.img"):
        shutil.copy(next((root / "boot").glob(f"{name}-*")), CACHE / name)
    shutil.rmtree(root)
    os.rename(CACHE / "draft.raw", CACHE / "image.raw")
    return CACHE


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Shell:
    """ssh into a guest by a port that QEMU forwards."""

    def __init__(self, daemon: KvasirDaemon, name: str, key: Path) -> None:
        self.port, self.key = free_port(), key
        done = daemon.virsh(
            "qemu-monitor-command", name, "--hmp", f"hostfwd_add hostnet0 tcp:127.0.0.1:{self.port}-:22"
        )
        assert done.returncode == 0, done.stderr

    def run(self, command: str) -> str:
        words = ["ssh", "-i", str(self.key), "-p", str(self.port), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                 "-o", "BatchMode=yes", "-o", "ConnectTimeout=60", "root@127.0.0.1", command]  # fmt: skip
        done = subprocess.run(words, capture_output=True, text=True, timeout=900)
        return done.stdout.strip() if done.returncode == 0 else ""

    def ask(self, command: str, minutes: int = 15) -> str:
        """The command's answer; a busy machine may need some tries."""
        end = time.monotonic() + minutes * 60
        while not (said := self.run(command)):
            assert time.monotonic() < end, f"no answer to {command}"
            time.sleep(3)
        return said

    def wait(self, minutes: int = 20) -> None:
        end = time.monotonic() + minutes * 60
        while self.run("echo up") != "up":
            assert time.monotonic() < end, "no login by ssh"
            time.sleep(5)


@contextlib.contextmanager
def kvasird() -> Iterator[KvasirDaemon]:
    from tests.conftest import Peers

    with short_folder("kv-deb-") as folder:
        peers = Path(os.environ.get("KVASIR_PEERS", str(PROJECT / ".cache/peers")))
        daemon = KvasirDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, Peers(peers))
        daemon.start()
        try:
            yield daemon
        finally:
            daemon.end_guests()
            daemon.stop()


def tool(daemon: KvasirDaemon, name: str, *words: str) -> None:
    answer: dict[str, Any] = sides.ours(name, ["--connect", daemon.uri, *words])
    assert answer["rc"] == 0, answer


def off(daemon: KvasirDaemon, name: str, minutes: int = 10) -> None:
    end = time.monotonic() + minutes * 60
    while daemon.virsh("domstate", name).stdout.strip() != "shut off":
        assert time.monotonic() < end
        time.sleep(2)


@pytest.mark.guide("virt-install-import", "virt-clone-auto")
def test_an_image_is_imported_logged_into_and_cloned(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = build()
    with kvasird() as daemon:
        folder = daemon.folder / "images"
        folder.mkdir(mode=0o755)
        monkeypatch.setenv("KVASIR_BOOT_DIR", str(daemon.folder / "boot"))
        monkeypatch.setenv("KVASIR_PREPARE_DIR", str(folder / "hooks"))
        (folder / "hooks").mkdir()
        (folder / "hooks/own-identity").write_text(HOOK)
        (folder / "hooks/own-identity").chmod(0o755)
        for name in ("image.raw", "vmlinuz", "initrd.img"):
            subprocess.run(["cp", "--sparse=always", cache / name, folder / name], check=True)
            (folder / name).chmod(0o644)
        key = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        boot = f"kernel={folder}/vmlinuz,initrd={folder}/initrd.img,kernel_args='{ARGS}'"
        tool(daemon, "virt-install", "--name", "one", "--virt-type", "qemu", "--memory", "512", "--osinfo", "debian12", "--import",
             "--disk", f"{folder}/image.raw", "--network", "user", "--graphics", "none", "--noautoconsole", "--boot", boot,
             "--serial", f"file,path={folder}/one.log", "--cloud-init", f"root-ssh-key={key}.pub")  # fmt: skip
        shell = Shell(daemon, "one", key)
        shell.wait()
        said = shell.ask("cloud-init status --wait > /dev/null; cat /run/cloud-init/result.json")
        assert "DataSourceNoCloud" in said and "/dev/vd" in said, said
        assert shell.ask("hostname") == "one"
        shell.run("systemctl poweroff")
        off(daemon, "one")
        tool(daemon, "virt-clone", "-o", "one", "-n", "two", "--auto-clone", "--prepare", "own-identity")
        shells = {}
        for name in ("one", "two"):
            assert daemon.virsh("start", name).returncode == 0
            shells[name] = Shell(daemon, name, key)
        facts = {}
        for name, shell in shells.items():
            shell.wait()
            facts[name] = shell.ask(
                "cat /etc/machine-id; cat /sys/class/net/eth0/address; sha256sum < /etc/ssh/ssh_host_ed25519_key.pub"
            ).split()
        assert all(len(words) == 4 for words in facts.values()), facts
        assert (
            facts["one"][0] != facts["two"][0]
            and facts["one"][1] != facts["two"][1]
            and facts["one"][2] != facts["two"][2]
        )


INSTALLER = Path("/usr/lib/debian-installer/images/12/amd64/text")


class Syslog:
    """Takes what the installer logs to another host (its own ``log_host``)."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        self.text = ""

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def read(self) -> str:
        with contextlib.suppress(TimeoutError):
            self.text += self.socket.recv(65536).decode(errors="replace") + "\n"
        return self.text


@pytest.mark.skipif(not INSTALLER.exists(), reason="needs the package debian-installer-12-netboot-amd64")
@pytest.mark.guide("virt-install-location")
def test_debian_installs_unattended(monkeypatch: pytest.MonkeyPatch) -> None:
    """No question is asked: the answers are taken, the network comes up, the mirror is read. Where the mirror in reach has no
    installer packages (udebs) it ends there, else with the login of the installed system."""
    log = Syslog()
    with kvasird() as daemon:
        folder = daemon.folder / "images"
        folder.mkdir(mode=0o755)
        monkeypatch.setenv("KVASIR_BOOT_DIR", str(daemon.folder / "boot"))
        (folder / "root").write_text("topsecret\n")
        tool(daemon, "virt-install", "--name", "deb", "--virt-type", "qemu", "--memory", "1300", "--osinfo", "debian12", "--disk",
             f"{folder}/deb.qcow2,size=3", "--location", str(INSTALLER), "--unattended", f"admin-password-file={folder}/root",
             "--network", "user", "--graphics", "none", "--noautoconsole", "--serial", f"file,path={folder}/serial.log",
             "--extra-args", f"log_host=10.0.2.2 log_port={log.port}")  # fmt: skip
        end = time.monotonic() + 6600
        while "login:" not in (folder / "serial.log").read_text(errors="replace")[-400:]:
            assert time.monotonic() < end, log.text[-2000:]
            if "package retrieval failed" in log.read():
                for stage in ("choose-mirror", "download-installer", "dists/bookworm/main/debian-installer"):
                    assert stage in log.text, stage
                return
            if daemon.virsh("domstate", "deb").stdout.strip() == "shut off":
                assert daemon.virsh("start", "deb").returncode == 0
