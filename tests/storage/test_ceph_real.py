"""Ceph for real: a cluster in a namespace; pools and volumes of ours beside the real daemon's, guests and copies on it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from tests.conftest import DaemonHandle
from tests.engines import Room, room, with_packages
from tests.storage import cluster

pytestmark = [
    pytest.mark.timeout(1500),
    pytest.mark.skipif(
        not os.environ.get("KVASIR_LONG"), reason="a Ceph cluster takes a minute and more: KVASIR_LONG=1"
    ),
]
UUID = "11111111-1111-2222-3333-444444444444"
SECRET = f"""<secret ephemeral='no' private='no'><uuid>{UUID}</uuid><usage type='ceph'><name>client.libvirt secret</name></usage></secret>"""
POOL = """<pool type='rbd'><name>r</name><source><host name='127.0.0.1' port='6789'/><name>rbd</name>
<auth type='ceph' username='libvirt'><secret usage='client.libvirt secret'/></auth></source></pool>"""
AUTH = "<auth username='libvirt'><secret type='ceph' usage='client.libvirt secret'/></auth>"
DISK = f"""<disk type='network'><driver name='qemu' type='%s'/>{AUTH}<source protocol='rbd' name='rbd/%s'>
<host name='127.0.0.1' port='6789'/></source><target dev='vda' bus='virtio'/></disk>"""
VOLUME = "<disk type='volume'><driver name='qemu' type='raw'/><source pool='r' volume='disk'/><target dev='vda' bus='virtio'/></disk>"
GUEST = """<domain type='qemu'><name>one</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>%s<memballoon model='none'/></devices></domain>"""
COPY = "<volume><name>from</name><capacity unit='M'>50</capacity></volume>"


@pytest.fixture(scope="module")
def ceph() -> Iterator[Room]:
    root = with_packages(
        "ceph",
        "ceph-mon",
        "ceph-osd",
        "ceph-mgr",
        "ceph-common",
        "libvirt-daemon-driver-storage-rbd",
        "qemu-block-extra",
    )
    with room(root) as made:
        key = cluster.start(made)
        data = made.folder / "data"
        data.write_bytes(os.urandom(6 << 20))
        made.run("rbd", "import", str(data), "rbd/full")
        made.run("rbd", "create", "--size", "10M", "rbd/a")
        made.run("rbd", "create", "--size", "20M", "--object-size", "1M", "rbd/small")
        made.run("rbd", "create", "--size", "20M", "--image-feature", "exclusive-lock", "rbd/plain")
        made.start_ours()
        for name, text in (("secret", SECRET), ("pool", POOL), ("from", COPY)):
            (made.folder / f"{name}.xml").write_text(text)
        for daemon in (made.real, made.ours):
            assert daemon.virsh("secret-define", str(made.folder / "secret.xml")).returncode == 0
            assert daemon.virsh("secret-set-value", UUID, key).returncode == 0
        yield made


FREE = re.compile(
    r"((?:allocation|available) unit='bytes'>|(?:Allocation|Available):\s+)(\d+)|[0-9a-f]{8}-[0-9a-f-]{27}"
)


def same(ceph: Room, *words: str) -> str:
    """What both daemons say to the same words; a pool's own numbers aside."""
    said = []
    for daemon in (ceph.real, ceph.ours):
        done = daemon.virsh(*words)
        text = done.stdout + done.stderr
        said.append(FREE.sub(lambda m: (m[1] or "") + "N", text) if words[0].startswith("pool") else text)
    assert said[0] == said[1], words
    return said[1]


