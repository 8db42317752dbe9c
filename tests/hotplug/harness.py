"""One guest on the real daemon and one on ours, in namespaces of their own, each with its own copy of the same images."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon, Peers, TinyGuest, short_folder
from tests.waiting import until

BRIDGES = (
    "ip link set lo up; for b in kvbr0 kvbr1; do ip link show $b >/dev/null 2>&1 || ip link add $b type bridge; "
    "ip link set $b up; done"
)
PORTS = 15
GUEST = """\
<domain type='qemu'><name>hp</name><uuid>11111111-2222-3333-4444-555555555555</uuid>
<maxMemory slots='8' unit='MiB'>2048</maxMemory><memory unit='MiB'>320</memory><vcpu current='2'>4</vcpu>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><kernel>{images}/kernel</kernel><initrd>{images}/initramfs</initrd>
<cmdline>{cmdline}</cmdline></os>
<features><acpi/></features>
<cpu mode='custom' match='exact'><model>qemu64</model><numa><cell id='0' cpus='0-3' memory='320' unit='MiB'/></numa></cpu>
<pm><suspend-to-mem enabled='yes'/><suspend-to-disk enabled='yes'/></pm>
<devices>
<controller type='pci' model='pcie-root'/>{ports}<controller type='pci' model='pcie-to-pci-bridge'/>
<controller type='usb' model='qemu-xhci' ports='8'/><controller type='scsi' model='virtio-scsi'/>
<controller type='virtio-serial'/>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{images}/f.raw'/>
<target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{images}/e.raw'/>
<target dev='sda' bus='sata'/></disk>
<disk type='file' device='cdrom'><target dev='sdb' bus='scsi'/></disk>
<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='kvbr0'/><model type='virtio'/></interface>
<interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/></interface>
<serial type='pty'/><console type='pty'/>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<graphics type='vnc' port='-1' passwd='abc'/><memballoon model='virtio'/>
</devices></domain>
"""


class Ours(KvasirDaemon):
    """Our daemon in a network namespace with two bridges, where ``images`` is another folder's content."""

    def __init__(self, folder: Path, peers: Peers, images: Path, content: Path) -> None:
        super().__init__(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, peers)
        hold = f"mount --bind {content} {images} && {BRIDGES}; exec sleep 100000"
        self.space = subprocess.Popen(["unshare", "--net", "--mount", "sh", "-c", hold])

    def start(self, *options: str) -> None:
        self.wait_space()
        super().start(*options)

    def wait_space(self) -> None:
        until(
            lambda: subprocess.run(self.within("ip", "link", "show", "kvbr1"), capture_output=True).returncode == 0,
            "the namespace has no bridges",
        )

    def within(self, *command: str) -> list[str]:
        return ["nsenter", "-t", str(self.space.pid), "-n", "-m", *command]

    def inside(self, *command: str) -> str:
        """Run a program there; what it prints."""
        return subprocess.run(self.within(*command), check=True, capture_output=True, text=True).stdout


@dataclass
class Pair:
    """The same guest on both daemons."""

    theirs: DaemonHandle
    ours: Ours
    images: Path
    document: Path

    def each(self) -> tuple[DaemonHandle, DaemonHandle]:
        return self.theirs, self.ours

    def fresh(self) -> None:
        """Both guests begin anew, and their agents answer."""

        def one(daemon: DaemonHandle) -> None:
            daemon.virsh("destroy", "hp")
            daemon.virsh("undefine", "hp")
            for line in (("define", str(self.document)), ("start", "hp")):
                done = daemon.virsh(*line)
                assert done.returncode == 0, done.stderr
            wait_agent(daemon)

        self.both(one)

    def redefine(self) -> None:
        """The definition begins anew; a guest that runs goes on."""
        for daemon in self.each():
            assert daemon.virsh("define", str(self.document)).returncode == 0
            if "running" not in daemon.virsh("domstate", "hp").stdout:
                assert daemon.virsh("start", "hp").returncode == 0

    def both(self, work: object) -> list[object]:
        """Do something with each daemon at the same time."""
        assert callable(work)
        found: list[object] = [None, None]
        failures: list[BaseException] = []

        def run(at: int, daemon: DaemonHandle) -> None:
            try:
                found[at] = work(daemon)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=run, args=(at, daemon)) for at, daemon in enumerate(self.each())]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return found


