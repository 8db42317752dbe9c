"""A connection through ``virt-ssh-helper``, as a client at the far end of ssh makes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.wire.harness import PROJECT, Served, real_virsh


def test_real_virsh_through_the_helper(served: Served, cache: Path, tmp_path: Path) -> None:
    """In place of ssh a script that runs the words which ssh would run on the other host."""
    fake = tmp_path / "ssh"
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    helper = bin_folder / "virt-ssh-helper"
    helper.write_text(
        f"#!/bin/sh\nunset LD_LIBRARY_PATH\nexport PYTHONPATH={PROJECT}/src\n"
        f'echo "$@" >> {tmp_path}/asked\n[ "$1" = -r ] && ro=-r && shift\n'
        f"exec {sys.executable} -m kvasir.cli.virt_ssh_helper $ro 'qemu+unix:///system?socket={served.run}/libvirt-sock'\n"
    )
    fake.write_text(f'#!/bin/sh\nPATH={bin_folder}:$PATH\nfor last; do :; done\nexec sh -c "$last"\n')
    for script in (helper, fake):
        script.chmod(0o755)
    uri = f"qemu+ssh://far.example/system?command={fake}&proxy=native"
    done = real_virsh(cache, "-c", uri, "nodeinfo")
    assert done.returncode == 0 and "CPU model:" in done.stdout, done.stderr
    assert (tmp_path / "asked").read_text().strip() == "qemu:///system"
    refused = real_virsh(cache, "-r", "-c", uri, "node-memory-tune", "--shm-pages-to-scan", "7")
    assert "read only access prevents virNodeSetMemoryParameters" in refused.stderr
    assert len(served.daemon.services["libvirtd"].clients) <= 1


def test_its_own_errors() -> None:
    run = [sys.executable, "-m", "kvasir.cli.virt_ssh_helper"]
    for args, words in (
        (
            ["qemu+unix:///system?socket=/nonexistent/x"],
            "virt-ssh-helper: Failed to connect socket to '/nonexistent/x'",
        ),
        (["qemu+ssh://other/system"], "only a daemon of this host can be reached"),
        (["--nonsense"], "usage: virt-ssh-helper"),
        (["a", "b"], "usage: virt-ssh-helper"),
    ):
        done = subprocess.run([*run, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
        assert done.returncode == 1 and words in done.stderr, done.stderr
