"""Images and volumes that vanish or change under the daemon: both say the same, and both leave the same behind."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon, short_folder

pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(os.geteuid() != 0, reason="the peers need root")]
GUEST = """<domain type='qemu'><name>van</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><disk type='file'><driver name='qemu' type='{form}'/><source file='{path}'/>
<target dev='vda' bus='virtio'/></disk><memballoon model='none'/></devices></domain>"""
CASES = {
    "image of a running guest": """
! qemu-img create -q -f qcow2 @/a 2M; chmod 666 @/a
guest qcow2 a
! rm @/a
domblkinfo van vda
domblkinfo van --all
snapshot-create-as van s --disk-only --diskspec vda,file=@/s
blockcommit van vda --active --pivot --wait
snapshot-list van --name
blockcopy van vda @/copy --wait --pivot --transient-job
domblklist van
destroy van
! qemu-img create -q -f qcow2 @/a 2M; chmod 666 @/a
guest qcow2 a
snapshot-list van --name
checkpoint-create-as van c
destroy van
guest qcow2 a
checkpoint-list van --name
destroy van
""",
    "layer of a chain": """
! qemu-img create -q -f qcow2 @/a 2M
! qemu-img create -q -f qcow2 -b @/a -F qcow2 @/b
! qemu-img create -q -f qcow2 -b @/b -F qcow2 @/c
! qemu-img create -q -f qcow2 -b @/c -F qcow2 @/d; chmod 666 @/?
guest qcow2 d
! rm @/b
blockcommit van vda --base @/b --top @/c --wait
blockcommit van vda --shallow --top @/c --wait
blockcommit van vda --base @/nosuch --top @/c --wait
blockpull van vda --wait
destroy van
guest qcow2 c
! qemu-img rebase -u -f qcow2 -b @/c -F qcow2 @/a; qemu-img rebase -u -f qcow2 -b @/a -F qcow2 @/c
guest qcow2 c
! ln -s @/y @/x; ln -s @/x @/y
guest raw x
guest raw a/under
""",
    "volumes of a pool": """
! mkdir @/p
pool-create-as van dir --target @/p
vol-create-as van a 1M
vol-create-as van b 1M
vol-create-as van c 1M
vol-create-as van q 1M --format qcow2
! rm @/p/*; mkdir @/p/b; mkfifo @/p/c; echo text > @/text
vol-info a van
vol-resize a 2M van
vol-resize q 2M van
vol-wipe a van
vol-upload a @/text van
vol-clone q q2 van
vol-delete a van
vol-info b van
vol-resize b 2M van
vol-upload b @/text van
vol-delete b van
vol-info c van
vol-delete c van
vol-list van
pool-destroy van
""",
}
CHANGES = ((r"gid:\d+", "gid:N"), (r"/usr/s?bin/qemu-img", "qemu-img"))


def play(daemon: DaemonHandle, script: str) -> list[str]:
    """What virsh says to each line, and what lies in the folder at the end."""
    said = []
    with short_folder("kvv-") as folder:
        folder.chmod(0o777)

        def virsh(*words: str) -> None:
            done = daemon.virsh(*words)
            text = f"{' '.join(words)}: {done.returncode} {done.stdout}{done.stderr}".replace(str(folder), "@")
            for pattern, word in CHANGES:
                text = re.sub(pattern, word, text)
            said.append(text)

        for line in script.strip().replace("@", str(folder)).splitlines():
            if line.startswith("! "):
                subprocess.run(["sh", "-ec", line[2:]], check=True)
            elif line.startswith("guest "):
                form, path = line.split()[1:]
                (folder / "guest.xml").write_text(GUEST.format(form=form, path=folder / path))
                virsh("create", str(folder / "guest.xml"), "--paused")
            else:
                virsh(*shlex.split(line))
        said += sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))
    return said


@pytest.mark.parametrize("case", CASES)
def test_what_vanishes(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, case: str) -> None:
    theirs = play(real_libvirtd, CASES[case])
    assert play(kvasird, CASES[case]) == theirs
