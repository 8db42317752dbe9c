"""Both virsh, the real C one and ours, on one real daemon with a few guests in different states."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, Done

GUEST = """\
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{number:08d}-1111-1111-1111-111111111111</uuid>
  <title>{title}</title>
  <description>guest for tests</description>
  <metadata><a:x xmlns:a="http://a.b/c" y="1"><a:z/></a:x></metadata>
  <memory unit='MiB'>64</memory>
  <vcpu>2</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <on_poweroff>destroy</on_poweroff>
  <devices>
    <disk type='file'><driver name='qemu' type='raw'/><source file='{folder}/{name}.img'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>
    <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
    <interface type='user'><mac address='52:54:00:00:00:02'/><model type='e1000'/><link state='down'/></interface>
    <console type='pty'/>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <graphics type='vnc' passwd='secret'/>
  </devices>
</domain>
"""


@dataclass
class Both:
    """The real virsh and ours, side by side."""

    daemon: DaemonHandle
    folder: Path

    def ours(self, *args: str, stdin: str | None = None, uri: bool = True, merged: bool = False) -> Done:
        head = ["-c", self.daemon.uri] if uri else []
        env = {**os.environ, "LC_ALL": "C.UTF-8"}
        command = [str(PROJECT / "bin/virsh"), *head, *args]
        err = subprocess.STDOUT if merged else subprocess.PIPE
        return subprocess.run(
            command, env=env, input=stdin or "", stdout=subprocess.PIPE, stderr=err, text=True, errors="surrogateescape",
            timeout=60,
        )  # fmt: skip

    def real(self, *args: str, stdin: str | None = None, uri: bool = True, merged: bool = False) -> Done:
        assert self.daemon.peers is not None
        root = self.daemon.peers.root
        libraries = ":".join(str(path.parent) for path in (root / "usr/lib").glob("*/libvirt.so.0"))
        env = {**os.environ, "LD_LIBRARY_PATH": libraries, "LC_ALL": "C.UTF-8"}
        head = ["-c", self.daemon.uri] if uri else []
        command = [str(root / "usr/bin/virsh"), *head, *args]
        err = subprocess.STDOUT if merged else subprocess.PIPE
        return subprocess.run(
            command, env=env, input=stdin or "", stdout=subprocess.PIPE, stderr=err, text=True, errors="surrogateescape",
            timeout=60,
        )  # fmt: skip

    def same(self, *args: str, stdin: str | None = None, uri: bool = True) -> Done:
        """Run with both; output, errors and exit code are to be equal. Gives ours."""
        real = self.real(*args, stdin=stdin, uri=uri)
        ours = self.ours(*args, stdin=stdin, uri=uri)
        assert masked(ours.stderr) == masked(real.stderr)
        assert masked(ours.stdout) == masked(real.stdout)
        assert ours.returncode == real.returncode
        return ours


def masked(text: str) -> str:
    """Times and counters that differ from call to call."""
    text = re.sub(r"CPU time: .*\n", "", text)
    text = re.sub(r"\nCPU:  .*", "", text)
    text = re.sub(r"Time: [\d.]+ ms", "Time: N ms", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[ -]\d\d:\d\d:\d\d(\.\d+)?", "WHEN", text)
    return re.sub(r"libvirt-\d+", "libvirt-N", text)


@pytest.fixture(scope="module")
def both(real_libvirtd: DaemonHandle) -> Iterator[Both]:
    """Guests: ``run`` runs, ``idle`` is shut off, ``still`` is paused, ``gone`` is transient, ``kept`` starts with the host."""
    pair = Both(real_libvirtd, real_libvirtd.folder)
    for number, name in enumerate(("run", "idle", "still", "gone", "kept"), 1):
        (pair.folder / f"{name}.img").write_bytes(bytes(5_000_000))
        title = f"title of {name}" if name != "idle" else "größer 日本"
        document = GUEST.format(name=name, number=number, title=title, folder=pair.folder)
        (pair.folder / f"{name}.xml").write_text(document)
        command = "create" if name == "gone" else "define"
        assert real_libvirtd.virsh(command, str(pair.folder / f"{name}.xml")).returncode == 0
    for line in (("start", "run"), ("start", "still", "--paused"), ("autostart", "kept")):
        assert real_libvirtd.virsh(*line).returncode == 0
    yield pair
    for name in ("run", "still", "gone"):
        real_libvirtd.virsh("destroy", name)
