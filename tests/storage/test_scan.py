"""A folder that is read again: files that did not change keep what was found, all others are looked at anew."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from kvasir.model.storage import Pool, Volume
from kvasir.storage import probe, volume
from kvasir.storage.pools.dir import DirPool


def found(kind: DirPool) -> dict[str, Volume]:
    return {str(one.name): one for one in kind.scan()}


def test_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume, "settled", lambda status: True)
    kind = DirPool(Pool(name="p", type="dir", target_path=str(tmp_path)))
    for name in ("same", "longer", "image", "mode", "gone"):
        (tmp_path / name).write_bytes(b"x" * 512)
    subprocess.run(
        ["qemu-img", "create", "-qf", "qcow2", "-F", "raw", "-b", "same", "over", "1M"], cwd=tmp_path, check=True
    )
    time.sleep(0.02)
    first = found(kind)
    assert set(first) == {"same", "longer", "image", "mode", "gone", "over"}
    assert {one.format for one in first.values()} == {"raw", "qcow2"}

    (tmp_path / "longer").write_bytes(b"x" * 1024)
    subprocess.run(["qemu-img", "create", "-qf", "qcow2", str(tmp_path / "image"), "3M"], check=True)
    (tmp_path / "mode").chmod(0o600)
    (tmp_path / "gone").unlink()
    os.utime(tmp_path / "over", ns=(1, 1))
    (tmp_path / "new").write_bytes(b"")
    opened: list[str] = []
    monkeypatch.setattr(probe, "open_volume", lambda path, real=probe.open_volume: opened.append(path) or real(path))
    second = found(kind)
    assert set(second) == {"same", "longer", "image", "mode", "over", "new"}
    assert {os.path.basename(path) for path in opened} == {"longer", "image", "mode", "over", "new"}
    assert second["same"] is first["same"]
    assert (second["longer"].capacity, second["image"].capacity, second["image"].format) == (1024, 3 << 20, "qcow2")
    assert second["mode"].permissions is not None and second["mode"].permissions.mode == 0o600
    assert second["over"].timestamps is not None and "<mtime>0.000000001</mtime>" in second["over"].xml()


def test_a_change_that_hides_its_time_is_seen(tmp_path: Path) -> None:
    """The time of writing can be put back, that of the inode cannot."""
    kind = DirPool(Pool(name="p", type="dir", target_path=str(tmp_path)))
    path = tmp_path / "fresh"
    subprocess.run(["qemu-img", "create", "-qf", "qcow2", str(path), "1M"], check=True)
    times = path.stat()
    assert found(kind)["fresh"].capacity == 1 << 20
    with open(path, "r+b") as file:
        file.seek(24)
        file.write((5 << 20).to_bytes(8, "big"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert found(kind)["fresh"].capacity == 5 << 20


def test_the_time_of_the_last_reading_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume, "settled", lambda status: True)
    kind = DirPool(Pool(name="p", type="dir", target_path=str(tmp_path)))
    path = tmp_path / "one"
    path.write_bytes(b"x")
    status = path.stat()
    before = volume.Seen(
        hash((*status[:7], status.st_blocks, status.st_mtime_ns, status.st_ctime_ns)),
        7,
        Volume(name="one", path=str(path)),
    )
    kept, now = volume.seen_volume(str(path), "one", before)
    assert kept is before.volume and now is not None and now.atime == status.st_atime_ns
    assert kept.timestamps is not None and kept.timestamps.atime == status.st_atime_ns
    assert found(kind)["one"].timestamps == kept.timestamps


def test_a_clock_of_whole_seconds_is_waited_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    def age(nanoseconds: int, part: int) -> bool:
        written = 1_700_000_000 * 10**9 + part
        monkeypatch.setattr(volume.time, "time_ns", lambda: written + nanoseconds)
        return volume.settled(SimpleNamespace(st_mtime_ns=written, st_ctime_ns=written))  # type: ignore[arg-type]

    assert not age(5 * 10**7, 123) and age(2 * 10**8, 123)
    assert not age(2 * 10**9, 0) and age(4 * 10**9, 0)
