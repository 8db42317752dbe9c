"""Chapter 14 through ``kvasir image``: qemu-img's work, words and exit codes, with help where it has none."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

Done = subprocess.CompletedProcess[str]
pytestmark = pytest.mark.skipif(not Path("/usr/bin/qemu-img").exists(), reason="qemu-img is not installed")
COMMAND = (sys.executable, "-m", "kvasir.cli.kvasir", "image")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Done:
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "LC_ALL": "C"}
    return subprocess.run([*COMMAND, *words], env=env, capture_output=True, text=True, timeout=120)


def ok(*words: str) -> str:
    done = run(*words)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def write(image: str, pattern: int, offset: str = "0", length: str = "1M", form: str = "qcow2") -> None:
    words = ["qemu-io", "-f", form, "-c", f"write -P {pattern} {offset} {length}", image]
    subprocess.run(words, check=True, capture_output=True)


def reads(image: str, pattern: int, offset: str = "0", length: str = "1M", form: str = "qcow2") -> bool:
    words = ["qemu-io", "-f", form, "-c", f"read -P {pattern} {offset} {length}", image]
    done = subprocess.run(words, capture_output=True, text=True)
    return done.returncode == 0 and "Pattern verification failed" not in done.stdout


def info(image: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(ok("info", "--output", "json", image))
    return found


@pytest.mark.guide("qemuimg-concept")
def test_help_names_every_verb() -> None:
    text = ok("--help")
    for verb in [
        "check",
        "commit",
        "compare",
        "map",
        "amend",
        "convert",
        "create",
        "info",
        "rebase",
        "resize",
        "snapshot",
    ]:
        assert f"\n  {verb} " in text
        assert ok(verb, "--help").startswith(f"usage: kvasir image {verb} ")
    assert run("conv").returncode == 1
    assert "there are: convert" in run("conv").stderr


@pytest.mark.guide("qemuimg-create", "qemuimg-format-qcow2")
def test_create() -> None:
    ok("create", "-f", "qcow2", "base.qcow2", "10G")
    assert info("base.qcow2")["virtual-size"] == 10 << 30
    assert os.stat("base.qcow2").st_size < 1 << 20
    before = hashlib.sha256(Path("base.qcow2").read_bytes()).digest()
    ok("create", "-f", "qcow2", "-b", "base.qcow2", "over.qcow2")  # the format below is found and said
    assert info("over.qcow2")["backing-filename-format"] == "qcow2"
    assert info("over.qcow2")["virtual-size"] == 10 << 30
    write("over.qcow2", 7)
    assert hashlib.sha256(Path("base.qcow2").read_bytes()).digest() == before
    for name in ("s1", "s2"):
        ok("snapshot", "-c", name, "over.qcow2")
    assert "file format: qcow2" in ok("info", "over.qcow2")


@pytest.mark.guide("qemuimg-format-raw", "qemuimg-formats-supported")
def test_raw_is_the_default() -> None:
    ok("create", "plain", "8M")
    assert info("plain")["format"] == "raw"
    assert os.stat("plain").st_blocks * 512 < 8 << 20
    assert run("snapshot", "-c", "s", "plain").returncode == 1


@pytest.mark.guide("qemuimg-info")
def test_info() -> None:
    ok("create", "-f", "qcow2", "a.qcow2", "8M")
    ok("snapshot", "-c", "first", "a.qcow2")
    text = ok("info", "a.qcow2")
    for word in ("image: a.qcow2", "file format: qcow2", "virtual size:", "disk size:", "cluster_size:", "Snapshot list:",
                 "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK", "first"):  # fmt: skip
        assert word in text


@pytest.mark.guide("qemuimg-check", "limit-qemuimg-check-formats")
def test_check() -> None:
    ok("create", "-f", "qcow2", "a.qcow2", "8M")
    write("a.qcow2", 1)
    assert "No errors were found on the image." in ok("check", "-f", "qcow2", "a.qcow2")
    with open("a.qcow2", "r+b") as file:  # the refcount block: no cluster is known to be used
        file.seek(0x20000)
        file.write(bytes(64))
    bad = run("check", "a.qcow2")
    assert bad.returncode == 2
    assert "ERROR" in bad.stderr + bad.stdout
    assert "kvasir image check -r all" in bad.stderr
    ok("check", "-r", "all", "a.qcow2")
    assert reads("a.qcow2", 1)
    for form in ("vdi", "vhdx", "vmdk", "qed"):
        ok("create", "-f", form, f"a.{form}", "8M")
        ok("check", "-f", form, f"a.{form}")
    ok("create", "a.raw", "8M")
    raw = run("check", "a.raw")
    assert (raw.returncode, raw.stderr.strip()) == (63, "qemu-img: This image format does not support checks")


@pytest.mark.guide("qemuimg-commit")
def test_commit() -> None:
    ok("create", "-f", "qcow2", "base", "8M")
    ok("create", "-f", "qcow2", "-b", "base", "over")
    write("over", 5)
    assert "Image committed." in ok("commit", "over")
    assert reads("base", 5)
    assert reads("over", 5)
    alone = run("commit", "base")
    assert alone.returncode == 1
    assert "Image does not have a backing file" in alone.stderr


@pytest.mark.guide("qemuimg-compare", "qemuimg-compare-exit-codes")
def test_compare() -> None:
    ok("create", "one", "1M")
    ok("create", "two", "2M")
    longer = run("compare", "-f", "raw", "-F", "raw", "one", "two")
    assert longer.returncode == 0
    assert "Warning: Image size mismatch!" in longer.stdout + longer.stderr
    assert "Images are identical." in longer.stdout
    strict = run("compare", "-s", "-f", "raw", "-F", "raw", "one", "two")
    assert strict.returncode == 1
    assert "Strict mode: Image size mismatch!" in strict.stdout + strict.stderr
    ok("convert", "-f", "raw", "-O", "qcow2", "one", "one.qcow2")
    assert ok("compare", "-q", "-f", "raw", "one", "one.qcow2") == ""
    write("one.qcow2", 9, "4k", "512")
    different = run("compare", "-f", "raw", "one", "one.qcow2")
    assert different.returncode == 1
    assert "Content mismatch at offset 4096!" in different.stdout
    assert run("compare", "one", "missing").returncode == 2


@pytest.mark.guide("qemuimg-map", "qemuimg-map-human", "qemuimg-map-json")
def test_map() -> None:
    ok("create", "-f", "qcow2", "base.qcow2", "4M")
    write("base.qcow2", 1, "0", "1M")
    ok("create", "-f", "qcow2", "-b", "base.qcow2", "over.qcow2")
    write("over.qcow2", 2, "2M", "64k")
    human = [line.split() for line in ok("map", "over.qcow2").splitlines()]
    assert human[0] == ["Offset", "Length", "Mapped", "to", "File"]
    assert (human[1][:2], human[1][3]) == (["0", "0x100000"], "base.qcow2")
    assert (human[2][:2], human[2][3]) == (["0x200000", "0x10000"], "over.qcow2")
    entries = json.loads(ok("map", "--output=json", "over.qcow2"))
    assert sum(entry["length"] for entry in entries) == 4 << 20
    assert all({"start", "length", "data", "zero", "depth"} <= entry.keys() for entry in entries)
    ok("convert", "-c", "-O", "qcow2", "over.qcow2", "packed.qcow2")
    packed = run("map", "packed.qcow2")
    assert packed.returncode == 1
    assert "File contains external, encrypted or compressed clusters." in packed.stderr
    ok("map", "--output=json", "packed.qcow2")


@pytest.mark.guide("qemuimg-amend", "limit-qemuimg-amend-qcow2-only", "qemuimg-qcow2-version-compat")
def test_amend() -> None:
    ok("create", "-f", "qcow2", "a.qcow2", "8M")
    assert "compat: 1.1" in ok("info", "a.qcow2")
    assert "100.00/100%" in ok("amend", "-p", "-o", "compat=0.10", "a.qcow2")
    assert "compat: 0.10" in ok("info", "a.qcow2")
    ok("create", "-f", "qcow2", "-o", "compat=0.10", "b.qcow2", "8M")
    assert "compat: 0.10" in ok("info", "b.qcow2")
    ok("create", "a.raw", "8M")
    raw = run("amend", "-f", "raw", "-o", "size=1M", "a.raw")
    assert raw.returncode == 1
    assert "does not support option amendment" in raw.stderr or "does not support amend" in raw.stderr


@pytest.mark.guide("qemuimg-convert", "qemuimg-convert-smaller", "limit-qemuimg-compress-encrypt-formats")
def test_convert() -> None:
    subprocess.run(["fallocate", "-l", "64M", "big.raw"], check=True)
    with open("big.raw", "r+b") as file:
        file.write(b"text that can be packed\n" * 200_000)
    assert "(100.00/100%)" in ok("convert", "-p", "-f", "raw", "-O", "qcow2", "big.raw", "big.qcow2")
    assert os.stat("big.qcow2").st_blocks * 512 < 8 << 20
    ok("compare", "-f", "raw", "big.raw", "big.qcow2")
    ok("convert", "-c", "-O", "qcow2", "big.qcow2", "packed.qcow2")
    assert os.stat("packed.qcow2").st_size < os.stat("big.qcow2").st_size / 2
    ok("compare", "-f", "raw", "big.raw", "packed.qcow2")
    ok("convert", "-O", "raw", "packed.qcow2", "back.raw")
    assert Path("back.raw").read_bytes() == Path("big.raw").read_bytes()
    no = run("convert", "-c", "-O", "raw", "big.qcow2", "no.raw")
    assert no.returncode == 1
    assert "Compression not supported for this file format" in no.stderr
    write("packed.qcow2", 3, "0", "64k")
    assert reads("packed.qcow2", 3, "0", "64k")
    ok("convert", "-O", "qcow2", "packed.qcow2", "plain.qcow2")
    assert os.stat("plain.qcow2").st_size > os.stat("packed.qcow2").st_size
    unknown = run("convert", "-O", "nosuch", "big.qcow2", "x")
    assert unknown.returncode == 1
    assert "Unknown file format 'nosuch'" in unknown.stderr


@pytest.mark.guide("qemuimg-formats-other")
@pytest.mark.parametrize("form", ["vmdk", "vdi", "vhdx", "qed", "qcow", "parallels"])
def test_round_trip(form: str) -> None:
    Path("a.raw").write_bytes(b"x" * 300_000 + bytes(748_576))
    ok("convert", "-f", "raw", "-O", form, "a.raw", "b")
    ok("convert", "-f", form, "-O", "raw", "b", "c.raw")
    ok("compare", "-f", "raw", "-F", "raw", "a.raw", "c.raw")


@pytest.mark.guide("qemuimg-formats-other")
def test_formats_that_cannot_be_made() -> None:
    ok("create", "a.raw", "1M")
    for form in ("bochs", "cloop", "dmg"):
        done = run("convert", "-f", "raw", "-O", form, "a.raw", "b")
        assert done.returncode == 1
        assert f"Format driver '{form}' does not support image creation" in done.stderr
    assert "Unknown file format 'cow'" in run("convert", "-f", "raw", "-O", "cow", "a.raw", "b").stderr


@pytest.mark.guide("qemuimg-convert-sparse-size")
def test_sparse_size() -> None:
    Path("a.raw").write_bytes((b"y" * (1 << 20) + bytes(1 << 20)) * 4)
    ok("convert", "-f", "raw", "-O", "raw", "-S", "4k", "a.raw", "sparse.raw")
    ok("convert", "-f", "raw", "-O", "raw", "-S", "0", "a.raw", "full.raw")
    assert os.stat("sparse.raw").st_blocks * 512 <= 5 << 20
    assert os.stat("full.raw").st_blocks * 512 >= 8 << 20


@pytest.mark.guide("qemuimg-rebase", "qemuimg-rebase-safe", "qemuimg-rebase-unsafe", "limit-qemuimg-rebase-qcow2")
def test_rebase() -> None:
    for name, pattern in (("one", 0xA), ("two", 0xB)):
        ok("create", "-f", "qcow2", name, "4M")
        write(name, pattern)
    ok("create", "-f", "qcow2", "-b", "one", "over")
    ok("rebase", "-b", "two", "-F", "qcow2", "over")
    assert (info("over")["backing-filename"], info("over")["backing-filename-format"]) == ("two", "qcow2")
    assert reads("over", 0xA)
    os.rename("two", "moved")
    assert run("rebase", "-b", "one", "-F", "qcow2", "over").returncode == 1
    ok("rebase", "-u", "-b", "moved", "-F", "qcow2", "over")
    assert reads("over", 0xA)
    ok("rebase", "-b", "", "over")
    assert "backing-filename" not in info("over")
    assert reads("over", 0xA)
    ok("rebase", "-u", "-b", "nowhere", "-F", "qcow2", "over")
    ok("create", "a.raw", "1M")
    assert run("rebase", "-f", "raw", "-b", "one", "-F", "qcow2", "a.raw").returncode == 1


@pytest.mark.guide("qemuimg-resize", "limit-qemuimg-resize-directions", "qemuimg-resize-warnings")
def test_resize() -> None:
    ok("create", "-f", "raw", "a.raw", "10G")
    assert "Image resized." in ok("resize", "-f", "raw", "a.raw", "+1G")
    assert os.stat("a.raw").st_size == 11 << 30
    ok("resize", "-f", "raw", "--shrink", "a.raw", "10G")
    assert os.stat("a.raw").st_size == 10 << 30
    for suffix, power in (("K", 10), ("M", 20), ("G", 30), ("T", 40)):
        ok("create", "-f", "qcow2", "s.qcow2", "1K")
        ok("resize", "s.qcow2", f"2{suffix}")
        assert info("s.qcow2")["virtual-size"] == 2 << power
    smaller = run("resize", "s.qcow2", "1G")
    assert smaller.returncode == 1
    assert info("s.qcow2")["virtual-size"] == 2 << 40
    assert "make the file systems in it smaller first" in smaller.stderr


@pytest.mark.guide("qemuimg-snapshot")
def test_snapshot() -> None:
    ok("create", "-f", "qcow2", "a", "4M")
    write("a", 0xA)
    ok("snapshot", "-c", "s1", "a")
    write("a", 0xB)
    assert "s1" in ok("snapshot", "-l", "a")
    ok("snapshot", "-a", "s1", "a")
    assert reads("a", 0xA)
    ok("snapshot", "-d", "s1", "a")
    assert "s1" not in ok("snapshot", "-l", "a")


@pytest.mark.guide("qemuimg-warning-in-use")
def test_image_of_a_running_guest() -> None:
    """A real QEMU holds the image: whatever would change it is refused, and the guest is named."""
    ok("create", "-f", "qcow2", "a.qcow2", "8M")
    ok("create", "-f", "qcow2", "-b", "a.qcow2", "over.qcow2")
    words = ["qemu-system-x86_64", "-name", "guest=holder", "-S", "-display", "none", "-nodefaults", "-monitor", "none"]
    guest = subprocess.Popen([*words, "-drive", "file=over.qcow2,if=virtio"], stdin=subprocess.DEVNULL)
    try:
        for _ in range(300):
            if run("resize", "over.qcow2", "9M").returncode:
                break
        for verb in (("resize", "over.qcow2", "9M"), ("commit", "over.qcow2"), ("snapshot", "-c", "s", "over.qcow2")):
            done = run(*verb)
            assert done.returncode == 1, verb
            assert 'Failed to get "write" lock' in done.stderr
            assert "over.qcow2 is in use by the guest 'holder'" in done.stderr
        assert "kvasir image info -U" in run("info", "over.qcow2").stderr
        ok("info", "-U", "over.qcow2")
    finally:
        guest.kill()
        guest.wait()


def test_progress_is_drawn_on_a_terminal() -> None:
    Path("a.raw").write_bytes(os.urandom(8 << 20))
    parent, child = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    words = [*COMMAND, "convert", "-f", "raw", "-O", "qcow2", "a.raw", "b"]
    process = subprocess.Popen(words, env=env, stderr=child, stdout=subprocess.PIPE)
    os.close(child)
    shown = b""
    while True:
        try:
            part = os.read(parent, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(parent)
    assert process.wait() == 0
    assert b"100.0 %" in shown
    assert process.stdout is not None
    assert process.stdout.read() == b""
