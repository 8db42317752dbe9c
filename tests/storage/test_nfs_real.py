"""NFS by a server in user space (nfs-ganesha): exports found, guests on images by QEMU's own client, copies onto them.

The kernel here has no NFS client: the mount of a netfs pool goes up to the kernel's door, on both daemons alike.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import Room, room, with_packages

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(not os.environ.get("KVASIR_LONG"), reason="an NFS server takes half a minute: KVASIR_LONG=1"),
]
CONF = """NFS_CORE_PARAM { Protocols = 3,4; NFS_Port = 2049; MNT_Port = 20048; Enable_NLM = false; Enable_RQUOTA = false; }
NFSV4 { Graceless = true; RecoveryRoot = "/run/ganesha"; }
EXPORT { Export_Id = 1; Path = "%s"; Pseudo = "/share"; Access_Type = RW; Squash = No_Root_Squash; SecType = sys;
  Protocols = 3,4; Transports = TCP; FSAL { Name = VFS; } }
"""
POOL = """<pool type='netfs'><name>n</name><source><host name='127.0.0.1'/><dir path='%s'/><format type='nfs'/></source>
<target><path>/mnt/n</path></target></pool>"""
DISK = """<disk type='network'><driver name='qemu' type='%s'/><source protocol='nfs' name='%s'><host name='127.0.0.1'/>
<identity user='+0' group='+0'/></source><target dev='vda' bus='virtio'/></disk>"""
GUEST = """<domain type='qemu'><name>one</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>%s<memballoon model='none'/></devices></domain>"""


@pytest.fixture(scope="module")
def server() -> Iterator[Room]:
    root = with_packages(
        "nfs", "nfs-ganesha", "nfs-ganesha-vfs", "nfs-common", "libnfs-utils", "qemu-block-extra", "rpcbind"
    )
    with room(root) as made:
        export = made.folder / "export"
        export.mkdir()
        (made.folder / "ganesha.conf").write_text(CONF % export)
        (export / "disk.img").write_bytes(os.urandom(3 << 20))
        made.run("mkdir", "-p", "/run/ganesha", "/var/lib/nfs/ganesha", "/run/rpcbind", "/mnt/n")
        made.begin("rpcbind", "-f")
        made.wait(lambda: made.run("rpcinfo", "-p", ok=False).returncode == 0, "no rpcbind")
        conf = str(made.folder / "ganesha.conf")
        made.begin("ganesha.nfsd", "-F", "-L", "/dev/stderr", "-f", conf, "-p", "/run/ganesha.pid")
        made.wait(lambda: str(export) in made.run("showmount", "-e", "127.0.0.1", ok=False).stdout, "no NFS server")
        made.start_ours()
        yield made


def same(server: Room, *words: str) -> str:
    said = [done.stdout + done.stderr for done in (d.virsh(*words) for d in (server.real, server.ours))]
    assert said[0] == said[1], words
    return said[1]


def test_exports_are_found(server: Room) -> None:
    found = same(server, "find-storage-pool-sources-as", "netfs", "127.0.0.1")
    assert f"<dir path='{server.folder}/export'/>" in found and "<format type='nfs'/>" in found


def test_a_share_up_to_the_kernels_door(server: Room) -> None:
    """mount(8) is asked for the export; this kernel refuses, and both daemons say so in the same words."""
    if "\tnfs\n" in Path("/proc/filesystems").read_text():
        pytest.skip("this kernel has an NFS client")
    path = server.folder / "pool.xml"
    path.write_text(POOL % (server.folder / "export"))
    same(server, "pool-define", str(path))
    assert "mount.nfs: No such device" in same(server, "pool-start", "n")
    assert "inactive" in same(server, "pool-list", "--all")
    same(server, "pool-undefine", "n")


def test_guests_and_copies_on_images(server: Room) -> None:
    """QEMU's own client reads and writes the export as the user that the document names."""
    export = server.folder / "export"
    said = []
    for daemon in (server.real, server.ours):
        path = server.folder / "g.xml"
        path.write_text(GUEST % DISK % ("raw", export / "disk.img"))
        done = daemon.virsh("create", str(path))
        assert done.returncode == 0, done.stderr + server.log()
        rows = [daemon.virsh("domblkinfo", "one", "vda").stdout, daemon.virsh("domblklist", "one", "--details").stdout]
        for more in ((), ("--reuse-external",)):
            target = export / f"copy-{daemon is server.real}-{len(more)}.img"  # (the server remembers names of before)
            if more:
                target.write_bytes(bytes(3 << 20))
            (server.folder / "c.xml").write_text(DISK % ("raw", target))
            copy = ("blockcopy", "one", "vda", "--xml", str(server.folder / "c.xml"), "--wait", "--transient-job")
            done = daemon.virsh(*copy, "--pivot", *more)
            assert done.returncode == 0, done.stderr + server.log()
            shown = daemon.virsh("dumpxml", "one").stdout.split("<disk")[1].split("</disk")[0]
            rows.append(shown.replace(target.name, "COPY"))
            assert daemon.virsh("destroy", "one").returncode == 0
            assert target.read_bytes() == (export / "disk.img").read_bytes()
            assert daemon.virsh("create", str(path)).returncode == 0
        assert daemon.virsh("destroy", "one").returncode == 0
        said.append(rows)
    assert said[0] == said[1]
