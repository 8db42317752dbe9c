"""Internal and external snapshots of a running QEMU, and the ways back (A.13)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PROJECT, KvasirDaemon
from tests.integration.diskguest import tool

GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><disk type='file'><driver name='qemu' type='{form}'/>
<source file='{path}'/><target dev='vda' bus='virtio'/></disk><memballoon model='none'/></devices></domain>"""
SNAPSHOT = """<domainsnapshot><name>named</name><disks><disk name='vda' snapshot='external'><source file='{}'/></disk></disks>
</domainsnapshot>"""


class Bench:
    def __init__(self, daemon: KvasirDaemon, form: str) -> None:
        self.daemon, self.name = daemon, form
        self.path = daemon.folder / f"disk.{form}"
        tool("qemu-img", "create", "-q", "-f", form, str(self.path), "8M")
        tool("qemu-io", "-f", form, "-c", "write -P 1 0 1M", str(self.path))
        document = daemon.folder / f"{form}.xml"
        document.write_text(GUEST.format(name=form, form=form, path=self.path))
        self.ok("define", str(document))
        self.ok("start", form)

    def ok(self, *words: str) -> str:
        done = self.daemon.our_virsh(*words)
        assert done.returncode == 0, (words, done.stderr, self.daemon.log())
        return done.stdout

    def fails(self, *words: str) -> str:
        done = self.daemon.our_virsh(*words)
        assert done.returncode == 1, (words, done.stdout)
        return done.stderr

    def top(self) -> Path:
        return Path(self.ok("domblklist", self.name).split()[-1])

    def below(self) -> list[tuple[str, str]]:
        """The chain of the disk: path and format of each image."""
        shown = json.loads(tool("qemu-img", "info", "-U", "--backing-chain", "--output", "json", str(self.top())))
        return [(image["filename"], image["format"]) for image in shown]


@pytest.mark.guide("snapshot-internal")
def test_internal(kvasird: KvasirDaemon) -> None:
    """The default: inside the qcow2 image; refused on a raw disk; going back and deleting work."""
    bench = Bench(kvasird, "qcow2")
    bench.ok("snapshot-create-as", "qcow2", "first")
    assert "first" in tool("qemu-img", "snapshot", "-U", "-l", str(bench.path))
    assert 'snapshot="internal"' in bench.ok("snapshot-dumpxml", "qcow2", "first", "--xpath", "//disk")
    bench.ok("destroy", "qcow2")
    tool("qemu-io", "-f", "qcow2", "-c", "write -P 2 0 1M", str(bench.path))
    bench.ok("snapshot-revert", "qcow2", "first")
    assert bench.ok("domstate", "qcow2").strip() == "running"
    tool("qemu-io", "-U", "-r", "-f", "qcow2", "-c", "read -P 1 0 1M", str(bench.path))  # fails where bytes differ
    bench.ok("snapshot-delete", "qcow2", "first")
    assert "first" not in tool("qemu-img", "snapshot", "-U", "-l", str(bench.path))
    bench.ok("destroy", "qcow2")
    raw = Bench(kvasird, "raw")
    refused = raw.fails("snapshot-create-as", "raw", "first")
    assert "internal snapshot for disk vda unsupported for storage type raw" in refused
    raw.ok("destroy", "raw")


@pytest.mark.guide("snapshot-external", "snapshot-external-create", "snapshot-external-xml", "snapshot-external-oneway")
def test_external(kvasird: KvasirDaemon) -> None:
    """Overlays above a raw disk, by option and by document, while the guest runs on; and what undoes each of them."""
    bench = Bench(kvasird, "raw")
    command = [str(PROJECT / "bin/virsh"), "-c", kvasird.uri, "event", "raw", "--event", "lifecycle", "--loop"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        try:
            bench.ok("snapshot-create-as", "raw", "plain", "--disk-only", "--diskspec", "vda,snapshot=external")
            assert bench.below() == [(f"{kvasird.folder}/disk.plain", "qcow2"), (str(bench.path), "raw")]
            assert "plain" in bench.ok("snapshot-list", "raw", "--external")
            named = kvasird.folder / "new.overlay"
            (kvasird.folder / "s.xml").write_text(SNAPSHOT.format(named))
            bench.ok("snapshot-create", "raw", "--xmlfile", str(kvasird.folder / "s.xml"), "--disk-only")
            assert bench.top() == named
            bench.ok("qemu-monitor-command", "raw", '{"execute":"stop"}')  # the first change of state that is heard
            assert watch.stdout is not None
            assert "Suspended" in watch.stdout.readline()
            bench.ok("resume", "raw")
        finally:
            watch.kill()
    assert "Domain snapshot named deleted" in bench.ok("snapshot-delete", "raw", "named")
    assert bench.top() == kvasird.folder / "disk.plain"
    bench.ok("blockcommit", "raw", "vda", "--active", "--pivot")
    assert bench.below() == [(str(bench.path), "raw")]
    bench.ok("snapshot-delete", "raw", "plain", "--metadata")
    bench.ok("snapshot-create-as", "raw", "again", "--disk-only", "--diskspec", f"vda,file={kvasird.folder}/again")
    bench.ok("blockpull", "raw", "vda", "--wait")
    assert bench.below() == [(f"{kvasird.folder}/again", "qcow2")]
    bench.ok("destroy", "raw")
    tool("qemu-io", "-f", "qcow2", "-c", "read -P 1 0 1M", str(kvasird.folder / "again"))
