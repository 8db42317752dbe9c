"""What a binary can do is asked of the binary itself, kept on disk, and forgotten when the binary changes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kvasir.errors import InternalError, OperationTimeout
from kvasir.qemu import capabilities_probe
from kvasir.qemu.capabilities import Capabilities, Store
from kvasir.qemu.qapi_schema import Schema
from tests.conftest import PROJECT, KvasirDaemon, short_folder

QEMU = shutil.which("qemu-system-x86_64") or ""
needs_qemu = pytest.mark.skipif(not QEMU, reason="qemu-system-x86_64 is not installed")


@needs_qemu
def test_probe_and_cache(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache", tmp_path / "run")
    caps = asyncio.run(store.get(QEMU))
    assert caps.version >= (4, 2, 0) and caps.arch == "x86_64"
    assert {"query-cpu-model-expansion", "pcie-root-port", "qemu-xhci", "virtio-net", "seccomp-sandbox"} <= caps.words
    assert caps.has("device.json") and caps.has("virtio-blk-pci.num-queues") and not caps.has("no-such-word")
    assert caps.machine("q35") is caps.machine(caps.canonical_machine("q35")) and caps.default_machine == "pc"
    assert caps.machine("microvm") and caps.machine("none") is None
    assert any(cpu.name == "max" and cpu.usable for cpu in caps.accels["tcg"].cpus)
    assert list((tmp_path / "run").iterdir()) == []
    again = Store(tmp_path / "cache").cached(QEMU)
    assert again == caps


def fake_qemu(folder: Path, script: str) -> str:
    path = folder / "qemu-fake"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return str(path)


def test_a_binary_that_fails_says_why(tmp_path: Path) -> None:
    """In libvirt's words, whether it ends at once, speaks no QMP, or is no program at all."""
    first = "Failed to start QEMU binary .*/qemu-fake for probing: "
    for script, words in (
        ("echo 'no accelerator for you' >&2; exit 1", first + "no accelerator for you\n$"),
        ("exit 1", first + "unknown error$"),
        ("exit 0", "Failed to probe QEMU binary with QMP: "),
    ):
        with pytest.raises(InternalError, match=words):
            asyncio.run(Store(tmp_path / "cache", tmp_path / "run").get(fake_qemu(tmp_path, script)))
    (tmp_path / "qemu-fake").write_text(f"touch {tmp_path}/ran\n")
    with pytest.raises(InternalError, match=first + "libvirt:  error : cannot execute binary .*: Exec format error"):
        asyncio.run(Store(tmp_path / "cache", tmp_path / "run").get(str(tmp_path / "qemu-fake")))
    assert not (tmp_path / "ran").exists() and not (tmp_path / "cache").exists()


def test_a_binary_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities_probe, "TIMEOUT", 0.3)
    binary = fake_qemu(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    with pytest.raises(OperationTimeout):
        asyncio.run(Store(tmp_path / "cache", tmp_path / "run").get(binary))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def parent(pid: int) -> int:
    """Of a process that lives; 0 for one that does not."""
    try:
        state, ppid = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return 0
    return 0 if state in "ZX" else int(ppid)


@needs_qemu
def test_a_probe_ends_with_its_daemon() -> None:
    """``kill -9`` of the daemon while QEMU is being asked: the kernel ends QEMU, which nothing else would."""
    with short_folder("kv-") as folder:
        daemon = KvasirDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, None)
        daemon.start()
        (folder / "pids").mkdir(mode=0o777)
        (folder / "pids").chmod(0o777)
        mute = f"echo $$ > {folder}/pids/$$; exec {QEMU} -S -nodefaults -nographic -machine none"  # has no monitor
        words = ["domcapabilities", "--emulatorbin", fake_qemu(folder, mute), "--arch", "x86_64"]
        asking = subprocess.Popen(
            [sys.executable, "-m", "kvasir.cli.virsh.main", "-c", daemon.uri, *words],
            env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        found: list[int] = []
        try:
            assert daemon.process is not None
            end = time.monotonic() + 60
            while not any(b"-nographic" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in found):
                assert time.monotonic() < end and asking.poll() is None, daemon.log()
                found = [int(entry.name) for entry in (folder / "pids").iterdir()]
                time.sleep(0.02)
            assert [parent(pid) for pid in found] == [daemon.process.pid]
            daemon.kill()
            end = time.monotonic() + 30
            while parent(found[0]):
                assert time.monotonic() < end, "the probe outlives its daemon"
                time.sleep(0.02)
        finally:
            asking.kill()
            asking.wait()
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()
            for pid in filter(parent, found):
                os.kill(pid, signal.SIGKILL)
            daemon.end_guests()


def test_no_probe_for_a_daemon_that_is_gone(tmp_path: Path) -> None:
    """What the kernel was asked too late is seen by the parent's number."""
    words = capabilities_probe._before(None, None)
    if not words:
        pytest.skip("setpriv is not installed")
    kept = subprocess.run([*words, "/bin/sh", "-c", "echo ran"], capture_output=True, text=True, check=False)
    assert kept.stdout == "ran\n"
    orphan = [*words[:-1], "1", "/bin/sh", "-c", "echo ran"]
    assert subprocess.run(orphan, capture_output=True, text=True, check=False).stdout == ""


def test_cache_follows_the_binary_and_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = fake_qemu(tmp_path, "exit 1")
    store = Store(tmp_path / "cache")
    from kvasir.qemu.capabilities import cache_key

    store._save(binary, cache_key(binary), Capabilities(binary, words={"kvm"}))
    assert Store(tmp_path / "cache").cached(binary) == Capabilities(binary, words={"kvm"})
    with monkeypatch.context() as patch:
        patch.setattr(os, "uname", lambda: os.uname_result(("Linux", "host", "9.9.9", "another kernel", "x86_64")))
        assert Store(tmp_path / "cache").cached(binary) is None
    assert Store(tmp_path / "cache").cached(binary) is not None
    os.utime(binary, ns=(1, 1))
    assert Store(tmp_path / "cache").cached(binary) is None
    store.path(binary).write_text("{broken")
    assert Store(tmp_path / "cache").cached(binary) is None


def test_schema_paths() -> None:
    schema = Schema(
        [
            {"name": "device_add", "meta-type": "command", "arg-type": "1", "features": ["json-cli"]},
            {"name": "1", "meta-type": "object", "members": [{"name": "list", "type": "[2]"}],
             "variants": [{"case": "nbd", "type": "2"}]},
            {"name": "[2]", "meta-type": "array", "element-type": "2"},
            {"name": "2", "meta-type": "object", "members": [{"name": "how", "type": "3"}]},
            {"name": "3", "meta-type": "enum", "values": ["fast"]},
        ]
    )  # fmt: skip
    for path in (
        "device_add",
        "device_add/$json-cli",
        "device_add/arg-type/+nbd/how/^fast",
        "device_add/arg-type/list/how",
    ):
        assert schema.has(path), path
    for path in ("device_del", "device_add/$x", "device_add/arg-type/+nbd/how/^slow", "device_add/arg-type/+ssh/how"):
        assert not schema.has(path), path
