"""``capabilities``, ``domcapabilities``, ``cpu-models`` and ``domxml-to-native`` of ours and of the real daemon, byte for byte."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon, Peers, short_folder
from tests.golden import harness

pytestmark = pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="qemu-system-x86_64 is not installed")


@pytest.fixture(scope="module")
def ours(peers: Peers) -> Iterator[KvasirDaemon]:
    """Our daemon for all questions of this file."""
    with short_folder("kv-") as folder:
        daemon = KvasirDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, peers)
        daemon.start()
        try:
            yield daemon
        finally:
            daemon.kill()


def both(own: DaemonHandle, real: DaemonHandle, *words: str) -> tuple[str, str]:
    """What the same virsh prints of both daemons, with the host's uuid masked."""
    answers = [daemon.virsh(*words) for daemon in (own, real)]
    mine, theirs = (re.sub("<uuid>.*</uuid>", "<uuid/>", done.stdout + done.stderr) for done in answers)
    return mine, theirs


@pytest.mark.guide("virsh-capabilities-host", "virsh-capabilities")
def test_capabilities(ours: DaemonHandle, real_libvirtd: DaemonHandle) -> None:
    mine, theirs = both(ours, real_libvirtd, "capabilities")
    # Memory may be hot-plugged between the two answers, and a namespace may lack /dev/kvm's node.
    memory = re.compile(r"<(memory|pages) unit='KiB'[^>]*>\d+</\1>")
    assert "<capabilities>" in mine and memory.sub("", mine) == memory.sub("", theirs)


@pytest.mark.guide("virsh-domcapabilities", "xml-domcapabilities-pcibackend")
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm", "isapc", "pc-i440fx-2.5"])
@pytest.mark.parametrize("accel", ["kvm", "qemu"])
def test_domain_capabilities(ours: DaemonHandle, real_libvirtd: DaemonHandle, machine: str, accel: str) -> None:
    mine, theirs = both(ours, real_libvirtd, "domcapabilities", "--machine", machine, "--virttype", accel)
    assert mine == theirs


@pytest.mark.parametrize(
    "words",
    ["--arch aarch64", "--machine nope", "--virttype xen", "--virttype foo", "--arch foo", "--emulatorbin /nope",
     "--emulatorbin /usr/bin/qemu-system-i386 --arch x86_64"],
)  # fmt: skip
def test_refusals(ours: DaemonHandle, real_libvirtd: DaemonHandle, words: str) -> None:
    mine, theirs = both(ours, real_libvirtd, "domcapabilities", *words.split())
    assert mine == theirs and "error: " in mine


@pytest.mark.guide("virsh-cpu-models", "tool-output-cpu-models-x86")
@pytest.mark.parametrize("arch", ["x86_64", "i686", "ppc64", "s390x", "aarch64", "foo"])
def test_cpu_models(ours: DaemonHandle, real_libvirtd: DaemonHandle, arch: str) -> None:
    mine, theirs = both(ours, real_libvirtd, "cpu-models", arch)
    assert mine == theirs


@pytest.mark.parametrize("name", ["pc-usual", "q35-usual", "q35-scsi", "pc-many-disks", "q35-uefi-secure"])
def test_command_line(ours: DaemonHandle, real_libvirtd: DaemonHandle, name: str) -> None:
    path = harness.HERE / f"argv/{name}.xml"
    mine = ours.virsh("domxml-to-native", "qemu-argv", str(path)).stdout.replace(str(ours.folder), "")
    theirs = real_libvirtd.virsh("domxml-to-native", "qemu-argv", str(path)).stdout
    assert " -name guest=" in mine
    assert not harness.argv_difference(shlex.split(mine), theirs)
