"""What ``kvasir`` deletes and keeps: images that others stand on, the trash over restarts; snapshots of every kind of disk."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import KvasirDaemon, TinyGuest
from tests.friendly.conftest import Front
from tests.friendly.test_system import front  # noqa: F401  (a fixture)

GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>{disks}</devices></domain>"""
DISK = "<disk type='file' device='disk'><driver name='qemu' type='{kind}'/><source file='{path}'/><target dev='{dev}' bus='virtio'/></disk>"


def image(path: Path, kind: str = "qcow2", below: Path | None = None) -> Path:
    under = ["-b", str(below), "-F", "qcow2"] if below else []
    subprocess.run(["qemu-img", "create", "-q", "-f", kind, *under, str(path), *([] if below else ["8M"])], check=True)
    return path


def define(front: Front, name: str, *disks: str) -> None:  # noqa: F811
    path = front.folder / f"{name}.xml"
    path.write_text(GUEST.format(name=name, disks="".join(disks)))
    done = front.virsh("define", str(path))
    assert done.returncode == 0, done.stderr


def disk(path: Path, kind: str = "qcow2", dev: str = "vda") -> str:
    return DISK.format(path=path, kind=kind, dev=dev)


def test_images_that_others_need_stay(front: Front) -> None:  # noqa: F811
    """As a disk, as what lies under a disk (two deep, the lowest in no pool), under a guest in the trash; then each goes with its last user."""
    pool, elsewhere = front.folder / "images", front.folder / "elsewhere"
    elsewhere.mkdir()
    base = image(elsewhere / "base.qcow2")
    middle = image(pool / "middle.qcow2", below=base)
    top = image(pool / "top.qcow2", below=middle)
    data = image(pool / "data.raw", "raw")
    lone = image(pool / "lone.qcow2")
    front.virsh("pool-refresh", "default")
    define(front, "golden", disk(middle), disk(data, "raw", "vdb"), disk(base, dev="vdc"), disk(lone, dev="vdd"))
    define(front, "web", disk(top))
    volume = "<disk type='volume' device='disk'><driver name='qemu' type='raw'/><source pool='default' volume='data.raw'/><target dev='vda' bus='virtio'/></disk>"
    define(front, "db", volume)
    said = front.say("delete", "golden", "--purge")
    assert f"{middle} stays: it is under the disks of web\n" in said
    assert f"{base} stays: it is under the disks of web\n" in said
    assert f"{data} stays: db uses it\n" in said and str(lone) not in said
    assert middle.exists() and base.exists() and data.exists() and not lone.exists()
    assert front.data("list") and front.virsh("start", "web").returncode == 0, "web has lost nothing"
    front.say("delete", "db", "--purge")
    assert not data.exists(), "a volume is a disk too"
    front.say("stop", "web", "--force")
    front.say("delete", "web")
    define(front, "golden", disk(middle), disk(base, dev="vdb"))
    said = front.say("delete", "golden", "--purge")
    assert f"{middle} stays: it is under the disks of web (in the trash)\n" in said and middle.exists()
    front.say("undo", "web")
    front.say("delete", "web", "--purge")
    assert not top.exists() and middle.exists()
    define(front, "golden", disk(middle), disk(base, dev="vdb"))
    assert (
        front.say("delete", "golden", "--purge") == f"{base} stays: it is in no storage pool. To delete it: rm {base}\n"
    )
    assert not middle.exists() and base.exists()


def test_the_trash_over_restarts(front: Front, kvasird: KvasirDaemon) -> None:  # noqa: F811
    """kill -9 of the daemon between delete and undo; a purged guest does not come back; a broken entry hides none."""
    path = image(front.folder / "images/a.qcow2")
    front.virsh("pool-refresh", "default")
    define(front, "one", disk(path))
    front.say("snapshot", "one", "first")
    front.virsh("autostart", "one")
    before = front.virsh("dumpxml", "one").stdout
    front.say("delete", "one")
    kvasird.kill()
    kvasird.start()
    assert [row["name"] for row in front.data("trash")] == ["one"]
    (front.folder / "data/trash/broken.json").write_text("{")
    front.say("undo", "one")
    assert front.virsh("dumpxml", "one").stdout == before
    assert "first" in front.virsh("snapshot-list", "one", "--name").stdout
    assert "enable" in front.virsh("dominfo", "one").stdout
    front.say("delete", "one", "--purge")
    assert "no one in the trash; there is: nothing" in front.refused("undo", "one")
    assert not path.exists() and (front.folder / "data/trash/broken.json").exists()
    define(front, "two", disk(image(front.folder / "images/b.qcow2")))
    front.say("delete", "two")
    (front.folder / "images/b.qcow2").unlink()
    assert "its disk" in (said := front.say("undo", "two")) and "is gone" in said, said


