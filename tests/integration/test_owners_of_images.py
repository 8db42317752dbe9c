"""Whom images belong to, and what is remembered of the owners before, through snapshots and block jobs: as with libvirtd."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon

GUEST = """<domain type='qemu'><name>owners</name><uuid>5a8d5b50-64d3-4f37-9c1b-2f6d3a1d2b19</uuid><memory>65536</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{0}/a'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{0}/b'/><target dev='vdb' bus='virtio'/></disk>
</devices></domain>"""
SNAPSHOT = "snapshot-create-as owners --no-metadata --disk-only --diskspec vda,file={0}/a{1} --diskspec vdb,file={0}/b{1} {1}"
STEPS = (
    "define {0}.xml", "start owners", SNAPSHOT.replace("{1}", "1"),
    "blockcommit owners vda --active --pivot --wait",
    SNAPSHOT.replace("{1}", "2"),
    "blockpull owners vda --wait",
    "blockcommit owners vdb --top {0}/b1 --base {0}/b --wait",
    "undefine owners",
    "blockcopy owners vda {0}/there --reuse-external --wait --pivot --format raw",
    "blockcopy owners vdb {0}/made --wait --finish --format qcow2",
    "blockcopy owners vdb {0}/unfinished --wait --format qcow2",
    "destroy owners",
)  # fmt: skip
PREFIX = "trusted.libvirt.security."

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="changing owners needs root")


def owners(folder: Path) -> dict[str, tuple[int, int, str, str]]:
    """Of each file: owner, group, the remembered owner and the count of its users."""
    found = {}
    for path in folder.iterdir():
        state, known = path.stat(), os.listxattr(path)
        words = [os.getxattr(path, PREFIX + name).decode() if PREFIX + name in known else "" for name in ("dac", "ref_dac")]
        found[path.name] = (state.st_uid, state.st_gid, words[0].rstrip("\0"), words[1].rstrip("\0"))
    return found


def run(daemon: DaemonHandle, folder: Path) -> list[tuple[str, dict[str, tuple[int, int, str, str]]]]:
    folder.chmod(0o755)
    for number, (name, more) in enumerate(
        (("base", ("raw",)), ("a", ("qcow2", "-F", "raw", "-b", f"{folder}/base")), ("b", ("raw",)), ("there", ("raw",)))
    ):
        subprocess.run(["qemu-img", "create", "-q", "-f", *more, folder / name, "4M"], check=True)
        os.chown(folder / name, 70 + number, 80 + number)
    Path(f"{folder}.xml").write_text(GUEST.format(folder))
    seen = []
    for step in STEPS:
        done = daemon.virsh(*step.format(folder).split())
        assert done.returncode == 0, (step, done.stderr)
        seen.append((step, owners(folder)))
    Path(f"{folder}.xml").unlink()
    return seen


def test_owners_of_images(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    with tempfile.TemporaryDirectory(prefix="kvown-") as one, tempfile.TemporaryDirectory(prefix="kvown-") as two:
        ours, theirs = run(kvasird, Path(one)), run(real_libvirtd, Path(two))
    assert dict(theirs)["start owners"]["a"][2:] == ("+71:+81", "1"), "libvirtd remembers no owners here"
    for own, real in zip(ours, theirs, strict=True):
        assert own == real