def test_pool_and_its_volumes(ceph: Room) -> None:
    """Secret, define, start, listed with the sizes that the real daemon shows."""
    same(ceph, "pool-define", str(ceph.folder / "pool.xml"))
    same(ceph, "pool-start", "r")
    assert "<name>rbd</name>" in same(ceph, "pool-dumpxml", "r")
    assert "1073741824" in same(ceph, "pool-info", "r", "--bytes")
    assert "rbd/small" in same(ceph, "vol-list", "r", "--details")
    for name in ("a", "full", "small", "plain"):
        same(ceph, "vol-dumpxml", name, "r")
    same(ceph, "vol-path", "a", "r")
    same(ceph, "vol-name", "rbd/a")
    same(ceph, "vol-pool", "rbd/a")
    same(ceph, "pool-delete", "r")
    same(ceph, "find-storage-pool-sources-as", "rbd")
    numbers = [
        [int(m[2]) for m in FREE.finditer(daemon.virsh("pool-dumpxml", "r").stdout) if m[2]]
        for daemon in (ceph.real, ceph.ours)
    ]
    assert all(abs(left - right) < 2 << 20 for left, right in zip(*numbers, strict=True)), numbers


def test_volumes_made_and_changed(ceph: Room) -> None:
    """Each daemon makes, grows, clones, wipes and deletes its own; words and documents are alike."""
    data = str(ceph.folder / "data")
    said = []
    for daemon, name in ((ceph.real, "v1"), (ceph.ours, "v2")):
        words = [
            ("vol-create-as", "r", name, "5000000"), ("vol-create-as", "r", name, "5000000"),
            ("vol-create-as", "r", "other", "5M", "--format", "qcow2"), ("vol-create-as", "r", "none", "0"),
            ("vol-dumpxml", name, "r"), ("vol-info", name, "r", "--bytes"), ("vol-resize", name, "8M", "r"),
            ("vol-resize", name, "1M", "r"), ("vol-resize", name, "1M", "r", "--delta"), ("vol-info", name, "r", "--bytes"),
            ("vol-clone", "full", f"{name}c", "r"), ("vol-dumpxml", f"{name}c", "r"),
            ("vol-create-from", "r", str(ceph.folder / "from.xml"), "full", "--inputpool", "r"), ("vol-dumpxml", "from", "r"),
            ("vol-upload", name, data, "r"), ("vol-download", name, f"{data}.back", "r"), ("vol-wipe", name, "r"),
            ("vol-wipe", name, "r", "--algorithm", "random"), ("vol-wipe", f"{name}c", "r", "--algorithm", "trim"),
            ("vol-delete", "from", "r"), ("vol-delete", f"{name}c", "r"), ("vol-delete", name, "r"),
        ]  # fmt: skip
        rows = []
        for line in words:
            if line[:2] == ("vol-wipe", f"{name}c"):
                out = str(ceph.folder / "cloned")
                ceph.run("rbd", "export", "--no-progress", f"rbd/{name}c", out)
                assert (ceph.folder / "cloned").read_bytes() == (ceph.folder / "data").read_bytes()
                (ceph.folder / "cloned").unlink()
                assert "rbd/full@libvirt-" in ceph.run("rbd", "info", f"rbd/{name}c").stdout, "a child, not a copy"
            done = daemon.virsh(*line)
            rows.append((done.stdout + done.stderr).replace(name, "V"))
        said.append(rows)
    assert said[0] == said[1]
    assert ceph.run("rbd", "snap", "ls", "rbd/full").stdout.count("libvirt-") == 1, "one snapshot for all children"
    plain = ceph.ours.virsh("vol-clone", "plain", "plain2", "r")
    assert plain.returncode == 0 and "parent" not in ceph.run("rbd", "info", "rbd/plain2").stdout
    refused = ceph.ours.virsh("vol-delete", "full", "r").stderr
    assert "failed to remove volume 'rbd/full'" in refused
    ceph.run("rbd", "create", "--size", "9M", "rbd/late")
    same(ceph, "pool-refresh", "r")
    assert "late" in same(ceph, "vol-list", "r", "--details")


def create(daemon: DaemonHandle, ceph: Room, disk: str) -> None:
    (ceph.folder / "g.xml").write_text(GUEST % disk)
    done = daemon.virsh("create", str(ceph.folder / "g.xml"))
    assert done.returncode == 0, done.stderr + ceph.log()


