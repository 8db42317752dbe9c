"""Debian packages unpacked beside the peers, for tests that need a program which must not be installed (it would start a service)."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


def unpacked(*packages: str) -> Path:
    """The folder that holds the packages' files; a named skip where they cannot be had."""
    folder = PROJECT / ".cache/unpacked" / "-".join(packages)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder
        new = folder.with_name(folder.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        command = ["apt-get", "-o", "APT::Sandbox::User=root", "-q", "download", *packages]
        done = subprocess.run(command, cwd=new, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"the packages {', '.join(packages)} cannot be had: {done.stderr.strip()[-200:]}")
        for package in new.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, str(new)], check=True)
            package.unlink()
        new.rename(folder)
    return folder


def libraries(folder: Path) -> str:
    """For LD_LIBRARY_PATH."""
    return ":".join(sorted({os.path.dirname(path) for path in map(str, folder.rglob("*.so*"))}))
