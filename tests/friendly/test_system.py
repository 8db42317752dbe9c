"""``kvasir`` on a system daemon: an image of a signed list, downloaded and launched; the doctor on real guests."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.conftest import KvasirDaemon, TinyGuest
from tests.friendly.conftest import Front
from tests.friendly.test_images import Server, server, signed  # noqa: F401  (a fixture)
from tests.waiting import until

PLAIN = """<domain type='qemu'><name>{name}</name><memory unit='KiB'>{memory}</memory><vcpu>{cpus}</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>{devices}</devices></domain>"""


@pytest.fixture
def front(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> Front:
    """Root's, with all that is made under the daemon's root."""
    made = Front(kvasird.uri, kvasird.folder, [], {"KVASIR_TINY": str(tiny_guest.folder)})
    (made.folder / "images").mkdir()
    for words in (
        ("pool-define-as", "default", "dir", "--target", str(made.folder / "images")),
        ("pool-start", "default"),
    ):
        assert made.virsh(*words).returncode == 0
    return made


def test_an_image_of_the_list(front: Front, server: Server, tiny_guest: TinyGuest, tmp_path: Path) -> None:  # noqa: F811
    """Downloaded in pieces, checked, kept in a pool, and the guest's disk stands on it."""
    server.content = tiny_guest.disk.read_bytes()
    server.limit = 9 << 20
    home = front.folder / "data"
    home.mkdir()
    row: dict[str, object] = {"name": "own", "version": "1", "file": "own.qcow2", "mirrors": [server.url], "user": "me",
                              "sum": hashlib.sha256(server.content).hexdigest(), "osinfo": "linux2022"}  # fmt: skip
    front.say("images", "--update", str(signed(tmp_path, home, [row])))
    done = front.run(
        "launch", "own", "--name", "first", "--disk", "1", "--memory", "256", "--virt-type", "qemu", "--network", "none"
    )
    assert done.returncode == 0, done.stderr
    assert len(server.asked) == 2 and front.state("first") == "running"
    assert "own-1.qcow2" in front.virsh("vol-list", "kvasir-images").stdout
    live = ET.fromstring(front.virsh("dumpxml", "first").stdout)
    assert [s.get("file") for s in live.findall("devices/disk/backingStore/source")] == [
        str(home / "images/own-1.qcow2")
    ]
    assert "is under the disks of first" in front.refused("images", "--remove", "own")
    front.say("stop", "first", "--force")
    front.say("delete", "first", "--purge")
    front.say("images", "--remove", "own")
    assert list((front.folder / "images").iterdir()) == [] == list((home / "images").iterdir())


@pytest.mark.guide("behaviour-overcommit", "behaviour-vcpu-overcommit", "behaviour-memory-overcommit-caveats")
def test_more_than_the_host_has(front: Front) -> None:
    """Two guests that have 1.2 times the host's memory, one of them more CPUs than the host: both start, the words are there.
    One that the kernel kills, as it does when memory is out, has crashed."""
    total = int(
        next(line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    )
    threads = os.cpu_count() or 1
    for name, cpus in (("a", threads + 1), ("b", 1)):
        path = front.folder / f"{name}.xml"
        path.write_text(PLAIN.format(name=name, memory=int(total * 0.6), cpus=cpus, devices=""))
        assert front.virsh("define", str(path)).returncode == 0
        assert front.virsh("start", name, "--paused").returncode == 0
    said = front.run("host", "--images", str(front.folder)).stdout
    assert f"overcommit   {(threads + 2) / threads:.1f} virtual CPUs for each thread, 1.2 of the memory" in said
    found = front.data("doctor")
    texts = [row["text"] for row in found if row["check"] == "overcommit"]
    assert any(text.startswith(f"a: {threads + 1} virtual CPUs are more than the host's") for text in texts), texts
    swap = int(
        next(line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("SwapTotal"))
    )
    assert swap > total or any("overcommit the host's" in text for text in texts)
    os.kill(int((front.folder / "run/libvirt/qemu/b.pid").read_text()), signal.SIGKILL)
    until(lambda: front.virsh("domstate", "b", "--reason").stdout.strip() == "shut off (crashed)", "crash")
    front.say("stop", "a", "--force")


def test_the_doctor_sees_guests(front: Front) -> None:
    """A disk in a closed folder, one that is gone, and a default network that sleeps."""
    closed = front.folder / "home"
    (closed / "vm").mkdir(parents=True)
    closed.chmod(0o700)
    (closed / "vm/here.img").touch()
    disk = "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/><target dev='vda' bus='virtio'/></disk>"
    for name, path in (("mine", closed / "vm/here.img"), ("lost", front.folder / "gone.img")):
        (front.folder / "g.xml").write_text(PLAIN.format(name=name, memory=32768, cpus=1, devices=disk.format(path)))
        assert front.virsh("define", str(front.folder / "g.xml")).returncode == 0
    done = front.run("doctor", "--json")
    assert done.returncode == 1
    rows = {row["check"]: row for row in json.loads(done.stdout)}
    assert f"setfacl -m u:libvirt-qemu:x {closed}" in rows["images in closed folders"]["repair"]
    assert "gone.img of lost is not there" in rows["images that are missing"]["text"]
    assert rows["network default"]["safe"] and rows["network default"]["repair"].endswith("net-start default")
    shutil.rmtree(closed)
    for name in ("mine", "lost"):
        front.say("delete", name)
    assert "another guest" not in front.say("undo", "lost") and front.state("lost") == "shut off"
    front.say("delete", "lost")


def test_without_a_daemon(tmp_path: Path) -> None:
    """One line and the way out, no traceback."""
    nowhere = Front(f"qemu+unix:///system?socket={tmp_path}/none", tmp_path)
    assert "kvasir: " in nowhere.refused("list")
    assert "daemon" in {row["check"] for row in nowhere.data("doctor")}
