"""Storage from another machine: pools, volumes and disks with nothing but the protocol between the two."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.remote.hosts import Pair

PLAIN = 'listen_tls = 0\nlisten_tcp = 1\nauth_tcp = "none"\n'
GUEST = """<domain type='qemu'><name>far</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><memballoon model='none'/></devices></domain>"""


@pytest.mark.guide("storage-remote-management")
def test_all_from_the_other_host(pair: Pair, root: Path) -> None:
    images, document = root / "images", pair.client.folder / "far.xml"
    document.write_text(GUEST)

    def ok(*words: str) -> str:
        done = pair.client.ours("-c", "qemu+tcp://host2/system", *words)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    with pair.daemon(root, PLAIN, "--listen"):
        ok("pool-define-as", "p", "dir", "--target", str(images))
        ok("pool-build", "p")
        ok("pool-start", "p")
        ok("vol-create-as", "p", "v.qcow2", "8M", "--format", "qcow2")
        assert (images / "v.qcow2").read_bytes()[:4] == b"QFI\xfb"
        ok("define", str(document))
        ok("attach-disk", "far", str(images / "v.qcow2"), "vda", "--subdriver", "qcow2", "--config")
        ok("start", "far", "--paused")
        assert str(images / "v.qcow2") in ok("domblklist", "far")
        assert 'filename":"' + str(images / "v.qcow2") in (root / "var/log/libvirt/qemu/far.log").read_text()
        ok("destroy", "far")
        ok("undefine", "far")
        ok("vol-delete", "v.qcow2", "p")
        assert not (images / "v.qcow2").exists()
        ok("pool-destroy", "p")
        ok("pool-undefine", "p")
        assert "p" not in ok("pool-list", "--all", "--name").split()