def loop_device(path: Path) -> str:
    done = subprocess.run(["losetup", "--show", "-f", str(path)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no loop device: {done.stderr.strip()}")
    return done.stdout.strip()


@pytest.mark.parametrize("running", [False, True])
def test_snapshots_of_every_kind_of_disk(front: Front, tiny_guest: TinyGuest, running: bool) -> None:  # noqa: F811
    """qcow2 inside the image; raw, block device and volume by files beside them, back and forth; CD drives stay out of it."""
    pool = front.folder / "images"
    block = image(front.folder / "block.raw", "raw")
    device = loop_device(block)
    try:
        raw = image(pool / "raw.img", "raw")
        volume = image(pool / "volume.raw", "raw")
        front.virsh("pool-refresh", "default")
        disks = [
            disk(image(pool / "q.qcow2")), disk(raw, "raw", "vdb"),
            f"<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='{device}'/><target dev='vdc' bus='virtio'/></disk>",
            f"<disk type='volume' device='disk'><driver name='qemu' type='raw'/><source pool='default' volume='{volume.name}'/><target dev='vdd' bus='virtio'/></disk>",
            "<disk type='file' device='cdrom'><target dev='hda' bus='ide'/></disk>",
        ]  # fmt: skip
        define(front, "mixed", *disks)
        if running:
            front.say("start", "mixed")
        raw_before = raw.read_bytes()
        said = front.say("snapshot", "mixed", "before")
        assert "disks only" in said, said
        row = front.data("snapshot", "mixed", "--list")[0]
        assert row["name"] == "before"
        sources = front.virsh("domblklist", "mixed").stdout
        assert sources.count(".before") == 4 and device not in sources and str(raw) not in sources.split()
        if running:
            front.say("stop", "mixed", "--force")
        front.say("snapshot", "mixed", "--restore", "before")
        assert raw.read_bytes() == raw_before
        own = image(pool / "v.qcow2")
        front.virsh("pool-refresh", "default")
        inner = "<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/><source pool='default' volume='v.qcow2'/><target dev='vdb' bus='virtio'/></disk>"
        define(front, "plain", disk(image(pool / "p.qcow2")), inner)
        if running:
            front.say("start", "plain")
        assert "disks only" not in front.say("snapshot", "plain", "inside")
        front.run("stop", "plain", "--force")
        for path in (pool / "p.qcow2", own):
            done = subprocess.run(["qemu-img", "info", "--output=json", str(path)], capture_output=True, check=True)
            assert json.loads(done.stdout)["snapshots"][0]["name"] == "inside"
        front.say("snapshot", "plain", "--restore", "inside")
        front.run("stop", "plain", "--force")
        front.say("snapshot", "plain", "--delete", "inside")
    finally:
        for name in ("mixed", "plain"):
            front.run("stop", name, "--force")
        subprocess.run(["losetup", "-d", device], check=False)


def test_resize_while_it_runs(front: Front) -> None:  # noqa: F811
    """Memory and CPUs at once where the guest was made for it, else at its next start, which the words say; the disk at once."""
    path = image(front.folder / "images/r.qcow2")
    front.virsh("pool-refresh", "default")
    define(front, "grow", disk(path))
    front.say("resize", "grow", "--memory", "64")
    front.say("start", "grow")
    try:
        assert front.say("resize", "grow", "--memory", "48") == ""
        assert "49152</currentMemory>" in front.virsh("dumpxml", "grow", "--inactive").stdout
        said = front.say("resize", "grow", "--memory", "96", "--cpus", "3", "--disk", "1")
        assert said.startswith("At its next start grow has 96 MiB of memory and 3 CPUs: kvasir stop grow")
        assert f"{1 << 30}" in front.virsh("domblkinfo", "grow", "vda").stdout
        assert "becomes smaller" in front.refused("resize", "grow", "--disk", "0.5")
        front.say("stop", "grow", "--force")
        front.say("start", "grow")
        shown = front.virsh("dominfo", "grow").stdout
        assert "98304" in shown and "CPU(s):         3" in shown
        assert "kvasir stop grow" in front.refused("clone", "grow")
    finally:
        front.run("stop", "grow", "--force")
