"""A virtual screen with virt-manager and virt-viewer on kvasird, which stands at /run/libvirt in a namespace of their own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT, KvasirDaemon, _script

ROOM = """
set -e
mkdir -p /run/libvirt "$HOME" "$XDG_RUNTIME_DIR"; chmod 700 "$XDG_RUNTIME_DIR"
mount --bind {sockets} /run/libvirt
mkdir -p /tmp/.X11-unix
mount -t tmpfs none /tmp/.X11-unix
Xvfb :77 -screen 0 1024x768x24 -nolock -nolisten tcp -nolisten local >{folder}/Xvfb.log 2>&1 &
screen=$!
trap 'kill $screen' EXIT
for _ in $(seq 300); do [ -S /tmp/.X11-unix/X77 ] && break; sleep 0.1; done
DISPLAY=:77 dbus-run-session -- python3 {drive} {folder} "$STEPS"
"""


def desktop() -> Path:
    """The unpacked programs; a named skip where they cannot be had."""
    found, why = _script("peers-desktop")
    if found is None:
        pytest.skip(why)
    if os.geteuid() != 0:
        pytest.skip("the desktop's namespaces need root")
    return found


def drive(daemon: KvasirDaemon, folder: Path, *steps: tuple[str, ...]) -> list[Any]:
    """Do the steps of desktop_drive.py on the daemon; what each said. Screenshots and logs stay in the folder."""
    script = ROOM.format(
        sockets=daemon.folder / "run/libvirt", folder=folder, drive=PROJECT / "tests/peers/desktop_drive.py"
    )
    env = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "KVASIR_PEERS": str(desktop()), "HOME": f"{folder}/home", "LC_ALL": "C.UTF-8",
        "XDG_RUNTIME_DIR": f"{folder}/run", "GSETTINGS_BACKEND": "memory", "LIBGL_ALWAYS_SOFTWARE": "1", "STEPS": json.dumps(steps),
    }  # fmt: skip
    command = ["python3", str(PROJECT / "scripts/peer"), "run", "--"]
    done = subprocess.run([*command, "sh", "-c", script], env=env, capture_output=True, text=True, timeout=500)
    logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in folder.glob("virt-*.log"))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{logs}"
    said: list[Any] = json.loads((folder / "said.json").read_text())
    return said
