"""Running guests with every kind of disk, network, character device and controller that a host without hardware has.

The same documents run under the real libvirt 9.0 and under ours; their live documents must be the same bytes, but for what
is masked here (names of folders and pseudo terminals). Networks are in a namespace that the test makes.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon, Peers, all_ended, own_daemon, short_folder

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and tap devices need root"),
    pytest.mark.skipif(not Path("/usr/bin/qemu-system-x86_64").exists(), reason="qemu-system-x86_64 is not installed"),
]
BRIDGE = "ip link set lo up && ip link add kvbr0 type bridge && ip link set kvbr0 mtu 1400 up && ip route add 230.0.0.0/8 dev lo"


class InNamespace(KvasirDaemon):
    """Our daemon in a network namespace of its own that has a bridge."""

    def within(self, *command: str) -> list[str]:
        return ["unshare", "--net", "sh", "-c", f'{BRIDGE} && exec "$@"', "sh", *command]

    def inside(self, *command: str) -> str:
        """Run a program in the daemon's network namespace."""
        assert self.process is not None
        whole = ["nsenter", "-t", str(self.process.pid), "-n", *command]
        return subprocess.run(whole, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def ours(peers: Peers) -> Iterator[InNamespace]:
    with own_daemon(InNamespace, "kv-dev-", peers) as daemon:
        yield daemon
        assert daemon.stop() == 0
        all_ended(daemon.folder)


@pytest.fixture(scope="module")
def theirs(real_libvirtd: DaemonHandle) -> DaemonHandle:
    peer = [str(PROJECT / "scripts/peer"), "exec", "--dir", str(real_libvirtd.folder), "--", "sh", "-c", BRIDGE]
    subprocess.run(peer, check=True, env={**os.environ, "KVASIR_PEERS": str(real_libvirtd.peers.root)})  # type: ignore[union-attr]
    return real_libvirtd


@pytest.fixture(scope="module")
def images() -> Iterator[Path]:
    """A folder with a raw image, a chain of two qcow2 images and an ISO, which both daemons' guests may use."""
    with short_folder("kv-img-") as folder:
        for command in (
            ["create", "-q", "-f", "raw", "raw.img", "8M"],
            ["create", "-q", "-f", "qcow2", "base.qcow2", "16M"],
            ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", f"{folder}/base.qcow2", "top.qcow2"],
            ["create", "-q", "-f", "raw", "cd.iso", "2M"],
        ):
            subprocess.run(["qemu-img", *command], cwd=folder, check=True)
        yield folder


def document(name: str, devices: str, machine: str) -> str:
    """A guest that never runs an instruction: it is started paused."""
    return f"""<domain type='qemu'>
  <name>{name}</name>
  <uuid>7b0a57c5-9a0e-4d0c-8f6e-3c1d5a2b9e10</uuid>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='{machine}'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
{devices}
  </devices>
</domain>
"""


DISKS = """
<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none' discard='unmap'/><source file='{images}/top.qcow2'/>
  <target dev='vda' bus='virtio'/><iotune><total_bytes_sec>1048576</total_bytes_sec></iotune><serial>one</serial></disk>
<disk type='file' device='disk'><source file='{images}/raw.img'/><target dev='hda' bus='ide'/></disk>
<disk type='file' device='cdrom'><source file='{images}/cd.iso'/><target dev='hdc' bus='ide'/></disk>
<disk type='file' device='cdrom'><target dev='sda' bus='scsi'/></disk>
<disk type='file' device='floppy'><target dev='fda' bus='fdc'/></disk>
<controller type='scsi' index='0' model='virtio-scsi'/>
"""
NETS = """
<interface type='bridge'><mac address='52:54:00:10:00:01'/><source bridge='kvbr0'/><model type='virtio'/></interface>
<interface type='user'><mac address='52:54:00:10:00:02'/><model type='e1000'/><link state='down'/></interface>
<interface type='ethernet'><mac address='52:54:00:10:00:03'/><target dev='kvtap7'/><model type='virtio'/></interface>
<interface type='server'><mac address='52:54:00:10:00:04'/><source address='127.0.0.1' port='47113'/><model type='virtio'/></interface>
<interface type='mcast'><mac address='52:54:00:10:00:05'/><source address='230.0.0.1' port='47114'/><model type='rtl8139'/></interface>
"""
CHARS = """
<serial type='file'><source path='{run}/serial.log'/></serial>
<serial type='pty'/>
<serial type='tcp'><source mode='bind' host='127.0.0.1' service='47115'/><protocol type='telnet'/></serial>
<parallel type='null'/>
<console type='pty'><target type='virtio'/></console>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<channel type='pty'><target type='virtio' name='b'/></channel>
<channel type='null'><target type='virtio'/></channel>
"""
CONTROLLERS = """
<controller type='usb' index='0' model='ich9-ehci1'/>
<controller type='usb' index='0' model='ich9-uhci1'><master startport='0'/></controller>
<controller type='usb' index='0' model='ich9-uhci2'><master startport='2'/></controller>
<controller type='usb' index='0' model='ich9-uhci3'><master startport='4'/></controller>
<controller type='virtio-serial' index='0' ports='8' vectors='4'/>
<controller type='scsi' index='0' model='lsilogic'/>
<controller type='sata' index='0'/>
<controller type='ccid' index='0'/>
<controller type='pci' index='1' model='{bridge}'/>
"""
CASES = {
    "disks-pc": (DISKS, "pc-i440fx-7.2"),
    "nets-q35": (NETS, "pc-q35-7.2"),
    "chars-pc": (CHARS, "pc-i440fx-7.2"),
    "controllers-pc": (CONTROLLERS, "pc-i440fx-7.2"),
    "controllers-q35": (CONTROLLERS, "pc-q35-7.2"),
}


def masked(text: str, daemon: DaemonHandle, run: Path) -> str:
    """Without what differs from daemon to daemon and from host to host."""
    root = str(daemon.folder) if isinstance(daemon, KvasirDaemon) else ""
    text = text.replace(str(run), "RUN")
    if root:
        text = text.replace(f"{root}/var", "/var").replace(f"{root}/run", "/run")
    text = re.sub(r"/dev/pts/\d+", "/dev/pts/N", text)
    text = re.sub(r"<domain type='qemu' id='\d+'", "<domain type='qemu' id='N'", text)
    return re.sub(r"/domain-\d+-", "/domain-N-", text)


def live(daemon: DaemonHandle, name: str, devices: str, machine: str) -> str:
    """The devices in the live document of the guest, started paused and destroyed again."""
    with short_folder("kv-run-") as run:
        run.chmod(0o777)
        text = document(name, devices.format(images="{images}", run=run, bridge="{bridge}"), machine)
        path = run / "guest.xml"
        path.write_text(text)
        done = daemon.virsh("create", "--paused", str(path))
        assert done.returncode == 0, done.stderr
        try:
            shown = daemon.virsh("-q", "dumpxml", name)
            assert shown.returncode == 0, shown.stderr
            return masked(shown.stdout, daemon, run).partition("  <devices>")[2].partition("  </devices>")[0]
        finally:
            daemon.virsh("destroy", name)


SHOWN = {
    "disks-pc": ("domxml-disk", "domxml-devices-emulator"),
    "nets-q35": ("domxml-interface", "domxml-interface-bridge", "domxml-interface-user", "domxml-interface-ethernet",
                 "domxml-interface-mcast"),
    "chars-pc": ("domxml-chardev", "domxml-char-device-kinds-table", "domxml-chardev-console-tty-attr"),
    "controllers-pc": ("domxml-controller-implicit", "domxml-address-auto-generated"),
    "controllers-q35": ("domxml-address-ccid",),
}  # fmt: skip


@pytest.mark.parametrize("case", [pytest.param(case, marks=pytest.mark.guide(*SHOWN[case])) for case in CASES])
def test_live_document(case: str, ours: InNamespace, theirs: DaemonHandle, images: Path) -> None:
    devices, machine = CASES[case]
    bridge = "pci-bridge" if "i440fx" in machine else "pcie-root-port"
    devices = devices.replace("{images}", str(images)).replace("{bridge}", bridge)
    mine, real = live(ours, case, devices, machine), live(theirs, case, devices, machine)
    difference = "".join(difflib.unified_diff(real.splitlines(True), mine.splitlines(True), "libvirt", "kvasir", n=2))
    assert not difference, f"\n{difference}"


def test_tap_joins_the_bridge_and_goes(ours: InNamespace, images: Path) -> None:
    """The tap has a MAC that the bridge does not take, the bridge's MTU, and is gone with the guest."""
    with short_folder("kv-run-") as run:
        path = run / "guest.xml"
        path.write_text(document("tap", NETS.strip().splitlines()[0], "pc-q35-7.2"))
        assert ours.virsh("create", "--paused", str(path)).returncode == 0
        try:
            shown = ours.inside("ip", "-o", "link", "show", "vnet0")
            assert "master kvbr0" in shown and "mtu 1400" in shown and "fe:54:00:10:00:01" in shown
        finally:
            assert ours.virsh("destroy", "tap").returncode == 0
        assert "vnet0" not in ours.inside("ip", "-o", "link")


def test_missing_bridge_is_named(ours: InNamespace) -> None:
    """A start without the bridge fails with its name and leaves no tap behind."""
    with short_folder("kv-run-") as run:
        path = run / "guest.xml"
        wrong = NETS.strip().splitlines()[0].replace("kvbr0", "nobr9")
        path.write_text(document("nobridge", wrong, "pc-q35-7.2"))
        done = ours.virsh("create", str(path))
        assert done.returncode == 1 and "nobr9" in done.stderr
        assert "vnet" not in ours.inside("ip", "-o", "link")


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ("<interface type='network'><source network='default'/></interface>", "network 'default' is not active"),
        ("<disk type='volume'><source pool='p' volume='v'/><target dev='vda'/></disk>", "no storage pool with matching name 'p'"),
        ("<disk type='file'><source file='/nonexistent/x'/><target dev='vda'/></disk>", "/nonexistent/x"),
    ],
)
def test_what_cannot_start_says_why(ours: InNamespace, devices: str, words: str) -> None:
    with short_folder("kv-run-") as run:
        path = run / "guest.xml"
        path.write_text(document("cannot", devices, "pc-q35-7.2"))
        done = ours.virsh("create", str(path))
        assert done.returncode == 1 and words in done.stderr
