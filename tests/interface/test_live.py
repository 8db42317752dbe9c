"""Live links: the same list and documents from both daemons, and from both virsh; documents as libvirt's test driver has them."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon
from tests.virsh.cells import four

from .conftest import IfaceDaemon
from .corpus import DOCUMENTS

SETUP = """
ip link add x0 type veth peer name x1; ip link add y0 type veth peer name y1; ip link add z0 type veth peer name z1
n=10; for l in x0 x1 y0 y1 z0 z1; do ip link set $l address 52:54:00:00:00:$n; n=$((n+1)); done
ip link add brx type bridge; ip link set brx address 52:54:00:00:00:30; ip link set x0 master brx; ip link set y0 master brx
ip link add bry type bridge stp_state 1 forward_delay 400; ip link set bry address 52:54:00:00:00:31
for l in x0 x1 brx z0 z1; do ip link set $l up; done
ip link set z0 mtu 9000; ip address add 10.1.2.3/24 dev brx; ip link set z1 address 52:54:00:00:00:14
ip link add link x1 name mv0 address 52:54:00:00:00:32 type macvtap
ip tuntap add tapx mode tap; ip link set tapx address 52:54:00:00:00:33
ip tuntap add tapy mode tap; ip link set tapy address 52:54:00:00:00:34; ip link set tapy master bry
"""
LIVE = """
iface-list
iface-list --all
iface-list --inactive
iface-dumpxml lo
iface-dumpxml x0
iface-dumpxml x1
iface-dumpxml y0
iface-dumpxml z0
iface-dumpxml brx
iface-dumpxml brx --inactive
iface-dumpxml bry
iface-dumpxml mv0
iface-dumpxml tapx
iface-dumpxml tapy
iface-dumpxml nosuch
iface-dumpxml brx --xpath //bridge/@stp
iface-dumpxml brx --xpath //interface --wrap
iface-mac x0
iface-mac brx
iface-mac nosuch
iface-mac 52:54:00:00:00:30
iface-name 52:54:00:00:00:30
iface-name 52:54:00:00:00:11
iface-name brx
iface-name 52:54:00:00:00:99
iface-name 52:54:00:00:00:14
iface-dumpxml 52:54:00:00:00:14
iface-dumpxml 52:54:00:00:00:30
iface-dumpxml 01:02:03
iface-begin
iface-commit
iface-rollback
iface-define {folder}/iface.xml
iface-define {folder}/nosuch.xml
iface-undefine x1
iface-undefine nosuch
iface-start x1
iface-start nosuch
iface-destroy x1
iface-destroy 52:54:00:00:00:11
iface-bridge x1 brn
iface-bridge x1 brn --delay 3 --no-stp
iface-bridge x1 brn 3 --no-start
iface-bridge x1 brn --delay x
iface-bridge x1 brn --delay -1
iface-bridge x1 brx
iface-bridge brx brn
iface-bridge nosuch brn
iface-bridge 52:54:00:00:00:11 brn
iface-unbridge brx
iface-unbridge bry
iface-unbridge x1
iface-unbridge nosuch
iface-unbridge 52:54:00:00:00:30
iface-unbridge 52:54:00:00:00:31
!iface-list
!iface-mac
!iface-dumpxml nosuch
!iface-list --table
"""


@pytest.mark.guide(
    "virsh-iface-list", "virsh-iface-list-opt-all", "virsh-iface-list-opt-inactive", "virsh-iface-dumpxml",
    "virsh-iface-dumpxml-opt-inactive", "virsh-iface-mac", "virsh-iface-name", "behaviour-bridge-host-tools-preferred",
)  # fmt: skip
def test_live_links_as_libvirt_shows_them(ifd: IfaceDaemon, real_libvirtd: DaemonHandle) -> None:
    """No configuration is found: then ours has links as Debian's libvirt has them, and changes none."""
    ifd.reset(None)
    for name in ("lan0", "c0", "c1", "c2", "c3"):  # another namespace's: the real daemon has none of them
        ifd.inside("ip", "link", "set", name, "netns", str(ifd.world.process.pid))
    try:
        ifd.inside("sh", "-ec", SETUP)
        peer = [str(PROJECT / "scripts/peer"), "exec", "--dir", str(real_libvirtd.folder), "--", "sh", "-ec", SETUP]
        assert real_libvirtd.peers is not None
        env = {**os.environ, "KVASIR_PEERS": str(real_libvirtd.peers.root)}
        subprocess.run(peer, env=env, check=True)
        for daemon in (ifd, real_libvirtd):
            (daemon.folder / "iface.xml").write_text("<interface type='ethernet' name='e9'/>")
            while "z1 " not in daemon.virsh("-q", "iface-list").stdout:
                pass
        four((("libvirtd", real_libvirtd), ("kvasird", ifd)), LIVE)
    finally:
        for name in ("x0", "y0", "z0", "brx", "bry", "tapx", "tapy"):
            ifd.inside("ip", "link", "delete", name, check=False)
        for name in ("lan0", "c0", "c1", "c2", "c3"):
            ifd.world.run("ip", "link", "set", name, "netns", str(ifd.ground.process.pid))


def test_documents_as_the_test_driver_has_them(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """Accepted or refused with the same words, and written the same: the element tables are those of both drivers."""
    script = ""
    for number, text in enumerate(DOCUMENTS):
        for daemon in (kvasird, real_libvirtd):
            (daemon.folder / f"d{number}.xml").write_text(text)
        script += f"iface-define {{folder}}/d{number}.xml\n"
        if " name='" in text.split(">")[0]:
            script += f"iface-dumpxml {text.split(' name=')[1].split(chr(39))[1]}\n"
    script += "iface-list --all\n"
    four((("libvirtd", real_libvirtd), ("kvasird", kvasird)), script,
         uri=lambda daemon: daemon.uri.replace("qemu+unix:///system", "test+unix:///default"))  # fmt: skip
