"""Virtual fibre channel adapters, up to the kernel's door: a fake /sys (and a process in the kernel's place that makes and
deletes the adapter when the daemon writes to vport_create and vport_delete)."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import short_folder
from tests.golden.storage import lab

from .conftest import Lone

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mount namespaces need root")
NAMES = "wwnn='20000000c9831b4b' wwpn='10000000c9831b4b'"


@pytest.fixture
def daemon() -> Iterator[Lone]:
    with short_folder("kvh-") as folder:
        case = lab.read(lab.HERE / "cases/zz-vhba.case")
        work = folder / "w"
        work.mkdir()
        subprocess.run(["sh", "-ec", case.shell], check=True, cwd=work, capture_output=True)
        found = Lone(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, None)
        found.start()
        assert found.process is not None
        subprocess.run(
            ["nsenter", "-t", str(found.process.pid), "-m", "mount", "--bind", str(work / "sys"), "/sys"], check=True
        )
        try:
            yield found
        finally:
            found.stop()
            found.end_guests()  # of a test that failed
            subprocess.run(["sh", "-c", case.end], cwd=work, capture_output=True)


def written(daemon: Lone) -> list[str]:
    return Path(daemon.folder / "w/vports").read_text().splitlines()


@pytest.mark.guide("vhba-identification", "pool-vhba-parent-attributes", "storage-xml-disk-volume-vhba", "vhba-concept-npiv",
                   "vol-list-vhba-names", "pool-dumpxml-vhba-example")  # fmt: skip
@pytest.mark.parametrize(
    "parent",
    [
        "",
        " parent='scsi_host3'",
        " parent_wwnn='20000000c9831b4a' parent_wwpn='10000000c9831b4a'",
        " parent_fabric_wwn='2002000573de9a81'",
    ],
    ids=["any", "name", "wwn", "fabric"],
)
def test_made_and_deleted(daemon: Lone, parent: str) -> None:
    """Starting the pool makes the adapter on its parent; its units are volumes; stopping deletes it."""
    (daemon.folder / "p.xml").write_text(
        f"<pool type='scsi'><name>v</name><source><adapter type='fc_host'{parent} {NAMES}/></source>"
        "<target><path>/dev</path></target></pool>"
    )
    daemon.ok("pool-define", f"{daemon.folder}/p.xml")
    daemon.ok("pool-start", "v")
    assert written(daemon) == ["10000000c9831b4b:20000000c9831b4b created"]
    assert daemon.ok("vol-list", "v").splitlines()[2].split()[0] == "unit:0:0:2"
    assert "managed='yes'" in daemon.ok("pool-dumpxml", "v")
    if not parent:
        _disk(daemon)
    daemon.ok("pool-destroy", "v")
    assert _deleted(daemon)
    daemon.ok("pool-undefine", "v")


def _disk(daemon: Lone) -> None:
    """A guest's disk by pool and unit is the unit's block device."""
    (daemon.folder / "d.xml").write_text(
        "<domain type='qemu'><name>g</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os><devices>"
        "<emulator>/usr/bin/qemu-system-x86_64</emulator><disk type='volume' device='disk'><driver name='qemu' type='raw'/>"
        "<source pool='v' volume='unit:0:0:2'/><target dev='vda' bus='virtio'/></disk></devices></domain>"
    )
    words = daemon.ok("domxml-to-native", "qemu-argv", f"{daemon.folder}/d.xml")
    assert '"driver":"host_device","filename":"/dev/loop' in words


def _deleted(daemon: Lone) -> bool:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        if written(daemon)[1:] == ["10000000c9831b4b:20000000c9831b4b deleted"]:
            return True
        time.sleep(0.1)
    return False
