"""Images that lie: the daemon reads their heads and is led nowhere."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kvasir.storage import documents, probe
from kvasir.storage.pools.dir import DirPool
from tests.conftest import PROJECT

from . import hostile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, (_, data) in enumerate(hostile.images()):
        (tmp_path / f"image-{number:03}").write_bytes(data)
    return tmp_path


def test_how_many() -> None:
    assert len(hostile.images()) >= 300


@pytest.mark.parametrize(("name", "data"), hostile.images(), ids=[name for name, _ in hostile.images()])
def test_head(name: str, data: bytes) -> None:
    """No head makes the reader fail or gives it a nonsensical answer."""
    info = probe.read_head(data[: probe.HEAD])
    assert info.capacity is None or 0 <= info.capacity < 2**64
    assert info.backing is None or (0 < len(info.backing) <= probe.MAX_NAME and "\0" not in info.backing)
    assert info.cluster_size is None or 512 <= info.cluster_size <= 2 << 20


SCAN = """
import sys
opened = []
sys.addaudithook(lambda name, args: opened.append(str(args[0])) if name == "open" else None)
from kvasir.storage import documents
from kvasir.storage.pools.dir import DirPool
import kvasir.storage.probe, json
document = documents.pool(f"<pool type='dir'><name>p</name><target><path>{sys.argv[1]}</path></target></pool>")
opened.clear()
volumes = DirPool(document).scan()
assert len(volumes) == int(sys.argv[2]), len(volumes)
for volume in volumes:
    volume.xml()
print("\\n".join(name for name in opened if not name.startswith(sys.argv[1]) and not name.endswith((".py", ".pyc"))))
"""


def test_pool_of_hostile_images(folder: Path) -> None:
    """A pool full of them starts; nothing outside of its folder is opened; time and memory stay bounded."""
    count = len(list(folder.iterdir()))
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", SCAN, str(folder), str(count)],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
    assert time.monotonic() - started < 60


def test_same_again_by_strace_free_watch(folder: Path) -> None:
    """The same seen by the kernel: the bait is a FIFO, whose opening would block for ever, and a directory that notes access."""
    bait = folder.parent / "bait"
    bait.mkdir()
    os.mkfifo(bait / "secret")
    for number in range(20):
        data = hostile.qcow2(backing=str(bait / "secret").encode(), extensions=b"")
        (folder / f"fifo-{number}").write_bytes(data)
    document = documents.pool(f"<pool type='dir'><name>p</name><target><path>{folder}</path></target></pool>")
    volumes = {volume.name: volume for volume in DirPool(document).scan()}
    below = volumes["fifo-0"].backing
    assert below is not None
    assert below.path == str(bait / "secret")
    assert below.permissions is None


def test_raw_guest_disk_that_pretends(tmp_path: Path) -> None:
    """A raw image into which a guest wrote a qcow2 head leads a starting guest nowhere: the document says raw."""
    from kvasir.qemu import chain

    path = tmp_path / "guest.raw"
    path.write_bytes(hostile.qcow2(backing=b"/etc/shadow"))
    layer = chain._layer(str(path), "raw", None, [str(path)])
    assert layer.type is None
    assert layer.backing_store is None


@pytest.mark.parametrize("length", [3, 50, 200])
def test_long_and_circular_chains(tmp_path: Path, length: int) -> None:
    """A chain that bites its tail is named as such, whatever its length."""
    from kvasir.errors import Error
    from kvasir.qemu import chain

    extension = struct.pack(">II5s3x", 0xE2792ACA, 5, b"qcow2")
    for number in range(length):
        name = f"i{(number + 1) % length}".encode()
        (tmp_path / f"i{number}").write_bytes(hostile.qcow2(backing=name, extensions=extension))
    first = str(tmp_path / "i0")
    with pytest.raises(Error, match="self-referential"):
        chain._layer(first, "qcow2", None, [first])
