"""What the elements of a volume's document do to the file that is made; the format of a volume that is no file."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from kvasir.storage import documents
from kvasir.storage.pools.logical import LogicalPool

from .conftest import Lone

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="changing owners needs root")
VOLUME = """<volume><name>{name}</name><allocation>0</allocation><capacity unit='M'>100</capacity><target>{more}
<permissions><owner>107</owner><group>107</group><mode>0744</mode><label>virt_image_t</label></permissions></target></volume>"""
QCOW2 = "<format type='qcow2'/><compat>{0}</compat>"


@pytest.mark.guide("xml-volume")
def test_owner_mode_and_size(daemon: Lone, tmp_path: Path) -> None:
    """The label is what the file has (this host has no SELinux): libvirt too only reports it."""
    daemon.ok("pool-create-as", "x", "dir", "--target", f"{tmp_path}/p", "--build")
    document = tmp_path / "volume.xml"
    document.write_text(VOLUME.format(name="volume1", more=f"<path>{tmp_path}/elsewhere/volume1</path>"))
    daemon.ok("vol-create", "x", str(document))
    made = (tmp_path / "p/volume1").stat()
    assert (made.st_size, made.st_uid, made.st_gid, made.st_mode & 0o7777) == (100 << 20, 107, 107, 0o744)
    assert made.st_blocks * 512 < 1 << 20, "allocation 0: sparse"
    said = daemon.ok("vol-dumpxml", "volume1", "x")
    for word in (
        "<capacity unit='bytes'>104857600<",
        f"<path>{tmp_path}/p/volume1<",
        "<owner>107<",
        "<group>107<",
        "<mode>0744<",
    ):
        assert word in said, said
    daemon.ok("pool-destroy", "x")


@pytest.mark.guide("limit-vol-format-file-pools")
def test_formats_are_for_files(daemon: Lone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """qcow2 by its version in a directory; in a logical pool (tools of our own writing) lvcreate is all that runs."""
    daemon.ok("pool-create-as", "x", "dir", "--target", f"{tmp_path}/p", "--build")
    document = tmp_path / "volume.xml"
    for number, compat in ((2, "0.10"), (3, "1.1")):
        document.write_text(VOLUME.format(name=f"v{number}", more=QCOW2.format(compat)))
        daemon.ok("vol-create", "x", str(document))
        head = (tmp_path / f"p/v{number}").read_bytes()[:8]
        assert head == b"QFI\xfb" + struct.pack(">I", number)
    daemon.ok("pool-destroy", "x")
    ran: list[list[str]] = []

    def record(*words: str, **_: object) -> str:
        ran.append([os.path.basename(words[0]), *words[1:]])
        return ""

    monkeypatch.setattr("kvasir.host.tools.run", record)
    monkeypatch.setattr("kvasir.storage.pools.logical.tools.run", record)
    pool = LogicalPool(documents.pool("<pool type='logical'><name>vg</name></pool>"))
    volume = documents.volume(VOLUME.format(name="lv", more=QCOW2.format("1.1")), pool, 0, None)
    assert "qcow2" not in volume.xml()
    volume.path = str(tmp_path / "lv")
    (tmp_path / "lv").write_bytes(bytes(4096))
    monkeypatch.setattr(pool, "_adopt", lambda volume: None)
    pool.create(volume, None, 0)
    assert [words[0] for words in ran] == ["lvcreate"]
    assert (tmp_path / "lv").read_bytes() == bytes(4096), "no head of an image in it"
