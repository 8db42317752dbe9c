"""Units behind several virtual fibre channel adapters, up to the kernel's door: a fake /sys, and a thread in the kernel's place
that makes and deletes adapters, each with the unit that the storage array's zones let its port name see."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import until

from .conftest import Lone
from .test_vhba import daemon  # noqa: F401  (a fixture)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mount namespaces need root")
PORTS = {"10000000c9831b4b": (5, 2, "loop"), "10000000c9831b4c": (6, 7, "loop2")}
"""What the array shows to each port: number of the adapter that is made, unit, device."""
POOL = """<pool type='scsi'><name>{name}</name><source><adapter type='fc_host' parent='scsi_host3' wwnn='20000000c9831b4b'
wwpn='{port}'/></source><target><path>{path}</path></target></pool>"""
LUN = """<disk type='volume' device='lun' sgio='unfiltered'>
  <driver name='qemu' type='raw'/>
  <source pool='{pool}' volume='{volume}'{mode}/>
  <target dev='sda' bus='scsi'/>
  <shareable/>
</disk>
"""
GUEST = """<domain type='qemu'><name>Guest1</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='scsi' model='virtio-scsi'/></devices></domain>"""


class Kernel(threading.Thread):
    """Answers what is written to the parent's vport_create and vport_delete."""

    def __init__(self, work: Path) -> None:
        super().__init__(daemon=True)
        self.work, self.hosts = work, work / "sys/class/fc_host"
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            for name, act in (("vport_create", self.make), ("vport_delete", self.delete)):
                path = self.hosts / "host3" / name
                port = path.read_text().partition(":")[0]
                if port:
                    path.write_text("")
                    act(port)
            time.sleep(0.02)

    def make(self, port: str) -> None:
        number, unit, device = PORTS[port]
        real = self.work / "sys/devices/pci0000:00/0000:00:1f.2" / f"host{number}/scsi_host/host{number}"
        real.mkdir(parents=True)
        (real / "scan").touch()
        (real / "unique_id").write_text(f"{number}\n")
        link = self.work / f"sys/class/scsi_host/host{number}"
        link.symlink_to(f"../../devices/pci0000:00/0000:00:1f.2/host{number}/scsi_host/host{number}")
        unit_folder = self.work / f"sys/bus/scsi/devices/{number}:0:0:{unit}"
        (unit_folder / "block" / self.device(device)).mkdir(parents=True)
        (unit_folder / "type").write_text("0\n")
        made = self.work / f"h{number}"
        made.mkdir()
        names = {"node_name": "0x20000000c9831b4b", "port_name": f"0x{port}", "fabric_name": "0x2002000573de9a81"}
        for name, value in {**names, "port_state": "Online"}.items():
            (made / name).write_text(f"{value}\n")
        made.rename(self.hosts / f"host{number}")

    def delete(self, port: str) -> None:
        number, unit, _ = PORTS[port]
        for path in (
            f"class/fc_host/host{number}",
            f"class/scsi_host/host{number}",
            f"bus/scsi/devices/{number}:0:0:{unit}",
        ):
            subprocess.run(["rm", "-rf", self.work / "sys" / path], check=True)

    def device(self, link: str) -> str:
        return os.path.basename(os.readlink(self.work / link))


@pytest.fixture
def kernel(daemon: Lone) -> Iterator[Kernel]:  # noqa: F811
    work = daemon.folder / "w"
    watcher = work / "watch.pid"
    os.kill(int(watcher.read_text()), 15)
    watcher.unlink()
    found = Kernel(work)
    found.start()
    yield found
    found.ended.set()
    found.join(10)


