"""An ordinary user whose /dev/kvm is closed: a guest of type kvm runs all the same, emulated, and its log says so."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, Peers, all_ended, short_folder

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
GUEST = """\
<domain type='kvm'><name>soft</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><cpu mode='host-passthrough'/></domain>
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_a_guest_without_kvm(peers: Peers) -> None:
    if subprocess.run([*NOBODY, "/usr/bin/test", "-w", "/dev/kvm"]).returncode == 0:
        pytest.skip("/dev/kvm is open to everyone here")
    with short_folder("kv-ses-") as folder:
        os.chown(folder, 65534, 65534)
        environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "HOME": str(folder)}
        command = [*NOBODY, sys.executable, "-m", "kvasir.daemon", "--root", str(folder), "--session"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        uri = f"qemu+unix:///session?socket={folder}/run/libvirt/libvirt-sock"
        daemon = DaemonHandle(uri, folder, peers, process)
        try:
            end = time.monotonic() + 60
            while daemon.virsh("uri").returncode:
                if process.poll() is not None and process.stderr is not None:
                    words = process.stderr.read().decode()
                    pytest.skip(f"an ordinary user cannot run the daemon here: {words[-200:]}")
                assert time.monotonic() < end
                time.sleep(0.2)
            (folder / "soft.xml").write_text(GUEST)
            done = daemon.virsh("create", str(folder / "soft.xml"))
            assert done.returncode == 0, done.stderr
            assert daemon.virsh("domstate", "soft").stdout.strip() == "running"
            log = Path(folder / "cache/libvirt/qemu/log/soft.log").read_text()
            assert "/dev/kvm cannot be opened: emulated by TCG" in log and "-accel tcg" in log and "-cpu max" in log
            assert daemon.virsh("destroy", "soft").returncode == 0
        finally:
            process.terminate()
            process.wait(30)
        all_ended(folder)
