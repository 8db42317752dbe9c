"""Looking at disks and memory and connecting to a display: the same answers as the real daemon gives libvirt-python."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon

pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/qemu-system-x86_64").exists(), reason="qemu-system-x86_64 is not installed"
)
PROGRAM = '''
import libvirt, socket, sys
libvirt.registerErrorHandler(lambda *a: None, None)
conn = libvirt.open(sys.argv[1]); folder = sys.argv[2]
document = """<domain type='qemu'><name>pg</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><disk type='file'><driver name='qemu' type='raw'/><source file='%s/raw.img'/><target dev='vda'/></disk>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='%s/x.qcow2'/><target dev='vdb'/></disk>
<graphics type='vnc'/></devices></domain>"""
guest = conn.defineXML(document % (folder, folder))
def say(function, *arguments):
    try: print(repr(function(*arguments)))
    except libvirt.libvirtError as error: print(error.get_error_code(), error)
say(guest.blockPeek, folder + "/raw.img", 2, 4, 0); say(guest.blockPeek, "vda", 0, 4); say(guest.blockPeek, "nosuch", 0, 4)
say(guest.blockPeek, "vdb", 0, 4); say(guest.blockPeek, "vda", 0, 4, 3)
say(guest.memoryPeek, 0, 4, 2); say(guest.memoryPeek, 0, 4, 0); say(guest.openGraphicsFD, 0, 0)
other = conn.defineXML((document % (folder, folder)).split("<disk")[0].replace("pg", "pg2") + "<graphics type='vnc'/></devices></domain>")
other.create()
say(other.memoryPeek, 0xfffffff0, 5, 2); say(other.memoryPeek, 0, 4, 3)
say(other.openGraphicsFD, 5, 0)
line = socket.socket(fileno=other.openGraphicsFD(0, 1)); line.settimeout(30); print(line.recv(12))
one, two = socket.socketpair(); say(other.openGraphics, 0, two.fileno(), 1); one.settimeout(30); print(one.recv(12))
other.destroy(); other.undefine(); guest.undefine()
'''


def test_same_answers(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    said = []
    for daemon in (real_libvirtd, kvasird):
        assert daemon.peers is not None
        (daemon.folder / "raw.img").write_bytes(b"abcdefgh" + bytes(4096))
        (daemon.folder / "x.qcow2").write_bytes(b"QFI\\xfb")
        (daemon.folder / "look.py").write_text(PROGRAM)
        done = daemon.peers.run("python3", str(daemon.folder / "look.py"), daemon.uri, str(daemon.folder))
        assert done.returncode == 0, done.stderr
        said.append(done.stdout.replace(str(daemon.folder), "FOLDER"))
    assert said[0] == said[1]
    assert "RFB 003.008" in said[1]