def start(daemon: Lone, name: str, port: str, path: str) -> list[str]:  # noqa: F811
    """Start a pool over the port's adapter; the lines of its list of volumes."""
    (daemon.folder / f"{name}.xml").write_text(POOL.format(name=name, port=port, path=path))
    daemon.ok("pool-define", f"{daemon.folder}/{name}.xml")
    daemon.ok("pool-start", name)

    def lines() -> list[str]:
        daemon.ok("pool-refresh", name)
        return [line.strip() for line in daemon.ok("vol-list", name).splitlines()[2:] if line]

    until(lines, "the unit is found")
    return lines()


@pytest.mark.guide("vhba-zoning", "vhba-pool-target-path-choice")
def test_two_adapters_on_one_parent(daemon: Lone, kernel: Kernel) -> None:  # noqa: F811
    """Each pool lists what its port may see; below /dev both list their units by the kernel's names."""
    assert start(daemon, "a", "10000000c9831b4b", "/dev/") == [f"unit:0:0:2   /dev/{kernel.device('loop')}"]
    assert start(daemon, "b", "10000000c9831b4c", "/dev/") == [f"unit:0:0:7   /dev/{kernel.device('loop2')}"]
    for name in ("a", "b"):
        daemon.ok("pool-destroy", name)
        daemon.ok("pool-undefine", name)
    said = " ".join(daemon.ok("help", "nodedev-create").split())
    assert "configure the zones of the storage array first" in said
    assert "an adapter of its own" in said


@pytest.fixture
def by_path(daemon: Lone, kernel: Kernel) -> Iterator[str]:  # noqa: F811
    """A stable name of the unit, in the daemon's own mount namespace."""
    assert daemon.process is not None
    there = os.path.isdir("/dev/disk")
    os.makedirs("/dev/disk", exist_ok=True)
    name = "pci-0000:04:00.1-vport-0x10000000c9831b4b-fc-0x203400a0b85ad1d7-lun-2"
    script = f"mount -t tmpfs none /dev/disk && mkdir /dev/disk/by-path && ln -s ../../{kernel.device('loop')} /dev/disk/by-path/{name}"
    try:
        subprocess.run(["nsenter", "-t", str(daemon.process.pid), "-m", "sh", "-c", script], check=True)
        yield f"/dev/disk/by-path/{name}"
    finally:
        if not there:
            os.rmdir("/dev/disk")


@pytest.mark.guide("vhba-pool-target-path-choice", "storage-xml-disk-volume-lun-vhba", "storage-xml-disk-lun-volume-vhba-pool",
                   "proc-attach-scsi-lun")  # fmt: skip
def test_a_unit_is_given_to_a_guest(daemon: Lone, kernel: Kernel, by_path: str) -> None:  # noqa: F811
    """By its stable name: the guest's definition keeps every attribute, QEMU gets scsi-block on that name."""
    assert start(daemon, "vhbapool_host3", "10000000c9831b4b", "/dev/disk/by-path") == [f"unit:0:0:2   {by_path}"]
    (daemon.folder / "guest.xml").write_text(GUEST)
    daemon.ok("define", f"{daemon.folder}/guest.xml")
    for mode in ("", " mode='host'"):
        document = daemon.folder / "sda.xml"
        document.write_text(LUN.format(pool="vhbapool_host3", volume="unit:0:0:2", mode=mode))
        said = daemon.ok("attach-device", "--config", "Guest1", str(document))
        assert said == "Device attached successfully\n\n"
        shown = daemon.ok("dumpxml", "--inactive", "Guest1")
        for line in document.read_text().splitlines():
            assert line.strip() in shown
        (daemon.folder / "whole.xml").write_text(shown)
        words = daemon.ok("domxml-to-native", "qemu-argv", f"{daemon.folder}/whole.xml")
        device = next(json.loads(word.strip("'")) for word in words.split(" ") if '"driver":"scsi-block"' in word)
        assert device["share-rw"] is True
        assert f'"driver":"host_device","filename":"{by_path}"' in words
        daemon.ok("detach-device", "--config", "Guest1", str(document))
    daemon.ok("undefine", "Guest1")
    daemon.ok("pool-destroy", "vhbapool_host3")