@pytest.mark.guide("domxml-disk-auth")
def test_guests_on_images(ceph: Room) -> None:
    """By network disk with the cephx secret (by pool and volume both refuse): sizes, statistics, growth as the real daemon's."""
    ceph.run("rbd", "create", "--size", "10M", "rbd/disk")
    same(ceph, "pool-refresh", "r")
    said = []
    for daemon in (ceph.real, ceph.ours):
        create(daemon, ceph, DISK % ("raw", "small"))
        rows = [
            daemon.virsh(*words)
            for words in (
                ("domblkinfo", "one", "vda"), ("domblkinfo", "one", "--all"), ("domblklist", "one"),
                ("blockresize", "one", "vda", "30M"), ("domblkinfo", "one", "vda"), ("blockresize", "one", "vda", "20M"),
                ("snapshot-create-as", "one", "s", "--disk-only"), ("domblkinfo", "one", "rbd/small"),
            )
        ]  # fmt: skip
        stats = daemon.virsh("domstats", "one", "--block").stdout
        rows_text = [done.stdout + done.stderr for done in rows]
        said.append([*rows_text, re.sub(r"(\.(?:rd|wr|fl)\.\w+=)\d+", r"\1", stats)])
        assert "30 MiB" not in ceph.run("rbd", "info", "rbd/small").stdout
        assert daemon.virsh("destroy", "one").returncode == 0
    assert said[0] == said[1]
    (ceph.folder / "g.xml").write_text(GUEST % VOLUME)
    assert "isn't yet supported" in same(ceph, "create", str(ceph.folder / "g.xml")), "as libvirt 9.0"


def test_copies_make_their_own_image(ceph: Room) -> None:
    """blockcopy into images that do not exist: QEMU makes them on the cluster, raw and qcow2, with every byte."""
    said = []
    for daemon in (ceph.real, ceph.ours):
        create(daemon, ceph, DISK % ("raw", "full"))
        rows = []
        for form in ("raw", "qcow2"):
            target = ceph.folder / "copy.xml"
            target.write_text(
                f"<disk type='network'><driver name='qemu' type='{form}'/><source protocol='rbd' name='rbd/copy-{form}'>{AUTH}"
                "<host name='127.0.0.1' port='6789'/></source><target dev='vda' bus='virtio'/></disk>"
            )
            done = daemon.virsh("blockcopy", "one", "vda", "--xml", str(target), "--wait", "--transient-job", "--pivot")
            assert done.returncode == 0, done.stderr + ceph.log()
            rows.append(daemon.virsh("dumpxml", "one").stdout.split("<disk")[1].split("</disk")[0])
        nowhere = ceph.folder / "nbd.xml"
        nowhere.write_text("<disk type='network'><driver name='qemu' type='raw'/><source protocol='nbd' name='x'>"
                           "<host name='127.0.0.1' port='10809'/></source><target dev='vda' bus='virtio'/></disk>")  # fmt: skip
        rows.append(daemon.virsh("blockcopy", "one", "vda", "--xml", str(nowhere), "--wait", "--transient-job").stderr)
        said.append(rows)
        assert daemon.virsh("destroy", "one").returncode == 0
        out = ceph.folder / "back"
        ceph.run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", "rbd:rbd/copy-qcow2", str(out))
        assert out.read_bytes() == (ceph.folder / "data").read_bytes()
        ceph.run("rbd", "export", "--no-progress", "rbd/copy-raw", str(ceph.folder / "raw"))
        assert (ceph.folder / "raw").read_bytes() == (ceph.folder / "data").read_bytes()
        (ceph.folder / "raw").unlink()
        for form in ("raw", "qcow2"):
            ceph.run("rbd", "rm", "--no-progress", f"rbd/copy-{form}")
    assert said[0] == said[1]
