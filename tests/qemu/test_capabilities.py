"""What a binary can do is asked of the binary itself, kept on disk, and forgotten when the binary changes."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from pathlib import Path

import pytest

from kvasir.errors import InternalError, OperationTimeout
from kvasir.qemu import capabilities_probe
from kvasir.qemu.capabilities import Capabilities, Store
from kvasir.qemu.qapi_schema import Schema

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
    binary = fake_qemu(tmp_path, "echo 'no accelerator for you' >&2; exit 1")
    with pytest.raises(InternalError, match="no accelerator for you"):
        asyncio.run(Store(tmp_path / "cache", tmp_path / "run").get(binary))
    assert not (tmp_path / "cache").exists()


def test_a_binary_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities_probe, "TIMEOUT", 0.3)
    binary = fake_qemu(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    with pytest.raises(OperationTimeout):
        asyncio.run(Store(tmp_path / "cache", tmp_path / "run").get(binary))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_cache_follows_the_binary(tmp_path: Path) -> None:
    binary = fake_qemu(tmp_path, "exit 1")
    store = Store(tmp_path / "cache")
    from kvasir.qemu.capabilities import cache_key

    store._save(binary, cache_key(binary), Capabilities(binary, words={"kvm"}))
    assert Store(tmp_path / "cache").cached(binary) == Capabilities(binary, words={"kvm"})
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