def wait_agent(daemon: DaemonHandle, guest: str = "hp", seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while daemon.virsh("qemu-agent-command", guest, '{"execute":"guest-ping"}').returncode:
        assert time.monotonic() < end, "the agent does not answer"
        time.sleep(0.3)


def transcript(daemon: DaemonHandle, lines: list[str], program: str = "real") -> list[str]:
    """What one virsh, the real one or ours, says to each line: output and errors together, what differs by chance masked."""
    text = "\n".join(f"echo '### {at}'\n{line}" for at, line in enumerate(lines)) + "\n"
    assert daemon.peers is not None
    libraries = ":".join(str(path.parent) for path in (daemon.peers.root / "usr/lib").glob("*/libvirt.so.0"))
    env = {**os.environ, "LD_LIBRARY_PATH": libraries if program == "real" else "", "LC_ALL": "C"}
    virsh = daemon.peers.root / "usr/bin/virsh" if program == "real" else PROJECT / "bin/virsh"
    done = subprocess.run(
        [str(virsh), "-c", daemon.uri, text],
        env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=400,
    )  # fmt: skip
    parts = re.split(r"^### (\d+)\n", masked(done.stdout, daemon), flags=re.M)
    found = [int(number) for number in parts[1::2]]
    assert found == list(range(len(lines))), (found[-3:], lines[len(found) - 1 :][:3], done.stdout[-600:])
    return parts[2::2]


def masked(text: str, daemon: DaemonHandle) -> str:
    text = text.replace(f"{daemon.folder}/var/", "/var/")
    text = re.sub(r"pts/\d+", "pts/N", text)
    text = re.sub(r"domain-\d+-", "domain-N-", text)
    text = re.sub(r"vnet\d+", "vnetN", text)
    text = re.sub(r"id='\d+'>", "id='N'>", text)
    text = re.sub(r"fallback='\w+'", "fallback='X'", text)
    return re.sub(r" state='(dis)?connected'", "", text)


@contextlib.contextmanager
def pair_of(peers: Peers, real: DaemonHandle, tiny: TinyGuest) -> Iterator[Pair]:
    """Both daemons with the guest defined on each; images lie at the same path, with content of each one's own."""
    with short_folder("kv-hp-") as folder, short_folder("kv-hpi-") as images, short_folder("kv-hpo-") as content:
        for name in ("kernel", "initramfs"):
            shutil.copy(tiny.folder / name, images / name)
        for letter in "abcdef":
            for kind in ("raw", "qcow2"):
                path = f"{images}/{letter}.{kind}"
                subprocess.run(["qemu-img", "create", "-q", "-f", kind, path, "8M"], check=True)
        shutil.copytree(images, content, dirs_exist_ok=True)
        document = folder / "hp.xml"
        ports = "<controller type='pci' model='pcie-root-port'/>" * PORTS
        document.write_text(GUEST.format(images=images, cmdline=tiny.cmdline, ports=ports))
        peer = [str(PROJECT / "scripts/peer"), "exec", "--dir", str(real.folder), "--", "sh", "-c", BRIDGES]
        subprocess.run(peer, check=True, env={**os.environ, "KVASIR_PEERS": str(peers.root)})
        ours = Ours(folder, peers, images, content)
        try:
            ours.start()
            pair = Pair(real, ours, images, document)
            yield pair
            for daemon in pair.each():
                daemon.virsh("destroy", "hp")
            assert ours.stop() == 0, ours.log()
        finally:
            if ours.process is not None and ours.process.poll() is None:
                ours.kill()
            ours.end_guests()
            ours.space.kill()
            ours.space.wait()
