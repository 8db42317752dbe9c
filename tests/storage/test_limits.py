"""Pools and volumes where something goes wrong or many come at once: each outcome is what the real libvirt 9.0 gave, or said to be ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.waiting import until

from .conftest import Lone

pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(os.geteuid() != 0, reason="loop devices need root")]


def client(daemon: Lone, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-IS", str(PROJECT / "bin/virsh"), "-c", daemon.uri, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def pool(daemon: Lone, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "p"
    daemon.ok("pool-create-as", "lim", "dir", "--target", str(folder), "--build")
    yield folder
    daemon.our_virsh("pool-destroy", "lim")


def volumes(daemon: Lone) -> list[str]:
    return [line.split()[0] for line in daemon.ok("vol-list", "lim").splitlines()[2:] if line]


def test_a_folder_that_vanishes(daemon: Lone, pool: Path) -> None:
    for name in ("a", "b"):
        daemon.ok("vol-create-as", "lim", name, "1M")
    shutil.rmtree(pool)
    assert f"no storage vol with matching path '{pool}/a'" in daemon.fails("vol-info", "a", "lim")
    assert f"Failed to create file '{pool}/c': No such file or directory" in daemon.fails(
        "vol-create-as", "lim", "c", "1M"
    )
    assert daemon.ok("vol-delete", "a", "lim") == "Vol a deleted\n\n"
    assert volumes(daemon) == ["b"]
    assert f"cannot open directory '{pool}': No such file or directory" in daemon.fails("pool-refresh", "lim")
    assert "lim" not in daemon.ok("pool-list", "--name").split()


@pytest.fixture
def small(daemon: Lone, tmp_path: Path) -> Iterator[Path]:
    """A pool over a file system of 24 MiB."""
    image = tmp_path / "small.img"
    with open(image, "wb") as file:
        file.truncate(24 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    losetup = ["losetup", "-f", "--show", str(image)]
    device = subprocess.run(losetup, check=True, capture_output=True, text=True).stdout.strip()
    try:
        target = str(tmp_path / "m")
        daemon.ok("pool-create-as", "lim", "fs", "--source-dev", device, "--target", target, "--build")
        yield tmp_path
        daemon.ok("pool-destroy", "lim")
    finally:
        subprocess.run(["losetup", "-d", device], check=False)


def test_a_full_file_system(daemon: Lone, small: Path) -> None:
    """What does not fit leaves nothing behind; an upload ends as soon as there is no room, and says so."""
    assert "No space left on device" in daemon.fails("vol-create-as", "lim", "big", "100M")
    daemon.ok("vol-create-as", "lim", "thin", "100M", "--allocation", "0")
    with open(small / "zeros", "wb") as file:
        file.truncate(4 << 30)  # more than is sent before the client hears
    began = client(daemon, "vol-upload", "thin", str(small / "zeros"), "lim")
    said = began.communicate(timeout=200)[1]
    assert said.startswith("error: cannot send data to volume thin\nerror: Unable to write /"), said
    assert said.endswith("/thin: No space left on device\n")
    daemon.ok("vol-delete", "thin", "lim")
    daemon.ok("vol-create-as", "lim", "a", "12M")
    assert "No space left on device" in daemon.fails("vol-clone", "a", "b", "lim")
    assert "Not enough space left in storage pool" in daemon.fails("vol-resize", "a", "50M", "lim", "--allocate")
    assert "Capacity:       12582912 bytes" in daemon.ok("vol-info", "a", "lim", "--bytes")
    daemon.fails("vol-create-as", "lim", "q", "30M", "--format", "qcow2", "--prealloc-metadata", "--allocation", "30M")
    daemon.ok("pool-refresh", "lim")
    assert [name for name in volumes(daemon) if name != "lost+found"] == ["a"]


@pytest.mark.parametrize("form", ["raw", "qcow2"])
def test_eight_clients_want_the_same(daemon: Lone, pool: Path, form: str) -> None:
    """One makes the volume, one deletes it; the others are told."""
    for words, told in (
        (("vol-create-as", "lim", "same", "20M", "--format", form), "exists already"),
        (("vol-delete", "same", "lim"), "Storage volume not found"),
    ):
        clients = [client(daemon, *words) for _ in range(8)]
        said = [(*began.communicate(timeout=120), began.returncode) for began in clients]
        assert sorted(code for _, _, code in said) == [0] + [1] * 7
        assert all(told in error for _, error, code in said if code), said
    assert list(pool.iterdir()) == []


def test_clients_that_die_in_a_stream(daemon: Lone, pool: Path, tmp_path: Path) -> None:
    """The volume is in use while bytes flow, and free when the client is gone."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    daemon.ok("vol-create-as", "lim", "v", "64M")
    began = client(daemon, "vol-upload", "v", str(pipe), "lim")
    with open(pipe, "wb", buffering=0) as end:
        end.write(b"x" * 300000)
        until(lambda: (pool / "v").read_bytes()[:9] == b"x" * 9, "the first bytes are written")
        assert "volume 'v' is still in use" in daemon.fails("vol-wipe", "v", "lim")
        assert "has asynchronous jobs running" in daemon.fails("pool-refresh", "lim")
        began.kill()
        began.communicate()
    until(lambda: daemon.our_virsh("vol-wipe", "v", "lim").returncode == 0, "the volume is free again")
    began = client(daemon, "vol-download", "v", str(pipe), "lim")
    with open(pipe, "rb", buffering=0) as end:
        assert end.read(1000) == bytes(1000)
        began.kill()
        began.communicate()
    until(lambda: daemon.our_virsh("vol-delete", "v", "lim").returncode == 0, "the volume is free again")


def test_a_folder_that_changes_while_it_is_read(daemon: Lone, pool: Path) -> None:
    ended = threading.Event()

    def churn() -> None:
        number = 0
        while not ended.is_set():
            (pool / f"f{number % 40}").write_bytes(b"x" * 1000)
            (pool / f"f{(number + 20) % 40}").unlink(missing_ok=True)
            number += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        codes = Counter(daemon.our_virsh("pool-refresh", "lim").returncode for _ in range(6))
    finally:
        ended.set()
        thread.join()
    assert codes == {0: 6}
    daemon.ok("pool-refresh", "lim")
    assert sorted(volumes(daemon)) == sorted(path.name for path in pool.iterdir())
